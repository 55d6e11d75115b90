package picture

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"

	"github.com/fanout-dev/fanout/internal/unit"
)

// roundTicks are about that many ticks at round numbers, each with its label.
// There are never more than a few, however large the numbers are.
type roundTicks int

// Ticks implements plot.Ticker.
func (most roundTicks) Ticks(low, high float64) []plot.Tick {
	alone := []plot.Tick{{Value: low, Label: unit.Number(low)}}
	if !(high > low) || math.IsInf(high-low, 0) {
		return alone
	}
	step, digits := roundStep((high - low) / float64(most))
	first := math.Ceil(low/step - 1e-9)
	var ticks []plot.Tick
	// Note: adding 1 to a large float changes nothing, so the count is an int.
	for k := range int(most) + 3 {
		at := (first + float64(k)) * step
		if !(at <= high+1e-9*step) {
			break
		}
		if n := len(ticks); at >= low-1e-9*step && (n == 0 || at > ticks[n-1].Value) {
			ticks = append(ticks, plot.Tick{Value: at, Label: tickLabel(at, digits)})
		}
	}
	if len(ticks) == 0 {
		return alone
	}
	return distinct(ticks, digits)
}

// distinct gives ticks whose labels are alike, because their numbers differ by
// little, labels that differ: the first in full, the others by how much more.
func distinct(ticks []plot.Tick, digits int) []plot.Tick {
	for i := range ticks[1:] {
		if ticks[i].Label != ticks[i+1].Label {
			continue
		}
		from := ticks[0].Value
		ticks[0].Label = inFull(from, digits)
		for j := range ticks[1:] {
			ticks[j+1].Label = "+" + tickLabel(ticks[j+1].Value-from, digits)
		}
		break
	}
	return ticks
}

func inFull(x float64, digits int) string {
	format := byte('f')
	if digits > 6 || math.Abs(x) >= 1e21 {
		format, digits = 'g', -1
	}
	return strings.ReplaceAll(strconv.FormatFloat(x, format, digits, 64), "-", "−")
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
