package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/changes"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/report/internal/picture"
	"github.com/fanout-dev/fanout/internal/unit"
)

// maxUnusual is how many series that are unusual a table shows.
const maxUnusual = 20

// nightView is what is said of the last date of a metric.
type nightView struct {
	Metric, Axis, Date, By, Table string
	Series, Short, Earlier        int
	Unusual                       []string // as Markdown
	Left                          int      // unusual series that the table leaves out
	Single                        bool     // the whole metric is one series
	Together                      string   // empty where that is usual
	New, Gone                     []string // as Markdown
	OtherCode, Stale              int      // earlier dates
	Changes                       []string // as Markdown, the last first
}

func nightOf(in Input, t compare.MetricTable) nightView {
	n := t.Night
	v := nightView{
		Metric: label(t), Axis: safe(n.Axis), Date: safe(n.Date), By: safe(unit.Together(n.By)), Series: n.Series, Short: n.Short, Earlier: compare.MinEarlier,
		Single: len(n.By) == 0, New: textsOf(n.New, safe), Gone: textsOf(n.Gone, safe), OtherCode: n.OtherCode, Stale: n.Stale,
		Left: max(0, len(n.Unusual)-maxUnusual),
	}
	for _, d := range n.Unusual {
		text := departure(d)
		if !v.Single {
			text = safe(d.Name) + " (" + text + ")"
		}
		v.Unusual = append(v.Unusual, text)
	}
	for _, c := range slices.Backward(changesAlong(in, n)) {
		v.Changes = append(v.Changes, words("change", c))
	}
	if n.Together != nil {
		v.Together = words("together", struct {
			Off, Usual string
			Others     bool
		}{percent(n.Together.Off()), plusMinus(percent(n.Together.Usual)), n.Others})
	}
	if len(n.Unusual) > 0 && !v.Single {
		v.Table = unusualTable(t, n)
	}
	return v
}

// changesAlong are the changes along the dates of a metric.
func changesAlong(in Input, n *compare.Night) []changes.Change {
	if in.Changes == nil {
		return nil
	}
	return in.Changes(n.Axis, n.By)
}

// isUnusual says whether there is something to warn of.
func (v nightView) IsUnusual() bool { return len(v.Unusual) > 0 || v.Together != "" || len(v.Gone) > 0 }

// nights says how the last date of a metric lies to the earlier ones; empty
// without earlier ones.
func nights(in Input, t compare.MetricTable) string {
	if t.Night == nil {
		return ""
	}
	return words("night", nightOf(in, t))
}

// unusual is a warning for every metric that is unusual at the last date, and
// what has changed since the earlier ones.
func unusual(in Input) []string {
	var out, changed []string
	for _, t := range in.Compare.Metrics {
		if t.Night == nil {
			continue
		}
		v := nightOf(in, t)
		if !v.IsUnusual() {
			continue
		}
		out = append(out, words("unusual", v))
		if c := words("changed", v); c != "" && !slices.Contains(changed, c) {
			changed = append(changed, c)
		}
	}
	return append(out, changed...)
}

// departure says how far a value lies from what its earlier ones say.
func departure(d compare.Departure) string {
	view := struct {
		Off, Usual, Level, Weekday string
		OnLine, Constant           bool
		Earlier                    int
	}{Level: unit.Number(d.Expected), OnLine: d.OnLine, Constant: d.Constant, Earlier: d.Earlier, Weekday: d.Weekday}
	write := distance(d)
	view.Off, view.Usual = write(d.Off()), plusMinus(write(d.Usual))
	return words("departure", view)
}

// distance is how to write distances from what is expected: as percentages of it,
// where it is no smaller than what is usual.
func distance(d compare.Departure) func(float64) string {
	if math.Abs(d.Expected) <= d.Usual || d.Expected == 0 {
		return unit.Change
	}
	return func(x float64) string { return percent(x / math.Abs(d.Expected)) }
}

// percent is unit.Percent, with digits enough where two decimals have none.
func percent(share float64) string {
	if s := unit.Percent(share); share == 0 || strings.ContainsAny(s, "123456789∞") {
		return s
	}
	return unit.Change(100*share) + "%"
}

func plusMinus(change string) string { return "±" + unsigned(change) }

// unsigned is a change without its sign.
func unsigned(change string) string { return strings.TrimLeft(change, "+−") }

func unusualTable(t compare.MetricTable, n *compare.Night) string {
	shown := n.Unusual[:min(len(n.Unusual), maxUnusual)]
	var all []float64
	for _, d := range shown {
		all = append(all, d.Value, d.Expected)
		if !d.Constant {
			all = append(all, d.Usual)
		}
	}
	number := unit.Numbers(all...)
	var rows [][]string
	for _, d := range shown {
		basis := "level"
		if d.OnLine {
			basis = "line"
		}
		if d.Weekday != "" {
			basis += " of " + d.Weekday + "s"
		}
		expected := number(d.Expected) + ", always"
		if !d.Constant {
			expected = number(d.Expected) + " " + plusMinus(number(d.Usual))
		}
		rows = append(rows, []string{safe(d.Name), number(d.Value), expected, basis, distance(d)(d.Off()), fmt.Sprint(d.Earlier)})
	}
	return plainTable([]string{safe(unit.Together(n.By)), safe(n.Date), "expected", "by their", "off", "earlier values"}, rows, true)
}

// drawNights draws the series that are unusual.
func drawNights(in Input, t compare.MetricTable, name string) ([]figure, error) {
	if t.Night == nil || len(t.Night.Unusual) == 0 {
		return nil, nil
	}
	n, of := t.Night, slices.Clone(t.Night.Unusual)
	marks, marked := make([][]int, len(of)), false
	for i := range of {
		marks[i] = changes.Places(changesAlong(in, n), n.Dates, of[i].Name)
		marked = marked || len(marks[i]) > 0
		if len(n.By) == 1 {
			of[i].Name = n.By[0] + " " + of[i].Name
		}
	}
	p, err := picture.Nights(axisLabel(t), plain(n.Axis), n.Dates, of, marks)
	f := figureOf(p, "nights", struct {
		nightView
		First      string
		Shown, All int
		Marked     bool
	}{nightOf(in, t), safe(n.Dates[0]), min(len(n.Unusual), picture.MaxNights), len(n.Unusual), marked})
	f.file = name + "-night.png"
	return []figure{f}, err
}
