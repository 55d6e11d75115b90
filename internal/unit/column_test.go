package unit_test

import (
	"math"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Every number of a column has as many decimals as the others.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		column []float64
		want   string
	}{
		{[]float64{0.9969, 0.997}, "0.9969 0.9970"},
		{[]float64{21831, 21880, 99.5}, "21831.0 21880.0 99.5"},
		{[]float64{1, 2, 30000}, "1 2 30000"},
		{[]float64{2.5, 3, 10}, "2.5 3.0 10.0"},
		{[]float64{1, 2, 3, 5_000_000}, "1 2 3 5000000"},
		{[]float64{0.00012, 0.5}, "0.00012 0.50000"},
		{[]float64{0.1, 0.0656742, 0.149409, 0.4}, "0.1000 0.0657 0.1494 0.4000"},
		{[]float64{2.5123, 21831.71}, "2.51 21831.71"},
		{[]float64{0.0001234, 0.0005}, "0.0001234 0.0005000"},
		{[]float64{1e7, 1.25e8}, "1.00e+07 1.25e+08"},
		{[]float64{9e6, 1.2e7}, "9000000 12000000"},
		{[]float64{1e-5, 2.5e-6}, "1.0e−05 2.5e−06"},
		{[]float64{0.0001, 0.00005}, "0.00010 0.00005"},
		{[]float64{0.00005, 2183.5}, "5e−05 2184"},
		{[]float64{-0.25, -1e-17, 0.5}, "−0.25 0.00 0.50"},
		{[]float64{math.Copysign(0, -1), 1.5}, "0.0 1.5"},
		{[]float64{0, 0}, "0 0"},
		{[]float64{math.NaN(), math.Inf(1), 1.5}, " ∞ 1.5"},
		{nil, ""},
	} {
		number := unit.Numbers(c.column...)
		var got []string
		for _, x := range c.column {
			got = append(got, number(x))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%v: %q, want %q", c.column, text, c.want)
		}
	}
}

func TestSigned(t *testing.T) {
	column := []float64{0.25, -2, 0, 1e-13}
	write := unit.Signed(unit.Numbers(column...))
	for i, want := range []string{"+0.25", "−2.00", "0.00", "0.00"} {
		if got := write(column[i]); got != want {
			t.Errorf("%v: %q, want %q", column[i], got, want)
		}
	}
}

func TestInterval(t *testing.T) {
	for want, c := range map[string]struct {
		lo, hi float64
		flat   bool
	}{
		"1\u00a0…\u00a02": {1, 2, false}, "": {math.NaN(), math.NaN(), false}, "too few": {math.Inf(-1), math.Inf(1), false}, "unvarying": {math.Inf(-1), math.Inf(1), true},
	} {
		if got := unit.Interval(c.lo, c.hi, c.flat, unit.Number); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
