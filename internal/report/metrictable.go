package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A cell is what a table says of a group: a text that may be foreign, and a
// note of ours behind it.
type cell struct{ text, note string }

func (c cell) plain() string {
	if c.note == "" {
		return unit.Line(c.text)
	}
	return unit.Line(c.text) + " (" + c.note + ")"
}

func (c cell) markdown() string {
	if c.note == "" {
		return safe(c.text)
	}
	return safe(c.text) + " *(" + c.note + ")*"
}

// A form is how the numbers of one table are written: those that are values, and
// those that are changes.
type form struct{ value, change func(float64) string }

func formOf(groups []compare.Group) form {
	var values, changes []float64
	for _, g := range groups {
		if g.N > 0 {
			values = append(values, g.Centre, g.Lo, g.Hi)
		}
		if g.N > 0 && g.Trials == 0 {
			values = append(values, g.Q1, g.Q3)
		}
		if a := g.Against; a != nil && math.IsNaN(a.Relative) {
			changes = append(changes, a.Shift, a.Lo, a.Hi)
			if a.Plain != nil {
				changes = append(changes, a.Plain.Shift, a.Plain.Lo, a.Plain.Hi)
			}
		}
	}
	return form{unit.Numbers(values...), unit.Signed(unit.Numbers(changes...))}
}

// A column of the table of a metric.
type column struct {
	head  func(t compare.MetricTable, confidence float64) string
	cell  func(g compare.Group, f form) cell
	right bool
	shown func(t compare.MetricTable, wide bool) bool
}

// columns describe the table of a metric, wherever it is shown. The first one
// has the title that the place gives it.
var columns = []column{
	{headed(""), nameCell, false, always},
	{headed("n"), countCell, true, several},
	{centreHead, centreCell, true, always},
	{intervalHead, func(g compare.Group, f form) cell { return cell{text: unit.Interval(g.Lo, g.Hi, g.Flat, f.value)} }, true, several},
	{spreadHead, spreadCell, true, func(t compare.MetricTable, wide bool) bool { return wide && several(t, wide) }},
	{headed("change"), against(shift), true, compared},
	{changeHead, against(shiftInterval), true, compared},
	{headed("unadjusted"), against(unadjusted), true, adjusted},
	{headed("p"), against(pText), true, compared},
	{headed("effect"), against(effectSize), true, compared},
	{headed(""), against(mark), false, compared},
}

func headed(text string) func(compare.MetricTable, float64) string {
	return func(compare.MetricTable, float64) string { return text }
}

// against is empty of a group that is compared to nothing.
func against(text func(*compare.Comparison, form) string) func(compare.Group, form) cell {
	return func(g compare.Group, f form) cell {
		if g.Against == nil {
			return cell{}
		}
		return cell{text: text(g.Against, f)}
	}
}

func always(compare.MetricTable, bool) bool { return true }

// several says whether some group has more than one value, so that something
// is spread and can be tested.
func several(t compare.MetricTable, _ bool) bool {
	return t.Trials != "" || slices.ContainsFunc(t.Groups, func(g compare.Group) bool { return g.N > 1 || g.Baseline })
}

func compared(t compare.MetricTable, _ bool) bool {
	return slices.ContainsFunc(t.Groups, func(g compare.Group) bool { return g.Against != nil })
}

// adjusted says whether some change is adjusted.
func adjusted(t compare.MetricTable, _ bool) bool {
	return slices.ContainsFunc(t.Groups, func(g compare.Group) bool { return g.Against != nil && g.Against.Plain != nil })
}

func centreHead(t compare.MetricTable, _ float64) string {
	if !several(t, true) {
		return titleOf(t)
	}
	return t.CentreName()
}

// rangeHead stands over the least and the largest value, or difference, of what
// is without chance.
const rangeHead = "range"

func intervalHead(t compare.MetricTable, confidence float64) string {
	if t.By == compare.ByExact {
		return rangeHead
	}
	return unit.Number(100*confidence) + "% interval"
}

func changeHead(t compare.MetricTable, confidence float64) string {
	t.By = compare.ByMedian
	head, exact, tested := intervalHead(t, confidence), 0, 0
	for _, g := range t.Groups {
		switch a := g.Against; {
		case a == nil:
		case a.Exact:
			exact++
		default:
			tested++
		}
	}
	switch {
	case exact == 0:
		return head
	case tested == 0:
		return rangeHead
	}
	return rangeHead + " or " + head
}

func spreadHead(t compare.MetricTable, _ float64) string {
	if t.Trials != "" {
		return t.Name + " of " + t.Trials
	}
	return "quartiles"
}

func nameCell(g compare.Group, _ form) cell {
	c := cell{text: g.Name}
	if len(g.Key) == 0 && c.text == "" {
		c.text = "all"
	}
	if g.Baseline {
		c.note = "baseline"
	}
	return c
}

func countCell(g compare.Group, _ form) cell {
	text := fmt.Sprint(g.N)
	if g.Missing > 0 {
		text += fmt.Sprintf(" of %d", g.N+g.Missing)
	}
	if g.Stale > 0 {
		text += fmt.Sprintf(", %d stale", g.Stale)
	}
	return cell{text: text}
}

// noValue stands where a group has none, and is no number.
const noValue = "no value"

func centreCell(g compare.Group, f form) cell {
	if g.N == 0 {
		return cell{text: noValue}
	}
	return cell{text: f.value(g.Centre)}
}

func spreadCell(g compare.Group, f form) cell {
	if g.Trials > 0 {
		return cell{text: unit.Number(g.Hits) + " of " + unit.Number(g.Trials)}
	}
	return cell{text: unit.Interval(g.Q1, g.Q3, false, f.value)}
}

func shift(a *compare.Comparison, f form) string {
	if math.IsNaN(a.Relative) {
		return f.change(a.Shift)
	}
	return unit.Percent(a.Relative)
}

func shiftInterval(a *compare.Comparison, f form) string {
	if math.IsNaN(a.Relative) {
		return unit.Interval(a.Lo, a.Hi, a.Flat, f.change)
	}
	return unit.Interval(a.RelLo, a.RelHi, a.Flat, unit.Percent)
}

// unadjusted is the plain change with its interval.
func unadjusted(a *compare.Comparison, f form) string {
	switch p := a.Plain; {
	case p == nil:
		return ""
	case math.IsNaN(a.Relative):
		return f.change(p.Shift) + " (" + unit.Interval(p.Lo, p.Hi, p.Flat, f.change) + ")"
	default:
		return unit.Percent(p.Relative) + " (" + unit.Interval(p.RelLo, p.RelHi, p.Flat, unit.Percent) + ")"
	}
}

func pText(a *compare.Comparison, _ form) string {
	if a.Exact {
		return "exact"
	}
	return unit.P(a.PAdjusted)
}

func effectSize(a *compare.Comparison, _ form) string {
	if size := effectOf(a); math.IsNaN(size) || math.IsInf(size, 0) {
		return ""
	}
	return a.SizeName + "=" + strings.Replace(fmt.Sprintf("%+.2f", a.Size), "-", "−", 1)
}

// mark is the verdict at the end of a row, what it rests on, and the difference
// of the centres where that has another sign.
func mark(a *compare.Comparison, f form) string {
	word := string(a.Verdict)
	if a.Verdict == compare.Unclear {
		word = "~"
	}
	switch {
	case a.Counted:
		word += ", by single trials"
	case a.Paired && a.Possible > a.Pairs:
		word += fmt.Sprintf(", %d of %d pairs", a.Pairs, a.Possible)
	case a.Paired:
		word += ", " + unit.Plural(a.Pairs, "pair")
	}
	if a.Contrary() {
		word += "; apart " + centres(a, f)
	}
	return word
}

// centres is the difference of the centres, as shift writes a change.
func centres(a *compare.Comparison, f form) string {
	if math.IsNaN(a.RelCentres) || math.IsInf(a.RelCentres, 0) {
		return f.change(a.Centres)
	}
	return unit.Percent(a.RelCentres)
}

// explanation says what the numbers of a table are; empty where nothing is
// compared.
func explanation(t compare.MetricTable, safely func(string) string) string {
	view := struct {
		compare.MetricTable
		Relative, Paired, Unpaired, Counted, Exact, Contrary bool
	}{MetricTable: t}
	for _, g := range t.Groups {
		if a := g.Against; a != nil {
			view.Relative = view.Relative || !math.IsNaN(a.Relative)
			view.Paired, view.Unpaired = view.Paired || a.Paired, view.Unpaired || !a.Paired
			view.Counted, view.Exact, view.Contrary = view.Counted || a.Counted, view.Exact || a.Exact, view.Contrary || a.Contrary()
		}
	}
	if !compared(t, false) {
		return ""
	}
	return strings.TrimSpace(words("explanation", view) + " " + safely(t.Adjusted))
}

// titleOf is a metric by its name, with its trials or its unit.
func titleOf(t compare.MetricTable) string {
	switch {
	case t.Over() != "":
		return t.Name + " / " + t.Over()
	case t.Unit != "":
		return t.Name + " [" + t.Unit + "]"
	}
	return t.Name
}

// A metricTable is the table of a metric, laid out.
type metricTable struct {
	head  []cell
	right []bool
	rows  [][]cell
}

// tableOf lays out the table of some groups of a metric, first being the title
// of its first column. A wide one also says how values spread.
func tableOf(t compare.MetricTable, groups []compare.Group, confidence float64, first string, wide bool) metricTable {
	out, f := metricTable{rows: make([][]cell, len(groups))}, formOf(groups)
	for i, c := range columns {
		if !c.shown(t, wide) {
			continue
		}
		head := cell{text: c.head(t, confidence)}
		if i == 0 {
			head.text = first
		}
		out.head, out.right = append(out.head, head), append(out.right, c.right)
		for j, g := range groups {
			out.rows[j] = append(out.rows[j], c.cell(g, f))
		}
	}
	return out
}

func (m metricTable) markdown() string {
	rows := make([][]string, len(m.rows))
	for i, r := range m.rows {
		rows[i] = textsOf(r, cell.markdown)
	}
	return markdownTable(textsOf(m.head, cell.markdown), rows, m.right)
}

// textsOf are the texts of all.
func textsOf[T any](all []T, text func(T) string) []string {
	out := make([]string, len(all))
	for i, x := range all {
		out[i] = text(x)
	}
	return out
}

// A line is a group of a metric of a block, for programs.
type line struct {
	block Block
	table compare.MetricTable
	group compare.Group
}

// A field is what programs read of a line: a string, a bool, an int, or a
// float64 that is not known where it is not finite.
type field struct {
	name   string
	of     func(line) any
	sparse bool // JSON leaves out what says nothing
}

// fields describe a line, in the order of the CSV file.
var fields = []field{
	{"row", func(l line) any { return l.block.Title }, true},
	{"metric", func(l line) any { return l.table.Name }, false},
	{"group", func(l line) any { return l.group.Name }, false},
	{"baseline", func(l line) any { return l.group.Baseline }, false},
	{"n", func(l line) any { return l.group.N }, false},
	{"missing", func(l line) any { return l.group.Missing }, false},
	{"statistic", func(l line) any { return l.table.CentreName() }, false},
	{"centre", func(l line) any { return l.group.Centre }, false},
	{"centre_lo", func(l line) any { return l.group.Lo }, false},
	{"centre_hi", func(l line) any { return l.group.Hi }, false},
	{"change", change(func(a *compare.Comparison) float64 { return a.Shift }), false},
	{"change_lo", change(func(a *compare.Comparison) float64 { return a.Lo }), false},
	{"change_hi", change(func(a *compare.Comparison) float64 { return a.Hi }), false},
	{"relative_change", change(func(a *compare.Comparison) float64 { return a.Relative }), false},
	{"p", change(func(a *compare.Comparison) float64 { return tested(a, a.P) }), false},
	{"p_adjusted", change(func(a *compare.Comparison) float64 { return tested(a, a.PAdjusted) }), false},
	{"unadjusted_change", unadjustedOf(func(p *compare.Plain) float64 { return p.Shift }), true},
	{"unadjusted_lo", unadjustedOf(func(p *compare.Plain) float64 { return p.Lo }), true},
	{"unadjusted_hi", unadjustedOf(func(p *compare.Plain) float64 { return p.Hi }), true},
	{"unadjusted_p", unadjustedOf(func(p *compare.Plain) float64 { return p.P }), true},
	{"variance_saved", change(func(a *compare.Comparison) float64 {
		if a.Plain == nil {
			return math.NaN()
		}
		return a.Saved
	}), true},
	{"detectable_change", change(func(a *compare.Comparison) float64 { return a.Detectable }), true},
	{"hits", func(l line) any { return ofTrials(l, l.group.Hits) }, true},
	{"trials", func(l line) any { return ofTrials(l, l.group.Trials) }, true},
	{"effect", change(func(a *compare.Comparison) float64 { return effectOf(a) }), true},
	{"effect_kind", func(l line) any { return l.against().SizeName }, true},
	{"exploratory", func(l line) any { return l.table.Exploratory }, false},
	{"paired", func(l line) any { return l.against().Paired }, false},
	{"pairs", func(l line) any { return ofPairs(l, l.against().Pairs) }, false},
	{"pairs_possible", func(l line) any { return ofPairs(l, l.against().Possible) }, false},
	{"runs_needed", func(l line) any { return l.against().Need }, true},
	{"verdict", func(l line) any { return string(l.against().Verdict) }, false},
	{"missing_runs", func(l line) any { return strings.Join(l.group.Lacking, "; ") }, true}, // the first of them
}

// against is empty where the group is compared to nothing.
func (l line) against() compare.Comparison {
	if l.group.Against == nil {
		return compare.Comparison{}
	}
	return *l.group.Against
}

func change(of func(*compare.Comparison) float64) func(line) any {
	return func(l line) any {
		if l.group.Against == nil {
			return math.NaN()
		}
		return of(l.group.Against)
	}
}

// unadjustedOf is of the change without adjusting, which is not known where none adjusts.
func unadjustedOf(of func(*compare.Plain) float64) func(line) any {
	return func(l line) any {
		if a := l.group.Against; a != nil && a.Plain != nil {
			return of(a.Plain)
		}
		return math.NaN()
	}
}

// tested is p, which is not known of what needs none.
func tested(a *compare.Comparison, p float64) float64 {
	if a.Exact {
		return math.NaN()
	}
	return p
}

// effectOf is the effect size, where there is one.
func effectOf(a *compare.Comparison) float64 {
	if a.SizeName == "" {
		return math.NaN()
	}
	return a.Size
}

func ofTrials(l line, n float64) float64 {
	if l.group.Trials == 0 {
		return math.NaN()
	}
	return n
}

func ofPairs(l line, n int) int {
	if !l.against().Paired {
		return 0
	}
	return n
}
