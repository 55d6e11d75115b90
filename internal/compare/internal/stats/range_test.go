package stats

import "testing"

// TestSummaryOutOfRange: the median of numbers whose sum or difference is too large
// for a float64 is one of them, or between them.
func TestSummaryOutOfRange(t *testing.T) {
	for _, c := range []struct {
		sample []float64
		want   float64
	}{
		{[]float64{-1e308, -1e308, -1e308, 1e308, 1e308}, -1e308},
		{[]float64{-1e308, 1e308}, 0},
		{[]float64{1e308, 1.5e308}, 1.25e308},
		{[]float64{-1.7e308, -1e308, 1e308, 1.7e308}, 0},
		{[]float64{1, 2, 4, 5}, 3},
	} {
		if got, _, _ := Summary(c.sample, 0.95); got != c.want {
			t.Errorf("the centre of %v is %v, want %v", c.sample, got, c.want)
		}
	}
}
