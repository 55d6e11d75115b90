package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/cost"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A part of the summary is one section or several.
type part struct {
	name string
	make func(Input) ([]section, error)
}

// byStep are the parts that are about the runs of one step each.
var byStep = []string{"metrics", "effects", "best", "cells"}

const partVerdict = "verdict"

// parts are the summary in its order: did everything run, which variant is
// better and how sure are we, what drives it, what is odd, where to look next.
var parts = []part{
	{partVerdict, single(verdictSection)},
	{"looks", single(looksSection)},
	{"steps", stepsSection},
	{"swept", single(sweptSection)},
	{"calendar", func(in Input) ([]section, error) {
		s, err := calendarSection(in)
		return []section{s}, err
	}},
	{"metrics", metricSections},
	{"stale", single(staleSection)},
	{"effects", single(driveSection)},
	{"cells", single(cellsSection)},
	{"best", single(bestSection)},
	{"failures", single(failureSection)},
	{"cost", single(costSection)},
	{"problems", single(oddSection)},
	{"provenance", single(factSection)},
}

func single(one func(Input) section) func(Input) ([]section, error) {
	return func(in Input) ([]section, error) { return []section{one(in)}, nil }
}

// How much of a long list is shown; the rest is counted.
const (
	maxRows        = 40
	maxOrderedRows = 12 // along an ordered axis, which is drawn
	maxFailures    = 10
	maxSpent       = 3 // axes whose values took unequal parts
	maxOdd         = 20
	maxRates       = 4 // axes by which the rate of a failure is shown
	maxValues      = 8 // of each
	maxTelling     = 3 // cells that differ, and changes of each
)

// written makes a section of the words of that name.
func written(name string, of any) section {
	return section{title: words(name+".title", of), text: words(name, of)}
}

// metricLine is a metric's verdict at the top.
type metricLine struct {
	Name, Verdict, Movement string
	Exploratory             bool
}

func verdictSection(in Input) section {
	var lines []metricLine
	for _, t := range in.Compare.Metrics {
		line := metricLine{Name: t.Name, Verdict: t.Verdict, Exploratory: t.Exploratory && in.Compare.Baseline != ""}
		if in.Compare.Baseline == "" {
			line.Movement = strings.Join(trendTexts(t), " ")
		}
		lines = append(lines, line)
	}
	return section{title: words("verdict.title", in.Name), text: words("verdict", struct {
		Planned  int
		Counts   []string
		Decision string
		Metrics  []metricLine
		Unusual  []string
		Warnings []string
		Stale    *Stale
	}{in.Planned, in.Counts, in.Compare.Decision, lines, unusual(in), in.Compare.Warnings, in.Stale})}
}

// staleSection shows the numbers with the stale runs, which count nowhere else.
func staleSection(in Input) section {
	if in.Stale == nil {
		return section{}
	}
	s := written("stale", in.Stale)
	for _, p := range in.Stale.Compare {
		in.Compare = p.Report
		for _, t := range in.Compare.Metrics {
			s.below += words("stale.metric", struct{ Name, Table string }{t.Name, groupTable(in, t)})
		}
	}
	return s
}

func sweptSection(in Input) section {
	var rows [][]string
	for _, a := range in.Axes {
		rows = append(rows, []string{safe(a.Name), a.Kind, axisValues(a)})
	}
	return written("swept", struct {
		Template, AsOf string
		Unplanned      int
		Rows           [][]string
	}{in.Template, in.AsOf.Format(time.DateOnly), in.Unplanned, rows})
}

// axisValues lists the values of an axis, or its ends when they are many.
func axisValues(a Axis) string {
	n := len(a.Values)
	switch {
	case n == 0:
		return ""
	case n > 12:
		return fmt.Sprintf("%s … %s (%d)", safe(a.Values[0]), safe(a.Values[n-1]), n)
	}
	return joined(textsOf(a.Values, safe))
}

func metricSection(in Input, t compare.MetricTable, index int) (section, error) {
	s := written("metric", struct {
		compare.MetricTable
		Trends []string
		Nights string
	}{t, trendTexts(t), nights(in, t)})
	if len(t.Groups) == 0 {
		return s, nil
	}
	s.below = groupTable(in, t)
	var err error
	name := fmt.Sprintf("metric-%d", index+1)
	if s.figures, err = drawMetric(in, t, name); err != nil {
		return s, err
	}
	unusual, err := drawNights(in, t, name)
	s.figures = append(unusual, s.figures...)
	return s, err
}

// trendTexts say how the metric moves along ordered axes, and which places are
// odd.
func trendTexts(t compare.MetricTable) []string {
	var out []string
	for _, trend := range t.Trends {
		view := struct {
			Axis, Movement, Usual string
			Weekdays              bool
			Odd                   []string
		}{Axis: trend.Axis, Movement: movement(trend), Weekdays: trend.Weekdays}
		if trend.Usual > 0 {
			view.Usual = plusMinus(off(trend.Usual, trend.UsualRelative))
		}
		for _, o := range trend.Odd {
			if n := t.Night; n != nil && n.Series > 0 && n.Axis == trend.Axis && n.Date == o.Period {
				continue // which is held against the earlier ones
			}
			view.Odd = append(view.Odd, fmt.Sprintf("%s (%s)", safe(o.Period), off(o.Off, o.Relative)))
		}
		out = append(out, words("trend", view))
	}
	return out
}

// trendAlpha is how sure one must be to call a movement a trend.
const trendAlpha = 0.05

func movement(t compare.Trend) string {
	view := struct {
		Sure, Up bool
		By, P    string
		Periods  int
	}{Sure: t.P < trendAlpha, Up: t.Change > 0, P: unit.P(t.P), Periods: t.Periods}
	if t.Change != 0 {
		view.By = unsigned(off(t.Change, t.Relative))
	}
	return words("movement", view)
}

// off is a distance, relative where that says something.
func off(by, relative float64) string {
	if math.IsNaN(relative) {
		return unit.Change(by)
	}
	return percent(relative)
}

// driveSection says which parameters the metrics depend on.
func driveSection(in Input) section {
	head := []string{"metric"}
	var axes []string
	for _, t := range in.Compare.Metrics {
		for _, e := range t.Effects {
			if !slices.Contains(axes, e.Axis) {
				axes = append(axes, e.Axis)
			}
		}
	}
	if len(axes) == 0 {
		return section{}
	}
	sort.Strings(axes)
	for _, a := range axes {
		head = append(head, safe(a))
	}
	var rows [][]string
	for _, t := range in.Compare.Metrics {
		row := append([]string{label(t)}, make([]string, len(axes))...)
		for _, e := range t.Effects {
			row[1+slices.Index(axes, e.Axis)] = fmt.Sprintf("%.0f%%", 100*e.Share)
		}
		if len(t.Effects) > 0 {
			rows = append(rows, row)
		}
	}
	return written("effects", struct {
		Head []string
		Rows [][]string
	}{head, rows})
}

// cellLine is a cell in which runs differ. Changes are Markdown.
type cellLine struct {
	align.Difference
	Changes []string
}

// cellsSection names the cells in which runs differ most tellingly.
func cellsSection(in Input) section {
	if in.Cells == nil || len(in.Cells.Differences) == 0 {
		return section{}
	}
	var lines []cellLine
	for _, d := range in.Cells.Differences[:min(len(in.Cells.Differences), maxTelling)] {
		lines = append(lines, cellLine{d, changesOf(d)})
	}
	return written("cells", struct {
		Cells              int
		Runs, Differ, Left int
		By                 []string
		Lines              []cellLine
	}{in.Cells.Cells, len(in.Cells.Runs), len(in.Cells.Differences), len(in.Cells.Differences) - len(lines), in.Cells.By, lines})
}

// changesOf says how outputs of a cell differ from the reference. Where each
// run has its own, three of many say nothing.
func changesOf(d align.Difference) (changes []string) {
	if d.Pattern == align.Every && d.Pairs == 0 {
		return nil
	}
	for _, g := range d.Groups {
		if g.Reference != "" && len(g.Deltas) > 0 && len(changes) < maxTelling {
			what, change := align.DeltaWords(g.Deltas[0])
			of := g.Label()
			if g.Differ > 1 { // their changes are not alike
				of += ", in the first"
			}
			changes = append(changes, fmt.Sprintf("%s: %s %s", safe(of), safe(what), safe(change)))
		}
	}
	return changes
}

// groupTable is the main table of a metric.
func groupTable(in Input, t compare.MetricTable) string {
	groups, which := shownGroups(in, t.Groups)
	return words("metric.table", struct {
		Table string
		Means string // what its numbers are
		Left  int    // groups that are not shown
		Which string // of all are they
	}{tableOf(t, groups, in.Compare.Confidence, unit.Together(in.Compare.Rows), true).markdown(), strings.TrimSpace(explanation(t, sentence) + " " + sizes(groups)), len(t.Groups) - len(groups), which})
}

// sizes explain the kinds of effect sizes in a table.
func sizes(groups []compare.Group) string {
	var kinds []string
	for _, g := range groups {
		if a := g.Against; a != nil && a.SizeName != "" && !slices.Contains(kinds, a.SizeName) {
			kinds = append(kinds, a.SizeName)
		}
	}
	for i, k := range kinds {
		kinds[i] = words("size."+k, nil)
	}
	return strings.Join(kinds, " ")
}

// shownGroups are those that a table has room for: along an ordered axis the
// last, which are the news.
func shownGroups(in Input, groups []compare.Group) ([]compare.Group, string) {
	room, left := maxRows, "more"
	if inOrder(in) {
		left = "earlier"
	}
	if _, drawn := alongAxis(in); drawn && inOrder(in) {
		room = maxOrderedRows
	}
	return newest(in, groups, room), left
}

func bestSection(in Input) section {
	var rows [][]string
	for _, t := range in.Compare.Metrics {
		var values []float64
		for _, r := range t.Best {
			values = append(values, r.Value)
		}
		number := unit.Numbers(values...)
		for i, r := range t.Best {
			name := ""
			if i == 0 {
				name = safe(t.Name)
			}
			rows = append(rows, []string{name, number(r.Value), runLink(r)})
		}
	}
	if len(rows) == 0 {
		return section{}
	}
	return written("best", rows)
}

func runLink(r compare.Run) string {
	if r.Notebook == "" {
		return safe(r.Name)
	}
	return link(r.Name, r.Notebook)
}

// failureView is the runs that failed in one way. When and Runs are Markdown.
type failureView struct {
	Kind, Reason, When, Rerun string
	Rates                     [][]string // Markdown: axis, and how often by value
	Uneven                    bool       // by some axis, more so than chance explains
	Runs                      []string
	All, Left                 int
}

func failureSection(in Input) section {
	if len(in.Compare.Failures) == 0 {
		return section{}
	}
	var groups []failureView
	for n, g := range in.Compare.Failures {
		shown := min(len(g.Runs), maxFailures)
		view := failureView{Kind: outcome.Kind(g.Kind).Words(), Reason: g.Reason, When: conditions(g.When), All: len(g.Runs), Left: len(g.Runs) - shown}
		for _, r := range g.Rates[:min(len(g.Rates), maxRates)] {
			view.Rates, view.Uneven = append(view.Rates, []string{safe(r.Axis), rates(r.Values)}), view.Uneven || r.Uneven
		}
		for _, r := range g.Runs[:shown] {
			view.Runs = append(view.Runs, runLink(r))
		}
		if n < len(in.Reruns) {
			view.Rerun = in.Reruns[n]
		}
		groups = append(groups, view)
	}
	return written("failures", struct {
		Groups []failureView
		Rerun  string
	}{groups, in.Rerun})
}

// rates say how often runs failed by value; those without a failure are counted.
func rates(values []compare.FailureRate) string {
	var texts []string
	for i, v := range values {
		if v.Failed == 0 && i > 0 && len(values)-i > 1 {
			return listed(texts, maxValues) + fmt.Sprintf(", none of %d others", len(values)-i)
		}
		texts = append(texts, fmt.Sprintf("%s %d of %d", safe(v.Value), v.Failed, v.Of))
	}
	return listed(texts, maxValues)
}

func conditions(when []compare.Condition) string {
	var parts []string
	for _, c := range when {
		parts = append(parts, safe(c.Name+" "+operator(c.Op)+" "+c.Value.Text()))
	}
	return strings.Join(parts, " and ")
}

func operator(op string) string {
	return strings.NewReplacer(">=", "≥", "<=", "≤").Replace(op)
}

// costSection says which values took most, and names the slowest and the hungriest runs.
func costSection(in Input) section {
	if in.Cost.Runs < 2 {
		return section{}
	}
	view := struct {
		cost.Cost
		Parts              []cost.Part
		Slowest, Hungriest [][]string
	}{Cost: in.Cost, Parts: in.Cost.Parts(maxSpent, maxValues, safe), Slowest: costRows(in.Cost.Slowest)}
	if in.Cost.Runs > cost.Named {
		view.Hungriest = costRows(in.Cost.Hungriest)
	}
	return written("cost", view)
}

func costRows(all []cost.Run) (rows [][]string) {
	for _, r := range all {
		rows = append(rows, append([]string{link(r.Name, r.Notebook)}, r.Texts()...))
	}
	return rows
}

func oddSection(in Input) section {
	if len(in.Problems) == 0 {
		return section{}
	}
	shown := min(len(in.Problems), maxOdd)
	return written("problems", struct {
		Problems []string
		Left     int
	}{in.Problems[:shown], len(in.Problems) - shown})
}

func factSection(in Input) section {
	var rows [][]string
	for _, f := range in.Facts {
		rows = append(rows, []string{safe(f.Name), sentence(f.Value)}) // packages are many
	}
	if len(rows) == 0 {
		return section{}
	}
	return written("provenance", rows)
}
