package query

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Choice selects runs of a sweep. The zero value selects all that are
// planned.
type Choice struct {
	Runs   []string // beginnings of ids, or names of notebooks; empty: any
	Where  string   // expression that is true of them; "": any
	Failed bool     // those that ended and did not succeed …
	Stale  bool     // … or that are stale
	All    bool     // also runs that are no longer planned
}

// Choose finds the selected runs, in the order of the plan.
func Choose(s *sweep.Sweep, c Choice) (chosen []Run, err error) {
	for r, err := range Chosen(s, c) {
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, r)
	}
	return chosen, nil
}

// Chosen yields the selected runs, in the order of the plan; an error is the last.
func Chosen(s *sweep.Sweep, c Choice) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		named, keep, err := c.compile(s)
		if err != nil {
			yield(Run{}, err)
			return
		}
		for st := range s.All() {
			if st.Run.Unplanned && !c.All || len(named) > 0 && !slices.Contains(named, st.Run.ID) {
				continue
			}
			r := RunOf(s, st)
			ok, err := keep(r)
			if (ok || err != nil) && !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// compile returns the ids of the runs that are named, if any are, and what tells whether
// one of them, or of all, is selected.
func (c Choice) compile(s *sweep.Sweep) (named []string, keep func(Run) (bool, error), err error) {
	if named, err = Resolve(s, c.Runs); err != nil {
		return nil, nil, err
	}
	where, err := compile(s, c.Where)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range named {
		if st, _ := s.Run(id); st.Run.Unplanned && !c.All {
			return nil, nil, unit.Mistake(fmt.Errorf("run %s is no longer planned: the sweep file excludes it, or no longer has its values", id))
		}
	}
	return named, func(r Run) (bool, error) {
		if (c.Failed || c.Stale) && !(c.Failed && WentWrong(r.RunState) || c.Stale && len(r.Stale) > 0) {
			return false, nil
		}
		return where(r)
	}, nil
}

// Matching keeps the runs for which the expression is true.
func Matching(s *sweep.Sweep, ids []string, src string) ([]string, error) {
	keep, err := Filter(s, src)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, id := range ids {
		st, _ := s.Run(id)
		ok, err := keep(st)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, id)
		}
	}
	return out, nil
}

// WentWrong reports whether a run ended without success.
func WentWrong(st sweep.RunState) bool { return st.Last != nil && st.Status != outcome.Succeeded }

// Resolve finds runs by the beginnings of their ids.
func Resolve(s *sweep.Sweep, names []string) ([]string, error) {
	var ids []string
	for _, name := range names {
		id, err := ResolveOne(s, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Last finds the run that a sweep leads to: the only one of the steps that no other
// step needs, or the only run of all.
func Last(s *sweep.Sweep) (string, error) {
	head, _ := s.Head()
	needed := map[string]bool{}
	for _, step := range head.Steps {
		for _, n := range step.Needs {
			needed[n.Step] = true
		}
	}
	where := unit.Quote(unit.Path(s.Where()))
	ids := plannedRuns(s, func(r sweep.Run) bool { return !needed[r.Step()] })
	if len(ids) == 1 {
		return ids[0], nil
	}
	return "", unit.Mistake(unit.WithHint(fmt.Errorf("name a run: the sweep leads to %d of them", len(ids)), "fanout ls %s lists them", where))
}

func plannedRuns(s *sweep.Sweep, want func(sweep.Run) bool) (ids []string) {
	for st := range s.All() {
		if !st.Run.Unplanned && want(st.Run) {
			ids = append(ids, st.Run.ID)
		}
	}
	return ids
}

// ofStep is the only run of a step.
func ofStep(s *sweep.Sweep, step string) (string, error) {
	ids := plannedRuns(s, func(r sweep.Run) bool { return r.Step() == step })
	if len(ids) == 1 {
		return ids[0], nil
	}
	return "", unit.Mistake(unit.WithHint(fmt.Errorf("step %s has %s: name one of them", step, unit.Plural(len(ids), "run")),
		"fanout ls %s --where %s lists them", unit.Quote(unit.Path(s.Where())), unit.Quote(fmt.Sprintf("run_step == %q", step))))
}

// ResolveOne finds a run by the beginning of its id, by its notebook's name, or by
// that of a step which has no other run.
func ResolveOne(s *sweep.Sweep, name string) (string, error) {
	if head, _ := s.Head(); name != "" {
		if _, isStep := head.Step(name); isStep {
			return ofStep(s, name)
		}
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".ipynb")
	var found []string
	for st := range s.All() {
		if strings.HasPrefix(st.Run.ID, name) {
			found = append(found, st.Run.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", unit.Mistake(unit.WithHint(fmt.Errorf("no run begins with %q", name), "fanout ls %s lists them", unit.Quote(unit.Path(s.Where()))))
	}
	return "", unit.Mistake(unit.WithHint(fmt.Errorf("%d runs begin with %q", len(found), name), "give more characters: %s or %s", found[0], found[1]))
}
