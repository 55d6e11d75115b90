package schedule

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/store"
)

// A world has sweeps, and servers that watch them and are killed at random.
type world struct {
	t      *testing.T
	rnd    *rand.Rand
	places []string
	stores map[string]store.Store

	mu   sync.Mutex
	done map[string][]done // by place, in the order of their ends
	busy map[string]bool
	wait sync.WaitGroup // for firings that outlive their server
}

// done is a firing that got to do its work.
type done struct {
	due, began time.Time
}

var (
	errCrash  = errors.New("the machine went away, with the firing")
	errOrphan = errors.New("the server was killed, and the firing goes on")
)

// mortal is the store as a process sees it that may be killed: nothing that it
// writes then arrives.
type mortal struct {
	store.Store
	dead atomic.Bool
}

func (m *mortal) Create(ctx context.Context, key string, data []byte, d store.Durability) error {
	if m.dead.Load() {
		return errCrash
	}
	return m.Store.Create(ctx, key, data, d)
}

// fire does what the child of a server does, for some virtual time.
func (w *world) fire(ctx context.Context, where string) error {
	st := &mortal{Store: w.stores[where]}
	background := context.WithoutCancel(ctx)
	_, due, claim, err := Take(background, st, time.Now())
	if err != nil || due.IsZero() {
		return err
	}
	w.mu.Lock()
	if w.busy[where] {
		w.t.Errorf("%s: two firings at once", where)
	}
	w.busy[where] = true
	takes := time.Duration(w.rnd.IntN(300)) * time.Second
	if w.rnd.IntN(200) == 0 {
		takes = 30 * time.Hour
	}
	w.mu.Unlock()
	began := time.Now()
	r, err := firing.Begin(background, st, firing.Firing{Due: due, By: "a test"})
	if err != nil {
		return errors.Join(err, claim.Unlock())
	}
	ended := make(chan struct{})
	finish := func(code int) {
		w.mu.Lock()
		if code == 0 {
			w.done[where] = append(w.done[where], done{due, began})
		}
		w.busy[where] = false
		w.mu.Unlock()
		st.dead.Store(code == 137)
		r.Close(background, code, "")
		claim.Unlock()
		close(ended)
	}
	timer := time.AfterFunc(takes, func() { finish(0) })
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	switch cause := context.Cause(ctx); {
	case cause == errOrphan || !timer.Stop():
		w.wait.Go(func() { <-ended })
	case cause == errCrash:
		finish(137)
	default: // asked to stop
		finish(143)
	}
	return nil
}

// serve starts servers one after the other, each for a random time, until the end.
func (w *world) serve(until time.Time, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	for time.Now().Before(until) {
		ctx, kill := context.WithCancelCause(context.Background())
		c := Clock{
			Sweeps: func(context.Context) ([]string, error) { return w.places, nil },
			Open:   func(_ context.Context, where string) (store.Store, error) { return w.stores[where], nil },
			Fire:   w.fire, Every: 6 * time.Hour, Report: func(text string) { w.t.Error(text) },
		}
		up := time.Duration(rnd.Int64N(int64(20 * 24 * time.Hour)))
		if rnd.IntN(3) == 0 {
			up = time.Duration(rnd.Int64N(int64(10 * time.Minute)))
		}
		time.AfterFunc(up, func() { kill([]error{errCrash, errOrphan, context.Canceled}[rnd.IntN(3)]) })
		c.Run(ctx)
		if down := rnd.Int64N(int64(8 * 24 * time.Hour)); rnd.IntN(2) == 0 {
			time.Sleep(time.Duration(down))
		}
	}
}

// Over changes of the clocks in five zones, for three years when there is time, with two servers that watch the same sweeps and are
// killed at random, alone or with what they fire. With Each every due time is fired
// exactly once, in turn; with Latest no due time is fired twice, and only those are
// left out that passed before the next was fired.
func TestEveryDueTimeIsFiredOnce(t *testing.T) {
	for _, missed := range []string{Each, Latest} {
		t.Run(missed, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fireForYears(t, missed) })
		})
	}
}

func fireForYears(t *testing.T, missed string) {
	const seed = 7
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 2)), stores: map[string]store.Store{}, done: map[string][]done{}, busy: map[string]bool{}}
	time.Sleep(60 * 24 * time.Hour) // until shortly before clocks change
	since := time.Now()
	until := since.AddDate(0, 1, 10)
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		until = since.AddDate(3, 0, 0)
	}
	all := map[string]Schedule{}
	for zone, crons := range map[string][]string{
		"Europe/Berlin":       {"30 2 * * *"},
		"America/New_York":    {"30 1 * * *", "0 13 * * MON-FRI"},
		"Australia/Lord_Howe": {"45 1 * * *"},
		"America/Santiago":    {"0 0 * * *"},
		"Asia/Kathmandu":      {"0 */8 * * *"},
	} {
		s := Schedule{Crons: crons, Zone: zone, Missed: missed, Since: since}
		all[zone], w.stores[zone] = s, store.Mem()
		w.places = append(w.places, zone)
		if err := s.Put(t.Context(), w.stores[zone]); err != nil {
			t.Fatal(err)
		}
	}
	var servers sync.WaitGroup
	for i := range uint64(2) {
		servers.Go(func() { w.serve(until, seed+i) })
	}
	servers.Wait()
	w.wait.Wait()
	w.serve(time.Now().Add(40*24*time.Hour), seed) // what is pending is caught up with
	w.wait.Wait()
	for zone, s := range all {
		due, err := s.Between(since.Add(time.Second), until, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(due, w.done[zone], missed); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
		t.Logf("%s: due %d times, fired %d times", zone, len(due), len(w.done[zone]))
	}
}

func check(due []time.Time, fired []done, missed string) error {
	fired = slices.DeleteFunc(slices.Clone(fired), func(f done) bool { return f.due.After(due[len(due)-1]) })
	next := 0
	for _, f := range fired {
		if f.began.Before(f.due) {
			return fmt.Errorf("%s was fired at %s", f.due, f.began)
		}
		i := slices.IndexFunc(due, f.due.Equal)
		switch {
		case i < 0:
			return fmt.Errorf("%s was fired, and was not due", f.due)
		case i < next:
			return fmt.Errorf("%s was fired again, or too late", f.due)
		case i > next && missed == Each:
			return fmt.Errorf("%s was not fired", due[next])
		case missed == Latest && i+1 < len(due) && due[i+1].Before(f.began):
			return fmt.Errorf("%s was fired at %s, when a later one was due", f.due, f.began)
		}
		// A server that is up fires at once: what is left out passed while none was,
		// or while the one before ran.
		next = i + 1
	}
	if missed == Each && next < len(due) {
		return fmt.Errorf("%s was not fired", due[next])
	}
	if len(fired) < len(due)/2 {
		return fmt.Errorf("%d of %d were fired", len(fired), len(due))
	}
	return nil
}

// A clock that is up fires when it is due, not when it looks next; it sees what is
// scheduled, changed, paused and removed while it runs, and says once what it cannot
// read.
func TestClockFollowsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.Mem()
		w := &world{t: t, rnd: rand.New(rand.NewPCG(1, 1)), stores: map[string]store.Store{"x": st}, done: map[string][]done{}, busy: map[string]bool{}}
		var told []string
		ctx, stop := context.WithCancel(t.Context())
		c := Clock{
			Sweeps: func(context.Context) ([]string, error) { return []string{"x"}, nil },
			Open:   func(context.Context, string) (store.Store, error) { return st, nil },
			Fire:   w.fire, Report: func(text string) { told = append(told, text) },
		}
		var running sync.WaitGroup
		running.Go(func() { c.Run(ctx) })
		put := func(s Schedule) {
			s.Since = time.Now()
			if err := s.Put(ctx, st); err != nil {
				t.Fatal(err)
			}
		}
		fired := func(want int, what string) {
			t.Helper()
			synctest.Wait()
			if n := len(w.done["x"]); n != want {
				t.Errorf("%s: fired %d times, want %d", what, n, want)
			}
			for _, d := range w.done["x"] {
				if !d.began.Equal(d.due) {
					t.Errorf("due at %s, fired at %s", d.due, d.began)
				}
			}
		}
		time.Sleep(95 * time.Minute)
		fired(0, "no schedule")
		hourly := Schedule{Crons: []string{"15 * * * *"}, Zone: "UTC"}
		put(hourly)
		time.Sleep(2 * time.Hour)
		fired(2, "hourly")
		hourly.Crons = []string{"*/10 * * * *"}
		put(hourly)
		time.Sleep(time.Hour)
		fired(8, "every ten minutes")
		hourly.Paused = true
		put(hourly)
		time.Sleep(time.Hour)
		fired(8, "paused")
		hourly.Paused = false
		put(hourly)
		time.Sleep(time.Hour)
		fired(14, "resumed")
		st.Put(ctx, "schedule.json", []byte("{"), store.Cached)
		time.Sleep(time.Hour)
		fired(14, "unreadable")
		if len(told) != 1 {
			t.Errorf("reported %q", told)
		}
		hourly.On = "nomad"
		put(hourly)
		time.Sleep(time.Hour)
		fired(14, "a cluster's")
		stop()
		running.Wait()
	})
}

// A firing that cannot even begin is tried again, ever more seldom.
func TestClockBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.Mem()
		(Schedule{Crons: []string{"0 0 * * *"}, Zone: "UTC", Since: time.Now()}).Put(t.Context(), st)
		tries := 0
		c := Clock{
			Sweeps: func(context.Context) ([]string, error) { return []string{"x"}, nil },
			Open:   func(context.Context, string) (store.Store, error) { return st, nil },
			Fire:   func(context.Context, string) error { tries++; return errors.New("no such program") },
		}
		ctx, stop := context.WithTimeout(t.Context(), 48*time.Hour-time.Minute)
		defer stop()
		c.Run(ctx)
		if tries < 5 || tries > 60 {
			t.Errorf("%d tries in a day", tries)
		}
	})
}
