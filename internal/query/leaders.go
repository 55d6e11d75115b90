package query

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Leaders are runs with a number each, the best first.
type Leaders struct {
	By   string // name of the number
	Runs []Leader
}

// A Leader is a run with its number.
type Leader struct {
	Run
	Value float64
}

// Lead finds the planned runs that have a number of this name, by default the
// first metric: those that succeeded and are not stale, and those running.
// The largest is first; the smallest where the sweep file minimizes the metric,
// or with ascending; NaN is last. where narrows the choice.
func Lead(s *sweep.Sweep, by, where string, ascending bool) (Leaders, error) {
	if spec := s.Spec(); spec != nil {
		if by == "" && len(spec.Metrics) > 0 {
			by = spec.Metrics[0].Name
		}
		for _, m := range spec.Metrics {
			ascending = ascending || m.Name == by && m.Goal == "minimize"
		}
	}
	if by == "" {
		return Leaders{}, unit.Mistake(unit.WithHint(errors.New("the sweep file declares no metric"), "name a scrap with --by"))
	}
	runs, err := Choose(s, Choice{Where: where})
	if err != nil {
		return Leaders{}, err
	}
	l := Leaders{By: by}
	for _, r := range runs {
		x, isNumber := numberOf(r, by)
		if isNumber && (r.Status == outcome.Running || r.Status == outcome.Succeeded && len(r.Stale) == 0) {
			l.Runs = append(l.Runs, Leader{r, x})
		}
	}
	if len(l.Runs) == 0 {
		return l, unknown(s, by)
	}
	slices.SortStableFunc(l.Runs, func(a, b Leader) int {
		x, y := a.Value, b.Value
		if !ascending {
			x, y = -x, -y
		}
		if math.IsNaN(x) != math.IsNaN(y) { // which cmp puts first
			x, y = y, x
		}
		return cmp.Compare(x, y)
	})
	return l, nil
}

// unknown is an error where no run can have a number of this name: some have
// succeeded, and none has it, and it is no metric either.
func unknown(s *sweep.Sweep, name string) error {
	if spec := s.Spec(); spec != nil {
		for _, m := range spec.Metrics {
			if m.Name == name {
				return nil
			}
		}
	}
	numbers, succeeded := map[string]bool{}, false
	for st := range s.All() {
		succeeded = succeeded || st.Status == outcome.Succeeded
		for n, v := range environment(RunOf(s, st)) {
			if _, isNumber := number(v); isNumber {
				numbers[n] = true
			}
		}
	}
	if numbers[name] || !succeeded {
		return nil
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(numbers)), func(n string) bool { return strings.HasPrefix(n, "run_") })
	return unit.Mistake(unit.WithHint(fmt.Errorf("no run has a number called %s", unit.Line(name)), "%s have numbers, and columns of every run such as run_duration_s", unit.List(names)))
}

func numberOf(r Run, name string) (float64, bool) { return number(environment(r)[name]) }

// number is also for NaN and the infinities, which were recorded, too.
func number(v any) (float64, bool) {
	if x, ok := v.(float64); ok {
		return x, true
	}
	number, err := value.Of(v)
	if err != nil {
		return 0, false
	}
	return number.Float()
}
