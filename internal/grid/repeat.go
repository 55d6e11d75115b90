package grid

import (
	"iter"

	"github.com/fanout-dev/fanout/internal/grid/internal/repeat"
)

// Repeat is how many replicates every point has.
type Repeat = repeat.Repeat

// Reserve yields the points that a sweep that grows may come to have: those of
// Points, and their further replicates. Err says why it stopped early.
func (g *Grid) Reserve() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		spec, all := *g.spec, *g
		spec.Repeat.N, all.spec = spec.Repeat.Max, &spec
		for p := range all.Points() {
			if !yield(p) {
				break
			}
		}
		g.err = all.err
	}
}
