package serve

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/roots"
	"github.com/fanout-dev/fanout/internal/unit"
)

// The forms of ids.
var (
	sweepID = regexp.MustCompile(`^[a-z2-7]{16}$`)
	runID   = sweepID
)

var errNoSweep = unit.WithHint(missing("no such sweep"), "it may have been removed or moved: the front page lists what is there")

// sweepOf is the sweep that a request names.
func (s *Server) sweepOf(r *http.Request) (roots.Sweep, *opened.Sweep, error) {
	id := r.PathValue("sweep")
	if !sweepID.MatchString(id) {
		return roots.Sweep{}, nil, errNoSweep
	}
	place, ok := s.roots.Find(r.Context(), id)
	if !ok {
		return place, nil, errNoSweep
	}
	o, err := s.opened.Get(r.Context(), place.Where)
	if errors.Is(err, fs.ErrNotExist) {
		s.roots.Gone(id)
		err = errNoSweep
	}
	return place, o, err
}

// A card is a sweep on the front page.
type card struct {
	roots.Sweep
	State  string      `json:"state"` // running, failed, partial, done, unreadable or unread
	Tally  query.Tally `json:"tally"`
	Words  []string    `json:"words,omitempty"`
	Ended  time.Time   `json:"ended,omitzero"` // when the last run ended
	Error  string      `json:"error,omitempty"`
	Shares []share     `json:"-"`
}

// A share is the part of a sweep's runs that have one status.
type share struct {
	Status     outcome.Status
	From, Wide float64 // of 1000
	N          int
}

// The states of a card.
const (
	stateRunning    = "running"
	stateFailed     = "failed"
	statePartial    = "partial"
	stateDone       = "done"
	stateUnreadable = "unreadable"
	stateUnread     = "unread"
)

var stateOrder = []string{stateRunning, stateFailed, stateUnreadable, statePartial, stateDone, stateUnread}

// cards are what is known of sweeps without opening them again.
type cards struct {
	mu    sync.Mutex
	known map[string]knownCard
	busy  map[string]bool
}

type knownCard struct {
	card
	at time.Time
}

// How long a card is believed.
const (
	cardMoves = 3 * time.Second
	cardRests = time.Minute
)

// index is the front page.
type index struct {
	Sweeps  []card `json:"sweeps"`
	Partial string `json:"partial,omitempty"` // why some may be missing
	Query   string `json:"query,omitempty"`
	Found   int    `json:"found"` // before a search
	More    int    `json:"more,omitempty"`
	Reading bool   `json:"reading,omitempty"` // some were not read yet: ask again
}

func (index) title() string { return "Sweeps" }

// Headline is what the front page says first.
func (v index) Headline() string {
	n := map[string]int{}
	for _, c := range v.Sweeps {
		n[c.State]++
	}
	var parts []string
	say := func(state, one, many string) {
		switch {
		case n[state] == 1:
			parts = append(parts, one)
		case n[state] > 1:
			parts = append(parts, unit.Number(float64(n[state]))+" "+many)
		}
	}
	say(stateRunning, "1 sweep is running", "sweeps are running")
	say(stateFailed, "1 has failures", "have failures")
	say(stateUnreadable, "1 is not readable", "are not readable")
	switch {
	case v.Found == 0:
		return "No sweeps here yet"
	case len(v.Sweeps) == 0:
		return "No sweep is called that"
	case len(parts) == 0 && v.Reading:
		return unit.Plural(v.Found, "sweep")
	case len(parts) == 0:
		return "Nothing is running, and nothing failed"
	case n[stateRunning] == 0:
		return "Nothing is running; " + strings.Join(parts, ", ")
	}
	return strings.Join(parts, ", ")
}

const (
	maxCards  = 200
	readCards = 4                      // at once
	waitCards = 700 * time.Millisecond // for those that are read while a page waits
)

func (s *Server) index(r *http.Request) (view, []crumb, error) {
	found, err := s.roots.Sweeps(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if len(found.Sweeps) == 1 && found.Sweeps[0].Path == "" {
		return index{Found: 1, Sweeps: s.readCards(r.Context(), found.Sweeps)}, nil, redirectError{s.link("s", found.Sweeps[0].ID)}
	}
	v := index{Partial: found.Partial, Query: unit.Cut(unit.Line(strings.TrimSpace(r.URL.Query().Get("q"))), 200), Found: len(found.Sweeps)}
	wanted := slices.DeleteFunc(found.Sweeps, func(p roots.Sweep) bool { return !matches(p, v.Query) })
	v.Sweeps = s.readCards(r.Context(), wanted)
	for _, c := range v.Sweeps {
		v.Reading = v.Reading || c.State == stateUnread
	}
	slices.SortStableFunc(v.Sweeps, func(a, b card) int {
		return cmp.Or(slices.Index(stateOrder, a.State)-slices.Index(stateOrder, b.State), b.Ended.Compare(a.Ended), strings.Compare(a.Where, b.Where))
	})
	v.More = max(len(v.Sweeps)-maxCards, 0)
	v.Sweeps = v.Sweeps[:len(v.Sweeps)-v.More]
	return v, nil, nil
}

// matches reports whether every word of a search is in the place of a sweep.
func matches(p roots.Sweep, search string) bool {
	where := strings.ToLower(p.Root + "/" + p.Path)
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(where, word) {
			return false
		}
	}
	return true
}

// readCards waits a moment for the cards of sweeps; the reading goes on.
func (s *Server) readCards(ctx context.Context, places []roots.Sweep) []card {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		slots := make(chan struct{}, readCards)
		for _, p := range places {
			if !s.cards.claim(p.ID) {
				continue
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				s.cards.put(p.ID, s.read(context.WithoutCancel(ctx), p))
			})
		}
		wg.Wait()
	}()
	select {
	case <-done:
	case <-time.After(waitCards):
	case <-ctx.Done():
	}
	all := make([]card, len(places))
	for i, p := range places {
		all[i] = s.cards.get(p)
	}
	return all
}

// claim reports whether a card is to be read, and that nobody else does.
func (c *cards) claim(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known, c.busy = map[string]knownCard{}, map[string]bool{}
	}
	k, known := c.known[id]
	rests := cardRests
	if k.State == stateRunning {
		rests = cardMoves
	}
	if c.busy[id] || known && time.Since(k.at) < rests {
		return false
	}
	c.busy[id] = true
	return true
}

func (c *cards) put(id string, k card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[id] = knownCard{k, time.Now()}
	delete(c.busy, id)
}

func (c *cards) get(p roots.Sweep) card {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.known[p.ID]; ok {
		return k.card
	}
	return card{Sweep: p, State: stateUnread}
}

// read makes the card of a sweep.
func (s *Server) read(ctx context.Context, p roots.Sweep) card {
	o, err := s.opened.Get(ctx, p.Where)
	if err != nil {
		return card{Sweep: p, State: stateUnreadable, Error: sentence(err)}
	}
	c := card{Sweep: p, Tally: o.Tally(), State: stateOf(o)}
	c.Words, c.Shares = c.Tally.Words(), shares(c.Tally)
	for _, st := range o.Runs() {
		if st.Last != nil && st.Last.End.After(c.Ended) {
			c.Ended = st.Last.End
		}
	}
	return c
}

// stateOf says in a word how a sweep stands.
func stateOf(o *opened.Sweep) string {
	t := o.Tally()
	bad := t.Counts[outcome.Failed] + t.Counts[outcome.TimedOut] + t.Counts[outcome.Lost]
	switch {
	case o.Moves():
		return stateRunning
	case bad > 0:
		return stateFailed
	case t.Counts[outcome.Succeeded] < t.Runs:
		return statePartial
	}
	return stateDone
}

// shares are the parts of a bar of 1000 units.
func shares(t query.Tally) (all []share) {
	at := 0.0
	for _, status := range outcome.Statuses() {
		n := t.Counts[status]
		if n == 0 || t.Runs == 0 {
			continue
		}
		wide := 1000 * float64(n) / float64(t.Runs)
		all = append(all, share{status, at, wide, n})
		at += wide
	}
	return all
}

// crumbOf leads to a sweep.
func (s *Server) crumbOf(p roots.Sweep) crumb { return crumb{p.Name, s.link("s", p.ID)} }
