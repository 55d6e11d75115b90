package draw

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Panel is where dots are drawn: its size and what stands above it.
type Panel struct {
	Title      string
	Wide, High int
}

// The edges of a panel.
const (
	panelLeft, panelRight = 70, 16
	panelTop, panelBottom = 26, 40
)

// Dots draws each point as a dot over the axes of its first two values. Axes and
// colours, if there are any, are those of all panels, so that dots of one can be
// held against those of another.
func Dots(x, y Scale, points []Point, colors *Colors, panel Panel) template.HTML {
	var b strings.Builder
	left, right, top, bottom := float64(panelLeft), float64(panel.Wide-panelRight), float64(panelTop), float64(panel.High-panelBottom)
	fmt.Fprintf(&b, `<svg class="plot dots" viewBox="0 0 %d %d" width="%d" role="group" aria-label="%s" data-left="%g" data-right="%g" data-top="%g" data-bottom="%g">`,
		panel.Wide, panel.High, panel.Wide, escape(fmt.Sprintf("%s%s over %s, %s", prefix(panel.Title), title(y.Title), title(x.Title), unit.Plural(len(points), "value"))), left, right, top, bottom)
	fmt.Fprintf(&b, `<text class="name" x="%g" y="16">%s</text>`, left, escape(unit.Cut(unit.Line(panel.Title), panel.Wide/8)))
	fmt.Fprintf(&b, `<g class="axis x"%s><line x1="%g" x2="%g" y1="%g" y2="%g"/><text class="name" x="%g" y="%d">%s</text>`, x.data(), left, right, bottom, bottom, (left+right)/2, panel.High-6, escape(label(x.Title)))
	for i, t := range x.ticks() {
		if !crowded(len(x.levels), i, panel.Wide) {
			fmt.Fprintf(&b, `<text x="%.1f" y="%g">%s</text>`, left+t.at*(right-left), bottom+16, escape(t.text))
		}
	}
	fmt.Fprintf(&b, `</g><g class="axis y"%s><line x1="%g" x2="%g" y1="%g" y2="%g"/><text class="name" transform="translate(12 %g) rotate(-90)">%s</text>`, y.data(), left, left, top, bottom, (top+bottom)/2, escape(label(y.Title)))
	for _, t := range y.ticks() {
		fmt.Fprintf(&b, `<text x="%g" y="%.1f">%s</text>`, left-6, bottom-t.at*(bottom-top)+4, escape(t.text))
	}
	b.WriteString(`</g><g class="marks">`)
	for _, p := range points {
		u, okX := x.at(p.Values[0])
		v, okY := y.at(p.Values[1])
		if !okX || !okY {
			continue
		}
		run := ""
		if p.ID != "" {
			run = ` data-run="` + escape(p.ID) + `"`
		}
		dot := fmt.Sprintf(`<circle class="%s"%s cx="%.1f" cy="%.1f" r="3.2"><title>%s</title></circle>`, colors.class(p), run, left+u*(right-left), bottom-v*(bottom-top), escape(title(p.Name)))
		if p.Link != "" {
			dot = `<a href="` + escape(p.Link) + `" tabindex="-1">` + dot + `</a>`
		}
		b.WriteString(dot)
	}
	b.WriteString(`</g></svg>`)
	return template.HTML(b.String())
}

func prefix(name string) string {
	if name == "" {
		return ""
	}
	return title(name) + ": "
}

// crowded reports whether the i-th of many texts would run into another.
func crowded(levels, i, wide int) bool {
	const each = 90
	fit := max((wide-panelLeft)/each, 1)
	return levels > fit && i%((min(levels, maxTicks)+fit-1)/fit) != 0
}
