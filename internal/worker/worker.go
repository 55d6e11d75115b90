// Package worker is the cluster's side of a shard: what a process does that
// was started on some machine to execute the runs of one stored shard.
//
// In go a sweep, the id of a shard and a way to execute runs on this machine;
// out come ended attempts in the sweep, beats for the controller of the shard,
// and notes for people. Probes, which look at a machine instead of
// executing runs, leave their findings in a store.
//
// It promises that a shard has one worker, that a run which is recalled before
// it begins stays planned, and that the worker stops soon after the shard was
// given up as lost. When it cannot begin, the reason is in the sweep.
//
// It does not execute notebooks, retry, or know what started it: the sweep is
// all that the two sides share.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Machine executes runs of one sweep here. Execute may be called
// concurrently, for up to Jobs runs.
type Machine interface {
	// Preflight reports what this machine lacks to execute a run.
	Preflight(ctx context.Context, run string) error
	Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error
	Jobs() int
	Close() error
}

// Options are who works and how.
type Options struct {
	Name    string                                                          // of the worker, for readers of the sweep; empty is this process
	Version string                                                          // of fanout, for people
	Start   func(ctx context.Context, runs []string) (m Machine, err error) // called once the shard is claimed
	Note    func(sweep.Note)                                                // called concurrently
	Say     func(line string)                                               // prints; called concurrently
	Log     func(io.Writer)                                                 // called once the shard is claimed: from then on, what is printed goes there too
}

// Work claims a shard of the sweep and executes its runs until all have ended
// or the shard is recalled. An error that wraps sweep.ErrClaimed means that
// another worker has the shard: nothing was done. Any other error is left in
// the sweep too, for the controller.
func Work(ctx context.Context, s *sweep.Sweep, shard string, o Options) (err error) {
	claim, err := s.Join(ctx, shard, o.name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	end := keepLog(ctx, s, claim, o)
	defer func() { end(err) }()
	if err := work(ctx, s, claim, o); err != nil {
		return errors.Join(err, claim.Complain(context.WithoutCancel(ctx), unit.Complaint(err)))
	}
	return nil
}

func (o Options) name() string {
	if o.Name == "" {
		return fmt.Sprintf("process %d", os.Getpid())
	}
	return o.Name
}

func work(ctx context.Context, s *sweep.Sweep, claim *sweep.Claim, o Options) (err error) {
	m, err := o.Start(ctx, claim.Runs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if s.Counts()[outcome.Succeeded] == 0 { // nothing shows yet that these machines have what the template needs
		if err := m.Preflight(ctx, claim.Runs[0]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pulse{claim: claim, cells: map[string]sweep.Note{}, giveUp: cancel}
	defer p.start()()
	return execute(ctx, claim, m, func(n sweep.Note) {
		p.note(n)
		o.Note(n)
		if line := words(s, n); line != "" {
			o.Say(line)
		}
	})
}

// execute executes the runs, as many at a time as the machine takes. After a
// recall or an error none begins.
func execute(ctx context.Context, claim *sweep.Claim, m Machine, note func(sweep.Note)) error {
	queue := make(chan string, len(claim.Runs))
	for _, id := range claim.Runs {
		queue <- id
	}
	close(queue)
	var over atomic.Bool
	one := func(id string) error {
		recalled, _, err := claim.Recalled(ctx)
		if recalled || err != nil {
			over.Store(true)
			return err
		}
		err = m.Execute(ctx, sweep.Shard{ID: claim.ID, Runs: []string{id}}, note)
		if err != nil {
			over.Store(true)
		}
		if errors.Is(err, sweep.ErrRecalled) {
			return nil
		}
		return err
	}
	errs := make([]error, m.Jobs())
	var working sync.WaitGroup
	for i := range errs {
		working.Go(func() {
			for id := range queue {
				if over.Load() {
					return
				}
				errs[i] = errors.Join(errs[i], one(id))
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}
