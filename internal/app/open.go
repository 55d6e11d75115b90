package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fanout-dev/fanout/internal/app/internal/growth"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// IsSweep reports whether target names a folder, or a place in a bucket,
// rather than a sweep file.
func IsSweep(target string) bool {
	if store.IsURL(target) {
		return true
	}
	info, err := os.Stat(target)
	return err == nil && info.IsDir()
}

// CheckSweep is a mistake where IsSweep is false.
func CheckSweep(target string) error {
	if IsSweep(target) {
		return nil
	}
	if _, err := os.Stat(target); err == nil {
		return unit.Mistake(unit.WithHint(fmt.Errorf("%s is not a sweep directory", target), "to run a sweep file: fanout run %s", unit.Quote(target)))
	}
	return unit.Mistake(fmt.Errorf("there is no sweep %s", target))
}

// Open opens the sweep at where, a directory or a bucket's URL, planned or
// not.
func (a *App) Open(ctx context.Context, where string) (*sweep.Sweep, error) {
	st, err := a.OpenStore(ctx, where)
	if err != nil {
		return nil, err
	}
	return sweep.Open(ctx, st)
}

// OpenPlanned opens a sweep that has a plan and knows its sweep file.
func (a *App) OpenPlanned(ctx context.Context, where string) (*sweep.Sweep, error) {
	st, err := a.OpenStore(ctx, where)
	if err != nil {
		return nil, err
	}
	return sweep.OpenPlanned(ctx, st)
}

// Draft reads a sweep file with all that it names, and plans nothing yet. What
// is wrong with any of them is a mistake.
func (a *App) Draft(ctx context.Context, src draft.Source) (*draft.Draft, error) {
	src.Stdin = a.Stdin
	d, err := draft.Read(ctx, src)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, err
	case err != nil:
		return nil, unit.Mistake(err)
	}
	if r := d.Spec.Report; r != nil {
		if err := report.CheckSections(r.Sections); err != nil {
			return nil, unit.Mistake(fmt.Errorf("%s: report.sections: %w", d.Spec.Where("report"), err))
		}
	}
	for _, w := range d.Warnings {
		a.Warn(w)
	}
	return d, nil
}

// Place is where the sweep of a draft is kept: at output, or beside the sweep
// file when that is empty.
func Place(d *draft.Draft, output string) string {
	if output != "" {
		return output
	}
	return filepath.Join(d.Dir, d.Spec.Name+".sweep")
}

// CheckSize keeps a typo from planning a million runs: it is a Mistake for a
// draft to have more than its max_runs.
func CheckSize(ctx context.Context, d *draft.Draft) error {
	n, err := d.Grid.Count(ctx)
	n = growth.Most(d.Spec, n)
	if err != nil || n <= d.Spec.MaxRuns {
		return err
	}
	if d.Spec.Grows() {
		return unit.Mistake(unit.WithHint(fmt.Errorf("the sweep may grow to %d runs, more than max_runs (%d)", n, d.Spec.MaxRuns), "add --yes, let it grow less, or raise max_runs in the sweep file"))
	}
	return unit.Mistake(unit.WithHint(fmt.Errorf("the sweep has %d runs, more than max_runs (%d)", n, d.Spec.MaxRuns), "add --yes, or raise max_runs in the sweep file"))
}

// Plan makes a draft the plan in force of the sweep at where, which it creates
// if need be, and takes its lease. Before anything is written it checks that
// kernels of the templates can start. The caller closes the Job.
func (a *App) Plan(ctx context.Context, d *draft.Draft, where string) (*Job, error) {
	j, err := a.plan(ctx, d, where)
	return j, a.unfinished(ctx, d.Spec, where, nil, err)
}

func (a *App) plan(ctx context.Context, d *draft.Draft, where string) (*Job, error) {
	if err := a.Machines.Check(templates(d)); err != nil {
		return nil, err
	}
	if err := d.Expand(ctx); err != nil {
		return nil, err
	}
	s, err := a.Create(ctx, where, d.Spec.Name)
	if err != nil {
		return nil, err
	}
	lease, err := s.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	d.SetSource(where)
	if err := growth.Carry(s, &d.Plan); err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	delta, err := lease.Plan(ctx, d.Plan)
	if err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	return a.job(ctx, s, &delta)
}

// Continues reports whether the sweep of a draft is at where already.
func (a *App) Continues(ctx context.Context, d *draft.Draft, where string) bool {
	_, ok := a.continued(ctx, d, where)
	return ok
}

func (a *App) continued(ctx context.Context, d *draft.Draft, where string) (*sweep.Sweep, bool) {
	s, err := a.Open(ctx, where)
	return s, err == nil && s.Name() == d.Spec.Name // else it is for Plan to say what is there
}

// Preview is the sweep at where as Plan would leave it, for questions only, and
// what that would change. It writes nothing.
func (a *App) Preview(ctx context.Context, d *draft.Draft, where string) (*sweep.Sweep, sweep.Delta, error) {
	s, ok := a.continued(ctx, d, where)
	if !ok {
		var err error
		if s, err = sweep.Init(ctx, store.Mem(), d.Spec.Name); err != nil {
			return nil, sweep.Delta{}, err
		}
	}
	if err := d.Expand(ctx); err != nil {
		return nil, sweep.Delta{}, err
	}
	if err := growth.Carry(s, &d.Plan); err != nil {
		return nil, sweep.Delta{}, err
	}
	view, delta := s.Preview(d.Plan)
	return view, delta, nil
}

// Create opens the sweep at where, and creates it when there is none.
func (a *App) Create(ctx context.Context, where, name string) (*sweep.Sweep, error) {
	st, err := a.OpenStore(ctx, where)
	if err != nil {
		return nil, err
	}
	s, err := sweep.Init(ctx, st, name)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		err = unit.WithHint(err, "%s is not writable: choose another place with -o", where)
	}
	return s, err
}

// templates are the notebooks of a draft with the kernels they ask for.
func templates(d *draft.Draft) []Template {
	python := d.Recipe.Python
	if python != "" && !filepath.IsAbs(python) {
		python = filepath.Join(d.Dir, filepath.FromSlash(python))
	}
	out := make([]Template, len(d.Templates))
	for i, t := range d.Templates {
		name := d.Recipe.Kernel
		if name == "" {
			if doc, err := notebook.Decode(d.TemplateDocs[i]); err == nil {
				name, _ = doc.Kernel()
			}
		}
		out[i] = Template{Path: t.Path, Kernel: name, Python: python}
	}
	return out
}

// Record leaves in a sweep who does what that needs no lease. Where this machine may only
// read the sweep, or does not see it, a warning says that it is not there.
func (a *App) Record(ctx context.Context, where string) {
	st, err := a.OpenStore(ctx, where)
	if err == nil {
		err = lease.Record(ctx, st)
	}
	if err != nil {
		a.Warn(fmt.Sprintf("fanout audit will not list this: %v", err))
	}
}
