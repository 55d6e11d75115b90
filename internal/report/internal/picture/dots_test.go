package picture

import (
	"math"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
)

// TestDotsOutOfRange: what has no place in a plot is left out of it.
func TestDotsOutOfRange(t *testing.T) {
	values := []float64{-1e308, 0, 1e308}
	for _, centre := range []float64{math.NaN(), math.Inf(1), -1e308} {
		groups := []compare.Group{
			{Name: "a", Baseline: true, N: 3, Values: values, Centre: centre, Lo: -1e308, Hi: 1e308},
			{Name: "b", N: 3, Values: values, Centre: centre, Lo: math.NaN(), Hi: math.NaN()},
		}
		if p, err := Dots("y", groups); err != nil || len(p.PNG) == 0 {
			t.Errorf("centre %v: %d bytes, %v", centre, len(p.PNG), err)
		}
	}
}
