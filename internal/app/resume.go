package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/app/internal/growth"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Edits says what a sweep that was planned is executed with, where its
// templates or files have been edited since.
type Edits int

// What can be done about edits.
const (
	Refuse Edits = iota // a mistake, with both ways out
	Frozen              // the copies frozen with the sweep
	Update              // what is there now
)

// Resume takes the lease of the sweep at where, to execute what was planned
// there. The caller closes the Job.
func (a *App) Resume(ctx context.Context, where string, e Edits) (*Job, error) {
	s, err := a.OpenPlanned(ctx, where)
	if err != nil {
		return nil, err
	}
	lease, err := s.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := a.revised(ctx, s, e)
	if err == nil && plan != nil {
		_, err = lease.Plan(ctx, *plan)
	}
	if err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	a.warnForeign(ctx, s)
	j, err := a.job(ctx, s, nil)
	return j, a.unfinished(ctx, s.Spec(), where, s, err)
}

// PreviewResume is the sweep as Resume would leave it, for questions only. It
// writes nothing.
func (a *App) PreviewResume(ctx context.Context, where string, e Edits) (*sweep.Sweep, error) {
	s, err := a.OpenPlanned(ctx, where)
	if err != nil {
		return nil, err
	}
	plan, err := a.revised(ctx, s, e)
	if err != nil || plan == nil {
		return s, err
	}
	view, _ := s.Preview(*plan)
	return view, nil
}

// revised is the plan to put in force before runs are executed; nil leaves the
// one that is.
func (a *App) revised(ctx context.Context, s *sweep.Sweep, e Edits) (*sweep.Plan, error) {
	if e == Frozen {
		return nil, nil
	}
	r, err := draft.Revise(ctx, s)
	switch {
	case err != nil && e == Update:
		return nil, unit.Mistake(err)
	case err != nil:
		return nil, unit.Mistake(unit.WithHint(err, "add --frozen to execute the copy that was frozen with the sweep"))
	case r.Gone != nil && e == Update:
		return nil, unit.Mistake(unit.WithHint(r.Gone, "without --update, the copy that was frozen with the sweep is executed"))
	case r.Gone != nil && len(r.Changed) > 0:
		return nil, unit.Mistake(unit.WithHint(fmt.Errorf("edited since %s was planned: %s; and %w", s.Name(), someOf(r.Changed), r.Gone),
			"add --frozen to execute what the sweep was planned with"))
	case r.Gone != nil:
		a.Warn(r.Gone.Error() + "; the copy that was frozen with the sweep is executed")
		return nil, nil
	case e == Update:
		return &r.Plan, growth.Carry(s, &r.Plan)
	case len(r.Changed) > 0:
		return nil, unit.Mistake(unit.WithHint(fmt.Errorf("edited since %s was planned: %s", s.Name(), someOf(r.Changed)),
			"add --update to execute what is there now, or --frozen to execute what the sweep was planned with"))
	}
	return nil, nil
}

// someOf lists the first of many names.
func someOf(names []string) string {
	const most = 5
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}

// Accept makes stale successes among the chosen runs count as current, and
// writes the tables and the summary again if that changed anything.
func (a *App) Accept(ctx context.Context, s *sweep.Sweep, c query.Choice) (accepted []sweep.Accepted, err error) {
	lease, err := s.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	c.Stale = true
	runs, err := query.Choose(s, c)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.Run.ID
	}
	if accepted, err = lease.Accept(ctx, ids, s.Spec().StaleOn); err != nil || len(accepted) == 0 {
		return accepted, err
	}
	return accepted, a.Report(ctx, s, false)
}
