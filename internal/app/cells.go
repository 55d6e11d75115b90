package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Cells says in which cells the runs of the sweep at the first place differ, or
// any notebooks, the others from the first. After a sweep come beginnings of the
// ids of runs.
func (a *App) Cells(ctx context.Context, places []string, q align.Question) (*align.Report, error) {
	if !IsSweep(places[0]) {
		if len(q.By) > 0 || q.Where != "" {
			return nil, unit.Mistake(errors.New("--by and --where are for runs of a sweep: notebooks that belong to none have no axes"))
		}
		return align.Notebooks(ctx, align.Files(places), align.Options{Tolerance: q.Tolerance, First: true})
	}
	s, err := a.OpenPlanned(ctx, places[0])
	if err != nil {
		return nil, err
	}
	q.Runs = places[1:]
	r, err := align.Sweep(ctx, s, q)
	if err != nil {
		return nil, fmt.Errorf("compare cells of %s: %w", unit.Path(s.Where()), err)
	}
	return r, nil
}

// What the summary compares in passing.
const (
	passingRuns  = 300
	passingBytes = 32 << 20
	passingCells = 3
)

// cellsInPassing are the cells in which the runs of a sweep differ, by the axes
// of its baseline where it has one; nil where finding them would take long.
func cellsInPassing(ctx context.Context, s *sweep.Sweep, step string) *align.Report {
	head, _ := s.Head()
	if store.IsURL(s.Where()) || head.Runs > passingRuns || step == "" && len(head.Steps) > 0 {
		return nil
	}
	q := align.Question{Tolerance: align.Tolerance, Most: passingCells, Bytes: passingBytes}
	if step != "" {
		q.Where = fmt.Sprintf("%s == %q", query.Step, step)
	} else if len(s.Spec().Baseline) > 0 {
		q.By = []string{align.Variant}
	}
	r, err := align.Sweep(ctx, s, q)
	if err != nil {
		return nil // the summary says what there is to say of runs that cannot be read
	}
	return r
}
