package app

import (
	"context"
	"errors"

	"github.com/fanout-dev/fanout/internal/gc"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Remove removes what a sweep no longer needs, kind by kind, and writes its tables
// and its summary again: they have a row for every run that is known. removed is
// called with what is gone.
func (a *App) Remove(ctx context.Context, s *sweep.Sweep, kinds []gc.Kind, removed func(gc.Garbage)) (err error) {
	lease, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	for _, k := range kinds {
		g, err := gc.Find(ctx, s, k)
		if err != nil {
			return err
		}
		if err := gc.Remove(ctx, s, g); err != nil {
			return err
		}
		removed(g)
	}
	return a.Summarize(ctx, s)
}
