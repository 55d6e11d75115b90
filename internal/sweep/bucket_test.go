package sweep_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/sweep"
)

func inBucket(t *testing.T) store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), storetest.S3(t).Where("s"))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// The tables see the notebooks that the log tells of, not changed ones.
func TestNotebooksInBucketAreNotChanged(t *testing.T) {
	for name, st := range map[string]store.Store{"dir": store.Dir(t.TempDir()), "s3": inBucket(t)} {
		s := held(t, st)
		plan(t, s, planOf(t, "c", "r0", "r1"))
		attempt(t, s, "r0", outcome.Succeeded, "1")
		attempt(t, s, "r1", outcome.Failed, "")
		time.Sleep(1100 * time.Millisecond) // a copy is younger than what it copies
		attempt(t, s, "r1", outcome.Succeeded, "2")
		if err := s.Lease().Release(); err != nil {
			t.Fatal(err)
		}
		fresh, err := sweep.Open(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		versions, err := fresh.Versions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*sweep.Sweep{s, fresh} {
			for _, r := range s.Runs() {
				if d := cmp.Diff(versions[r.Run.ID], sweep.Version{Size: r.Size, ModTime: r.ModTime}); d != "" {
					t.Errorf("%s: %s differs (-store +log):\n%s", name, r.Run.ID, d)
				}
			}
		}
	}
}

// Records that come twice change nothing.
func TestRecordsComeTwice(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "r0", "r1", "r2", "r3"))
	attempt(t, s, "r0", outcome.Failed, "")
	attempt(t, s, "r0", outcome.Succeeded, "1")
	attempt(t, s, "r1", outcome.Succeeded, "2")
	attempt(t, s, "r1", outcome.Failed, "")
	a, err := s.Lease().Begin(t.Context(), "r2", sweep.Began{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Abandon(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lease().Begin(t.Context(), "r3", sweep.Began{}); err != nil {
		t.Fatal(err)
	}
	s.Lease().Release()
	once := view(t, st)
	for l, err := range st.Logs(t.Context(), "log/") {
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(l.Data), "\n")
		for i := range lines { // up to any record, then all of it
			twice := strings.Join(lines[:i], "") + string(l.Data)
			if err := st.Put(t.Context(), l.Key, []byte(twice), store.Cached); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(once, view(t, st)); d != "" {
				t.Errorf("%d records twice (-once +twice):\n%s", i, d)
			}
		}
	}
}

// losing is a store whose lock can be lost.
type losing struct {
	store.Store
	lost atomic.Bool
}

func (l *losing) Lock(ctx context.Context, key string) (store.Lock, error) {
	lock, err := l.Store.Lock(ctx, key)
	return losingLock{lock, l}, err
}

type losingLock struct {
	store.Lock
	l *losing
}

func (l losingLock) Check(ctx context.Context) error {
	if l.l.lost.Load() {
		return store.ErrLost
	}
	return l.Lock.Check(ctx)
}

// Who lost the lease writes nothing more, is told so, and knows who has it.
func TestLostLease(t *testing.T) {
	st := &losing{Store: store.Mem()}
	s := held(t, st)
	plan(t, s, planOf(t, "c", "r0", "r1"))
	a, err := s.Lease().Begin(t.Context(), "r0", sweep.Began{})
	if err != nil {
		t.Fatal(err)
	}
	guarded, stop := s.Lease().Guard(t.Context())
	defer stop()
	time.Sleep(1500 * time.Millisecond)
	if guarded.Err() != nil {
		t.Error("the guard of a lease that is held ends")
	}
	st.lost.Store(true)
	_, beginErr := s.Lease().Begin(t.Context(), "r1", sweep.Began{})
	_, planErr := s.Lease().Plan(t.Context(), planOf(t, "d", "r0"))
	for what, err := range map[string]error{"begin": beginErr, "plan": planErr, "abandon": a.Abandon(), "started": a.Started("k")} {
		var held *lease.HeldError
		if !errors.As(err, &held) || !held.Lost || held.PID != os.Getpid() || !strings.Contains(held.Error(), "was taken over") {
			t.Errorf("%s: %v", what, err)
		}
	}
	select {
	case <-guarded.Done():
	case <-time.After(5 * time.Second):
		t.Error("the guard does not notice")
	}
	var held *lease.HeldError
	if !errors.As(context.Cause(guarded), &held) {
		t.Errorf("the cause is %v", context.Cause(guarded))
	}
}

// Asking who holds a sweep leaves no trace.
func TestHeldOnlyReads(t *testing.T) {
	dir := t.TempDir()
	st := store.Dir(dir)
	s := held(t, st)
	plan(t, s, planOf(t, "c", "r0"))
	if h, ok := s.Held(t.Context()); !ok || h.PID != os.Getpid() {
		t.Errorf("held: %v by %+v", ok, h)
	}
	s.Lease().Release()
	if err := os.RemoveAll(filepath.Join(dir, "lease")); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Held(t.Context()); ok {
		t.Error("it is held after Release")
	}
	if _, err := os.Stat(filepath.Join(dir, "lease")); !os.IsNotExist(err) {
		t.Error("asking wrote a file")
	}
}

// The folder of the sweep file is recorded absolutely for a bucket, and is not
// made up where it is not known.
func TestSourceOfBucket(t *testing.T) {
	d := &draft.Draft{Dir: "/some/folder"}
	d.SetSource("s3://b/p")
	if d.Source != "/some/folder" {
		t.Errorf("source is %q", d.Source)
	}
	s := held(t, inBucket(t))
	p := planOf(t, "c", "r0") // its source is "..", as beside a directory
	plan(t, s, p)
	if got := s.Resolve("t.ipynb"); strings.Contains(got, "s3:") || !filepath.IsAbs(got) {
		t.Errorf("the template is said to be at %q", got)
	}
	p.Source = "/some/folder"
	plan(t, s, p)
	if got := s.Resolve("t.ipynb"); got != "/some/folder/t.ipynb" {
		t.Errorf("the template is said to be at %q", got)
	}
}
