package draw

import (
	"fmt"
	"html/template"
	"strings"
)

// The sizes of lines over parallel axes.
const (
	lineTop, lineBottom = 44, 296
	lineHigh            = 316
	lineWide            = 132 // between two axes
	lineEdge            = 76
)

// Lines draws each point as a line over parallel axes. Values are in the order of
// the axes.
func Lines(axes []Scale, points []Point, colors *Colors) template.HTML {
	var b strings.Builder
	wide := 2*lineEdge + lineWide*(len(axes)-1)
	points = Some(points, MaxLines)
	fmt.Fprintf(&b, `<svg class="plot lines" viewBox="0 0 %d %d" width="%d" role="group" aria-label="%d runs as lines over %d axes" data-top="%d" data-bottom="%d">`,
		wide, lineHigh, wide, len(points), len(axes), lineTop, lineBottom)
	b.WriteString(`<g class="marks" aria-hidden="true">`)
	for _, p := range points {
		if d := path(axes, p); d != "" {
			fmt.Fprintf(&b, `<path class="%s" data-run="%s" d="%s"><title>%s</title></path>`, colors.class(p), escape(p.ID), d, escape(label(p.Name)))
		}
	}
	b.WriteString(`</g>`)
	for i, s := range axes {
		s.axis(&b, lineEdge+lineWide*i)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// path is the line of a point; it has a gap where a value is missing.
func path(axes []Scale, p Point) string {
	var b strings.Builder
	drawn, n := false, 0
	for i, s := range axes {
		at, ok := s.at(p.Values[i])
		if !ok {
			drawn = false
			continue
		}
		letter := 'L'
		if !drawn {
			letter = 'M'
		}
		fmt.Fprintf(&b, "%c%d %.1f", letter, lineEdge+lineWide*i, lineBottom-at*(lineBottom-lineTop))
		drawn = true
		n++
	}
	if n < 2 {
		return ""
	}
	return b.String()
}

func (s Scale) axis(b *strings.Builder, x int) {
	ticks := s.ticks()
	fmt.Fprintf(b, `<g class="axis" transform="translate(%d 0)"%s aria-label="%s, from %s to %s"><text class="name" y="20">%s<title>%s</title></text><line y1="%d" y2="%d"/>`,
		x, s.data(), escape(s.Title), escape(ticks[0].text), escape(ticks[len(ticks)-1].text), escape(label(s.Title)), escape(title(s.Title)), lineTop, lineBottom)
	for _, t := range ticks {
		fmt.Fprintf(b, `<text x="6" y="%.1f">%s</text>`, lineBottom-t.at*(lineBottom-lineTop)+4, escape(t.text))
	}
	fmt.Fprintf(b, `<rect class="hit" x="-14" y="%d" width="28" height="%d"/></g>`, lineTop-6, lineBottom-lineTop+12)
}
