package along

import (
	"cmp"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// A Point is a value of a series at a place of an axis.
type Point struct {
	Series, Place int
	Value         float64
}

// A model is how a value follows from what is usual for its series and from the
// level of its place.
type model struct {
	none        float64 // the level of a place where all is as usual
	join, apart func(a, b float64) float64
}

var (
	sums     = model{0, func(a, b float64) float64 { return a + b }, func(a, b float64) float64 { return a - b }}
	products = model{1, func(a, b float64) float64 { return a * b }, func(a, b float64) float64 { return a / b }}
)

// levels are those of places by all series, which may be missing at some of
// them. fractions says that they are in multiples of the one in the middle:
// where series differ in size, and what happens to them in proportion to it,
// that explains their values better than sums do. It is for metrics with a size.
func levels(points []Point, hasSize bool) (at []int, level []float64, fractions bool) {
	cells := cellsOf(points)
	series, places := split(cells)
	by := sums.polish(cells, series, places)
	if hasSize && !slices.ContainsFunc(cells, func(c Point) bool { return c.Value < 0 }) {
		if p := products.polish(cells, series, places); p.left < by.left {
			by, fractions = p, true
		}
	}
	for place, y := range by.level {
		if !math.IsNaN(y) {
			at, level = append(at, place), append(level, y)
		}
	}
	by.settle(level, fractions)
	if !fractions {
		return at, level, false
	}
	middle := stats.Median(slices.Sorted(slices.Values(level)))
	for i := range level {
		level[i] /= middle
	}
	return at, level, true
}

// settle makes levels equal that differ by rounding alone: ranks would tell them
// apart.
func (f fit) settle(level []float64, fractions bool) {
	const rounding = 1e-10 // relative to what is usual
	size := 1.0
	if usual := sizes(f.usual); !fractions && len(usual) > 0 && len(level) > 0 {
		size = stats.Median(usual) + stats.Median(sizes(level))
	}
	order := make([]int, len(level))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(level[a], level[b]) })
	for k := 1; k < len(order); k++ {
		if below := level[order[k-1]]; level[order[k]]-below <= rounding*size {
			level[order[k]] = below
		}
	}
}

// sizes are numbers without their sign, ascending.
func sizes(x []float64) []float64 {
	out := make([]float64, 0, len(x))
	for _, v := range x {
		if !math.IsNaN(v) {
			out = append(out, math.Abs(v))
		}
	}
	slices.Sort(out)
	return out
}

// cellsOf takes the values of a series at one place together, and numbers series
// from 0.
func cellsOf(points []Point) []Point {
	sorted := slices.SortedFunc(slices.Values(points), func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.Series, b.Series), cmp.Compare(a.Place, b.Place), cmp.Compare(a.Value, b.Value))
	})
	var cells []Point
	var values []float64
	series := -1
	for i, p := range sorted {
		if i == 0 || p.Series != sorted[i-1].Series {
			series++
		}
		values = append(values, p.Value)
		if i+1 == len(sorted) || sorted[i+1].Series != p.Series || sorted[i+1].Place != p.Place {
			cells = append(cells, Point{series, p.Place, stats.Median(values)})
			values = values[:0]
		}
	}
	return cells
}

// split says which cells are of a series, and which of a place.
func split(cells []Point) (series, places [][]int) {
	for i, c := range cells {
		series, places = grow(series, c.Series), grow(places, c.Place)
		series[c.Series], places[c.Place] = append(series[c.Series], i), append(places[c.Place], i)
	}
	return series, places
}

func grow(of [][]int, at int) [][]int {
	if more := at + 1 - len(of); more > 0 {
		return append(of, make([][]int, more)...)
	}
	return of
}

// A fit is what a model says of cells.
type fit struct {
	usual, level []float64 // by series, and by place; NaN where there is none
	left         float64   // how far the values lie from it, together; NaN where it says nothing of some
}

// Levels are polished until what is usual changes no more, relatively to the
// largest; a few dozen times mostly, but no longer than one waits for.
const (
	polished     = 1e-13
	minPolishing = 40
	maxPolishing = 2000
	maxPolished  = 4_000_000 // cells, all times together
)

// polish is Tukey's median polish. What is usual for a series is taken from the
// places where it has values, less their levels: a series that is missing
// somewhere moves nothing.
func (m model) polish(cells []Point, series, places [][]int) fit {
	f := fit{usual: make([]float64, len(series)), level: make([]float64, len(places))}
	for place := range f.level {
		f.level[place] = m.none
	}
	for range max(minPolishing, min(maxPolishing, maxPolished/max(len(cells), 1))) {
		was := slices.Clone(f.usual)
		medians(f.usual, series, func(i int) float64 { return m.apart(cells[i].Value, f.level[cells[i].Place]) })
		medians(f.level, places, func(i int) float64 { return m.apart(cells[i].Value, f.usual[cells[i].Series]) })
		limit := polished * largest(f.usual)
		if slices.EqualFunc(was, f.usual, func(a, b float64) bool { return !(math.Abs(b-a) > limit) }) {
			break
		}
	}
	for _, c := range cells {
		f.left += math.Abs(c.Value - m.join(f.usual[c.Series], f.level[c.Place]))
	}
	return f
}

func largest(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			most = math.Max(most, math.Abs(v))
		}
	}
	return most
}

// medians are those of the finite values of each of some sets of cells.
func medians(out []float64, sets [][]int, value func(cell int) float64) {
	var x []float64
	for k, set := range sets {
		x = x[:0]
		for _, i := range set {
			if y := value(i); !math.IsNaN(y) && !math.IsInf(y, 0) {
				x = append(x, y)
			}
		}
		if out[k] = math.NaN(); len(x) > 0 {
			slices.Sort(x)
			out[k] = stats.Median(x)
		}
	}
}
