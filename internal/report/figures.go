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
		Rows: len(x.Rows), AllRows: len(x.Rows),
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
	Rows, AllRows                                         int      // drawn, and all
	Left                                                  []string // rows and columns that are not
}

func drawHeat(x compare.Cross, view crossView) (figure, error) {
	shown := picture.Shaded(x)
	p, low, high, ok, err := picture.Heat(shown)
	if !ok || err != nil {
		return figure{}, err
	}
	view.Low, view.High = low, high
	for _, row := range shown.Cells {
		view.Gaps = view.Gaps || slices.ContainsFunc(row, math.IsNaN)
	}
	view.Left = slices.Concat(leftOut(len(x.Rows), len(shown.Rows), x.RowsOrdered, "rows"), leftOut(len(x.Columns), len(shown.Columns), x.Ordered, "columns"))
	return figureOf(p, "heat", view), nil
}

// leftOut says which of all are not shown: the first where the news are last.
func leftOut(all, shown int, ordered bool, of string) []string {
	switch {
	case shown == all:
		return nil
	case ordered:
		return []string{fmt.Sprintf("the first %d of %d %s", all-shown, all, of)}
	}
	return []string{fmt.Sprintf("the last %d of %d %s", all-shown, all, of)}
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
	shown := newest(in, groups, picture.MaxGroups)
	p, err := picture.Dots(axisLabel(t), shown)
	intervals := 0
	for _, g := range shown {
		if !math.IsInf(g.Lo, 0) && !math.IsInf(g.Hi, 0) {
			intervals++
		}
	}
	return figureOf(p, "dots", struct {
		Metric, By, Centre, CentreName, Interval, Baseline string
		Single, Intervals, Lacking                         bool
		Left                                               []string
	}{
		label(t), safe(unit.Together(in.Compare.Rows)), centreOf(t), t.CentreName(), intervalHead(t, in.Compare.Confidence), in.Compare.Baseline,
		picture.OneEach(shown), intervals > 0, intervals < len(shown), leftOut(len(groups), len(shown), inOrder(in), "groups"),
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

// inOrder says whether groups stand in the order of an axis, so that the last are
// the news: nothing else comes first.
func inOrder(in Input) bool {
	if len(in.Compare.Rows) == 0 || in.Compare.Baseline != "" {
		return false
	}
	return slices.ContainsFunc(in.Axes, func(a Axis) bool { return a.Name == in.Compare.Rows[0] && a.Ordered })
}

// newest are the groups that there is room for.
func newest(in Input, groups []compare.Group, room int) []compare.Group {
	if len(groups) > room && inOrder(in) {
		return groups[len(groups)-room:]
	}
	return groups[:min(len(groups), room)]
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
	return safe(unit.Together(others))
}

func axisLabel(t compare.MetricTable) string {
	name := plain(t.Name)
	switch {
	case t.Over() != "":
		name += " / " + plain(t.Over())
	case t.Unit != "":
		name += " (" + plain(t.Unit) + ")"
	}
	return name
}

// label is a metric in a sentence.
func label(t compare.MetricTable) string {
	if t.Over() != "" {
		return safe(t.Name + " / " + t.Over())
	}
	return safe(t.Name)
}

func centreOf(t compare.MetricTable) string {
	if t.Trials != "" {
		return "rate of all " + safe(t.Trials)
	}
	return t.CentreName()
}
