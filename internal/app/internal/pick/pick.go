// Package pick picks the runs of a planned sweep that are to execute.
//
// In go a sweep and a choice; out come the runs, with why each is due, or a
// mistake in the choice. It combines what others know: which runs are due, which
// an expression is true for, which steps need which. It executes and writes
// nothing.
package pick

import (
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Choice selects which runs of a planned sweep are to execute, and in which
// order.
type Choice struct {
	Reprocess due.Reprocess // which of those that were executed before
	Again     *query.Choice // exactly these, instead
	Only      string        // of all these, those for which this expression is true
	Order     string        // as due.Order names them
	Limit     int           // at most this many; 0 is all

	// In a sweep with steps:
	From, To   string // from this step on, and up to that one
	WithNeeds  bool   // with Again: first what the runs need, where that did not succeed or is stale
	Downstream bool   // with Again: then what the runs feed, where that is stale by then
}

// Due finds the runs that a choice selects. An invalid choice, such as an
// expression that does not compile, is a mistake.
func Due(s *sweep.Sweep, c Choice) (due.List, error) {
	todo, err := c.chosen(s)
	if err != nil {
		return todo, err
	}
	if c.Only != "" {
		if todo.Runs, err = query.Matching(s, todo.Runs, c.Only); err != nil {
			return todo, fmt.Errorf("expression %s: %w", unit.Line(c.Only), err)
		}
	}
	between, err := c.between(s)
	if err != nil {
		return todo, err
	}
	todo.Runs = slices.DeleteFunc(todo.Runs, func(id string) bool { return !between(id) })
	if c.Again != nil {
		todo = due.Asked(s, c.withNeeds(s, todo.Runs), s.Spec().StaleOn)
	}
	if err := todo.Order(s, c.Order); err != nil {
		return todo, unit.Mistake(err)
	}
	todo.All = c.Only == "" && c.Again == nil && c.Limit == 0
	if c.Limit > 0 && len(todo.Runs) > c.Limit {
		todo.Runs = todo.Runs[:c.Limit]
	}
	if c.follows() {
		todo.Follow(s, func(id string) bool {
			st, _ := s.Run(id)
			return between(id) && (c.Again != nil || st.Status == outcome.Succeeded)
		})
	}
	return todo, nil
}

// follows reports whether runs that the chosen ones make stale are executed, too.
func (c Choice) follows() bool {
	if c.Again != nil {
		return c.Downstream
	}
	return c.Limit == 0 && c.Only == "" && c.Reprocess != due.None
}

// between finds the steps that a choice is about.
func (c Choice) between(s *sweep.Sweep) (func(id string) bool, error) {
	head, _ := s.Head()
	in := map[string]bool{}
	for _, name := range []string{c.From, c.To} {
		if _, is := head.Step(name); name != "" && !is {
			return nil, unit.Mistake(fmt.Errorf("the sweep has no step %q; %s", name, stepsOf(head)))
		}
	}
	for _, step := range head.Steps { // each after those it needs
		follows := slices.ContainsFunc(step.Needs, func(n needs.Need) bool { return in[n.Step] })
		in[step.Name] = c.From == "" || step.Name == c.From || follows
	}
	before := map[string]bool{c.To: true}
	for _, step := range slices.Backward(head.Steps) {
		for _, n := range step.Needs {
			before[n.Step] = before[n.Step] || before[step.Name]
		}
	}
	if c.From != "" && c.To != "" && !before[c.From] {
		return nil, unit.Mistake(fmt.Errorf("step %q needs nothing of %q, so that no step is from the one to the other", c.To, c.From))
	}
	return func(id string) bool {
		st, _ := s.Run(id)
		step := st.Run.Step()
		return step == "" || in[step] && (c.To == "" || before[step])
	}, nil
}

// stepsOf says which steps there are.
func stepsOf(head sweep.Head) string {
	var names []string
	for _, step := range head.Steps {
		names = append(names, step.Name)
	}
	if len(names) == 0 {
		return "it has one template"
	}
	return "it has " + unit.List(names)
}

// withNeeds adds to runs what they need, where that is asked for.
func (c Choice) withNeeds(s *sweep.Sweep, runs []string) []string {
	if !c.WithNeeds {
		return runs
	}
	asked := map[string]bool{}
	for _, id := range runs {
		asked[id] = true
	}
	parts := s.Spec().StaleOn
	return slices.DeleteFunc(s.Upstream(runs), func(id string) bool { return !asked[id] && !due.Becomes(s, id, parts) })
}

func (c Choice) chosen(s *sweep.Sweep) (due.List, error) {
	if c.Again != nil {
		var todo due.List
		for r, err := range query.Chosen(s, *c.Again) {
			if err != nil {
				return todo, err
			}
			todo.Runs = append(todo.Runs, r.Run.ID)
		}
		return todo, nil
	}
	switch c.Reprocess {
	case due.None, due.Failed, due.Stale, due.All:
		return due.Of(s, c.Reprocess, s.Spec().StaleOn), nil
	}
	return due.List{}, unit.Mistake(fmt.Errorf("reprocess %q: want none, failed, stale or all", c.Reprocess))
}
