// Package cost says what the runs of a sweep took, and which values of its axes took
// most of it.
//
// In go the last outcomes of a sweep's planned runs; out come times, peak memory and
// shares. Earlier attempts at a run are not counted.
package cost

import (
	"cmp"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Run is what one run took.
type Run struct {
	Name, Notebook string
	Status         outcome.Status
	Wall, CPU      time.Duration
	Memory         int64 // at its peak, bytes; 0 is unknown
}

// A Value is what the runs with one value of an axis took together.
type Value struct {
	Name      string
	Runs      int
	Wall, CPU time.Duration
	Memory    int64 // of the hungriest, at its peak, bytes; 0 is unknown
}

// An Axis is one whose values took unequal parts.
type Axis struct {
	Name   string
	Values []Value // those that took most first
}

// A Cost is what the ended runs of a sweep took.
type Cost struct {
	Runs               int
	Wall, CPU          time.Duration // of all together; CPU is 0 where it is unknown
	Slowest, Hungriest []Run         // at most Named of each
	Axes               []Axis        // the most unequal first
}

// Named is how many runs are named.
const Named = 5

const (
	maxValues = 50   // of an axis: with more, each took little
	unequal   = 1.25 // how many times the part that is its due the largest value took
)

// Of adds up what the runs took.
func Of(s *sweep.Sweep) Cost {
	head, _ := s.Head()
	names := axesOf(head)
	c, sums := Cost{}, make([]sum, len(names))
	for st := range s.All() {
		if st.Run.Unplanned || st.Last == nil || st.Last.Duration() == 0 {
			continue
		}
		r := Run{Name: st.Run.Name(head.Axes), Notebook: sweep.RunKey(st.Run.ID), Status: st.Status,
			Wall: st.Last.Duration(), CPU: st.Last.CPU, Memory: st.Last.PeakRSS}
		c.add(r)
		for i, name := range names {
			sums[i].add(on(st.Run, name), r)
		}
	}
	for i, name := range names {
		if values := sums[i].values(); c.isUnequal(values) {
			c.Axes = append(c.Axes, Axis{name, values})
		}
	}
	slices.SortStableFunc(c.Axes, func(a, b Axis) int { return cmp.Compare(c.excess(b.Values[0]), c.excess(a.Values[0])) })
	return c
}

// step is the name of the axis that steps are.
const step = "step"

// axesOf are the names of what runs differ in by intention: not replicates, which are alike.
func axesOf(head sweep.Head) (names []string) {
	for _, a := range head.Axes {
		if a.Kind != "replicate" && a.Name != step {
			names = append(names, a.Name)
		}
	}
	return append(names, step)
}

// on is a run's value on an axis, for people; empty where it has none.
func on(r sweep.Run, axis string) string {
	for _, list := range [][]value.Binding{r.Labels, r.Params} {
		if v, ok := value.Lookup(list, axis); ok {
			return v.Text()
		}
	}
	if axis == step {
		return r.Step()
	}
	return ""
}

func (c *Cost) add(r Run) {
	c.Runs, c.Wall, c.CPU = c.Runs+1, c.Wall+r.Wall, c.CPU+r.CPU
	c.Slowest = leading(c.Slowest, r, func(r Run) int64 { return int64(r.Wall) })
	if r.Memory > 0 {
		c.Hungriest = leading(c.Hungriest, r, func(r Run) int64 { return r.Memory })
	}
}

// leading adds a run to those that lead, if it is one of them.
func leading(all []Run, r Run, by func(Run) int64) []Run {
	at, _ := slices.BinarySearchFunc(all, by(r), func(x Run, v int64) int {
		if by(x) >= v { // the earlier of equals leads
			return -1
		}
		return 1
	})
	if at == Named {
		return all
	}
	all = slices.Insert(all, at, r)
	return all[:min(len(all), Named)]
}

// A sum adds up runs by their value on an axis; it is given up with too many values.
type sum struct {
	by       map[string]*Value
	order    []*Value
	tooMany  bool
	repeated bool // a value has several runs
}

func (s *sum) add(name string, r Run) {
	if name == "" || s.tooMany {
		return
	}
	v := s.by[name]
	if v == nil {
		if len(s.order) == maxValues {
			*s = sum{tooMany: true}
			return
		}
		if s.by == nil {
			s.by = map[string]*Value{}
		}
		v = &Value{Name: name}
		s.by[name], s.order = v, append(s.order, v)
	}
	v.Runs, v.Wall, v.CPU, v.Memory = v.Runs+1, v.Wall+r.Wall, v.CPU+r.CPU, max(v.Memory, r.Memory)
	s.repeated = s.repeated || v.Runs > 1
}

// values are those that took most first. Single runs are named by themselves.
func (s *sum) values() (all []Value) {
	if !s.repeated || len(s.order) < 2 {
		return nil
	}
	for _, v := range s.order {
		all = append(all, *v)
	}
	slices.SortStableFunc(all, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.CPU, a.CPU), cmp.Compare(b.Wall, a.Wall))
	})
	return all
}

// Share is the part of all CPU time, or of all time where that is unknown, that the
// value took: 0 … 1.
func (c Cost) Share(v Value) float64 {
	if c.CPU > 0 {
		return float64(v.CPU) / float64(c.CPU)
	}
	return float64(v.Wall) / float64(c.Wall)
}

// excess is how many times its due the value took, where all runs take the same.
func (c Cost) excess(v Value) float64 { return c.Share(v) * float64(c.Runs) / float64(v.Runs) }

func (c Cost) isUnequal(values []Value) bool {
	return len(values) > 0 && c.excess(values[0]) >= unequal
}
