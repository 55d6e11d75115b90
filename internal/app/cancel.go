package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Cancel stops what executes a sweep, from anywhere: it asks the process that
// holds the sweep to stop and waits until it has, or stops what an earlier
// process left on a cluster or on this machine. asking is called with the
// holder, if there is one, before it is asked.
func (a *App) Cancel(ctx context.Context, s *sweep.Sweep, asking func(lease.Holder)) error {
	if h, held := s.Held(ctx); held {
		asking(h)
		if err := s.AskCancel(ctx); err != nil {
			return err
		}
		if err := a.awaitRelease(ctx, s); err != nil {
			return err
		}
	}
	held, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	return errors.Join(a.stopLeft(ctx, s), held.Release())
}

// stopMargin is what a process takes to leave beyond the grace of its runs: a
// cluster has to end its allocations, and the tables are written.
const stopMargin = 90 * time.Second

// awaitRelease waits until the holder of the sweep has left.
func (a *App) awaitRelease(ctx context.Context, s *sweep.Sweep) error {
	limit := time.After(a.Grace + stopMargin)
	for {
		h, held := s.Held(ctx)
		if !held {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return &lease.HeldError{Where: s.Where(), Holder: h}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stopLeft ends what an earlier process left running, on a cluster or here. What can
// be reached of it is ended also when the rest cannot.
func (a *App) stopLeft(ctx context.Context, s *sweep.Sweep) (err error) {
	m, unreached := a.Machines.Attach(ctx, s)
	if m == nil {
		return unreached
	}
	defer func() { err = errors.Join(unreached, err, m.Close()) }()
	ex, err := m.Executor(ctx, nil)
	if err != nil {
		return err
	}
	stopping, cancel := context.WithCancelCause(ctx)
	cancel(Canceled{})
	_, err = fan.Fan(stopping, s, ex, fan.Options{})
	return err
}

// Canceled is why a context ended when somebody asked for that elsewhere.
type Canceled struct{ By lease.Holder }

func (c Canceled) Error() string {
	return fmt.Sprintf("fanout cancel by user %s on %s", c.By.User, c.By.Host)
}

// ReasonKind is the reason of the runs that are canceled.
func (Canceled) ReasonKind() outcome.Kind { return outcome.Interrupted }

// askEvery is how often a process checks whether it is to stop.
const askEvery = 2 * time.Second

// HeedCancel returns a context that ends, with the cause Canceled, when
// somebody asks for that from elsewhere.
func HeedCancel(ctx context.Context, s *sweep.Sweep) (heeding context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(askEvery):
			}
			if by, asked, err := s.Lease().CancelAsked(ctx); err == nil && asked {
				cancel(Canceled{by})
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
