package sweep_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// eachPlace runs a test on a directory and in a bucket.
func eachPlace(t *testing.T, test func(t *testing.T, st store.Store)) {
	t.Run("dir", func(t *testing.T) { test(t, store.Dir(t.TempDir())) })
	t.Run("s3", func(t *testing.T) { test(t, inBucket(t)) })
}

// lateWorker stores a shard of the only run, r0, and returns the attempt at it
// that a worker of its own began and the controller knows of.
func lateWorker(t *testing.T, s *sweep.Sweep, workers store.Store) (*sweep.Sweep, *sweep.Attempt) {
	t.Helper()
	if _, err := s.Lease().PutShard(t.Context(), sweep.Shard{ID: "1-1", Runs: []string{"r0"}}); err != nil {
		t.Fatal(err)
	}
	own, err := sweep.Open(t.Context(), workers)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := own.Join(t.Context(), "1-1", "late")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { claim.Release() })
	a, err := own.Lease().Begin(t.Context(), "r0", sweep.Began{Host: "late"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stored("1-1").Absorb(t.Context()); err != nil {
		t.Fatal(err)
	}
	return own, a
}

func keep(t *testing.T, a *sweep.Attempt, name, text string) {
	t.Helper()
	if err := a.Keep(t.Context(), name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
		t.Fatal(err)
	}
}

// succeed makes one attempt that keeps files, given as name and text.
func succeed(t *testing.T, s *sweep.Sweep, y string, files ...string) {
	t.Helper()
	a, err := s.Lease().Begin(t.Context(), "r0", sweep.Began{Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		keep(t, a, files[i], files[i+1])
	}
	end(t, s, a, outcome.Succeeded, y)
}

// objects are all that is in a store, except what shards' workers write for
// themselves alone.
func objects(t *testing.T, st store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for o, err := range st.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(o.Key, "log/") || strings.HasPrefix(o.Key, "lease/") {
			continue
		}
		b, err := st.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		all[o.Key] = string(b)
	}
	return all
}

// standing is what a new reader finds of the run, with the log and without.
func standing(t *testing.T, st store.Store, y string) {
	t.Helper()
	for _, logged := range []bool{true, false} {
		if !logged {
			for o, err := range st.List(t.Context(), "log/") {
				if err = errors.Join(err, st.Delete(t.Context(), o.Key)); err != nil {
					t.Fatal(err)
				}
			}
		}
		s, err := sweep.Open(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := s.Run("r0")
		doc, err := s.Notebook(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if r.Scraps.Text("y") != y || r.Status != outcome.Succeeded || !strings.Contains(string(doc), y) {
			t.Errorf("logged: %t: the run is %s, y is %s, and its notebook is\n%s", logged, r.Status, r.Scraps.Text("y"), doc)
		}
		if r.Last.Status != outcome.Succeeded {
			t.Errorf("logged: %t: the last attempt is %s", logged, r.Last.Status)
		}
	}
}

// A worker that was given up as lost comes back when another attempt stands for
// the run: whatever it does changes nothing.
func TestLateWorkerChangesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, st store.Store) {
		s := held(t, st)
		plan(t, s, planOf(t, "c", "r0"))
		own, late := lateWorker(t, s, st)
		if err := s.Lease().Lose(t.Context(), late.Began, "silent"); err != nil {
			t.Fatal(err)
		}
		succeed(t, s, "0.5", "model", "good")
		before := objects(t, st)
		keep(t, late, "model", "bad")
		keep(t, late, "other", "bad")
		if err := late.Part(t.Context(), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := endWith(t, own, late, outcome.Succeeded, "99"); !errors.Is(err, sweep.ErrEnded) {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, objects(t, st)); d != "" {
			t.Error(d)
		}
		if err := s.Lease().Release(); err != nil {
			t.Fatal(err)
		}
		standing(t, st, "0.5")
	})
}

// slow is a store that stops after it has created an attempt's notebook, as a
// worker does whose machine is suspended there.
type slow struct {
	store.Store
	meanwhile func()
}

func (s slow) Create(ctx context.Context, key string, data []byte, d store.Durability) error {
	err := s.Store.Create(ctx, key, data, d)
	if strings.HasPrefix(key, "attempts/") {
		s.meanwhile()
	}
	return err
}

// A worker ends an attempt and is suspended before it shows it. Meanwhile the
// controller finds the end, and another attempt comes to stand for the run.
func TestWorkerIsLateToShow(t *testing.T) {
	eachPlace(t, func(t *testing.T, st store.Store) {
		s := held(t, st)
		plan(t, s, planOf(t, "c", "r0"))
		var before map[string]string
		own, late := lateWorker(t, s, slow{st, func() {
			if open, err := s.Lease().Settle(t.Context(), []string{"r0"}); err != nil || len(open) > 0 {
				t.Fatal(open, err)
			}
			succeed(t, s, "0.5", "model", "good", "dir/more", "good")
			before = objects(t, st)
			if before["artifacts/r0/model"] != "good" || before["artifacts/r0/old"] != "" {
				t.Errorf("artifacts before: %q", before)
			}
		}})
		keep(t, late, "model", "bad")
		keep(t, late, "old", "bad")
		end(t, own, late, outcome.Succeeded, "99")
		after := objects(t, st)
		delete(after, "attempts/r0.1.log")
		if d := cmp.Diff(before, after); d != "" {
			t.Error(d)
		}
		if err := s.Lease().Release(); err != nil {
			t.Fatal(err)
		}
		standing(t, st, "0.5")
	})
}

// A worker that is about to begin a run when its shard is recalled takes the
// attempt back: its number is free for whoever gets the run.
func TestRecalledWorkerBeginsNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, st store.Store) {
		s := held(t, st)
		plan(t, s, planOf(t, "c", "r0"))
		own, late := lateWorker(t, s, st)
		if err := late.Abandon(); err != nil {
			t.Fatal(err)
		}
		if err := s.Stored("1-1").Recall(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if _, err := own.Lease().Begin(t.Context(), "r0", sweep.Began{Host: "late"}); !errors.Is(err, sweep.ErrRecalled) {
			t.Fatal(err)
		}
		if _, err := s.Stored("1-1").Absorb(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r, _ := s.Run("r0"); r.Status != outcome.Planned || r.Attempts != 0 {
			t.Errorf("%s after %d attempts", r.Status, r.Attempts)
		}
	})
}

// runs/ has the notebook of an earlier attempt, as late workers of earlier
// versions left it: nobody takes it for the run's, and Repair restores the run's.
func TestSpoiltSweepIsRepaired(t *testing.T) {
	eachPlace(t, func(t *testing.T, st store.Store) {
		s := held(t, st)
		plan(t, s, planOf(t, "c", "r0"))
		attempt(t, s, "r0", outcome.Failed, "99")
		attempt(t, s, "r0", outcome.Succeeded, "0.5")
		if err := st.Copy(t.Context(), sweep.RunKey("r0"), "attempts/r0.1.ipynb"); err != nil {
			t.Fatal(err)
		}
		other, err := sweep.Open(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := other.Run("r0")
		if doc, err := other.Notebook(t.Context(), r); err != nil || !strings.Contains(string(doc), "0.5") {
			t.Errorf("%v: its notebook is\n%s", err, doc)
		}
		if err := other.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if doc, err := st.Get(t.Context(), sweep.RunKey("r0")); err != nil || !strings.Contains(string(doc), "99") {
			t.Errorf("%v: a reader changed a sweep that another process has:\n%s", err, doc)
		}
		if err := s.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if doc, err := st.Get(t.Context(), sweep.RunKey("r0")); err != nil || !strings.Contains(string(doc), "0.5") {
			t.Errorf("%v: it is not repaired:\n%s", err, doc)
		}
	})
}

// The last attempt is the one with the highest number, whatever clocks say.
func TestLastAttemptIsByNumber(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "r0"))
	a, err := s.Lease().Begin(t.Context(), "r0", sweep.Began{})
	if err != nil {
		t.Fatal(err)
	}
	_, doc, err := s.TemplateOf(t.Context(), s.Runs()[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	ahead := a.At.AddDate(0, 0, 1)
	if err := a.End(t.Context(), doc, outcome.Outcome{Status: outcome.Failed, Start: ahead, End: ahead}, nil); err != nil {
		t.Fatal(err)
	}
	attempt(t, s, "r0", outcome.TimedOut, "")
	if got := view(t, st)["r0"]; got != "timed_out" {
		t.Errorf("the run is %s", got)
	}
}
