package report

import (
	"math"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
)

// A difference beyond the largest float is no percentage.
func TestCentresOfHugeNumbers(t *testing.T) {
	var plain form // of numbers, not shares
	plain.change = func(x float64) string { return "apart" }
	for _, c := range []struct {
		apart, relative, shift float64
		want                   string
	}{
		{5, 0.1, 2, "+25.00%"}, {1e308, 10, 1e308, "+1000.00%"},
		{math.Inf(-1), math.Inf(-1), math.Inf(-1), "apart"}, {3, math.NaN(), 3, "apart"}, {3, 0, 0, "apart"},
	} {
		var a compare.Comparison
		a.Centres, a.Relative, a.Shift = c.apart, c.relative, c.shift
		if got := centres(&a, plain); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
