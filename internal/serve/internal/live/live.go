// Package live tells browsers what changes, as server-sent events.
//
// In goes a function that looks at something, and requests to watch it; out
// come events. It promises that what is watched is looked at once for all who
// watch, and not at all when nobody does; that a client which reads slowly
// holds up nobody, misses only what was overtaken by news, and is dropped when
// it stops reading; and that one which was cut off gets what changed since.
//
// What is sent are states by name, not differences: a client needs only the
// last of each.
package live

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Look looks at what is watched, with the names that its watchers asked for
// besides those that all get. It returns states as JSON by name, and when to
// look again. After an error the states stay as they were.
type Look func(ctx context.Context, wanted []string) (states map[string][]byte, again time.Duration, err error)

// Limits of clients.
const (
	maxClients   = 2000
	writeWithin  = 10 * time.Second
	beatEvery    = 15 * time.Second
	retry        = 2 * time.Second
	lookWithin   = time.Minute
	afterFailure = 5 * time.Second
)

// A Hub serves all streams. Its zero value is ready.
type Hub struct {
	mu      sync.Mutex
	topics  map[string]*topic
	clients int
}

// topic is one thing that is watched.
type topic struct {
	epoch string // tells this topic's numbers from those of one before it
	stop  context.CancelFunc

	mu     sync.Mutex
	seq    uint64
	states map[string]state
	subs   map[*client]bool
	nudge  chan struct{} // somebody wants another name
}

type state struct {
	seq  uint64
	data []byte
}

type client struct {
	wants []string
	wake  chan struct{}
}

// Clients is how many streams are open.
func (h *Hub) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clients
}

// Stream sends events until the client leaves or ctx ends. key names what is
// watched; look is used when nobody watches it yet. wants are the names besides
// those that everybody gets.
func (h *Hub) Stream(ctx context.Context, w http.ResponseWriter, r *http.Request, key string, wants []string, look Look) {
	c := &client{wants: wants, wake: make(chan struct{}, 1)}
	t, ok := h.join(ctx, key, c, look)
	if !ok {
		http.Error(w, "too many open streams", http.StatusServiceUnavailable)
		return
	}
	defer h.leave(key, t, c)
	out := http.NewResponseController(w)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	send := func(text []byte) bool {
		if err := out.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
			return false
		}
		if _, err := w.Write(text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send(fmt.Appendf(nil, "retry: %d\n\n", retry.Milliseconds())) {
		return
	}
	at := t.since(r.Header.Get("Last-Event-ID"))
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		var news []byte
		if news, at = t.news(at, c); len(news) > 0 && !send(news) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-r.Context().Done():
			return
		case <-c.wake:
		case <-beat.C:
			if !send([]byte(": still here\n\n")) {
				return
			}
		}
	}
}

// join adds a client to what it watches.
func (h *Hub) join(ctx context.Context, key string, c *client, look Look) (*topic, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients >= maxClients {
		return nil, false
	}
	h.clients++
	if h.topics == nil {
		h.topics = map[string]*topic{}
	}
	t := h.topics[key]
	if t == nil {
		t = &topic{epoch: newEpoch(), states: map[string]state{}, subs: map[*client]bool{}, nudge: make(chan struct{}, 1)}
		h.topics[key] = t
		ctx, t.stop = context.WithCancel(ctx)
		go t.poll(ctx, look)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs[c] = true
	for _, name := range c.wants {
		if _, has := t.states[name]; !has {
			wake(t.nudge)
		}
	}
	return t, true
}

func (h *Hub) leave(key string, t *topic, c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients--
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, c)
	if len(t.subs) == 0 {
		t.stop()
		delete(h.topics, key)
	}
}

func newEpoch() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// wake is for a channel that holds one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// poll looks until it is stopped.
func (t *topic) poll(ctx context.Context, look Look) {
	for {
		within, cancel := context.WithTimeout(ctx, lookWithin)
		states, again, err := look(within, t.wanted())
		cancel()
		if err != nil {
			again = afterFailure
		} else {
			t.take(states)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		case <-t.nudge:
		}
	}
}

// wanted are the names that clients asked for, each once.
func (t *topic) wanted() (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.subs {
		names = append(names, c.wants...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// take notes the states that differ from those before and wakes who watches.
func (t *topic) take(states map[string][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := false
	for name, data := range states {
		if was, has := t.states[name]; has && bytes.Equal(was.data, data) {
			continue
		}
		t.seq++
		t.states[name] = state{t.seq, data}
		changed = true
	}
	for name := range t.states {
		if _, has := states[name]; !has { // nobody wants it any more
			delete(t.states, name)
		}
	}
	if !changed {
		return
	}
	for c := range t.subs {
		wake(c.wake)
	}
}

// since is the number after which a client wants events, by the id of the last
// that it got: everything when that is of another time.
func (t *topic) since(id string) uint64 {
	epoch, number, ok := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok || err != nil || epoch != t.epoch || seq > t.seq {
		return 0
	}
	return seq
}

// news are the events after a number that a client wants, oldest first.
func (t *topic) news(after uint64, c *client) (text []byte, at uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for name, s := range t.states {
		private := strings.Contains(name, "/")
		if s.seq > after && (!private || slices.Contains(c.wants, name)) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return int(t.states[a].seq) - int(t.states[b].seq) })
	for _, name := range names {
		s := t.states[name]
		kind, _, _ := strings.Cut(name, "/")
		text = fmt.Appendf(text, "id: %s-%d\nevent: %s\ndata: %s\n\n", t.epoch, s.seq, kind, s.data)
	}
	return text, max(t.seq, after)
}
