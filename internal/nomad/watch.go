package nomad

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
)

// A watcher knows the allocations of the sweep's shards in one place.
type watcher struct {
	e *Executor
	place
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	children map[string]*child
}

// child is a dispatched job that a monitor follows.
type child struct {
	allocs []alloc.Alloc // one, unless Nomad replaced it
	wake   chan struct{} // holds a token when something changed
}

// watcher returns the watcher of a place, started.
func (e *Executor) watcher(p place) *watcher {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.watchers[p]
	if w == nil {
		w = &watcher{e: e, place: p, children: map[string]*child{}}
		ctx, stop := context.WithCancel(context.Background())
		w.stop = stop
		e.watchers[p] = w
		w.done.Go(func() { w.run(ctx) })
	}
	return w
}

func (e *Executor) stopWatching() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.watchers {
		w.stop()
		w.done.Wait()
	}
	e.watchers = map[place]*watcher{}
}

// follow makes the watcher keep a child's allocations until forget.
func (w *watcher) follow(id string) (wake <-chan struct{}, forget func()) {
	c := &child{wake: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.children[id] = c
	return c.wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.children, id)
	}
}

// look returns the known allocations of a followed child.
func (w *watcher) look(id string) []alloc.Alloc {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.children[id]
	if c == nil {
		return nil
	}
	return slices.Clone(c.allocs)
}

// learn records the state of an allocation, unless a newer one is known, and wakes
// the monitor if the status changed.
func (w *watcher) learn(id string, a alloc.Alloc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.children[id]
	if c == nil {
		return
	}
	i := slices.IndexFunc(c.allocs, func(known alloc.Alloc) bool { return known.ID == a.ID })
	if i < 0 && len(c.allocs) == maxAllocs {
		return
	}
	if i < 0 {
		c.allocs, i = append(c.allocs, alloc.Alloc{}), len(c.allocs)
	}
	known := &c.allocs[i]
	changed := known.Status != a.Status
	if known.Status != "" && known.Modified >= a.Modified {
		return
	}
	*known = a
	if !changed {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// maxAllocs is how many allocations of a child are remembered: Nomad has one, or some
// more if it replaced it.
const maxAllocs = 100

// How often allocations are listed: with events, some of which are lost, and
// without.
const (
	listEvery = 30 * time.Second
	listAlone = 2 * time.Second
)

// run keeps a watcher up to date until ctx ends. During a fault monitors just
// wait longer.
func (w *watcher) run(ctx context.Context) {
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		w.stream(ctx)
		if time.Since(began) > time.Minute {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// silence is how long a stream may be silent: a heartbeat arrives at once and every
// half minute, and none at all means that the token may not read events.
const silence = 45 * time.Second

// stream handles events until the stream ends, and lists at intervals.
func (w *watcher) stream(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	frames := make(chan []byte)
	go func() {
		defer stop()
		w.read(ctx, frames)
	}()
	every, quiet := listAlone, time.Now()
	for {
		if w.list(ctx) != nil {
			return
		}
		tick := time.NewTimer(every)
		for listed := true; listed; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case frame := <-frames:
				every, quiet = listEvery, time.Now()
				alloc.OfEvents(frame, w.learn)
			case <-tick.C:
				listed = false
			}
		}
		if every == listEvery && time.Since(quiet) > silence {
			return
		}
	}
}

// read passes on the lines of the event stream.
func (w *watcher) read(ctx context.Context, frames chan<- []byte) {
	q := w.query(ctx)
	q.Params = map[string]string{"topic": string(api.TopicAllocation) + ":*"}
	body, err := w.e.client.Raw().Response("/v1/event/stream", q)
	if err != nil {
		<-ctx.Done() // listings have to do
		return
	}
	defer body.Close()
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxFrame)
	for lines.Scan() {
		select {
		case frames <- slices.Clone(lines.Bytes()):
		case <-ctx.Done():
			return
		}
	}
}

// maxFrame is how many bytes a line of the event stream may have: what is longer,
// the next listing has.
const maxFrame = 16 << 20

// list learns the state of all allocations of the sweep.
func (w *watcher) list(ctx context.Context) error {
	w.mu.Lock()
	followed := len(w.children)
	w.mu.Unlock()
	if away, _ := w.e.sites[w.place].state(w.e.o.retryFor); followed == 0 && !away {
		return ctx.Err()
	}
	return w.e.call(ctx, w.place, func(ctx context.Context) error {
		q := w.query(ctx)
		q.Filter = fmt.Sprintf("JobID contains %q", w.e.prefix)
		q.Params = map[string]string{"task_states": "false"}
		body, err := w.e.client.Raw().Response("/v1/allocations", q)
		if err != nil {
			return err
		}
		defer body.Close()
		return alloc.OfList(body, w.learn)
	})
}
