package app

import (
	"context"
	"errors"
	"time"

	"github.com/fanout-dev/fanout/internal/app/internal/tail"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// What runs print, line by line.
type (
	LogLine    = tail.Line
	LogOptions = tail.Options
)

// Logs reads what runs print.
func Logs(ctx context.Context, s *sweep.Sweep, o LogOptions) error { return tail.Read(ctx, s, o) }

// AwaitPlan opens the sweep at where once it has a plan: a process that begins
// may not have come that far. waiting is called once, before it waits.
func (a *App) AwaitPlan(ctx context.Context, where string, waiting func()) (*sweep.Sweep, error) {
	for reported := false; ; reported = true {
		s, err := a.OpenPlanned(ctx, where)
		var unplanned *sweep.UnplannedError
		if !errors.As(err, &unplanned) {
			return s, err
		}
		if !reported {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(tail.Every):
		}
	}
}
