package fan

import (
	"context"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// lookEvery is how often it is asked whether work is spread well.
const lookEvery = 2 * time.Second

// worthSharing is how much must be left of a shard for others to take it over:
// less does not pay for starting another one.
const worthSharing = 4 * time.Second

// share recalls what one shard has not begun when there is nothing left to
// begin for others: its runs come back and are spread anew. One at a time.
func (f *fanner) share(ctx context.Context) {
	l := f.ex.Limits()
	free := f.underWay < f.window && len(f.queue)+f.waiting == 0
	if !l.Remote || l.PerShard > 0 || !free || f.stopped || ctx.Err() != nil || f.paces.anyRecalled() {
		return
	}
	id, left := f.paces.slowest(f.typical(), f.begun)
	if left < worthSharing {
		return
	}
	if f.sweep.Recall(ctx, id, false) == nil { // else the next look does
		f.paces.recall(id)
	}
}

// begun reports whether a run has begun since it was handed out.
func (f *fanner) begun(run string) bool {
	st, _ := f.sweep.Run(run)
	return st.Attempts > f.before[run]
}

// paces is how fast the shards under way go, as seen from here: clocks of
// other machines are not trusted.
type paces struct {
	mu     sync.Mutex
	shards map[string]*pace
	gone   map[string]bool // shards that were recalled and have ended
}

type pace struct {
	runs     []string
	began    time.Time // the shard
	since    time.Time // the last run
	ended    int       // runs
	recalled bool
}

func newPaces() *paces { return &paces{shards: map[string]*pace{}, gone: map[string]bool{}} }

func (p *paces) began(s sweep.Shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shards[s.ID] = &pace{runs: s.Runs, began: time.Now()}
}

func (p *paces) ended(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shards[id].recalled {
		p.gone[id] = true
	}
	delete(p.shards, id)
}

// see may be called from any goroutine.
func (p *paces) see(id string, n sweep.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shards[id]
	switch {
	case s == nil:
	case n.Kind == sweep.NoteBegan:
		s.since = time.Now()
	case n.Kind == sweep.NoteEnded:
		s.ended++
		s.since = time.Time{}
	}
}

func (p *paces) recall(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.shards[id]; s != nil {
		s.recalled = true
	}
}

func (p *paces) anyRecalled() bool {
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
func (p *paces) recalled(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.gone[id]
	delete(p.gone, id)
	return was
}

// slowest is the shard that will take longest for what it has not begun, and
// how long: each run as long as typical, or as its own so far. A shard that
// has begun nothing still starts: taken away, it would have to start again.
func (p *paces) slowest(typical time.Duration, begun func(run string) bool) (id string, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, pace := range p.shards {
		if pace.ended == 0 && pace.since.IsZero() {
			continue
		}
		each, n := max(typical, pace.each()), 0
		for _, run := range pace.runs {
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

// each is what a run of the shard has taken so far: on average, or the one it
// is at.
func (p *pace) each() time.Duration {
	var mean, last time.Duration
	if p.ended > 0 {
		mean = time.Since(p.began) / time.Duration(p.ended+1)
	}
	if !p.since.IsZero() {
		last = time.Since(p.since)
	}
	return max(mean, last)
}
