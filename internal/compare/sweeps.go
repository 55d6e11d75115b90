package compare

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare/internal/reading"
	"github.com/fanout-dev/fanout/internal/compare/internal/twin"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Join says which runs two sweeps have in common.
type Join struct {
	Both     int    // made well by both
	Moved    []Move // of those, the ones with another value of some metric, the furthest first
	Lost     []Loss // have a value of some metric in the first, and are planned by the second without one
	Vanished []Run  // made well by the first, and not planned by the second
	Appeared []Run  // made well by the second alone
}

// A Move is a run whose value of a metric differs between two sweeps: of its
// metrics the one that moved furthest.
type Move struct {
	Run
	Metric   string
	From, To float64
}

// A Loss is a run that has a value of a metric in one sweep and none in the
// other: of its metrics the first.
type Loss struct {
	Run
	Metric string
	From   float64
	To     string // what there is instead: "NaN", "no value", "failed"
}

// by is how far it moved, as a fraction of where it was.
func (m Move) by() float64 {
	return math.Abs(m.To-m.From) / math.Max(math.Abs(m.From), math.SmallestNonzeroFloat64)
}

// A Side is one of two sweeps.
type Side struct {
	Name  string
	Table *table.Table
	Axes  []Axis
	Keep  func(row int) bool // rows of the table that count; nil keeps all
}

func (s Side) comparer(o Options) (*comparer, error) {
	o.Rows, o.Baseline, o.Axes, o.Keep = nil, nil, s.Axes, s.Keep
	return newComparer(s.Table, o)
}

// Sweeps compares the runs that two sweeps have in common, which are those of
// the same parameters: the second against the first. Values are compared, not
// how they are spelled: 1 is 1.0, and no "1".
func Sweeps(a, b Side, o Options) (*Report, Join, error) {
	first, err := a.comparer(o)
	if err != nil {
		return nil, Join{}, err
	}
	second, err := b.comparer(o)
	if err != nil {
		return nil, Join{}, err
	}
	r := &Report{Rows: []string{"sweep"}, Baseline: a.Name, Alpha: first.alpha, Confidence: first.confidence, Runs: len(first.planned) + len(second.planned), Used: len(first.used) + len(second.used)}
	other := twin.Match(first.twins(), second.twins())
	moved, lost := map[int]Move{}, map[int]Loss{}
	for _, m := range union(first.metrics(), second.metrics()) {
		if m.By == ByMedian && m.Per == "" {
			m.By = o.By
		}
		x, y := &group{Group: Group{Name: a.Name, Baseline: true}, paired: true}, &group{Group: Group{Name: b.Name}, paired: true}
		all := first.all(m)
		x.samples, y.samples = common(all, second.all(m), other)
		first.move(moved, m, x.samples, y.samples)
		for _, s := range without(all, x.samples) {
			if row, planned := other[s.Row]; planned {
				l := Loss{Run: first.run(s.Row, 0), Metric: m.Name, From: s.Value, To: second.instead(m, row)}
				y.lack(fmt.Sprintf("%s (%s)", l.Name, l.To))
				if _, known := lost[s.Row]; !known {
					lost[s.Row] = l
				}
			}
		}
		if len(x.samples) == 0 { // nothing to compare: show what there was
			x.samples = all
		}
		rates := ratesOf(m, []*group{x, y})
		summarize(m, x, rates, first.confidence)
		summarize(m, y, rates, first.confidence)
		if len(y.samples) > 0 { // and as many of the first
			y.Against = against(m, false, x, y, nil, first.confidence)
		}
		r.Metrics = append(r.Metrics, MetricTable{Metric: m, Groups: []Group{x.Group, y.Group}, Warnings: uneven(m, rates)})
	}
	first.conclude(r)
	j := joined(first, second, other, lost)
	j.Moved = slices.SortedFunc(maps.Values(moved), func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.by(), a.by()), strings.Compare(a.ID, b.ID))
	})
	return r, j, nil
}

func union(a, b []Metric) []Metric {
	seen := map[string]bool{}
	var out []Metric
	for _, m := range slices.Concat(a, b) {
		if !seen[m.Name] {
			seen[m.Name] = true
			out = append(out, m)
		}
	}
	return out
}

// twins are the runs of one of two sweeps, to be matched with those of the other.
func (c *comparer) twins() twin.Side {
	templates := slices.DeleteFunc(slices.Clone(c.o.Axes), func(a Axis) bool { return !a.Template })
	return twin.Side{Columns: c.Columns, Table: c.t, Used: c.used, Planned: c.planned, Templates: axisNames(templates)}
}

// all are the values of a metric.
func (c *comparer) all(m Metric) []sample {
	read, _, err := c.reader(m)
	if err != nil {
		return nil
	}
	return samplesAt(c.used, read)
}

// common keeps the samples of runs that both have, pair by pair in the order of
// the first.
func common(a, b []sample, other map[int]int) (x, y []sample) {
	byRow := map[int]sample{}
	for _, s := range b {
		byRow[s.Row] = s
	}
	for _, s := range a {
		row, ok := other[s.Row]
		if !ok {
			continue
		}
		if t, ok := byRow[row]; ok {
			s.Pair, t.Pair = s.Row, s.Row
			x, y = append(x, s), append(y, t)
		}
	}
	return x, y
}

// without are the samples of all whose runs are not among some.
func without(all, some []sample) []sample {
	has := map[int]bool{}
	for _, s := range some {
		has[s.Row] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return has[s.Row] })
}

// maxInstead is how many characters of a value that is no number are shown.
const maxInstead = 30

// instead is what a row without a number has, for people.
func (c *comparer) instead(m Metric, row int) string {
	if !c.succeeded(row) {
		return strings.ReplaceAll(c.Text(row, "run_status"), "_", " ")
	}
	if !c.counts[row] {
		return "stale"
	}
	col, ok := c.t.Column(m.Name)
	if !ok || col.Null(row) {
		return "no value"
	}
	if x, isNumber := reading.Number(col, row); m.Over() != "" && isNumber && !math.IsNaN(x) {
		return "no " + m.CentreName()
	}
	return unit.Cut(col.Text(row), maxInstead)
}

// move notes the runs that have another value in y than in x.
func (c *comparer) move(moved map[int]Move, m Metric, x, y []sample) {
	for i, s := range x {
		if to := y[i].Value; to != s.Value {
			move := Move{Run: c.run(s.Row, to), Metric: m.Name, From: s.Value, To: to}
			if was, ok := moved[s.Row]; !ok || move.by() > was.by() {
				moved[s.Row] = move
			}
		}
	}
}

func joined(a, b *comparer, other map[int]int, lost map[int]Loss) (j Join) {
	has := map[int]bool{}
	for _, row := range a.used {
		same, planned := other[row]
		has[same] = has[same] || planned
		if planned && b.counts[same] {
			j.Both++
		}
		if l, ok := lost[row]; ok {
			j.Lost = append(j.Lost, l)
		} else if !planned {
			j.Vanished = append(j.Vanished, a.run(row, 0))
		}
	}
	for _, row := range b.used {
		if !has[row] {
			j.Appeared = append(j.Appeared, b.run(row, 0))
		}
	}
	return j
}
