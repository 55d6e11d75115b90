package stats

import (
	"math"
	"testing"
)

// TestSensitivityAgainstStatsmodels: a normal interval of known deviation tells what
// statsmodels' NormalIndPower says, and needs as many pairs (testdata/oracle.py).
func TestSensitivityAgainstStatsmodels(t *testing.T) {
	type known struct{ N, Deviation, Effect, Alpha, Size float64 }
	const confidence = 0.9
	var cases []known
	var needed []float64
	for _, n := range []float64{5, 12, 40, 300} {
		for _, alpha := range []float64{0.05, 0.01, 0.05 / 12} {
			for _, c := range []known{{N: n, Deviation: 2, Effect: 0.7, Alpha: alpha}, {N: n, Deviation: 0.3, Effect: 0.11, Alpha: alpha}} {
				half := normalQuantile(0.5+confidence/2) * c.Deviation / math.Sqrt(c.N)
				change := Change{Shift: -c.Effect, Lo: -c.Effect - half, Hi: -c.Effect + half}
				c.Size = Detectable(change, c.Alpha, confidence)
				cases, needed = append(cases, c), append(needed, Needed(change, int(c.N), c.Alpha, confidence))
			}
		}
	}
	var want []struct{ Power, N float64 }
	ask(t, "sensitivity", cases, &want)
	for i, c := range cases {
		if math.Abs(want[i].Power-power) > 1e-6 || needed[i] != math.Ceil(want[i].N) {
			t.Errorf("%+v is told as often as %v, and takes %v; statsmodels says %+v", c, power, needed[i], want[i])
		}
	}
	if got := Detectable(Change{Lo: math.Inf(-1), Hi: math.Inf(1)}, 0.05, 0.95); !math.IsNaN(got) {
		t.Errorf("without an interval %v", got)
	}
}
