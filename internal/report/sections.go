package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// How much of a long list is shown; the rest is counted.
const (
	maxRows     = 40
	maxFailures = 10
	maxCosts    = 5
	maxOdd      = 20
)

func verdictSection(in Input) section {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n", counts(in))
	for _, t := range in.Compare.Metrics {
		fmt.Fprintf(&b, "\n- **%s**: %s", safe(t.Name), sentence(t.Verdict))
		if t.Exploratory && in.Compare.Baseline != "" {
			b.WriteString(" *(exploratory)*")
		}
	}
	for _, w := range slices.Concat(unusual(in), warnings(in)) {
		b.WriteString("\n- ⚠ " + w)
	}
	return section{title: "# " + safe(in.Name), text: b.String()}
}

func warnings(in Input) []string {
	var out []string
	for _, w := range in.Compare.Warnings {
		out = append(out, sentence(w))
	}
	return out
}

// unusual says which metrics are out of their usual range at the last date.
func unusual(in Input) []string {
	var out []string
	for _, t := range in.Compare.Metrics {
		for _, trend := range t.Trends {
			if o := trend.Last; o != nil && trend.Usual > 0 && math.Abs(o.Off) > trend.Usual {
				out = append(out, fmt.Sprintf("**%s** is unusual at the last %s, %s: %s from its line, where %s is usual.", safe(t.Name), safe(trend.Axis), safe(o.Period), off(o.Off, o.Relative), usual(trend)))
			}
		}
	}
	return out
}

// usual is how far from its line a metric usually lies.
func usual(t compare.Trend) string {
	return "±" + strings.TrimLeft(off(t.Usual, t.UsualRelative), "+−")
}

// counts says how many runs went how.
func counts(in Input) string {
	var parts []string
	for _, s := range sweep.Statuses() {
		if n := in.Counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(s), "_", " ")))
		}
	}
	return fmt.Sprintf("%d runs: %s.", in.Planned, strings.Join(parts, ", "))
}

func sweptSection(in Input) section {
	text := fmt.Sprintf("The template %s, logical date %s.\n\n", safe(in.Template), in.AsOf.Format("2006-01-02"))
	if in.Unplanned > 0 {
		text += fmt.Sprintf("%d more runs of earlier plans are in the tables, with `run_planned` false; the numbers here leave them out.\n\n", in.Unplanned)
	}
	var rows [][]string
	for _, a := range in.Axes {
		rows = append(rows, []string{safe(a.Name), a.Kind, axisValues(a)})
	}
	return section{title: "## What was swept", text: text + table([]string{"axis", "kind", "values"}, rows, false)}
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
	escaped := make([]string, n)
	for i, v := range a.Values {
		escaped[i] = safe(v)
	}
	return strings.Join(escaped, ", ")
}

func metricSection(in Input, t compare.MetricTable, index int) (section, error) {
	title := "## " + safe(t.Name)
	if t.Unit != "" {
		title += ", in " + safe(t.Unit)
	}
	var b strings.Builder
	b.WriteString(sentence(t.Verdict))
	if t.Goal != "" {
		fmt.Fprintf(&b, " (The goal is to %s it.)", t.Goal)
	}
	for _, w := range t.Warnings {
		b.WriteString("\n\n⚠ " + sentence(w))
	}
	s := section{title: title}
	if len(t.Groups) > 0 {
		b.WriteString("\n\n" + groupTable(in, t))
		b.WriteString(trendText(t))
		var err error
		if s.pictures, err = drawMetric(in, t, fmt.Sprintf("metric-%d", index+1)); err != nil {
			return s, err
		}
	}
	s.text = b.String()
	return s, nil
}

// maxPeriods is how many odd periods a sentence names.
const maxPeriods = 8

// trendText says how the metric moves along ordered axes, and which places
// are odd.
func trendText(t compare.MetricTable) string {
	var b strings.Builder
	for _, trend := range t.Trends {
		fmt.Fprintf(&b, "\n\nAlong %s: %s.", safe(trend.Axis), movement(trend))
		if trend.Usual > 0 {
			fmt.Fprintf(&b, " Usual is %s from that line.", usual(trend))
		}
		var odd []string
		for _, o := range trend.Odd {
			odd = append(odd, fmt.Sprintf("%s (%s)", safe(o.Period), off(o.Off, o.Relative)))
		}
		if len(odd) > 0 {
			fmt.Fprintf(&b, " Far from it: %s.", listed(odd, maxPeriods))
		}
	}
	return b.String()
}

// trendAlpha is how sure one must be to call a movement a trend.
const trendAlpha = 0.05

func movement(t compare.Trend) string {
	if t.P >= trendAlpha {
		return fmt.Sprintf("no trend over %d values (p %s)", t.Periods, pValue(t.P))
	}
	if t.Change == 0 {
		return fmt.Sprintf("values change along the %d places (p %s), but the median slope is 0", t.Periods, pValue(t.P))
	}
	verb := "rises"
	if t.Change < 0 {
		verb = "falls"
	}
	return fmt.Sprintf("it %s by %s from the first to the last of %d values (p %s)", verb, strings.TrimLeft(off(t.Change, t.Relative), "+−"), t.Periods, pValue(t.P))
}

// off is a distance, relative where that says something.
func off(by, relative float64) string {
	if math.IsNaN(relative) {
		return number(by)
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
	text := "How much of each metric's variance each parameter explains by itself (adjusted R²). The rest is parameters together, replicates and chance.\n\n"
	return section{title: "## What drives the difference", text: text + table(head, rows, true)}
}

// groupTable is the main table of a metric.
func groupTable(in Input, t compare.MetricTable) string {
	if single(t) {
		return singleTable(in, t)
	}
	head := []string{safe(joined(in.Compare.Rows)), "n", t.CentreName(), "95 % interval", "quartiles"}
	if t.Trials != "" {
		head[4] = safe(t.Name + " of " + t.Trials)
	}
	compared := slices.ContainsFunc(t.Groups, func(g compare.Group) bool { return g.Against != nil })
	if compared {
		head = append(head, "change", "interval of the change", "p", "")
	}
	var rows [][]string
	for _, g := range t.Groups[:min(len(t.Groups), maxRows)] {
		rows = append(rows, groupRow(g, compared))
	}
	return table(head, rows, true) + moreGroups(t)
}

// moreGroups says what a table leaves out.
func moreGroups(t compare.MetricTable) string {
	if len(t.Groups) <= maxRows {
		return ""
	}
	return fmt.Sprintf("\n\n%d more groups are in the tables.", len(t.Groups)-maxRows)
}

// single says whether no group has more than one value, so that nothing is
// spread and nothing tested.
func single(t compare.MetricTable) bool {
	return t.Trials == "" && !slices.ContainsFunc(t.Groups, func(g compare.Group) bool { return g.N > 1 || g.Baseline })
}

// singleTable has the one value of each group.
func singleTable(in Input, t compare.MetricTable) string {
	var rows [][]string
	for _, g := range t.Groups[:min(len(t.Groups), maxRows)] {
		value := number(g.Centre)
		if g.N == 0 {
			value = fmt.Sprintf("0 of %d", g.Missing)
		}
		rows = append(rows, []string{safe(g.Name), value})
	}
	return table([]string{safe(joined(in.Compare.Rows)), label(t)}, rows, true) + moreGroups(t)
}

func groupRow(g compare.Group, compared bool) []string {
	n := fmt.Sprint(g.N)
	if g.Missing > 0 {
		n += fmt.Sprintf(" of %d", g.N+g.Missing)
	}
	name := safe(g.Name)
	if g.Baseline {
		name += " *(baseline)*"
	}
	row := []string{name, n, number(g.Centre), interval(g.Lo, g.Hi), interval(g.Q1, g.Q3)}
	if g.Trials > 0 {
		row[4] = number(g.Hits) + " of " + number(g.Trials)
	}
	if g.N == 0 {
		row[3], row[4] = "", ""
	}
	switch a := g.Against; {
	case !compared:
	case a == nil:
		row = append(row, "", "", "", "")
	default:
		row = append(row, shift(a), shiftInterval(a), pValue(a.PAdjusted), mark(a))
	}
	return row
}

func shift(a *compare.Comparison) string {
	switch {
	case a.Pairs == 0:
		return ""
	case math.IsNaN(a.Relative):
		return number(a.Shift)
	}
	return percent(a.Relative)
}

func shiftInterval(a *compare.Comparison) string {
	switch {
	case a.Pairs == 0:
		return ""
	case math.IsInf(a.Lo, 0) || math.IsInf(a.Hi, 0):
		return "too few"
	case math.IsNaN(a.Relative):
		return interval(a.Lo, a.Hi)
	}
	return percent(a.RelLo) + " … " + percent(a.RelHi)
}

// mark is the verdict at the end of a row, and what it rests on.
func mark(a *compare.Comparison) string {
	word := string(a.Verdict)
	if a.Verdict == compare.Unclear {
		word = "~"
	}
	switch {
	case a.Counted:
		return word + ", by single trials"
	case a.Paired:
		return word + ", " + pairs(a)
	}
	return word
}

func pairs(a *compare.Comparison) string {
	if a.Possible > a.Pairs {
		return fmt.Sprintf("%d of %d pairs", a.Pairs, a.Possible)
	}
	return fmt.Sprintf("%d pairs", a.Pairs)
}

func bestSection(in Input) section {
	var rows [][]string
	for _, t := range in.Compare.Metrics {
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
	return section{title: "## Best runs", text: table([]string{"metric", "value", "run"}, rows, false)}
}

func runLink(r compare.Run) string {
	name := r.Name
	if name == "" {
		name = r.ID
	}
	if r.Notebook == "" {
		return safe(name)
	}
	return link(name, r.Notebook)
}

func failureSection(in Input) section {
	if len(in.Compare.Failures) == 0 {
		return section{}
	}
	var b strings.Builder
	for n, g := range in.Compare.Failures {
		fmt.Fprintf(&b, "### %s, %d %s\n\n%s\n\n", safe(strings.ReplaceAll(g.Kind, "_", " ")), len(g.Runs), runs(len(g.Runs)), safe(g.Reason))
		if len(g.When) > 0 {
			var parts []string
			for _, c := range g.When {
				parts = append(parts, safe(c.Name+" "+operator(c.Op)+" "+c.Value))
			}
			fmt.Fprintf(&b, "Exactly the runs with %s; no run that succeeded has that.\n\n", strings.Join(parts, " and "))
		}
		for i, r := range g.Runs {
			if i == maxFailures {
				fmt.Fprintf(&b, "- … and %d more\n", len(g.Runs)-maxFailures)
				break
			}
			fmt.Fprintf(&b, "- %s\n", runLink(r))
		}
		b.WriteString("\n")
		if n < len(in.Reruns) && in.Reruns[n] != "" {
			fmt.Fprintf(&b, "To make exactly these again:\n\n    %s\n\n", in.Reruns[n])
		}
	}
	if in.Rerun != "" {
		fmt.Fprintf(&b, "To make all of them again:\n\n    %s\n", in.Rerun)
	}
	return section{title: "## What went wrong", text: b.String()}
}

func operator(op string) string {
	return strings.NewReplacer(">=", "≥", "<=", "≤").Replace(op)
}

func runs(n int) string {
	if n == 1 {
		return "run"
	}
	return "runs"
}

// costSection names the slowest and the hungriest runs.
func costSection(in Input) section {
	ended := slices.DeleteFunc(slices.Clone(in.Runs), func(r Run) bool { return r.Duration == 0 })
	if len(ended) < 2 {
		return section{}
	}
	var total time.Duration
	for _, r := range ended {
		total += r.Duration
	}
	text := fmt.Sprintf("The runs took %s together, %s each on average. The slowest:\n\n", duration(total), duration(total/time.Duration(len(ended))))
	text += costTable(ended, func(r Run) float64 { return r.Duration.Seconds() })
	title := "## Slowest runs"
	if measured := slices.DeleteFunc(ended, func(r Run) bool { return r.PeakRSS == 0 }); len(measured) > maxCosts {
		title = "## Slowest and hungriest runs"
		text += "\n\nThose that took most memory:\n\n" + costTable(measured, func(r Run) float64 { return float64(r.PeakRSS) })
	}
	return section{title: title, text: text}
}

func costTable(all []Run, cost func(Run) float64) string {
	sort.SliceStable(all, func(i, j int) bool { return cost(all[i]) > cost(all[j]) })
	var rows [][]string
	for _, r := range all[:min(len(all), maxCosts)] {
		memory := ""
		if r.PeakRSS > 0 {
			memory = size(r.PeakRSS)
		}
		rows = append(rows, []string{link(r.Name, r.Notebook), duration(r.Duration), memory, strings.ReplaceAll(string(r.Status), "_", " ")})
	}
	return table([]string{"run", "time", "peak memory", "status"}, rows, false)
}

func oddSection(in Input) section {
	if len(in.Problems) == 0 {
		return section{}
	}
	var b strings.Builder
	for i, p := range in.Problems {
		if i == maxOdd {
			fmt.Fprintf(&b, "- … and %d more, in `results/problems.parquet`\n", len(in.Problems)-maxOdd)
			break
		}
		fmt.Fprintf(&b, "- %s\n", safe(p))
	}
	return section{title: "## Odd", text: b.String()}
}

func factSection(in Input) section {
	var rows [][]string
	for _, f := range in.Facts {
		rows = append(rows, []string{safe(f.Name), safe(f.Value)})
	}
	if len(rows) == 0 {
		return section{}
	}
	return section{title: "## Where this comes from", text: table([]string{"", ""}, rows, false)}
}
