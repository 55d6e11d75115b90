package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/report/internal/picture"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A figure is a picture with its file and what it shows in words.
type figure struct {
	file string
	picture.Picture
	caption string
}

const (
	minLinePoints = 6 // below that an ordered axis is drawn as variants
	maxCrosses    = 2 // figures of a metric by two axes
)

// drawMetric draws the figures of a metric: a line along an ordered axis, or
// dots and intervals by variant; then the variants by the axes that they
// average over. A metric without values has none. Files are named after name.
func drawMetric(in Input, t compare.MetricTable, name string) ([]figure, error) {
	groups := withValues(t.Groups)
	if len(groups) == 0 {
		return nil, nil
	}
	draw := drawDots
	if _, ok := alongAxis(in); ok && len(groups) >= minLinePoints {
		draw = drawLine
	}
	first, err := draw(in, t, groups)
	if err != nil {
		return nil, err
	}
	figures := []figure{first}
	for _, x := range t.Crosses[:min(len(t.Crosses), maxCrosses)] {
		f, err := drawCross(in, t, x)
		if err != nil {
			return nil, err
		}
		if f.PNG != nil {
			figures = append(figures, f)
		}
	}
	for i := range figures {
		figures[i].file = fmt.Sprintf("%s-%d.png", name, i+1)
	}
	return figures, nil
}

// drawCross chooses the form of a metric by two axes. One row, or too few
// columns, has none.
func drawCross(in Input, t compare.MetricTable, x compare.Cross) (figure, error) {
	isLong := x.Ordered && len(x.Columns) >= minLinePoints
	view := crossView{
		Metric: label(t), Of: rowsName(in, x), Axis: x.Axis, Centre: t.CentreName(), Unit: t.Unit,
		Rows: len(x.Rows), AllRows: len(x.Rows), Columns: len(x.Columns), AllColumns: len(x.Columns),
	}
	if slices.Contains(x.Rows, in.Compare.Baseline) {
		view.Baseline = in.Compare.Baseline
	}
	switch {
	case isLong && len(x.Rows) <= picture.MaxLines:
		p, err := picture.Lines(axisLabel(t), x, in.Compare.Baseline)
		return figureOf(p, "lines", view), err
	case isLong:
		view.First, view.Last, view.Rows = x.Columns[0], x.Columns[len(x.Columns)-1], min(len(x.Rows), picture.MaxPanels)
		p, err := picture.Panels(x, in.Compare.Baseline)
		return figureOf(p, "panels", view), err
	case len(x.Rows) > 1:
		return drawHeat(x, view)
	}
	return figure{}, nil
}

// crossView is what the words about a cross name.
type crossView struct {
	Metric, Of, Axis, Centre, Unit, Baseline, First, Last string
	Low, High                                             float64
	Gaps                                                  bool
	Rows, AllRows, Columns, AllColumns                    int // drawn, and all
}

func drawHeat(x compare.Cross, view crossView) (figure, error) {
	p, low, high, ok, err := picture.Heat(x)
	if !ok || err != nil {
		return figure{}, err
	}
	view.Rows, view.Columns = min(view.Rows, picture.MaxHeatRows), min(view.Columns, picture.MaxHeatColumns)
	view.Low, view.High = low, high
	for _, row := range x.Cells[:view.Rows] {
		view.Gaps = view.Gaps || slices.ContainsFunc(row[:view.Columns], math.IsNaN)
	}
	return figureOf(p, "heat", view), nil
}

func drawLine(in Input, t compare.MetricTable, groups []compare.Group) (figure, error) {
	axis, _ := alongAxis(in)
	p, err := picture.Line(axisLabel(t), plain(axis.Name), groups)
	return figureOf(p, "line", struct {
		Metric, Axis, Centre string
		Band                 bool
	}{label(t), axis.Name, t.CentreName(), slices.ContainsFunc(groups, func(g compare.Group) bool { return g.N > 1 })}), err
}

func drawDots(in Input, t compare.MetricTable, groups []compare.Group) (figure, error) {
	p, err := picture.Dots(axisLabel(t), groups)
	shown := groups[:min(len(groups), picture.MaxGroups)]
	intervals := 0
	for _, g := range shown {
		if !math.IsInf(g.Lo, 0) && !math.IsInf(g.Hi, 0) {
			intervals++
		}
	}
	return figureOf(p, "dots", struct {
		Metric, By, Centre, CentreName, Confidence, Baseline string
		Single, Intervals, Lacking                           bool
		Shown, All                                           int
	}{
		label(t), safe(joined(in.Compare.Rows)), centreOf(t), t.CentreName(), unit.Number(100 * in.Compare.Confidence), in.Compare.Baseline,
		picture.OneEach(shown), intervals > 0, intervals < len(shown), len(shown), len(groups),
	}), err
}

// figureOf captions a picture with the words of that name, and with the names
// that the picture could only number.
func figureOf(p picture.Picture, name string, of any) figure {
	return figure{Picture: p, caption: words(name, of) + legend(p.Numbered) + "."}
}

// maxNumbered is how many numbered names a caption spells out.
const maxNumbered = 12

func legend(all []picture.Numbered) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, words("numbered", n))
	}
	if more := len(texts) - maxNumbered; more > 0 {
		texts = append(texts[:maxNumbered], fmt.Sprintf("%d more in the same order", more))
	}
	if len(texts) == 0 {
		return ""
	}
	return "; " + strings.Join(texts, ", ")
}

func withValues(groups []compare.Group) []compare.Group {
	var out []compare.Group
	for _, g := range groups {
		if g.N > 0 {
			out = append(out, g)
		}
	}
	return out
}

// alongAxis is the ordered axis that alone makes the groups.
func alongAxis(in Input) (Axis, bool) {
	if len(in.Compare.Rows) != 1 {
		return Axis{}, false
	}
	for _, a := range in.Axes {
		if a.Name == in.Compare.Rows[0] {
			return a, a.Ordered
		}
	}
	return Axis{}, false
}

// rowsName says what the rows of a cross are.
func rowsName(in Input, x compare.Cross) string {
	others := slices.DeleteFunc(slices.Clone(in.Compare.Rows), func(a string) bool { return a == x.Axis })
	return safe(joined(others))
}

func axisLabel(t compare.MetricTable) string {
	name := plain(t.Name)
	switch {
	case t.Trials != "":
		name += " / " + plain(t.Trials)
	case t.Unit != "":
		name += " (" + plain(t.Unit) + ")"
	}
	return name
}

// label is a metric in a sentence.
func label(t compare.MetricTable) string {
	if t.Trials != "" {
		return safe(t.Name + " / " + t.Trials)
	}
	return safe(t.Name)
}

func centreOf(t compare.MetricTable) string {
	if t.Trials != "" {
		return "rate of all " + safe(t.Trials)
	}
	return t.CentreName()
}
