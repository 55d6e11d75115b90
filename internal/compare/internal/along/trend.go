// Package along says what a metric does along an ordered axis: its trend, which
// places are odd, and how the last date lies to the ones before it.
//
// In go levels by place; out come numbers. It knows no table and no words.
package along

import (
	"math"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
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
}

// An Odd period lies far from the trend.
type Odd struct {
	Period   string
	Off      float64 // from the line
	Relative float64 // as a fraction of the metric's median; NaN when that is zero
	Z        float64 // in robust standard deviations
}

const (
	maxPlaces = 2000
	oddZ      = 3.5 // Iglewicz and Hoaglin's bound
)

// TrendOf fits a line through the levels at places of an axis, which ascend.
// middle is the size of the metric. It is not ok where places are too few or too
// many.
func TrendOf(axis string, at []int, level []float64, middle float64, name func(place int) string) (t Trend, ok bool) {
	if len(at) < stats.MinPlaces || len(at) > maxPlaces {
		return t, false
	}
	fraction := func(x float64) float64 {
		if middle == 0 {
			return math.NaN()
		}
		return x / middle
	}
	line := stats.Fit(at, level)
	change, usual := line.Slope*float64(at[len(at)-1]-at[0]), oddZ*line.Scale
	t = Trend{Axis: axis, Periods: len(at), Change: change, Relative: fraction(change), P: line.P, Usual: usual, UsualRelative: fraction(usual)}
	for i, off := range line.Off {
		o := Odd{Period: name(at[i]), Off: off, Relative: fraction(off)}
		if line.Scale > 0 {
			o.Z = off / line.Scale
		}
		if math.Abs(o.Z) > oddZ {
			t.Odd = append(t.Odd, o)
		}
	}
	return t, true
}
