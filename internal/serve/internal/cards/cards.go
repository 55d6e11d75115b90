// Package cards is how sweeps stand, for a page that shows many of them.
//
// In go places of sweeps; out come cards: their state in a word, their tally and
// when their last run ended. It promises that a page waits only a moment, that
// few sweeps are read at once, and that a card is not older than a minute, or a
// few seconds while its sweep is running.
package cards

import (
	"context"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/unit"
)

const (
	readCards = 4                      // at once
	waitCards = 700 * time.Millisecond // for those that are read while a page waits
	maxError  = 2000
)

// A Card is a sweep on the front page.
type Card struct {
	roots.Sweep
	State  string      `json:"state"` // running, failed, partial, done, unreadable or unread
	Tally  query.Tally `json:"tally"`
	Words  []string    `json:"words,omitempty"`
	Ended  time.Time   `json:"ended,omitzero"` // when the last run ended
	Error  string      `json:"error,omitempty"`
	Shares []Share     `json:"-"`
}

// A Share is the part of a sweep's runs that have one status.
type Share struct {
	Status     outcome.Status
	From, Wide float64 // of 1000
	N          int
}

// The states of a card.
const (
	Running    = "running"
	Failed     = "failed"
	Partial    = "partial"
	Done       = "done"
	Unreadable = "unreadable"
	Unread     = "unread"
)

// Order is the order of states on the front page.
var Order = []string{Running, Failed, Unreadable, Partial, Done, Unread}

// A Cache is what is known of sweeps without opening them again.
type Cache struct {
	Open func(ctx context.Context, where string) (*opened.Sweep, error)

	mu    sync.Mutex
	known map[string]knownCard
	busy  map[string]bool
}

type knownCard struct {
	Card
	at time.Time
}

// How long a card is believed.
const (
	cardMoves = 3 * time.Second
	cardRests = time.Minute
)

// Read waits a moment for the cards of sweeps; the reading goes on.
func (c *Cache) Read(ctx context.Context, places []roots.Sweep) []Card {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		slots := make(chan struct{}, readCards)
		for _, p := range places {
			if !c.claim(p.ID) {
				continue
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				c.put(p.ID, c.read(context.WithoutCancel(ctx), p))
			})
		}
		wg.Wait()
	}()
	select {
	case <-done:
	case <-time.After(waitCards):
	case <-ctx.Done():
	}
	all := make([]Card, len(places))
	for i, p := range places {
		all[i] = c.get(p)
	}
	return all
}

// claim reports whether a card is to be read, and that nobody else does.
func (c *Cache) claim(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known, c.busy = map[string]knownCard{}, map[string]bool{}
	}
	k, known := c.known[id]
	rests := cardRests
	if k.State == Running {
		rests = cardMoves
	}
	if c.busy[id] || known && time.Since(k.at) < rests {
		return false
	}
	c.busy[id] = true
	return true
}

func (c *Cache) put(id string, k Card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[id] = knownCard{k, time.Now()}
	delete(c.busy, id)
}

func (c *Cache) get(p roots.Sweep) Card {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.known[p.ID]; ok {
		return k.Card
	}
	return Card{Sweep: p, State: Unread}
}

// read makes the card of a sweep.
func (c *Cache) read(ctx context.Context, p roots.Sweep) Card {
	o, err := c.Open(ctx, p.Where)
	if err != nil {
		return Card{Sweep: p, State: Unreadable, Error: unit.Cut(unit.Line(err.Error()), maxError)}
	}
	k := Card{Sweep: p, Tally: o.Tally(), State: StateOf(o)}
	k.Words, k.Shares = k.Tally.Words(), Shares(k.Tally)
	for _, st := range o.Runs() {
		if st.Last != nil && st.Last.End.After(k.Ended) {
			k.Ended = st.Last.End
		}
	}
	return k
}

// StateOf says in a word how a sweep stands.
func StateOf(o *opened.Sweep) string {
	t := o.Tally()
	bad := t.Counts[outcome.Failed] + t.Counts[outcome.TimedOut] + t.Counts[outcome.Lost]
	switch {
	case o.Moves():
		return Running
	case bad > 0:
		return Failed
	case t.Counts[outcome.Succeeded] < t.Runs:
		return Partial
	}
	return Done
}

// Shares are the parts of a bar of 1000 units.
func Shares(t query.Tally) (all []Share) {
	at := 0.0
	for _, status := range outcome.Statuses() {
		n := t.Counts[status]
		if n == 0 || t.Runs == 0 {
			continue
		}
		wide := 1000 * float64(n) / float64(t.Runs)
		all = append(all, Share{status, at, wide, n})
		at += wide
	}
	return all
}
