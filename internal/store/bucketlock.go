package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/store/internal/process"
)

// A lock in a bucket is a lease. Its n-th holder created the object "KEY.<n>",
// which nobody else can then create, and rewrites it at intervals: the holder with
// the highest number has the lock. If that object has not been written for a while,
// by the store's clock, or belongs to a process of this machine that has ended,
// another process takes the lock over by creating the next one.

// leaseTimes are the periods of a lease. A superseded holder notices within beat;
// until then it has relied on no confirmation older than trust, which is shorter
// than stale.
type leaseTimes struct {
	beat  time.Duration // how often a holder shows that it lives
	trust time.Duration // how long a holder relies on what it last saw
	stale time.Duration // how long a holder may be silent
}

var defaultLease = leaseTimes{beat: 10 * time.Second, trust: 30 * time.Second, stale: 45 * time.Second}

// holding is the content of a holder's object.
type holding struct {
	process.Process
	Holder   string `json:"holder,omitempty"` // a number of its own
	Released bool   `json:"released,omitempty"`
}

func holderKey(key string, n int) string { return fmt.Sprintf("%s.%06d", key, n) }

// holders lists the objects of a lock's holders, by number.
func (b *bucket) holders(ctx context.Context, key string) (map[int]Object, int, error) {
	found, last := map[int]Object{}, 0
	for o, err := range b.List(ctx, key+".") {
		if err != nil {
			return nil, 0, err
		}
		n, ok, err := Number(o.Key, strings.TrimPrefix(o.Key, key+"."))
		if err != nil {
			return nil, 0, err
		}
		if ok {
			found[n], last = o, max(last, n)
		}
	}
	return found, last, nil
}

// freedom says why a lock can be taken.
type freedom int

const (
	held   freedom = iota
	free           // nobody has it
	silent         // its holder has been silent for long
)

// judge looks at the holder of a lock. now is by the store's clock.
func (b *bucket) judge(ctx context.Context, o Object) (freedom, error) {
	text, err := GetSmall(ctx, b, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return held, nil // by a holder that came meanwhile and deleted older objects
	}
	if err != nil {
		return held, err
	}
	var h holding
	if err := json.Unmarshal(text, &h); err != nil {
		return held, fmt.Errorf("read %s: %w", o.Key, err)
	}
	switch {
	case h.Released || h.DeadFor(b.self):
		return free, nil
	case b.clock.Now().Sub(o.ModTime) > b.lease.stale:
		return silent, nil
	}
	return held, nil
}

func (b *bucket) Locked(ctx context.Context, key string) (bool, error) {
	found, last, err := b.holders(ctx, key)
	if err != nil || last == 0 {
		return false, err
	}
	state, err := b.judge(ctx, found[last])
	return state == held, err
}

func (b *bucket) Lock(ctx context.Context, key string) (Lock, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	found, last, err := b.holders(ctx, key)
	if err != nil {
		return nil, err
	}
	state := free
	if last > 0 {
		if state, err = b.judge(ctx, found[last]); err != nil {
			return nil, err
		}
	}
	if state == held {
		return nil, fmt.Errorf("lock %s: %w", key, ErrLocked)
	}
	l := &bucketLock{b: b, key: key, n: last + 1, id: randomName(), stop: make(chan struct{}), done: make(chan struct{})}
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	if state == silent {
		if err := l.outwait(ctx, found[last], last); err != nil {
			return nil, errors.Join(err, l.release())
		}
	}
	for n := range found {
		if err := b.Delete(ctx, holderKey(key, n)); err != nil {
			return nil, errors.Join(err, l.release())
		}
	}
	go l.beat()
	return l, nil
}

// bucketLock is the lock of one holder.
type bucketLock struct {
	b    *bucket
	key  string
	n    int
	id   string // by which it recognizes its object
	stop chan struct{}
	done chan struct{}

	mu        sync.Mutex // held while the store is asked
	confirmed time.Time  // when the store last confirmed the lock
	lost      bool
}

func (l *bucketLock) text(released bool) []byte {
	text, err := json.Marshal(holding{l.b.self, l.id, released})
	if err != nil {
		panic(err) // strings and a number
	}
	return append(text, '\n')
}

func (l *bucketLock) take(ctx context.Context) error {
	asked := time.Now()
	err := l.b.Create(ctx, holderKey(l.key, l.n), l.text(false), Synced)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("lock %s: %w", l.key, ErrLocked)
	}
	l.confirmed = asked
	if err == nil && !l.ours(ctx) {
		return fmt.Errorf("lock %s: %w", l.key, ErrLocked)
	}
	return err
}

// ours reports whether nobody else has written this holder's object. Nobody can, unless
// the store lets two processes create one object, or says that it wrote what it did not.
func (l *bucketLock) ours(ctx context.Context) bool {
	text, err := GetSmall(ctx, l.b, holderKey(l.key, l.n))
	return err != nil || bytes.Equal(text, l.text(false))
}

// outwait gives a silent holder that came back at the moment it was superseded the
// time to notice.
func (l *bucketLock) outwait(ctx context.Context, was Object, n int) error {
	found, _, err := l.b.holders(ctx, l.key)
	if err != nil {
		return err
	}
	if o, ok := found[n]; !ok || o.ModTime.Equal(was.ModTime) {
		return nil
	}
	select {
	case <-time.After(l.b.lease.trust):
		return l.confirm(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// confirm writes this holder's object, then looks for later holders: in this order,
// of two holders that confirm at least one sees the other.
func (l *bucketLock) confirm(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.confirmLocked(ctx)
}

func (l *bucketLock) confirmLocked(ctx context.Context) error {
	if l.lost || !l.ours(ctx) {
		l.lost = true
		return l.lostError()
	}
	asked := time.Now()
	if err := l.b.Put(ctx, holderKey(l.key, l.n), l.text(false), Synced); err != nil {
		return err
	}
	_, last, err := l.b.holders(ctx, l.key)
	if err != nil {
		return err
	}
	if last > l.n {
		l.lost = true
		return l.lostError()
	}
	l.confirmed = asked
	return nil
}

func (l *bucketLock) lostError() error { return fmt.Errorf("lock %s: %w", l.key, ErrLost) }

func (l *bucketLock) beat() {
	defer close(l.done)
	tick := time.NewTicker(l.b.lease.beat)
	defer tick.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-l.stop
		cancel()
	}()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			if errors.Is(l.confirm(ctx), ErrLost) {
				return
			}
		}
	}
}

func (l *bucketLock) Check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lost && time.Since(l.confirmed) < l.b.lease.trust {
		return nil
	}
	return l.confirmLocked(ctx)
}

func (l *bucketLock) Unlock() error {
	close(l.stop)
	<-l.done
	return l.release()
}

func (l *bucketLock) release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost {
		return nil
	}
	return l.b.Put(context.Background(), holderKey(l.key, l.n), l.text(true), Synced)
}
