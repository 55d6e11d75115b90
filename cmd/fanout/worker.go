package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) workerCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "worker DIR.sweep SHARD | --payload FILE",
		Short: "Make the runs of one shard; what a cluster starts",
		Long: `Worker claims a shard that a fanout run has stored in a sweep, makes its runs on
this machine and writes them to the sweep. Told to stop, it interrupts what runs
and leaves the rest of the shard planned. Clusters start it; people need not.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := workerPayload(file, args)
			if err != nil {
				return unit.Mistake(err)
			}
			if p.Probe != nil {
				return c.probe(cmd.Context(), p)
			}
			return c.worker(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&file, "payload", "", "`file` that says which shard of which sweep")
	return cmd
}

func workerPayload(file string, args []string) (nomad.Payload, error) {
	switch {
	case file == "" && len(args) == 2:
		return nomad.Payload{Dir: args[0], Shard: args[1]}, nil
	case file == "" || len(args) > 0:
		return nomad.Payload{}, errors.New("want a sweep and a shard, or --payload alone")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nomad.Payload{}, fmt.Errorf("read payload: %w", err)
	}
	var p nomad.Payload
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("read payload %s: %w", file, err)
	}
	return p, nil
}

func (c *cli) worker(ctx context.Context, p nomad.Payload) (err error) {
	s, err := c.openSweep(ctx, p.Dir)
	if err != nil {
		return unit.WithHint(err, "does this machine see the sweep's directory?")
	}
	shard, err := s.Join(ctx, p.Shard, workerName())
	if errors.Is(err, sweep.ErrClaimed) {
		fmt.Fprintf(c.stderr, "fanout: %v: nothing to do\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Release()) }()
	if err := c.makeShard(ctx, s, shard); err != nil {
		why := clean(err.Error())
		if hint := unit.HintOf(err); hint != "" {
			why += " (" + hint + ")"
		}
		return errors.Join(err, s.Complain(context.WithoutCancel(ctx), shard.ID, why))
	}
	return nil
}

// makeShard makes the runs of a shard that this process has joined.
func (c *cli) makeShard(ctx context.Context, s *sweep.Sweep, shard sweep.Shard) error {
	if err := c.limitRuns(&job{Sweep: s}); err != nil {
		return err
	}
	ex, err := local.New(ctx, s, c.localOptions(shard.Runs))
	if err != nil {
		return err
	}
	defer ex.Close()
	if s.Counts()[outcome.Succeeded] == 0 { // nobody knows yet that clients have what the template needs
		if err := ex.Preflight(ctx, shard.Runs[0]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &work{sweep: s, shard: shard, cells: map[string]sweep.Note{}, cancel: cancel}
	defer w.beat()()
	return c.makeRuns(ctx, ex, w)
}

// work is a shard under way: what the controller is told of it, and asks.
type work struct {
	sweep  *sweep.Sweep
	shard  sweep.Shard
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	cells map[string]sweep.Note // by run
	news  bool
}

// How often the controller is told that there is news, that the worker lives,
// and asked whether the shard was given up.
const (
	beatNews = time.Second
	beatLife = 5 * time.Second
)

// errGivenUp is why a worker stops whose shard was declared lost.
var errGivenUp = errors.New("the shard was given up as lost")

// beat tells and asks until stop is called. Nothing depends on a beat that
// cannot be told.
func (w *work) beat() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(beatNews)
		defer tick.Stop()
		var told, asked time.Time
		for {
			if cells, news := w.take(); news || time.Since(told) >= beatLife {
				w.tell(cells)
				told = time.Now()
			}
			if time.Since(asked) >= beatLife { // news or none
				w.ask()
				asked = time.Now()
			}
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(quit); <-done }
}

func (w *work) tell(cells []sweep.Note) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*beatLife)
	defer cancel()
	w.sweep.Beat(ctx, w.shard.ID, cells)
}

func (w *work) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*beatLife)
	defer cancel()
	if _, stop, err := w.sweep.Recalled(ctx, w.shard.ID); err == nil && stop {
		w.cancel(errGivenUp)
	}
}

func (w *work) take() (cells []sweep.Note, news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.cells {
		cells = append(cells, n)
	}
	news, w.news = w.news, false
	return cells, news
}

func (w *work) note(n sweep.Note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch n.Kind {
	case sweep.NoteCell:
		w.cells[n.Run], w.news = n, true
	case sweep.NoteEnded:
		delete(w.cells, n.Run)
	}
}

// workerName is how a worker signs: the allocation it is, or its process.
func workerName() string {
	if id := os.Getenv("NOMAD_ALLOC_ID"); id != "" {
		return "allocation " + id[:min(8, len(id))]
	}
	return fmt.Sprintf("process %d", os.Getpid())
}

// makeRuns makes the runs, as many at once as this machine is to. A shard that
// is recalled is left as far as it has not begun.
func (c *cli) makeRuns(ctx context.Context, ex *local.Executor, w *work) error {
	note := func(n sweep.Note) {
		w.note(n)
		c.tellWork(n)
	}
	one := func(id string) (left bool, err error) {
		if recalled, _, err := w.sweep.Recalled(ctx, w.shard.ID); recalled || err != nil {
			return true, err
		}
		return false, ex.Execute(ctx, sweep.Shard{ID: w.shard.ID, Runs: []string{id}}, note)
	}
	var errs []error
	var mu sync.Mutex
	var working sync.WaitGroup
	next := 0
	take := func() (id string) {
		mu.Lock()
		defer mu.Unlock()
		if next < len(w.shard.Runs) && len(errs) == 0 {
			id = w.shard.Runs[next]
			next++
		}
		return id
	}
	for range ex.Jobs() {
		working.Go(func() {
			for id := take(); id != ""; id = take() {
				left, err := one(id)
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
				if left {
					return
				}
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// tellWork writes what goes on to the worker's own log.
func (c *cli) tellWork(n sweep.Note) {
	switch {
	case n.Kind == sweep.NoteEnded && n.Outcome != nil:
		fmt.Fprintf(c.stderr, "%s %s %s\n", n.Run, words(n.Outcome.Status), clean(n.Outcome.Reason))
	case n.Kind == sweep.NoteWord:
		fmt.Fprintln(c.stderr, clean(n.Text))
	}
}
