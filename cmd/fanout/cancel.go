package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel DIR.sweep",
		Short: "Stop what makes a sweep, here or on a cluster, from anywhere",
		Long: `Cancel asks the fanout that makes the sweep to stop, as Ctrl-C does: runs under
way are interrupted and recorded as canceled. Where that fanout is gone, cancel
stops what it left on the cluster itself. Nothing that was made is lost, and
"fanout run" goes on from there.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.cancel(cmd.Context(), args[0]) },
	}
}

func (c *cli) cancel(ctx context.Context, dir string) error {
	s, err := c.openPlanned(ctx, dir)
	if err != nil {
		return err
	}
	if h, held := s.Held(ctx); held {
		fmt.Fprintf(c.stderr, "asking process %d on %s to stop\n", h.PID, h.Host)
		if err := s.AskCancel(ctx); err != nil {
			return err
		}
		if err := c.awaitRelease(ctx, s); err != nil {
			return err
		}
	}
	if err := s.Acquire(ctx); err != nil {
		return err
	}
	j := &job{Sweep: s}
	if err := errors.Join(c.stopLeft(ctx, j), j.Release()); err != nil {
		return err
	}
	head, _ := s.Head()
	fmt.Fprintf(c.stderr, "%s: %s\n", s.Name(), countWords(s.Counts(), head.Runs))
	if s.Counts()[outcome.Succeeded] < head.Runs {
		fmt.Fprintf(c.stderr, "to go on: %s\n", c.goOn(s))
	}
	return nil
}

// stopMargin is what a fanout takes to leave beyond the grace of its runs: a
// cluster has to end its allocations, and the tables are written.
const stopMargin = 90 * time.Second

// awaitRelease waits until the holder of the sweep has left.
func (c *cli) awaitRelease(ctx context.Context, s *sweep.Sweep) error {
	limit := time.After(c.settings.GetDuration("grace") + stopMargin)
	for {
		h, held := s.Held(ctx)
		if !held {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return &sweep.HeldError{Where: s.Where(), Holder: h}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stopLeft ends what an earlier fanout left at work, on the cluster or here.
func (c *cli) stopLeft(ctx context.Context, j *job) error {
	open, err := j.OpenShards(ctx)
	if err != nil {
		return err
	}
	var ex executor
	if len(open) > 0 {
		o, err := c.jobOptions(j)
		if err != nil {
			return unit.Mistake(err)
		}
		cluster, err := nomad.Attach(ctx, j.Sweep, o)
		if err != nil {
			return err
		}
		if err := cluster.Cancel(ctx); err != nil {
			return err
		}
		ex = nomadExecutor{cluster}
	} else if ex, err = c.executor(ctx, j, nil); err != nil {
		return err
	}
	defer ex.Close()
	stopping, cancel := context.WithCancelCause(ctx)
	cancel(canceledBy{})
	_, err = fan.Fan(stopping, j.Sweep, ex, fan.Options{})
	return err
}

// canceledBy is why runs are canceled when somebody asked for it elsewhere.
type canceledBy struct{ sweep.Holder }

func (b canceledBy) Error() string {
	return fmt.Sprintf("fanout cancel by user %s on %s", b.User, b.Host)
}

// ReasonKind is the reason of the runs that are canceled.
func (canceledBy) ReasonKind() string { return string(outcome.Interrupted) }

// askEvery is how often a fanout looks whether it is to stop.
const askEvery = 2 * time.Second

// heedCancel ends the context when somebody asks for that from elsewhere.
func heedCancel(ctx context.Context, s *sweep.Sweep) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(askEvery):
			}
			if by, asked, err := s.CancelAsked(ctx); err == nil && asked {
				cancel(canceledBy{by})
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
