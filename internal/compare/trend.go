package compare

import (
	"math"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/fanout-dev/fanout/internal/table"
)

// A Trend is how a metric moves along an ordered axis, whatever else varies
// held still.
type Trend struct {
	Axis    string
	Periods int     // values of the axis that have values of the metric
	Change  float64 // from the first to the last, along Theil and Sen's line
	// Relative is Change as a fraction of the metric's median; NaN when that is
	// zero.
	Relative float64
	P        float64 // Mann and Kendall's
	Odd      []Odd   // in the order of the axis
	// Usual is how far from the line a place may lie that is not odd; 0 when
	// most lie on it. UsualRelative is that as a fraction of the median.
	Usual, UsualRelative float64
	// Last is the last place, where the axis is of dates: tonight. Nil when it
	// has no value.
	Last *Odd
}

// An Odd period lies far from the trend.
type Odd struct {
	Period   string
	Off      float64 // from the line
	Relative float64 // as a fraction of the metric's median; NaN when that is zero
	Z        float64 // in robust standard deviations
}

const (
	minPeriods = 8 // fewer say nothing of a trend
	maxPeriods = 2000
	maxSlopes  = 300 // periods for which every pair has its slope
	oddZ       = 3.5 // Iglewicz and Hoaglin's bound
)

// trends are those along every ordered axis, and over earlier plans, with
// periods enough.
func (c *comparer) trends(groups []*group, read reading) []Trend {
	var all []sample
	for _, g := range groups {
		all = append(all, g.samples...)
	}
	if len(all) == 0 {
		return nil
	}
	middle := math.Abs(median(values(all)))
	var out []Trend
	for _, a := range c.axes() {
		if _, ok := c.t.Column(a.Name); !ok || a.Replicate || !a.Ordered {
			continue
		}
		a := axisLine{a.Name, c.valuesOf(a.Name), func(row int) string { return c.text(row, a.Name) }}
		if t, ok := c.along(a, all, middle); ok {
			out = append(out, t)
		}
	}
	if nights, earlier, ok := c.nights(read); ok {
		if t, ok := c.along(nights, slices.Concat(all, earlier), middle); ok {
			out = append(out, t)
		}
	}
	return out
}

// An axisLine is an axis laid out in order.
type axisLine struct {
	name   string
	places []string
	at     func(row int) string
}

func (c *comparer) along(a axisLine, all []sample, middle float64) (Trend, bool) {
	at, level := c.periods(a, all)
	if len(at) < minPeriods || len(at) > maxPeriods {
		return Trend{}, false
	}
	t := trendOf(at, level, middle, func(i int) string { return a.places[i] })
	t.Axis = a.name
	if at[len(at)-1] != len(a.places)-1 || !dates(a.places) {
		t.Last = nil
	}
	return t, true
}

// nights are earlier plans of a sweep whose axes stay and a parameter moves,
// like the date of a nightly report: the runs that are planned no more are what
// is usual.
func (c *comparer) nights(read reading) (axisLine, []sample, bool) {
	var moved []string
	for _, col := range c.t.Columns() {
		isAxis := slices.ContainsFunc(c.o.Axes, func(a Axis) bool { return a.Name == col.Name() })
		if col.Role() == table.RoleParameter && !isAxis && c.groupsAmong(c.planned, col.Name()) == 1 && c.groupsAmong(c.past, col.Name()) > 1 {
			moved = append(moved, col.Name())
		}
	}
	if len(moved) == 0 {
		return axisLine{}, nil, false
	}
	a := axisLine{name: moved[0], at: func(row int) string { return c.text(row, moved[0]) }}
	var earlier []sample
	for _, row := range c.past {
		if s, found, good := read(row); found && good {
			earlier = append(earlier, s)
		}
	}
	seen := map[string]bool{}
	for _, row := range slices.Concat(c.past, c.planned) {
		if p := a.at(row); !seen[p] {
			seen[p] = true
			a.places = append(a.places, p)
		}
	}
	slices.SortFunc(a.places, compareText)
	return a, earlier, true
}

// dates says whether all of them begin like dates.
func dates(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(s string) bool {
		_, err := time.Parse(time.DateOnly, s[:min(len(s), len(time.DateOnly))])
		return err != nil
	})
}

// periods are the places that have values of the metric, and its levels there:
// the median distance from what is usual for the rest of the parameters.
// Replicates count for what is usual.
func (c *comparer) periods(axis axisLine, all []sample) (at []int, level []float64) {
	var rest []string
	for _, a := range c.o.Axes {
		if _, ok := c.t.Column(a.Name); ok && a.Name != axis.name && !a.Replicate {
			rest = append(rest, a.Name)
		}
	}
	alike, keys := map[string][]float64{}, make([]string, len(all))
	for i, s := range all {
		keys[i] = c.joined(s.row, rest)
		alike[keys[i]] = append(alike[keys[i]], s.value)
	}
	usual := map[string]float64{}
	for k, x := range alike {
		sort.Float64s(x)
		usual[k] = median(x)
	}
	off := map[string][]float64{}
	for i, s := range all {
		p := axis.at(s.row)
		off[p] = append(off[p], s.value-usual[keys[i]])
	}
	for i, p := range axis.places {
		if x := off[p]; len(x) > 0 {
			sort.Float64s(x)
			at, level = append(at, i), append(level, median(x))
		}
	}
	return at, level
}

// valuesOf are the values of an axis over all planned runs, in order.
func (c *comparer) valuesOf(axis string) []string {
	var names []string
	seen := map[string]bool{}
	for _, row := range c.planned {
		if p := c.text(row, axis); !seen[p] {
			seen[p] = true
			names = append(names, p)
		}
	}
	slices.SortFunc(names, compareText)
	return names
}

// trendOf fits a line through the levels at places of an axis. middle is the
// size of the metric.
func trendOf(at []int, level []float64, middle float64, name func(place int) string) Trend {
	slope := theilSen(at, level)
	fraction := func(x float64) float64 {
		if middle == 0 {
			return math.NaN()
		}
		return x / middle
	}
	change := slope * float64(at[len(at)-1]-at[0])
	t := Trend{Periods: len(at), Change: change, Relative: fraction(change), P: mannKendall(level)}
	off := make([]float64, len(at))
	for i := range at {
		off[i] = level[i] - slope*float64(at[i])
	}
	base := medianOf(off)
	spread := make([]float64, len(at))
	for i := range off {
		off[i] -= base
		spread[i] = math.Abs(off[i])
	}
	scale := deviation(spread)
	t.Usual, t.UsualRelative = oddZ*scale, fraction(oddZ*scale)
	for i := range at {
		o := Odd{Period: name(at[i]), Off: off[i], Relative: fraction(off[i])}
		if scale > 0 {
			o.Z = off[i] / scale
		}
		if i == len(at)-1 {
			t.Last = &o
		}
		if scale > 0 && spread[i]/scale > oddZ {
			t.Odd = append(t.Odd, o)
		}
	}
	return t
}

// deviation is the standard deviation that distances from a line speak of:
// by their median, or by their mean where most are zero.
func deviation(distances []float64) float64 {
	const byMedian, byMean = 1.4826, 1.2533 // of a normal distribution
	if m := medianOf(distances); m > 0 {
		return byMedian * m
	}
	return byMean * stat.Mean(sortedCopy(distances), nil)
}

// theilSen is the median of the slopes between all pairs; of many periods
// between those half the axis apart, Theil's incomplete method.
func theilSen(at []int, y []float64) float64 {
	var slopes []float64
	step, last := 1, len(at)
	if len(at) > maxSlopes {
		step, last = (len(at)+1)/2, 1
	}
	for i := range at {
		for j := i + step; j < min(len(at), i+step+last); j++ {
			slopes = append(slopes, (y[j]-y[i])/float64(at[j]-at[i]))
		}
	}
	return medianOf(slopes)
}

// mannKendall is the two-sided p of no trend, from the normal distribution,
// corrected for ties.
func mannKendall(y []float64) float64 {
	n := float64(len(y))
	s := 0
	for i := range y {
		for j := i + 1; j < len(y); j++ {
			s += compareFloat(y[j], y[i])
		}
	}
	variance := n * (n - 1) * (2*n + 5)
	sorted := slices.Sorted(slices.Values(y))
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		t := float64(j - i)
		variance -= t * (t - 1) * (2*t + 5)
		i = j
	}
	if variance <= 0 {
		return 1
	}
	return twoTails(math.Abs(float64(s)) / math.Sqrt(variance/18))
}

func medianOf(x []float64) float64 { return median(sortedCopy(x)) }

func sortedCopy(x []float64) []float64 { return slices.Sorted(slices.Values(x)) }
