package compare

import "github.com/fanout-dev/fanout/internal/collect"

// A Join says which runs two sweeps have in common.
type Join struct {
	Both     int // made well by both
	Moved    int // of those, with another value of some metric
	Vanished int // made well by the first alone
	Appeared int // made well by the second alone
}

// Sweeps compares the runs that two sweeps have in common, which are those of
// the same parameters: the second against the first. names are the groups'.
func Sweeps(a, b *collect.Table, names [2]string, o Options) (*Report, Join, error) {
	o.Rows, o.Baseline = nil, nil
	first, err := newComparer(a, o)
	if err != nil {
		return nil, Join{}, err
	}
	second, err := newComparer(b, o)
	if err != nil {
		return nil, Join{}, err
	}
	r := &Report{Rows: []string{"sweep"}, Baseline: names[0], Alpha: first.alpha, Runs: len(first.planned) + len(second.planned), Used: len(first.used) + len(second.used)}
	moved := map[string]bool{}
	for _, m := range union(first.metrics(), second.metrics()) {
		x, y := first.all(m, names[0]), second.all(m, names[1])
		x.Baseline = true
		x.samples, y.samples = common(x.samples, y.samples, moved)
		summarize(m, x, first.confidence)
		summarize(m, y, first.confidence)
		if len(x.samples) > 0 { // and as many of the other
			y.Against = against(m, ranks, x, y, first.confidence)
		}
		r.Metrics = append(r.Metrics, MetricTable{Metric: m, Groups: []Group{x.Group, y.Group}})
	}
	first.holm(r.Metrics)
	for i := range r.Metrics {
		first.judge(&r.Metrics[i])
	}
	j := joined(first, second)
	j.Moved = len(moved)
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
func common(a, b []sample, moved map[string]bool) (x, y []sample) {
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
			moved[s.pair] = true
		}
	}
	return x, y
}

func joined(a, b *comparer) (j Join) {
	has := map[string]bool{}
	for _, i := range b.used {
		has[b.text(i, "run_id")] = true
	}
	for _, i := range a.used {
		if has[a.text(i, "run_id")] {
			j.Both++
		} else {
			j.Vanished++
		}
	}
	j.Appeared = len(b.used) - j.Both
	return j
}
