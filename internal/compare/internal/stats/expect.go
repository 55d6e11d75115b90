package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// MinHistory is how many earlier values say what is usual of the next one.
const MinHistory = MinPlaces - 1

// alarmAlpha is how often one of a family of values that are as usual as their
// histories may be called unusual.
const alarmAlpha = 0.01

// An Expectation is what the values of a series say of the next one.
type Expectation struct {
	Value    float64 // the next value: the level of the earlier ones, or where their line leads
	OnLine   bool    // Theil and Sen's line, where there is a trend; else the median
	From     int     // values that Value is taken from
	Weekday  bool    // those are of the next one's weekday: weekdays differ
	Usual    float64 // how far from Value the next one may lie; 0 only where Value is 0 and all earlier ones are
	Constant bool    // all those values are the same
	off      []float64
	same     float64 // what the values of its weekday suggest where weekdays are not known to differ; else Value
}

// Expect takes the next value from the values y at places, which ascend; there
// are at least MinHistory. family is how many series are watched at once;
// weekday is that of every place, from 0 to 6, or nil where places are no days.
func Expect(at []int, y []float64, next, family int, weekday []int) Expectation {
	slope, onLine := trendOf(at, y)
	off := without(at, y, slope)
	if weekday != nil {
		if of := byWeekday(at, weekday); len(of[weekday[next]]) > 0 {
			if kruskalWallis(off, of[:]) < alarmAlpha {
				return expectOfWeekday(at, y, off, next, family, of, weekday[next])
			}
			same := medianOf(pick(off, of[weekday[next]])) + slope*float64(next)
			return expectOfAll(at, off, slope, onLine, next, family, same)
		}
	}
	return expectOfAll(at, off, slope, onLine, next, family, math.NaN())
}

// expectOfAll takes the next value from all earlier ones: off is how far they
// lie above a line through the origin.
func expectOfAll(at []int, off []float64, slope float64, onLine bool, next, family int, same float64) Expectation {
	base := medianOf(off)
	e := Expectation{Value: base + slope*float64(next), OnLine: onLine, From: len(off), off: distances(off, base), same: same}
	if math.IsNaN(same) {
		e.same = e.Value
	}
	fitted := make([]float64, len(at))
	for i, place := range at {
		fitted[i] = base + slope*float64(place)
	}
	e.limit(e.off, fitted, 1, family, errorOf(len(off), onLine))
	return e
}

// limit sets how far from what is expected is usual, by the distances of earlier
// values from what was fitted to them with some parameters. Most metrics spread
// in proportion to their size, others do not: the wider of the two is usual.
// error2 is the variance of what is expected, in those of a value.
func (e *Expectation) limit(distances, fitted []float64, parameters, family int, error2 float64) {
	const rounding = 1e-9 // relative: values that differ by less are the same
	spread := spreadOf(distances, parameters)
	if slices.Min(fitted) > 0 || slices.Max(fitted) < 0 {
		relative := make([]float64, len(fitted))
		for i, y := range fitted {
			relative[i] = distances[i] / math.Abs(y) * math.Abs(e.Value)
		}
		spread = math.Max(spread, spreadOf(relative, parameters))
	}
	e.Constant = spread == 0 && !e.OnLine
	e.Usual = math.Max(spread*alarmAt(float64(len(fitted)-parameters+1), family)*math.Sqrt(1+error2), rounding*math.Abs(e.Value))
}

// spreadOf is the deviation of distances. Every parameter but the first brings
// one more to nearly zero, which says nothing.
func spreadOf(distances []float64, parameters int) float64 {
	return deviation(slices.Sorted(slices.Values(distances))[parameters-1:])
}

// errorOf is the variance of a median of n values, or of the end of a line
// through them, in those of a value.
func errorOf(n int, onLine bool) float64 {
	if onLine {
		return 4 / float64(n)
	}
	return math.Pi / 2 / float64(n)
}

// trendOf is the slope of values at places; 0 where they have no trend.
func trendOf(at []int, y []float64) (slope float64, found bool) {
	if mannKendall(y) >= alarmAlpha {
		return 0, false
	}
	return theilSen(at, y), true
}

// without is values without a trend.
func without(at []int, y []float64, slope float64) []float64 {
	off := make([]float64, len(y))
	for i := range y {
		off[i] = y[i] - slope*float64(at[i])
	}
	return off
}

func distances(y []float64, from float64) []float64 {
	out := make([]float64, len(y))
	for i := range y {
		out[i] = math.Abs(y[i] - from)
	}
	return out
}

// alarmAt is how many robust standard deviations are unusual. A median absolute
// deviation knows as much as a standard deviation of about a third as many
// values.
func alarmAt(n float64, family int) float64 {
	const efficiency = 0.37
	t := distuv.StudentsT{Sigma: 1, Nu: math.Max(1, efficiency*(n-1))}
	return t.Quantile(1 - alarmAlpha/2/float64(max(family, 1)))
}

// How often a distance was seen before that is not unusual: on this many
// places, and on this share of them.
const (
	seenPlaces = 2
	seenShare  = 0.05
)

// Unusual reports whether a next value lies farther from what is expected than
// is usual, also for its weekday, and than all but few of the earlier ones did.
func (e Expectation) Unusual(y float64) bool {
	off := math.Abs(y - e.Value)
	if off <= e.Usual || math.Abs(y-e.same) <= e.Usual {
		return false
	}
	seen := 0
	for _, x := range e.off {
		if x >= off {
			seen++
		}
	}
	return float64(seen) <= math.Max(seenPlaces, seenShare*float64(len(e.off)))
}
