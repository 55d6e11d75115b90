package picture

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"

	"github.com/fanout-dev/fanout/internal/unit"
)

// roundTicks are that many ticks at most, at round numbers, each with its label.
type roundTicks int

// Ticks implements plot.Ticker.
func (most roundTicks) Ticks(low, high float64) []plot.Tick {
	if !(high > low) || math.IsInf(high-low, 0) {
		return []plot.Tick{{Value: low, Label: unit.Number(low)}}
	}
	step, digits := roundStep((high - low) / float64(most))
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: tickLabel(i*step, digits)})
	}
	return ticks
}

// roundStep is the smallest of 1, 2, 2.5 and 5 times a power of ten that is at
// least so large, and how many digits after the point it has.
func roundStep(least float64) (step float64, digits int) {
	power := math.Floor(math.Log10(least))
	for _, m := range []struct {
		by    float64
		extra int
	}{{1, 0}, {2, 0}, {2.5, 1}, {5, 0}, {10, -1}} {
		if step = m.by * math.Pow(10, power); step >= least*(1-1e-9) {
			return step, int(max(0, float64(m.extra)-power))
		}
	}
	return step, int(max(0, -1-power))
}

func tickLabel(x float64, digits int) string {
	if a := math.Abs(x); a >= 1e7 || digits > 6 {
		return unit.Number(x)
	}
	if x == 0 {
		x = 0 // not −0
	}
	return strings.Replace(strconv.FormatFloat(x, 'f', digits, 64), "-", "−", 1)
}
