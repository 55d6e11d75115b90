package versus

import (
	"fmt"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Named is the comparison of a group, nil where there is none, with its name.
type Named struct {
	Name string
	*Comparison
}

// Saving says what adjusting by something has saved, a sentence, and of which
// groups there was nothing to adjust, a warning: each is empty where there is none.
func Saving(all []Named, by []string) (adjusted, warning string) {
	if len(by) == 0 {
		return "", ""
	}
	var saved []float64
	var none []string
	for _, n := range all {
		switch {
		case n.Comparison == nil || n.Equal || n.Exact:
		case n.Plain == nil:
			none = append(none, n.Name)
		default:
			saved = append(saved, n.Saved)
		}
	}
	if len(none) > 0 {
		warning = fmt.Sprintf("the change of %s is not adjusted: there are too few runs for it, it does not vary, or %s is the same in both runs of every pair", unit.List(none), unit.List(by))
	}
	if len(saved) > 0 {
		adjusted = fmt.Sprintf("The change is adjusted by %s, %s.", unit.List(by), savedWords(slices.Min(saved), slices.Max(saved)))
	}
	return adjusted, warning
}

// savedWords say how much of the variance is gone, from the least to the most of
// all groups, and how many runs that is worth.
func savedWords(least, most float64) string {
	percent := func(x float64) string {
		if x > 0.99 && x < 1 {
			return "more than 99%"
		}
		return fmt.Sprintf("%.0f%%", 100*x)
	}
	switch {
	case most <= 0.005:
		return "which explains nothing of it: the plain one is as good"
	case least == 1:
		return "which explains all of its variance"
	case most-least < 0.02 && most < 1:
		return fmt.Sprintf("which explains %s of its variance: as good as %s times as many runs", percent(most), unit.Number(math.Round(10/(1-most))/10))
	}
	return fmt.Sprintf("which explains %s to %s of its variance, by variant", percent(math.Max(least, 0)), percent(most))
}

// Unvarying warns of changes of means that do not vary; empty where there is none.
func Unvarying(m metric.Metric, all []Named) string {
	var names []string
	for _, n := range all {
		if n.Comparison != nil && n.Flat && n.Shift != 0 {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	text := fmt.Sprintf("the change of %s is the same wherever %s is compared: how far a mean may be off is unknown then, so there is no interval, and p is the exact one of the direction", m.Name, unit.List(names))
	if m.Per == "" {
		text += "; if there is no chance in its values, declare `compare: exact`"
	}
	return text
}
