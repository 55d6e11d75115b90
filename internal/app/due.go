package app

import (
	"fmt"

	"github.com/fanout-dev/fanout/internal/due"
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
	if c.Again != nil {
		todo = due.Asked(s, todo.Runs, s.Spec().StaleOn)
	}
	if err := todo.Order(s, c.Order); err != nil {
		return todo, unit.Mistake(err)
	}
	todo.All = c.Only == "" && c.Again == nil && c.Limit == 0
	if c.Limit > 0 && len(todo.Runs) > c.Limit {
		todo.Runs = todo.Runs[:c.Limit]
	}
	return todo, nil
}

func (c Choice) chosen(s *sweep.Sweep) (due.List, error) {
	if c.Again != nil {
		runs, err := query.Choose(s, *c.Again)
		todo := due.List{Runs: make([]string, len(runs))}
		for i, r := range runs {
			todo.Runs[i] = r.Run.ID
		}
		return todo, err
	}
	switch c.Reprocess {
	case due.None, due.Failed, due.Stale, due.All:
		return due.Of(s, c.Reprocess, s.Spec().StaleOn), nil
	}
	return due.List{}, unit.Mistake(fmt.Errorf("reprocess %q: want none, failed, stale or all", c.Reprocess))
}
