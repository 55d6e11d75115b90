package compare

import (
	"math"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
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
	maxPeriods = 2000
	oddZ       = 3.5 // Iglewicz and Hoaglin's bound
)

// trends are those along every ordered axis, and over earlier plans, with
// periods enough.
func (c *comparer) trends(groups []*group, read reading) []Trend {
	all := samplesOf(groups)
	if len(all) == 0 {
		return nil
	}
	middle := math.Abs(stats.Median(values(all)))
	var out []Trend
	for _, a := range c.ordered() {
		if t, ok := c.along(c.lineOf(a), all, middle); ok {
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

// An axisLine is an axis laid out in order: those of its levels that matter.
type axisLine struct {
	name   string
	levels []int
	texts  []string // by level
}

// lineOf is an axis over all planned runs.
func (c *comparer) lineOf(a Axis) axisLine {
	return axisLine{a.Name, c.levelsOf(c.planned, a.Name), c.factors[a.Name].Texts}
}

// dates says whether all places begin like dates.
func (a axisLine) dates() bool {
	return len(a.levels) > 0 && !slices.ContainsFunc(a.levels, func(level int) bool {
		s := a.texts[level]
		_, err := time.Parse(time.DateOnly, s[:min(len(s), len(time.DateOnly))])
		return err != nil
	})
}

func (c *comparer) along(a axisLine, all []sample, middle float64) (Trend, bool) {
	at, level := c.periods(a, all)
	if len(at) < stats.MinPlaces || len(at) > maxPeriods {
		return Trend{}, false
	}
	t := trendOf(at, level, middle, func(i int) string { return a.texts[a.levels[i]] })
	t.Axis = a.name
	if at[len(at)-1] != len(a.levels)-1 || !a.dates() {
		t.Last = nil
	}
	return t, true
}

// nights are earlier plans of a sweep whose axes stay and a parameter moves,
// like the date of a nightly report: the runs that are planned no more are what
// is usual.
func (c *comparer) nights(read reading) (axisLine, []sample, bool) {
	var moved string
	for _, col := range c.t.Columns() {
		name := col.Name()
		if col.Role() == table.RoleParameter && !slices.Contains(axisNames(c.o.Axes), name) && c.varieties(c.planned, name) == 1 && c.varieties(c.past, name) > 1 {
			moved = name
			break
		}
	}
	if moved == "" {
		return axisLine{}, nil, false
	}
	var earlier []sample
	for _, row := range c.past {
		if s, found, good := read(row); found && good {
			earlier = append(earlier, s)
		}
	}
	return axisLine{moved, c.levelsOf(slices.Concat(c.past, c.planned), moved), c.factors[moved].Texts}, earlier, true
}

// periods are the places that have values of the metric, and its levels there:
// the median distance from what is usual for the rest of the parameters.
// Replicates count for what is usual.
func (c *comparer) periods(axis axisLine, all []sample) (at []int, level []float64) {
	var rest []string
	for _, a := range c.axes() {
		if a.Name != axis.name && !a.Replicate {
			rest = append(rest, a.Name)
		}
	}
	class, _ := factor.Classes(c.t.Len(), c.factorsOf(rest))
	alike := map[int][]float64{}
	for _, s := range all {
		alike[class[s.row]] = append(alike[class[s.row]], s.value)
	}
	usual := map[int]float64{}
	for k, x := range alike {
		slices.Sort(x)
		usual[k] = stats.Median(x)
	}
	off := map[int][]float64{}
	for _, s := range all {
		p := c.level(s.row, axis.name)
		off[p] = append(off[p], s.value-usual[class[s.row]])
	}
	for i, p := range axis.levels {
		if x := off[p]; len(x) > 0 {
			slices.Sort(x)
			at, level = append(at, i), append(level, stats.Median(x))
		}
	}
	return at, level
}

// trendOf fits a line through the levels at places of an axis. middle is the
// size of the metric.
func trendOf(at []int, level []float64, middle float64, name func(place int) string) Trend {
	fraction := func(x float64) float64 {
		if middle == 0 {
			return math.NaN()
		}
		return x / middle
	}
	line := stats.Fit(at, level)
	change, usual := line.Slope*float64(at[len(at)-1]-at[0]), oddZ*line.Scale
	t := Trend{Periods: len(at), Change: change, Relative: fraction(change), P: line.P, Usual: usual, UsualRelative: fraction(usual)}
	for i, off := range line.Off {
		o := Odd{Period: name(at[i]), Off: off, Relative: fraction(off)}
		if line.Scale > 0 {
			o.Z = off / line.Scale
		}
		if i == len(at)-1 {
			t.Last = &o
		}
		if math.Abs(o.Z) > oddZ {
			t.Odd = append(t.Odd, o)
		}
	}
	return t
}
