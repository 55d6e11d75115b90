package grid

import (
	"iter"

	"github.com/fanout-dev/fanout/internal/grid/internal/halve"
	"github.com/fanout-dev/fanout/internal/grid/internal/repeat"
	"github.com/fanout-dev/fanout/internal/grid/internal/sampling"
)

// How a sweep comes to have more runs than it begins with.
type (
	// Repeat is how many replicates every point has.
	Repeat = repeat.Repeat
	// Until is when a sweep that grows has answered its question.
	Until = repeat.Until
	// Sample is which points are kept.
	Sample = sampling.Sample
	// Halve is how candidates are given up.
	Halve = halve.Halve
)

// Grows reports whether runs are added to those that a sweep begins with.
func (s *Spec) Grows() bool { return s.Repeat.Grows() || s.Sample.Grows() || s.Halve.Grows() }

// Reserve yields the points that a sweep that grows may come to have: those of
// Points, and further replicates, points or rounds. Err says why it stopped early.
func (g *Grid) Reserve() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		spec, all := *g.spec, *g
		spec.Repeat.N, spec.Sample.N = max(spec.Repeat.N, spec.Repeat.Max), max(spec.Sample.N, spec.Sample.Max)
		all.spec, all.reserve = &spec, true
		for p := range all.Points() {
			if !yield(p) {
				break
			}
		}
		g.err = all.err
	}
}
