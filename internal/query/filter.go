// Package query answers questions about the runs of a sweep.
//
// In goes an opened sweep, and what somebody asks about its runs: an
// expression, beginnings of ids, a metric to lead by. Out come runs, in the
// order of the plan or best first. The columns that fanout itself has for a
// run are listed here once: the table of runs, expressions and ls take them
// from Columns.
//
// It promises that everything which selects runs selects the same ones for the
// same question. What is wrong with a question is a mistake (unit.Mistake). It
// reads a sweep and changes nothing.
package query

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/grid/expr"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Filter compiles an expression over runs into a question to one of them; the
// empty one is true of all. A run that did not record a scrap that the
// expression names, or whose step does not keep an axis that it names, does not
// satisfy it.
func Filter(s *sweep.Sweep, src string) (func(sweep.RunState) (bool, error), error) {
	keep, err := compile(s, src)
	if err != nil {
		return nil, err
	}
	return func(st sweep.RunState) (bool, error) { return keep(RunOf(s, st)) }, nil
}

func compile(s *sweep.Sweep, src string) (func(Run) (bool, error), error) {
	if src == "" {
		return func(Run) (bool, error) { return true, nil }, nil
	}
	e, err := expr.Compile(src)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	some := namesOfSome(s)
	return func(r Run) (bool, error) {
		env := make(map[string]any, len(e.Names()))
		for _, n := range e.Names() {
			v, has := lookup(r, n)
			switch {
			case has:
				env[n] = v
			case some[n]:
				return false, nil
			default: // a mistake, whose error knows every name
				env = environment(r)
			}
		}
		ok, err := e.Bool(env)
		if err != nil {
			err = unit.Mistake(fmt.Errorf("run %s: %w", r.Run.ID, err))
		}
		return ok, err
	}, nil
}

// Term is how an expression names a column, whatever its name is.
func Term(name string) string { return expr.Name(name) }

// lookup is what an expression sees of a run under one name. Parameters win over
// scraps of their name. A time is text in RFC 3339; what is unknown is zero or
// empty.
func lookup(r Run, name string) (v any, ok bool) {
	for _, c := range columns {
		if c.Name != name {
			continue
		}
		switch v := c.Of(r).(type) {
		case nil:
			return c.Type.zero(), true
		case time.Time:
			return v.UTC().Format(time.RFC3339), true
		default:
			return v, true
		}
	}
	for _, list := range [][]value.Binding{r.Run.Params, r.Run.Labels} {
		if v, ok := value.Lookup(list, name); ok {
			return expr.Of(v), true
		}
	}
	if raw, has := r.Scraps.Get(name); has {
		if v, err := value.Parse(raw); err == nil {
			return expr.OfScrap(v), true
		}
	}
	return nil, false
}

// environment is all that an expression sees of a run.
func environment(r Run) map[string]any {
	env := map[string]any{}
	add := func(name string) {
		if v, ok := lookup(r, name); ok {
			env[name] = v
		}
	}
	for name := range r.Scraps.All() {
		add(name)
	}
	for _, b := range slices.Concat(r.Run.Labels, r.Run.Params) {
		add(b.Name)
	}
	for _, c := range columns {
		add(c.Name)
	}
	return env
}

// namesOfSome are the names that a run may lack: those of the plain scraps that
// any run recorded, and of what the runs of any step are given.
func namesOfSome(s *sweep.Sweep) map[string]bool {
	names := map[string]bool{}
	for st := range s.All() {
		for n := range st.Scraps.All() {
			names[n] = true
		}
		if st.Run.Step() == "" {
			continue
		}
		for _, b := range slices.Concat(st.Run.Labels, st.Run.Params) {
			names[b.Name] = true
		}
	}
	return names
}

// Scraps are the plain scraps that the sweep's log carries, by name: values as
// JSON has them.
func Scraps(st sweep.RunState) map[string]any {
	values := map[string]any{}
	for name, v := range scrapValues(st) {
		values[name] = v.Any()
	}
	return values
}

func scrapValues(st sweep.RunState) iter.Seq2[string, value.Value] {
	return func(yield func(string, value.Value) bool) {
		for name, raw := range st.Scraps.All() {
			if v, err := value.Parse(raw); err == nil && !yield(name, v) {
				return
			}
		}
	}
}
