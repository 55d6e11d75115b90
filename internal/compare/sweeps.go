package compare

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/table"
)

// A Join says which runs two sweeps have in common.
type Join struct {
	Both     int    // made well by both
	Moved    []Move // of those, the ones with another value of some metric, the furthest first
	Vanished []Run  // made well by the first alone
	Appeared []Run  // made well by the second alone
}

// A Move is a run whose value of a metric differs between two sweeps: of its
// metrics the one that moved furthest.
type Move struct {
	Run
	Metric   string
	From, To float64
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
// the same parameters: the second against the first.
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
	moved := map[string]Move{}
	for _, m := range union(first.metrics(), second.metrics()) {
		if m.By == ByMedian {
			m.By = o.By
		}
		x, y := first.all(m, a.Name), second.all(m, b.Name)
		x.Baseline = true
		x.samples, y.samples = first.common(m, x.samples, y.samples, moved)
		summarize(m, x, first.confidence)
		summarize(m, y, first.confidence)
		if len(x.samples) > 0 { // and as many of the other
			y.Against = against(m, testOf(m), x, y, first.confidence)
		}
		r.Metrics = append(r.Metrics, MetricTable{Metric: m, Groups: []Group{x.Group, y.Group}})
	}
	first.holm(r.Metrics)
	for i := range r.Metrics {
		first.judge(&r.Metrics[i])
	}
	j := joined(first, second)
	j.Moved = slices.SortedFunc(maps.Values(moved), func(a, b Move) int {
		if d := compareFloat(b.by(), a.by()); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return r, j, nil
}

func union(a, b []Metric) []Metric {
	seen := map[string]bool{}
	var out []Metric
	for _, list := range [][]Metric{a, b} {
		for _, m := range list {
			if !seen[m.Name] {
				seen[m.Name] = true
				out = append(out, m)
			}
		}
	}
	return out
}

// all is every value of a metric as one group, paired by run.
func (c *comparer) all(m Metric, name string) *group {
	g := &group{Group: Group{Key: []string{name}, Name: name}}
	col, ok := c.t.Column(m.Name)
	if !ok || !numeric(col.Type()) {
		return g
	}
	read, _, err := c.reader(m, col)
	if err != nil {
		return g
	}
	for _, i := range c.used {
		if s, found, good := read(i); found && good {
			s.pair = c.text(i, "run_id")
			g.samples = append(g.samples, s)
		}
	}
	sortGroups([]*group{g})
	return g
}

// common keeps the samples of runs that both have, and notes those that moved.
func (c *comparer) common(m Metric, a, b []sample, moved map[string]Move) (x, y []sample) {
	other := map[string]sample{}
	for _, s := range b {
		other[s.pair] = s
	}
	for _, s := range a {
		t, ok := other[s.pair]
		if !ok {
			continue
		}
		x, y = append(x, s), append(y, t)
		if s.value != t.value {
			move := Move{Run: c.run(s.row, t.value), Metric: m.Name, From: s.value, To: t.value}
			if was, ok := moved[s.pair]; !ok || move.by() > was.by() {
				moved[s.pair] = move
			}
		}
	}
	return x, y
}

func joined(a, b *comparer) (j Join) {
	alone := func(c, other *comparer) (runs []Run, both int) {
		has := map[string]bool{}
		for _, i := range other.used {
			has[other.text(i, "run_id")] = true
		}
		for _, i := range c.used {
			if has[c.text(i, "run_id")] {
				both++
			} else {
				runs = append(runs, c.run(i, 0))
			}
		}
		return runs, both
	}
	j.Vanished, j.Both = alone(a, b)
	j.Appeared, _ = alone(b, a)
	return j
}
