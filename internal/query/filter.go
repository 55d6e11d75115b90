// Package query answers questions about the runs of a sweep: which of them an
// expression is true of, and which are meant by the beginning of an id. It
// reads a sweep and changes nothing.
package query

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/expr"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Filter compiles an expression over runs into a question to one of them; the
// empty one is true of all. A run that did not record a scrap that the
// expression names does not satisfy it. What is wrong with the expression is a
// mistake.
func Filter(s *sweep.Sweep, src string) (func(sweep.RunState) (bool, error), error) {
	if src == "" {
		return func(sweep.RunState) (bool, error) { return true, nil }, nil
	}
	e, err := expr.Compile(src)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	var scraps []string // that the expression needs
	recorded := scrapNames(s)
	for _, n := range e.Names() {
		if recorded[n] {
			scraps = append(scraps, n)
		}
	}
	return func(st sweep.RunState) (bool, error) {
		env := Environment(s, st)
		for _, n := range scraps {
			if _, has := env[n]; !has {
				return false, nil
			}
		}
		ok, err := e.Bool(env)
		if err != nil {
			err = unit.Mistake(fmt.Errorf("run %s: %w", st.Run.ID, err))
		}
		return ok, err
	}, nil
}

// Environment is what an expression sees of a run. Parameters win over scraps
// of their name.
func Environment(s *sweep.Sweep, st sweep.RunState) map[string]any {
	env := Scraps(st)
	for _, b := range st.Run.Labels {
		env[b.Name] = b.Value.Any()
	}
	for _, b := range st.Run.Params {
		env[b.Name] = b.Value.Any()
	}
	env["run_id"], env["run_status"], env["run_attempts"] = st.Run.ID, string(st.Status), st.Attempts
	env["run_replicate"], env["run_planned"] = st.Run.Replicate, !st.Run.Unplanned
	env["run_stale"] = len(s.Stale(st, s.Spec().StaleOn)) > 0
	env["run_reason_kind"], env["run_duration_s"] = "", 0.0
	if st.Last != nil {
		env["run_reason_kind"], env["run_duration_s"] = string(st.Last.Kind), st.Last.Duration().Seconds()
	}
	return env
}

// scrapNames are the names of the plain scraps that any run recorded.
func scrapNames(s *sweep.Sweep) map[string]bool {
	names := map[string]bool{}
	for _, st := range s.Runs() {
		for n := range st.Scraps {
			names[n] = true
		}
	}
	return names
}

// Scraps are the plain scraps that the sweep's log carries.
func Scraps(st sweep.RunState) map[string]any {
	values := map[string]any{}
	for name, raw := range st.Scraps {
		if v, err := value.Parse(raw); err == nil {
			values[name] = v.Any()
		}
	}
	return values
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

// WentWrong reports whether a run ended, and not well.
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

// ResolveOne finds a run by the beginning of its id, or by its notebook's name.
func ResolveOne(s *sweep.Sweep, name string) (string, error) {
	name = strings.TrimSuffix(strings.ToLower(name), ".ipynb")
	var found []string
	for _, st := range s.Runs() {
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
