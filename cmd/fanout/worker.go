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
	"github.com/fanout-dev/fanout/internal/sweep"
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
				return usageError{err}
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
		return withHint(err, "does this machine see the sweep's directory?")
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
	if err := c.limitRuns(&job{Sweep: s}); err != nil {
		return err
	}
	ex, err := local.New(ctx, s, c.localOptions(shard.Runs))
	if err != nil {
		return err
	}
	defer ex.Close()
	b := beatsOf(s, shard.ID)
	defer b.stop()
	return c.makeShard(ctx, ex, shard, b)
}

// beats tells the controller now and then how far the runs are.
type beats struct {
	mu    sync.Mutex
	cells map[string]sweep.Note // by run
	news  bool
	quit  chan struct{}
	done  chan struct{}
}

// beatEvery is how often there may be news.
const beatEvery = 500 * time.Millisecond

func beatsOf(s *sweep.Sweep, shard string) *beats {
	b := &beats{cells: map[string]sweep.Note{}, quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-b.quit:
				return
			case <-tick.C:
			}
			if cells, news := b.take(); news {
				s.Beat(context.Background(), shard, cells) // nothing depends on it
			}
		}
	}()
	return b
}

func (b *beats) stop() {
	close(b.quit)
	<-b.done
}

func (b *beats) take() (cells []sweep.Note, news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.cells {
		cells = append(cells, n)
	}
	news, b.news = b.news, false
	return cells, news
}

func (b *beats) note(n sweep.Note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch n.Kind {
	case sweep.NoteCell:
		b.cells[n.Run], b.news = n, true
	case sweep.NoteEnded:
		delete(b.cells, n.Run)
	}
}

// workerName is how a worker signs: the allocation it is, or its process.
func workerName() string {
	if id := os.Getenv("NOMAD_ALLOC_ID"); id != "" {
		return "allocation " + id
	}
	return fmt.Sprintf("process %d", os.Getpid())
}

// makeShard makes the runs, as many at once as this machine is to.
func (c *cli) makeShard(ctx context.Context, ex *local.Executor, shard sweep.Shard, b *beats) error {
	note := func(n sweep.Note) {
		b.note(n)
		c.tellWork(n)
	}
	runs := make(chan string)
	var errs []error
	var mu sync.Mutex
	var work sync.WaitGroup
	for range ex.Jobs() {
		work.Go(func() {
			for id := range runs {
				if err := ex.Execute(ctx, sweep.Shard{ID: shard.ID, Runs: []string{id}}, note); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, id := range shard.Runs {
		runs <- id
	}
	close(runs)
	work.Wait()
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
