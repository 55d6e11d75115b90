package picture

import (
	"strings"
	"testing"
)

func TestRoundTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0.94, 1.001, "0.94 0.95 0.96 0.97 0.98 0.99 1.00"}, {1.1, 7.8, "2 3 4 5 6 7"}, {-1.6, 0.6, "−1.5 −1.0 −0.5 0.0 0.5"},
		{0, 10, "0 2 4 6 8 10"}, {-300, 1300, "−250 0 250 500 750 1000 1250"}, {5, 5, "5"}, {3e9, 9e9, "3e+09 4e+09 5e+09 6e+09 7e+09 8e+09 9e+09"},
		{1e18, 1e18 + 1200, "1000000000000000000 +256 +384 +640 +768 +1024 +1152"}, {1e18, 1e18 + 128, "1000000000000000000 +128"},
		{-1e18, -1e18 + 1200, "−1000000000000000000 +256 +384 +640 +768 +1024 +1152"}, {-1.7e308, 1.7e308, "−1.7e+308"}, {0, 5e-324, "0"},
		{1e300, 3e300, "1e+300 1.5e+300 2e+300 2.5e+300 3e+300"}, {1e-9, 1.00001e-9, "1e−09 +2e−15 +4e−15 +6e−15 +8e−15 +1e−14"},
		{1e-9, 7e-9, "1e−09 2e−09 3e−09 4e−09 5e−09 6e−09 7e−09"},
	} {
		var got []string
		for _, tick := range roundTicks(7).Ticks(c.low, c.high) {
			got = append(got, tick.Label)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("from %v to %v: %s, want %s", c.low, c.high, text, c.want)
		}
	}
}
