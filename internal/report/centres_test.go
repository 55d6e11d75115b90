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
		apart, relative float64
		want            string
	}{{5, 0.25, "+25.00%"}, {1e308, 10, "+1000.00%"}, {math.Inf(-1), math.Inf(-1), "apart"}, {3, math.NaN(), "apart"}} {
		var a compare.Comparison
		a.Centres, a.RelCentres = c.apart, c.relative
		if got := centres(&a, plain); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
