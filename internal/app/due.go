package app

import (
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Choice says which runs of a planned sweep are to execute, and in which
// order.
type Choice struct {
	Reprocess due.Reprocess // which of those that were executed before
	Again     *Again        // exactly these, instead
	Only      string        // of all these, those for which this expression is true
	Order     string        // as due.Order names them
	Limit     int           // at most this many; 0 is all
}

// Again chooses planned runs whatever became of them: those that satisfy
// everything that is set.
type Again struct {
	Failed bool     // did not succeed
	Stale  bool     // or, with Failed, are stale
	Runs   []string // beginnings of their ids
}

// Due finds the runs that a choice means. A choice that means nothing, such as
// an expression that is none, is a mistake.
func Due(s *sweep.Sweep, c Choice) (due.List, error) {
	todo, err := c.chosen(s)
	if err != nil {
		return todo, err
	}
	if c.Only != "" {
		if todo.Runs, err = query.Matching(s, todo.Runs, c.Only); err != nil {
			return todo, fmt.Errorf("only: %w", err)
		}
	}
	if c.Again != nil {
		head, _ := s.Head()
		todo.Redone, todo.Kept = len(todo.Runs), head.Runs-len(todo.Runs)
	}
	if err := due.Order(s, todo.Runs, c.Order); err != nil {
		return todo, unit.Mistake(fmt.Errorf("order: %w", err))
	}
	if c.Limit > 0 && len(todo.Runs) > c.Limit {
		todo.Runs = todo.Runs[:c.Limit]
	}
	return todo, nil
}

func (c Choice) chosen(s *sweep.Sweep) (due.List, error) {
	if c.Again != nil {
		ids, err := c.Again.choose(s)
		return due.List{Runs: ids}, err
	}
	switch c.Reprocess {
	case due.None, due.Failed, due.Stale, due.All:
		return due.Of(s, c.Reprocess, s.Spec().StaleOn), nil
	}
	return due.List{}, unit.Mistake(fmt.Errorf("reprocess %q: want none, failed, stale or all", c.Reprocess))
}

// choose lists the runs in plan order.
func (a *Again) choose(s *sweep.Sweep) ([]string, error) {
	named, err := query.Resolve(s, a.Runs)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, st := range s.Runs() {
		if !st.Run.Unplanned && (len(named) == 0 || slices.Contains(named, st.Run.ID)) && a.wants(s, st) {
			ids = append(ids, st.Run.ID)
		}
	}
	return ids, nil
}

// wants reports whether a run is of a kind that was asked for; all are when
// none was.
func (a *Again) wants(s *sweep.Sweep, st sweep.RunState) bool {
	switch {
	case a.Failed && query.WentWrong(st):
		return true
	case a.Stale && len(s.Stale(st, s.Spec().StaleOn)) > 0:
		return true
	}
	return !a.Failed && !a.Stale
}
