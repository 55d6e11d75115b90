package fan

import (
	"context"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// lookEvery is how often the spread of the work is examined.
const lookEvery = 2 * time.Second

// worthSharing is how much work must be left in a shard to share it: less does not
// pay for starting another one.
const worthSharing = 4 * time.Second

// share recalls what the slowest shard has not begun, once slots are free and the
// queue is empty: its runs come back and are spread again. One shard at a time.
func (f *fanner) share(ctx context.Context) {
	l := f.ex.Limits()
	free := f.inFlight < f.window && len(f.queue)+f.waiting == 0
	if !l.Remote || l.PerShard > 0 || !free || f.stopped || ctx.Err() != nil || f.rates.anyRecalled() {
		return
	}
	id, left := f.rates.slowest(f.typical(), f.begun)
	if left < worthSharing {
		return
	}
	if f.sweep.Stored(id).Recall(ctx, false) == nil { // else again at the next look
		f.rates.recall(id)
	}
}

// begun reports whether a run has begun since it was handed out.
func (f *fanner) begun(run string) bool {
	st, _ := f.sweep.Run(run)
	return st.Attempts > f.before[run]
}

// rates knows how fast the shards in progress are, as seen from here: clocks of
// other machines are not trusted.
type rates struct {
	mu     sync.Mutex
	shards map[string]*rate
	gone   map[string]bool // shards that were recalled and have ended
}

type rate struct {
	runs     []string
	began    time.Time // the shard
	since    time.Time // the last run
	run      string    // that one
	ended    int       // runs
	recalled bool
}

func newRates() *rates { return &rates{shards: map[string]*rate{}, gone: map[string]bool{}} }

func (p *rates) began(s sweep.Shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shards[s.ID] = &rate{runs: s.Runs, began: time.Now()}
}

func (p *rates) ended(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shards[id].recalled {
		p.gone[id] = true
	}
	delete(p.shards, id)
}

// open is how many runs are out and have not ended, as far as is known.
func (p *rates) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.shards {
		n += max(0, len(s.runs)-s.ended)
	}
	return n
}

// running is for how long the run that began last in each shard has been executed.
func (p *rates) running() map[string]time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	runs := map[string]time.Duration{}
	for _, s := range p.shards {
		if !s.since.IsZero() {
			runs[s.run] = time.Since(s.since)
		}
	}
	return runs
}

// see may be called from any goroutine.
func (p *rates) see(id string, n sweep.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shards[id]
	switch {
	case s == nil:
	case n.Kind == sweep.NoteBegan:
		s.since, s.run = time.Now(), n.Run
	case n.Kind == sweep.NoteEnded:
		s.ended++
		s.since = time.Time{}
	}
}

func (p *rates) recall(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.shards[id]; s != nil {
		s.recalled = true
	}
}

func (p *rates) anyRecalled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shards {
		if s.recalled {
			return true
		}
	}
	return false
}

// recalled reports, once, whether a shard that has ended had been recalled.
func (p *rates) recalled(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.gone[id]
	delete(p.gone, id)
	return was
}

// slowest returns the shard that will take longest for what it has not begun, and
// how long: each run as long as typical, or as its own so far. A shard that has
// begun nothing is still starting and is left alone.
func (p *rates) slowest(typical time.Duration, begun func(run string) bool) (id string, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, rate := range p.shards {
		if rate.ended == 0 && rate.since.IsZero() {
			continue
		}
		each, n := max(typical, rate.each()), 0
		for _, run := range rate.runs {
			if !begun(run) {
				n++
			}
		}
		if d := time.Duration(n) * each; d > left {
			id, left = s, d
		}
	}
	return id, left
}

// each is how long a run of the shard takes: the average so far, or the current run
// if that is longer.
func (p *rate) each() time.Duration {
	var mean, last time.Duration
	if p.ended > 0 {
		mean = time.Since(p.began) / time.Duration(p.ended+1)
	}
	if !p.since.IsZero() {
		last = time.Since(p.since)
	}
	return max(mean, last)
}
