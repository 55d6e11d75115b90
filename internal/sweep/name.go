package sweep

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// RunName names a planned run for people by what varies: "region=apac
// seed=3". It is the id where nothing does.
func (s *Sweep) RunName(id string) string {
	st, _ := s.Run(id)
	head, _ := s.Head()
	if name := st.Run.Name(head.Axes); name != "" {
		return name
	}
	return id
}

// Name names a run by its values of the axes or, where there are none, by all
// that it is given.
func (r Run) Name(axes []grid.Axis) string {
	varies := func(name string) bool {
		return slices.ContainsFunc(axes, func(a grid.Axis) bool { return a.Name == name })
	}
	var values []value.Binding
	for _, b := range slices.Concat(r.Labels, r.Params) {
		if varies(b.Name) {
			values = append(values, b)
		}
	}
	if len(values) == 0 { // nothing varies
		values = slices.Clone(r.Params)
	}
	if varies("run_replicate") {
		n, _ := value.Of(r.Replicate) // an int is a value
		values = append(values, value.Binding{Name: "replicate", Value: n})
	}
	return unit.Name(values)
}
