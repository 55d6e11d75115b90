package stats

import (
	"math"
	"testing"
)

func TestMinus(t *testing.T) {
	for _, c := range []struct{ x, y, want float64 }{
		{5.1, 4.9, 0.2}, {4.9, 5.1, -0.2}, {0.3, 0.1, 0.2}, {1000.3, 1000.1, 0.2}, {-0.1, 0.2, -0.3}, {0.1 + 0.2, 0.3, 0}, {0, 0, 0},
		{9007199254740991, 9007199254740990, 1}, {1e308, -1e308, math.Inf(1)}, {3e-310, 1e-310, 3e-310 - 1e-310}, {1, 1 - 1e-12, 1e-12}, {1e300, 1, 1e300},
	} {
		if got := Minus(c.x, c.y); got != c.want && math.Abs(got-c.want) > 1e-14*math.Abs(c.want) || math.Signbit(got) != math.Signbit(c.want) {
			t.Errorf("%v − %v is %v, want %v", c.x, c.y, got, c.want)
		}
	}
	for i := range 10_000 { // thousandths of different sizes
		x, y := float64(i*7919%100_000), float64(i*104_729%100_000)
		if got, want := Minus(x/1000, y/1000), (x-y)/1000; got != want {
			t.Fatalf("%v − %v is %v, want %v", x/1000, y/1000, got, want)
		}
	}
}
