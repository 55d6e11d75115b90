package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// MinHistory is how many earlier values say what is usual of the next one.
const MinHistory = MinPlaces - 1

// alarmAlpha is how often one of a family of values that are as usual as their
// histories may be called unusual.
const alarmAlpha = 0.01

// An Expectation is what the values of a series say of the next one.
type Expectation struct {
	Value  float64 // the next value: the level of the earlier ones, or where their line leads
	OnLine bool    // Theil and Sen's line, where there is a trend; else the median
	Usual  float64 // how far from Value the next one may lie; 0 only where Value is 0 and all earlier ones are
	off    []float64
}

// Expect takes the next value from the values y at places, which ascend; there
// are at least MinHistory. family is how many series are watched at once.
func Expect(at []int, y []float64, next, family int) Expectation {
	n := float64(len(y))
	e := Expectation{Value: medianOf(y), off: make([]float64, len(y))}
	slope, error2 := 0.0, math.Pi/2/n // squared, in standard deviations: of a median
	if mannKendall(y) < alarmAlpha {
		slope, e.OnLine, error2 = theilSen(at, y), true, 4/n // of a line at its end
	}
	for i := range y {
		e.off[i] = y[i] - slope*float64(at[i])
	}
	base := medianOf(e.off)
	if e.OnLine {
		e.Value = base + slope*float64(next)
	}
	for i := range e.off {
		e.off[i] = math.Abs(e.off[i] - base)
	}
	const rounding = 1e-9 // relative: values that differ by less are the same
	e.Usual = math.Max(deviation(e.off)*alarmAt(n, family)*math.Sqrt(1+error2), rounding*math.Abs(e.Value))
	return e
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
// is usual, and than all but few of the earlier ones did.
func (e Expectation) Unusual(y float64) bool {
	off := math.Abs(y - e.Value)
	if off <= e.Usual {
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
