package nights

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/changes"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A line is the last values of a series, as they are drawn.
type line struct {
	dates     []string
	values    []float64 // by date; NaN where there is none
	band      *compare.Departure
	marks     []int   // places of dates at which something changed
	low, high float64 // of the values, and of the band; low is above where there are none
}

func lineOf(s series, metric string, dates []string, band *compare.Departure, turns []changes.Turn) line {
	skipped := max(0, len(dates)-maxSpark)
	l := line{dates: dates[skipped:], band: band, low: math.Inf(1), high: math.Inf(-1)}
	for _, d := range l.dates {
		y := number(s[d], metric)
		if l.values = append(l.values, y); !math.IsNaN(y) && !math.IsInf(y, 0) {
			l.low, l.high = min(l.low, y), max(l.high, y)
		}
	}
	if band != nil {
		l.low, l.high = min(l.low, band.Expected-band.Usual), max(l.high, band.Expected+band.Usual)
	}
	for _, t := range turns {
		if t.At >= skipped {
			l.marks = append(l.marks, t.At-skipped)
		}
	}
	return l
}

// A frame is where lines are drawn: a rectangle, and the values at its lower and upper
// edge.
type frame struct {
	left, top, width, height float64
	low, high                float64
	dot                      float64 // its radius
}

func (f frame) right() float64 { return f.left + f.width }

func (f frame) across(i, n int) float64 { return f.left + f.width*float64(i)/float64(max(n-1, 1)) }

func (f frame) up(y float64) float64 {
	if !(f.high > f.low) {
		return f.top + f.height/2
	}
	return f.top + f.height*(f.high-y)/(f.high-f.low)
}

// draw draws a line with a dot at its last value, where it is usual to lie on that
// date, and where something changed.
func (l line) draw(b *strings.Builder, f frame) {
	n := len(l.dates)
	if l.band != nil {
		from := f.left
		if l.band.OnLine || l.band.Weekday != "" { // it is that of this date alone
			from = f.right() - f.width/12
		}
		top := f.up(l.band.Expected + l.band.Usual)
		fmt.Fprintf(b, `<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, from, top, f.right()-from, max(f.up(l.band.Expected-l.band.Usual)-top, 0.5))
	}
	for _, at := range l.marks {
		fmt.Fprintf(b, `<path class="mark" d="M%.1f %.1fV%.1f"/>`, f.across(at, n), f.top-2, f.top+f.height+2)
	}
	var path strings.Builder
	pen, x, y := "M", 0.0, 0.0
	for i, value := range l.values {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			pen = "M"
			continue
		}
		x, y = f.across(i, n), f.up(value)
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, x, y)
		if pen = "L"; i+1 == n || math.IsNaN(l.values[i+1]) {
			path.WriteString("h.01") // a value alone is a point
		}
	}
	if path.Len() > 0 {
		fmt.Fprintf(b, `<path class="line" d="%s"/><circle cx="%.1f" cy="%.1f" r="%.1f"/>`, path.String(), x, y, f.dot)
	}
}

// spark is the line within a row of a table; empty where nothing differs.
func (l line) spark() template.HTML {
	if !(l.high > l.low) {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<svg class="spark" viewBox="0 0 124 24" width="124" height="24" aria-hidden="true">`)
	l.draw(&b, frame{2, 3, 120, 18, l.low, l.high, 2.5})
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// panel is the line with its scale, for a reader who looks at many of them.
func (l line) panel(low, high float64, title string) template.HTML {
	const width, height = 240.0, 104.0
	lowText, highText := unit.Number(low), unit.Number(high)
	left := 6.5*float64(max(len([]rune(lowText)), len([]rune(highText)))) + 6
	f := frame{left, 8, width - left - 6, height - 28, low, high, 3}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark panel" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(title))
	scale := []float64{low, high}
	for _, y := range slices.Compact(scale) {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fH%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, f.left, f.up(y), f.right(), f.left-5, f.up(y)+4, template.HTMLEscapeString(unit.Number(y)))
	}
	l.draw(&b, f)
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text>`, f.left, height-5, template.HTMLEscapeString(l.dates[0]))
	if n := len(l.dates); n > 1 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, f.right(), height-5, template.HTMLEscapeString(l.dates[n-1]))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// minShare is how much of one scale for all the lines have to take, in the middle, so
// that their movements are seen there.
const minShare = 0.15

// drawPanels draws the series of a metric side by side: to one scale, unless that would
// flatten most of them.
func (m *Metric) drawPanels() {
	rows := m.Rows[:min(len(m.Rows), maxPanels)]
	low, high := math.Inf(1), math.Inf(-1)
	var spans []float64
	for _, r := range rows {
		if r.line.low <= r.line.high {
			low, high = min(low, r.line.low), max(high, r.line.high)
			spans = append(spans, r.line.high-r.line.low)
		}
	}
	if len(spans) < 2 { // its line in the table says it all
		return
	}
	slices.Sort(spans)
	m.Shared = spans[len(spans)/2] >= minShare*(high-low)
	for i, r := range rows {
		if r.line.low > r.line.high {
			continue
		}
		from, to := low, high
		if !m.Shared {
			from, to = r.line.low, r.line.high
		}
		title := fmt.Sprintf("%s of %s by date; the last value is %s", unit.Line(m.Name), cmp.Or(unit.Line(r.Series), "all"), r.Now)
		if r.Usual != "" {
			title += ", usual is " + r.Usual
		}
		rows[i].Panel = r.line.panel(from, to, title)
	}
}
