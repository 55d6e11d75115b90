// Package along says what a metric does along an ordered axis: its trend, which
// places are odd, and how the last date lies to the ones before it.
//
// In go values of series by place; out come numbers. It knows no table and no
// words.
package along

import (
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// A Trend is how a metric moves along an ordered axis, whatever else varies
// held still.
type Trend struct {
	Axis    string
	Periods int     // values of the axis that have values of the metric
	Change  float64 // from the first to the last, along Theil and Sen's line
	// Relative is Change as a fraction of what is usual, or of the metric's median;
	// NaN where the metric has no size: its values lie on both sides of zero.
	Relative float64
	P        float64 // Mann and Kendall's
	Odd      []Odd   // in the order of the axis
	// Usual is how far from the line a place may lie that is not odd; 0 when
	// most lie on it. UsualRelative is to it as Relative to Change.
	Usual, UsualRelative float64
	Weekdays             bool // weekdays differ, and Usual is from the line of each
}

// An Odd period lies far from the trend.
type Odd struct {
	Period   string
	Off      float64 // from the line
	Relative float64 // as that of the Trend
	Z        float64 // in robust standard deviations
}

const (
	maxPlaces = 2000
	oddZ      = 3.5 // Iglewicz and Hoaglin's bound
)

// TrendOf fits a line through the levels of the places of an axis, which have
// these names. It is not ok where places with values are too few or too many.
func TrendOf(axis string, points []Point, names []string) (t Trend, ok bool) {
	size := sizeOf(points)
	at, level, fractions := levels(points, !math.IsNaN(size))
	if len(at) < stats.MinPlaces || len(at) > maxPlaces {
		return t, false
	}
	unit, fraction := 1.0, 1/size
	if fractions {
		unit, fraction = size, 1
	}
	line := stats.Fit(at, level, weekdays(names))
	change, usual := line.Slope*float64(at[len(at)-1]-at[0]), oddZ*line.Scale
	t = Trend{Axis: axis, Periods: len(at), P: line.P, Weekdays: line.Weekdays,
		Change: change * unit, Relative: change * fraction, Usual: usual * unit, UsualRelative: usual * fraction}
	for i, off := range line.Off {
		o := Odd{Period: names[at[i]], Off: off * unit, Relative: off * fraction}
		if line.Scale > 0 {
			o.Z = off / line.Scale
		}
		if math.Abs(o.Z) > oddZ {
			t.Odd = append(t.Odd, o)
		}
	}
	return t, true
}

// sizeOf is the median of values, without its sign; NaN where fractions of it say
// nothing.
func sizeOf(points []Point) float64 {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.Value
	}
	slices.Sort(values)
	if len(values) == 0 || !stats.IsSize(stats.Median(values), values) {
		return math.NaN()
	}
	return math.Abs(stats.Median(values))
}
