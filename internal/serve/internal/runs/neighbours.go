package runs

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Neighbour is the runs before and after one along an axis: they differ from it
// in nothing else. One that is not there has no id.
type Neighbour struct {
	Axis                 string
	Value, Before, After value.Value
	Previous, Next       string // ids
}

// Neighbours finds the neighbours of a run, in the order of the axes.
func Neighbours(s *sweep.Sweep, run sweep.Run) (all []Neighbour) {
	head, _ := s.Head()
	byAxis := map[string][]neighbour{}
	numbered := slices.ContainsFunc(head.Axes, func(a grid.Axis) bool { return a.Name == query.Replicate })
	own := valuesOf(run, head.Axes, numbered)
	for st := range s.All() {
		if st.Run.Unplanned || st.Run.ID == run.ID || st.Run.Template != run.Template {
			continue
		}
		if axis, v, ok := differsIn(own, valuesOf(st.Run, head.Axes, numbered)); ok {
			byAxis[axis] = append(byAxis[axis], neighbour{v, st.Run.ID})
		}
	}
	for _, a := range head.Axes {
		here, ok := value.Lookup(own, a.Name)
		if !ok || len(byAxis[a.Name]) == 0 {
			continue
		}
		n := Neighbour{Axis: a.Name, Value: here}
		before, after := around(a, here, byAxis[a.Name])
		if before != nil {
			n.Before, n.Previous = before.v, before.id
		}
		if after != nil {
			n.After, n.Next = after.v, after.id
		}
		all = append(all, n)
	}
	return all
}

// neighbour is a run that differs in one axis, and its value there.
type neighbour struct {
	v  value.Value
	id string
}

// valuesOf are a run's values of the axes, in the order of the plan. What else
// differs follows from them: the parameters of a bundle from its label, and what
// is computed from others.
func valuesOf(r sweep.Run, axes []grid.Axis, numbered bool) []value.Binding {
	all := slices.DeleteFunc(slices.Concat(r.Labels, r.Params), func(b value.Binding) bool {
		return !slices.ContainsFunc(axes, func(a grid.Axis) bool { return a.Name == b.Name })
	})
	if numbered { // and no parameter has the number
		n, _ := value.Of(r.Replicate) // an int is a value
		all = append(all, value.Binding{Name: query.Replicate, Value: n})
	}
	return all
}

// differsIn is the one name in which two runs differ; ok is false when they
// differ in more.
func differsIn(a, b []value.Binding) (name string, v value.Value, ok bool) {
	if len(a) != len(b) {
		return "", v, false
	}
	for i := range a {
		switch {
		case a[i].Name != b[i].Name:
			return "", v, false
		case value.Equal(a[i].Value, b[i].Value):
		case ok:
			return "", v, false
		default:
			name, v, ok = b[i].Name, b[i].Value, true
		}
	}
	return name, v, ok
}

// around are the runs before and after a value in the order of its axis.
func around(a grid.Axis, here value.Value, all []neighbour) (before, after *neighbour) {
	rank := func(v value.Value) int {
		return slices.IndexFunc(a.Values, func(x value.Value) bool { return value.Equal(x, v) })
	}
	less := func(x, y value.Value) bool {
		if i, j := rank(x), rank(y); i >= 0 && j >= 0 {
			return i < j
		}
		return value.Compare(x, y) < 0
	}
	for i := range all {
		n := &all[i]
		switch {
		case less(n.v, here) && (before == nil || less(before.v, n.v)):
			before = n
		case less(here, n.v) && (after == nil || less(n.v, after.v)):
			after = n
		}
	}
	return before, after
}
