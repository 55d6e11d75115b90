package fan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// bench is a sweep of n runs on the fake executor, in memory.
type bench struct {
	*sweep.Sweep
	fake *fantest.Fake
	ids  []string

	mu      sync.Mutex
	busy    int
	peak    int
	started []string
}

func newBench(t *testing.T, n int, deeds ...fantest.Deed) *bench {
	t.Helper()
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, n, deeds...)
	b := &bench{Sweep: s, fake: &fantest.Fake{Sweep: s, Limit: fan.Limits{PerShard: 1}}}
	for _, st := range s.Runs() {
		b.ids = append(b.ids, st.Run.ID)
	}
	b.fake.Before = b.before
	return b
}

// before makes every attempt take a minute of fake time and counts how many
// are under way.
func (b *bench) before(ctx context.Context, run sweep.Run, _ int) error {
	b.mu.Lock()
	b.busy++
	b.peak = max(b.peak, b.busy)
	b.started = append(b.started, run.ID)
	b.mu.Unlock()
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
	}
	b.mu.Lock()
	b.busy--
	b.mu.Unlock()
	return nil
}

func (b *bench) fan(t *testing.T, o fan.Options) fan.Summary {
	t.Helper()
	if o.Runs == nil {
		o.Runs = b.ids
	}
	sum, err := fan.Fan(t.Context(), b.Sweep, b.fake, o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// failing makes the given runs raise for their first k attempts.
func (b *bench) failing(k int, indices ...int) {
	fails := map[string]bool{}
	for _, i := range indices {
		fails[b.ids[i]] = true
	}
	b.fake.Deed = func(run sweep.Run, attempt int, d fantest.Deed) fantest.Deed {
		if d == fantest.Succeed && fails[run.ID] && attempt <= k {
			return fantest.Raise
		}
		return d
	}
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10, fantest.Succeed)
		begin := time.Now()
		sum := b.fan(t, fan.Options{Jobs: 4})
		if took := time.Since(begin); took != 3*time.Minute {
			t.Errorf("ten one-minute runs, four at a time, took %v", took)
		}
		if b.peak != 4 || sum.Executed != 10 {
			t.Errorf("peak %d, made %d", b.peak, sum.Executed)
		}
		if d := cmp.Diff(map[outcome.Status]int{outcome.Succeeded: 10}, b.Counts()); d != "" {
			t.Error(d)
		}
	})
}

// How many runs wait for what is told as it changes, and adds up.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10, fantest.Succeed)
		b.failing(1, 0)
		var last fan.Queue
		out, retry := 0, 0
		b.fan(t, fan.Options{Jobs: 4, Retry: fan.Retry{N: 1, Backoff: time.Hour}, Queue: func(q fan.Queue) {
			if n := q.Turn + q.Retry + q.Out; n > 10 {
				t.Errorf("%d of 10 runs wait: %+v", n, q)
			}
			out, retry, last = max(out, q.Out), max(retry, q.Retry), q
		}})
		if out != 4 || retry != 1 || last != (fan.Queue{}) {
			t.Errorf("at most %d were handed out and %d waited; in the end %+v", out, retry, last)
		}
	})
}

func TestExecutorLimitsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Succeed)
		b.fake.Limit = fan.Limits{Parallel: 2, PerShard: 1}
		b.fan(t, fan.Options{Jobs: 6})
		if b.peak != 2 {
			t.Errorf("peak %d, want 2", b.peak)
		}
	})
}

func TestRetry(t *testing.T) {
	for _, c := range []struct {
		name     string
		retry    fan.Retry
		attempts int
		status   outcome.Status
	}{
		{"none", fan.Retry{}, 1, outcome.Failed},
		{"too few", fan.Retry{N: 1}, 2, outcome.Failed},
		{"enough", fan.Retry{N: 2}, 3, outcome.Succeeded},
		{"kind matches", fan.Retry{N: 2, On: []string{"exception"}}, 3, outcome.Succeeded},
		{"status matches", fan.Retry{N: 2, On: []string{"failed"}}, 3, outcome.Succeeded},
		{"name matches", fan.Retry{N: 2, On: []string{"ValueError"}}, 3, outcome.Succeeded},
		{"pattern matches", fan.Retry{N: 2, On: []string{"ValueError: no *"}}, 3, outcome.Succeeded},
		{"nothing matches", fan.Retry{N: 2, On: []string{"lost", "KeyError", "ValueError: yes*"}}, 1, outcome.Failed},
		{"the whole sweep's cap", fan.Retry{N: 2, Total: 1}, 2, outcome.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 3, fantest.Succeed)
				b.failing(2, 1)
				c.retry.Backoff = time.Hour
				sum := b.fan(t, fan.Options{Jobs: 3, Retry: c.retry})
				st, _ := b.Run(b.ids[1])
				if st.Status != c.status || st.Attempts != c.attempts || sum.Retried != c.attempts-1 {
					t.Errorf("%s after %d attempts, %d retried; want %s after %d", st.Status, st.Attempts, sum.Retried, c.status, c.attempts)
				}
			})
		})
	}
}

func TestBackoffDoesNotHoldTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 5, fantest.Succeed)
		b.failing(1, 0)
		begin := time.Now()
		b.fan(t, fan.Options{Jobs: 1, Retry: fan.Retry{N: 1, Backoff: 2 * time.Minute}})
		// Five first attempts and one more, which waited while others ran.
		if took := time.Since(begin); took != 6*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

func TestHalt(t *testing.T) {
	for _, c := range []struct {
		name     string
		halt     fan.Halt
		failing  []int
		halted   bool
		canceled int
	}{
		{"never", fan.Halt{When: "never"}, []int{0, 1, 2, 3}, false, 0},
		{"soon after two failures", fan.Halt{When: "soon", What: "fail", Count: 2}, []int{0, 1}, true, 0},
		{"now after one failure", fan.Halt{When: "now", What: "fail", Count: 1}, []int{0}, true, 1},
		{"one failure is not two", fan.Halt{When: "soon", What: "fail", Count: 2}, []int{0}, false, 0},
		{"per cent needs three", fan.Halt{When: "soon", What: "fail", Percent: 5}, []int{0, 1}, false, 0},
		{"per cent", fan.Halt{When: "soon", What: "fail", Percent: 30}, []int{0, 1, 2}, true, 0},
		{"success", fan.Halt{When: "soon", What: "success", Count: 1}, nil, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 10, fantest.Succeed, fantest.Succeed)
				b.failing(99, c.failing...)
				hang := b.ids[1]
				deed := b.fake.Deed
				b.fake.Deed = func(run sweep.Run, attempt int, d fantest.Deed) fantest.Deed {
					if c.canceled > 0 && run.ID == hang && d == fantest.Succeed {
						return fantest.Hang
					}
					return deed(run, attempt, d)
				}
				sum := b.fan(t, fan.Options{Jobs: 2, Halt: c.halt})
				if (sum.Halted != "") != c.halted {
					t.Errorf("halted: %q", sum.Halted)
				}
				if (sum.Unstarted > 0) != c.halted {
					t.Errorf("%d runs were not started", sum.Unstarted)
				}
				if n := b.Counts()[outcome.Canceled]; n != c.canceled {
					t.Errorf("%d canceled, want %d", n, c.canceled)
				}
				if st, _ := b.Run(hang); c.canceled > 0 && st.Last.Kind != outcome.Halted {
					t.Errorf("the canceled run says %+v", st.Last)
				}
			})
		})
	}
}

func TestHaltCountsAfterRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Succeed)
		b.failing(1, 0, 1, 2, 3, 4, 5)
		sum := b.fan(t, fan.Options{Jobs: 2, Retry: fan.Retry{N: 1}, Halt: fan.Halt{When: "soon", What: "fail", Count: 1}})
		if sum.Halted != "" || b.Counts()[outcome.Succeeded] != 6 {
			t.Errorf("halted %q, %v", sum.Halted, b.Counts())
		}
	})
}

func TestCanary(t *testing.T) {
	for _, c := range []struct {
		name string
		deed fantest.Deed
		made int
		open bool
	}{
		{"a good first run opens the window", fantest.Succeed, 8, true},
		{"a raising template costs three runs", fantest.Raise, 3, false},
		{"a dying template costs three runs", fantest.Die, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 8, c.deed)
				sum := b.fan(t, fan.Options{Jobs: 4, Canary: true})
				if sum.Executed != c.made || (sum.Halted == "") != c.open {
					t.Errorf("made %d, halted %q", sum.Executed, sum.Halted)
				}
				if c.open != (b.peak > 1) {
					t.Errorf("%d at once", b.peak)
				}
			})
		})
	}
}

// A run that fails because of its own parameters must not stop the others.
func TestCanaryTriesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8, fantest.Succeed)
		b.failing(99, 0)
		sum := b.fan(t, fan.Options{Jobs: 4, Canary: true})
		if sum.Executed != 8 || sum.Halted != "" {
			t.Errorf("made %d, halted %q", sum.Executed, sum.Halted)
		}
	})
}

func TestValueLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Succeed)
		begin := time.Now()
		// Every run has another x, so a limit on x does not bind.
		b.fan(t, fan.Options{Jobs: 6, Limits: []fan.ValueLimit{{Name: "x", N: 1}}})
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("distinct values took %v", took)
		}
		b.started = nil
		begin = time.Now()
		// Every run has the same y.
		b.fan(t, fan.Options{Jobs: 6, Limits: []fan.ValueLimit{{Name: "y", N: 2}}})
		if took := time.Since(begin); took != 3*time.Minute || b.peak != 6 {
			t.Errorf("equal values took %v, peak %d", took, b.peak)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Hang)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(10 * time.Minute)
			cancel()
		}()
		sum, err := fan.Fan(ctx, b.Sweep, b.fake, fan.Options{Runs: b.ids, Jobs: 2})
		if err != nil {
			t.Fatal(err)
		}
		if n := b.Counts(); n[outcome.Canceled] != 2 || n[outcome.Planned] != 4 || sum.Unstarted != 4 {
			t.Errorf("%v, %d unstarted", n, sum.Unstarted)
		}
	})
}

// An executor that cannot tell whether something still runs stops everything.
func TestExecutorError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Succeed)
		b.fake.Before = func(_ context.Context, run sweep.Run, _ int) error {
			if run.ID == b.ids[2] {
				return errors.New("the cluster does not answer")
			}
			return b.before(t.Context(), run, 0)
		}
		_, err := fan.Fan(t.Context(), b.Sweep, b.fake, fan.Options{Runs: b.ids, Jobs: 1})
		if err == nil || !strings.Contains(err.Error(), b.ids[2]) || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("error is %v", err)
		}
		if n := b.Counts(); n[outcome.Succeeded] != 2 || n[outcome.Planned] != 4 {
			t.Errorf("%v", n)
		}
	})
}

// recoverer says which orphans it was asked to end.
type recoverer struct {
	*fantest.Fake
	ended []string
}

func (r *recoverer) Recover(_ context.Context, orphans []sweep.Began) error {
	for _, b := range orphans {
		r.ended = append(r.ended, fmt.Sprintf("%s.%d", b.Run, b.Attempt))
	}
	return nil
}

func TestOrphansAreEndedThenLostThenMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, fantest.Succeed)
		if _, err := b.Lease().Begin(t.Context(), b.ids[1], sweep.Began{Host: "earlier"}); err != nil {
			t.Fatal(err)
		}
		r := &recoverer{Fake: b.fake}
		if _, err := fan.Fan(t.Context(), b.Sweep, r, fan.Options{Runs: b.ids, Jobs: 1}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{b.ids[1] + ".1"}, r.ended); d != "" {
			t.Error(d)
		}
		st, _ := b.Run(b.ids[1])
		if st.Status != outcome.Succeeded || st.Attempts != 2 {
			t.Errorf("%s after %d attempts", st.Status, st.Attempts)
		}
	})
}

// Runs travel together on an executor that takes several, but for the canary;
// each is booked, tried again and limited by itself.
func TestShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 20, fantest.Succeed)
		b.fake.Limit = fan.Limits{Remote: true, PerShard: 6}
		var mu sync.Mutex
		var sizes []int
		ex := shardWatcher{b.fake, func(s sweep.Shard) { mu.Lock(); sizes = append(sizes, len(s.Runs)); mu.Unlock() }}
		sum, err := fan.Fan(t.Context(), b.Sweep, ex, fan.Options{Runs: b.ids, Jobs: 2, Canary: true})
		if err != nil || sum.Executed != 20 {
			t.Errorf("%+v, %v", sum, err)
		}
		slices.Sort(sizes) // two at once begin in any order
		if d := cmp.Diff([]int{1, 1, 6, 6, 6}, sizes); d != "" {
			t.Errorf("sizes of shards (-want +got):\n%s", d)
		}
		for _, st := range b.Runs() {
			if st.Status != outcome.Succeeded || st.Attempts != 1 {
				t.Errorf("run %s: %s after %d attempts", st.Run.ID, st.Status, st.Attempts)
			}
		}
	})
}

// A shard that is told to leave gives back what it has not begun, and another
// one makes it.
func TestShardsThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 12, fantest.Succeed)
		b.fake.Limit = fan.Limits{Remote: true, PerShard: 4}
		ex := leaver{b.fake}
		sum, err := fan.Fan(t.Context(), b.Sweep, ex, fan.Options{Runs: b.ids, Jobs: 1})
		if err != nil || sum.Executed != 12 || sum.Unstarted != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
}

type shardWatcher struct {
	*fantest.Fake
	see func(sweep.Shard)
}

func (w shardWatcher) Execute(ctx context.Context, s sweep.Shard, note func(sweep.Note)) error {
	w.see(s)
	return w.Fake.Execute(ctx, s, note)
}

// leaver makes half of every shard.
type leaver struct{ *fantest.Fake }

func (l leaver) Execute(ctx context.Context, s sweep.Shard, note func(sweep.Note)) error {
	s.Runs = s.Runs[:(len(s.Runs)+1)/2]
	return l.Fake.Execute(ctx, s, note)
}

// A run that was made before and whose shard leaves without beginning it is
// not done: what an earlier attempt came to is not this one's.
func TestShardsThatLeaveRunsMadeBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8, fantest.Succeed)
		if _, err := fan.Fan(t.Context(), b.Sweep, b.fake, fan.Options{Runs: b.ids, Jobs: 4}); err != nil {
			t.Fatal(err)
		}
		b.fake.Limit = fan.Limits{Remote: true, PerShard: 4}
		sum, err := fan.Fan(t.Context(), b.Sweep, leaver{b.fake}, fan.Options{Runs: b.ids, Jobs: 1})
		if err != nil || sum.Executed != 8 || sum.Unstarted != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		for _, st := range b.Runs() {
			if st.Attempts != 2 {
				t.Errorf("run %s: %d attempts, want 2", st.Run.ID, st.Attempts)
			}
		}
	})
}
