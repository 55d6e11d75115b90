package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// MinPlaces is how many places say something of a trend, or of how neighbouring
// ones resemble each other.
const MinPlaces = 8

// A Line is a robust straight line through levels at places.
type Line struct {
	Slope    float64   // Theil and Sen's: the change from one place to the next
	Off      []float64 // how far each level lies above the line
	Scale    float64   // the standard deviation of Off, robustly; 0 when all lie on it
	P        float64   // of no trend: Mann and Kendall's, two-sided
	Weekdays bool      // they differ, and Off is from the line of its own weekday
}

// Fit lays a line through the levels y at places, which ascend; there are at
// least two. weekday is as Expect has it.
func Fit(at []int, y []float64, weekday []int) Line {
	l := Line{Slope: theilSen(at, y), P: mannKendall(y)}
	l.Off = without(at, y, l.Slope)
	base, parameters := medianOf(l.Off), 1
	fitted := make([]float64, len(y))
	for i := range y {
		fitted[i] = base + l.Slope*float64(at[i])
	}
	if weekday != nil {
		if of := byWeekday(at, weekday); kruskalWallis(l.Off, of[:]) < alarmAlpha {
			w := of.fit(at, y, l.Off)
			l.Weekdays, fitted, parameters = true, w.fitted, w.parameters
		}
	}
	for i := range y {
		const rounding = 1e-12 // relative: what is no farther off lies on the line
		if l.Off[i] = y[i] - fitted[i]; math.Abs(l.Off[i]) <= rounding*math.Abs(y[i]) {
			l.Off[i] = 0
		}
	}
	l.Scale = spreadOf(distances(l.Off, 0), parameters)
	return l
}

// deviation is the standard deviation that distances from a line speak of:
// by their median, or by their mean where most are zero.
func deviation(distances []float64) float64 {
	const byMedian, byMean = 1.4826, 1.2533 // of a normal distribution
	sorted := slices.Sorted(slices.Values(distances))
	if m := Median(sorted); m > 0 {
		return byMedian * m
	}
	return byMean * stat.Mean(sorted, nil)
}

// theilSen is the median of the slopes between all pairs of places.
func theilSen(at []int, y []float64) float64 {
	slopes := make([]float64, 0, len(at)*(len(at)-1)/2)
	for i := range at {
		for j := i + 1; j < len(at); j++ {
			slopes = append(slopes, (y[j]-y[i])/float64(at[j]-at[i]))
		}
	}
	return middleOf(slopes)
}

// middleOf is the median of values that it may reorder: two million slopes are
// not worth sorting.
func middleOf(x []float64) float64 {
	n := len(x)
	high := nth(x, n/2)
	if n%2 == 1 {
		return high
	}
	return (slices.Max(x[:n/2]) + high) / 2
}

// nth moves the k-th smallest value to its place, counted from 0, the smaller
// ones before it, and returns it. It is Hoare's selection.
func nth(x []float64, k int) float64 {
	for low, high := 0, len(x)-1; low < high; {
		pivot := Median(slices.Sorted(slices.Values([]float64{x[low], x[(low+high)/2], x[high]})))
		i, j := low, high
		for i <= j {
			for x[i] < pivot {
				i++
			}
			for x[j] > pivot {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return x[k]
		}
	}
	return x[k]
}

// mannKendall is the two-sided p of no trend, from the normal distribution,
// corrected for ties.
func mannKendall(y []float64) float64 {
	n := float64(len(y))
	s := 0
	for i := range y {
		for j := i + 1; j < len(y); j++ {
			s += cmp.Compare(y[j], y[i])
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
