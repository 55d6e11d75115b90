package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// A pulse keeps the controller of a shard informed of its runs, and asks
// whether the shard was given up. It is best effort: the ends of runs are in
// the sweep.
type pulse struct {
	claim  *sweep.Claim
	giveUp context.CancelCauseFunc

	mu    sync.Mutex
	cells map[string]sweep.Note // that runs are at, by run
	news  bool
}

// errGivenUp is why a worker stops whose shard was declared lost.
var errGivenUp = errors.New("the shard was given up as lost")

// start beats and asks until stop is called.
func (p *pulse) start() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(sweep.BeatEvery)
		defer tick.Stop()
		var beaten, asked time.Time
		for {
			if cells, news := p.take(); news || time.Since(beaten) >= sweep.QuietEvery {
				p.beat(cells)
				beaten = time.Now()
			}
			if time.Since(asked) >= sweep.RecallEvery { // news or none
				p.ask()
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

// patience is how long a beat or a question may take: the next is more recent.
const patience = 2 * sweep.QuietEvery

func (p *pulse) beat(cells []sweep.Note) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.claim.Beat(ctx, cells)
}

func (p *pulse) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, stop, err := p.claim.Recalled(ctx); err == nil && stop {
		p.giveUp(errGivenUp)
	}
}

func (p *pulse) take() (cells []sweep.Note, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	news, p.news = p.news, false
	return slices.Collect(maps.Values(p.cells)), news
}

func (p *pulse) note(n sweep.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch n.Kind {
	case sweep.NoteCell:
		p.cells[n.Run], p.news = n, true
	case sweep.NoteEnded:
		delete(p.cells, n.Run)
	}
}
