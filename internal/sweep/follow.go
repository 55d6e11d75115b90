package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
)

// A Follower keeps a sweep that this process only reads up with what others do
// to it.
type Follower struct {
	sweep *Sweep
	read  map[string]int // log object → bytes of it that are known
}

// Follow returns a Follower of the sweep. Whoever holds the lease needs none.
func (s *Sweep) Follow() *Follower { return &Follower{s, map[string]int{}} }

// Read takes over what was planned and recorded since the last call.
func (f *Follower) Read(ctx context.Context) error {
	if err := f.readPlan(ctx); err != nil {
		return err
	}
	for o, err := range f.sweep.store.List(ctx, prefixLog) {
		if err != nil {
			return err
		}
		if int(o.Size) == f.read[o.Key] {
			continue
		}
		if err := f.readLog(ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// readPlan adopts a plan that is newer than the one in force.
func (f *Follower) readPlan(ctx context.Context) error {
	head, _ := f.sweep.Head()
	newest, err := f.sweep.newestPlan(ctx)
	if err != nil || newest <= head.Number {
		return err
	}
	return f.sweep.readPlan(ctx)
}

func (f *Follower) readLog(ctx context.Context, key string) error {
	b, err := f.sweep.store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read the sweep's log: %w", err)
	}
	from := min(f.read[key], len(b))
	f.sweep.mu.Lock()
	defer f.sweep.mu.Unlock()
	f.read[key] = from + new(journal.Reader).Read(b[from:], f.sweep.apply)
	return nil
}

// Saved is the notebook of an attempt, as far as it was saved.
type Saved struct {
	Object store.Object // which writing of it this is
	Text   []byte       // nil when it is the writing that was known
	Ended  bool
}

// Saved reads the notebook of an attempt: the last one when it has ended, else
// the one last saved. known is the writing that the caller has already. A
// notebook that is not there, yet or any more, is fs.ErrNotExist.
func (s *Sweep) Saved(ctx context.Context, run string, n int, known store.Object) (Saved, error) {
	// An attempt that ends loses its part after it got its notebook.
	keys := []string{keyPart(run, n), AttemptKey(run, n)}
	if st, _ := s.Run(run); st.Began == nil || st.Began.Attempt != n {
		keys = keys[1:]
	}
	var err error
	for _, key := range keys {
		v := Saved{Ended: key == AttemptKey(run, n)}
		if v.Object, err = s.store.Stat(ctx, key); err == nil && v.Object != known {
			v.Text, err = s.store.Get(ctx, key)
		}
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return v, err
		}
	}
	return Saved{}, err
}

// Mark tells two states of a sweep apart without opening it: it changes whenever
// something is planned or recorded.
func Mark(ctx context.Context, st store.Store) (string, error) {
	h := sha256.New()
	for _, prefix := range []string{prefixPlan, prefixLog} {
		for o, err := range st.List(ctx, prefix) {
			if err != nil {
				return "", fmt.Errorf("look at %s: %w", st, err)
			}
			fmt.Fprintln(h, o.Key, o.Size, o.ModTime.UnixNano())
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}
