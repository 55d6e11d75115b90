// Package opened keeps the sweeps that somebody looks at open, and up with what
// others do to them.
//
// In go ids; out come opened sweeps. It promises that a sweep is opened once
// for all who ask, that what it says is not older than a few seconds, that one
// nobody looks at any more is given up, and that nothing is ever written: it
// takes no lease.
package opened

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Limits of what is kept open.
const (
	maxRuns = 400_000 // of all sweeps together
	keepFor = 10 * time.Minute
)

// A Cache is the opened sweeps.
type Cache struct {
	open func(ctx context.Context, where string) (*sweep.Sweep, error)

	mu  sync.Mutex
	all map[string]*Sweep // by place
}

// New makes a cache of what open opens.
func New(open func(ctx context.Context, where string) (*sweep.Sweep, error)) *Cache {
	return &Cache{open: open, all: map[string]*Sweep{}}
}

// A Sweep is an opened sweep.
type Sweep struct {
	*sweep.Sweep
	follower *sweep.Follower
	fresh    time.Duration // how long what was read is believed

	reading sync.Mutex // held while the sweep is opened or read
	ready   bool

	mu      sync.Mutex
	used    time.Time
	read    time.Time // when it was last read
	version uint64
	holder  lease.Holder
	held    bool
	memo    map[string]*memo
}

// Get returns the sweep at a place, as it is now.
func (c *Cache) Get(ctx context.Context, where string) (*Sweep, error) {
	s := c.entry(where)
	if err := s.refresh(ctx, c, where); err != nil {
		c.drop(where, s)
		return nil, err
	}
	c.tidy(s)
	return s, nil
}

func (c *Cache) entry(where string) *Sweep {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.all[where]
	if s == nil {
		s = &Sweep{fresh: time.Second, memo: map[string]*memo{}}
		if store.IsURL(where) {
			s.fresh = 5 * time.Second
		}
		c.all[where] = s
	}
	s.mu.Lock()
	s.used = time.Now()
	s.mu.Unlock()
	return s
}

// refresh opens the sweep, or reads what is new. Whoever asks meanwhile waits
// for it, and asks nothing himself. It goes on when the one who asked is gone.
func (s *Sweep) refresh(ctx context.Context, c *Cache, where string) error {
	done := make(chan error, 1)
	go func() { done <- s.catchUp(context.WithoutCancel(ctx), c, where) }()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		return err
	}
}

// readFor bounds one reading: a bucket that is away must not hold everybody up
// for ever.
const readFor = 2 * time.Minute

func (s *Sweep) catchUp(ctx context.Context, c *Cache, where string) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	switch {
	case !s.ready:
		opened, err := c.open(ctx, where)
		if err != nil {
			return err
		}
		s.Sweep, s.follower = opened, opened.Follow()
	case time.Since(s.read) < s.fresh:
		return nil
	default:
		if _, err := s.Store().Stat(ctx, sweep.KeyFormat); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("open %s: it was removed: %w", where, fs.ErrNotExist)
			}
			return err
		}
	}
	if err := s.follower.Read(ctx); err != nil {
		return err
	}
	holder, held := s.Held(ctx)
	version := s.digest()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.read, s.holder, s.held = true, time.Now(), holder, held
	if s.version != version {
		s.version, s.memo = version, map[string]*memo{}
	}
	return nil
}

// digest tells two states of the sweep apart.
func (s *Sweep) digest() uint64 {
	h := fnv.New64a()
	head, _ := s.Head()
	fmt.Fprint(h, head.Number, head.Digest)
	var b [8]byte
	for st := range s.All() {
		b[0], b[1], b[2] = byte(st.Attempts), byte(st.Attempts>>8), byte(st.Best)
		b[3], b[4] = byte(len(st.Status)), byte(st.Scraps.Len())
		b[5], b[6] = byte(st.Size), byte(st.Size>>8)
		if b[7] = 0; st.Accepted != nil {
			b[7] = byte(len(st.Accepted.Parts)) + 1
		}
		h.Write(b[:])
	}
	return h.Sum64()
}

// Version changes whenever the sweep does.
func (s *Sweep) Version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%016x", s.version)
}

// Holder is who executes the sweep now, if anybody does.
func (s *Sweep) Holder() (lease.Holder, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holder, s.held
}

// Moves reports whether the sweep may change by itself: somebody holds it, or
// workers elsewhere execute runs of it.
func (s *Sweep) Moves() bool {
	if _, held := s.Holder(); held {
		return true
	}
	return s.Counts()[outcome.Running] > 0
}

// Left estimates how long the holder still takes, from the runs that ended
// since it began.
func (s *Sweep) Left() (time.Duration, bool) {
	holder, held := s.Holder()
	if !held {
		return 0, false
	}
	done, left := 0, 0
	for st := range s.All() {
		switch {
		case st.Run.Unplanned:
		case st.Last != nil && st.Last.End.After(holder.Since):
			done++
		case st.Status != outcome.Succeeded:
			left++
		}
	}
	since := time.Since(holder.Since)
	if done == 0 || since < 0 {
		return 0, false
	}
	return time.Duration(float64(since) / float64(done) * float64(left)), true
}

// Tally is how the runs stand.
func (s *Sweep) Tally() query.Tally {
	t, _ := Memo(s, "tally", func() (query.Tally, error) { return query.TallyOf(s.Sweep), nil })
	return t
}

type memo struct {
	once  sync.Once
	value any
	err   error
}

// Memo computes something of the sweep once for each of its versions, for all
// who ask.
func Memo[T any](s *Sweep, key string, compute func() (T, error)) (T, error) {
	s.mu.Lock()
	m := s.memo[key]
	if m == nil {
		m = &memo{}
		s.memo[key] = m
	}
	s.mu.Unlock()
	m.once.Do(func() { m.value, m.err = whole(compute) })
	if m.err != nil {
		s.forget(key, m)
		var none T
		return none, m.err
	}
	return m.value.(T), nil
}

// whole makes a panic an error: what is computed, in a goroutine of its own, is of a
// sweep that may be somebody else's, and the server is for all.
func whole[T any](compute func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fanout has a fault that this sweep shows: %v\n%s", p, debug.Stack())
		}
	}()
	return compute()
}

// forget lets a computation that failed be tried again.
func (s *Sweep) forget(key string, m *memo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memo[key] == m {
		delete(s.memo, key)
	}
}

func (c *Cache) drop(where string, s *Sweep) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[where] == s {
		delete(c.all, where)
	}
}

// tidy gives up what nobody used for a while and, beyond the limit, what was
// used longest ago; keep stays.
func (c *Cache) tidy(keep *Sweep) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		total, oldest, at := 0, "", time.Now()
		for where, s := range c.all {
			s.mu.Lock()
			used, ready := s.used, s.ready
			s.mu.Unlock()
			if !ready {
				continue
			}
			head, _ := s.Head()
			total += head.Runs + head.Kept
			if s != keep && used.Before(at) {
				oldest, at = where, used
			}
		}
		if oldest == "" || total <= maxRuns && time.Since(at) < keepFor {
			return
		}
		delete(c.all, oldest)
	}
}

// Tidy gives up what nobody used for a while.
func (c *Cache) Tidy() { c.tidy(nil) }

// Len is how many sweeps are open.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}
