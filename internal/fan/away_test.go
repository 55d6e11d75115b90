package fan_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// twoRegions is an executor whose first runs are of the class west, which may be
// away, and the others of the class east.
type twoRegions struct {
	*fantest.Fake
	west map[string]bool
	away func() (is bool, why error)
}

func newTwoRegions(b *bench, west int) *twoRegions {
	b.fake.Limit = fan.Limits{Remote: true, PerShard: 1, Parallel: 2}
	ex := &twoRegions{Fake: b.fake, west: map[string]bool{}}
	for _, id := range b.ids[:west] {
		ex.west[id] = true
	}
	return ex
}

func (r *twoRegions) Class(run sweep.Run) string {
	if r.west[run.ID] {
		return "west"
	}
	return "east"
}

func (r *twoRegions) Away() map[string]error {
	if is, why := r.away(); is {
		return map[string]error{"west": why}
	}
	return nil
}

// The runs of a class that is away wait, and no other does: not for the canary
// either.
func TestClassAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 12, fantest.Succeed)
		ex, begin := newTwoRegions(b, 6), time.Now()
		var mu sync.Mutex
		var first, last time.Duration // when a run of each began
		ex.away = func() (bool, error) { return time.Since(begin) < 10*time.Minute, nil }
		before := b.fake.Before
		b.fake.Before = func(ctx context.Context, run sweep.Run, n int) error {
			mu.Lock()
			if since := time.Since(begin); ex.west[run.ID] && first == 0 {
				first = since
			} else if !ex.west[run.ID] {
				last = since
			}
			mu.Unlock()
			return before(ctx, run, n)
		}
		sum, err := fan.Fan(t.Context(), b.Sweep, ex, fan.Options{Runs: b.ids, Jobs: 2, Canary: true})
		if err != nil || sum.Executed != 12 || sum.Unstarted != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		if last > 5*time.Minute || first < 10*time.Minute || first > 11*time.Minute {
			t.Errorf("the last run of the class that is there began after %s, the first of the other after %s", last, first)
		}
	})
}

// A class that is gone for good is named, and what is left of it stays planned;
// the others are executed.
func TestClassGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 12, fantest.Succeed)
		ex, begin := newTwoRegions(b, 6), time.Now()
		gone := errors.New("region west is away")
		ex.away = func() (bool, error) {
			if time.Since(begin) > 5*time.Minute {
				return true, gone
			}
			return time.Since(begin) > 90*time.Second, nil
		}
		before := b.fake.Before
		b.fake.Before = func(ctx context.Context, run sweep.Run, n int) error {
			if ex.west[run.ID] && time.Since(begin) > 30*time.Second { // it cannot be reached until it is given up
				time.Sleep(time.Until(begin.Add(5*time.Minute + time.Second)))
				return gone
			}
			return before(ctx, run, n)
		}
		sum, err := fan.Fan(t.Context(), b.Sweep, ex, fan.Options{Runs: b.ids, Jobs: 2})
		if err == nil || strings.Count(err.Error(), "region west is away") != 1 || !errors.Is(err, gone) {
			t.Errorf("the error is %v", err)
		}
		if n := b.Counts(); n[outcome.Succeeded] != 8 || n[outcome.Planned] != 4 || sum.Unstarted != 2 {
			t.Errorf("%v, %+v", n, sum)
		}
		if took := time.Since(begin); took > 7*time.Minute {
			t.Errorf("it took %s: shards of the class that was away held up the others", took)
		}
	})
}

// A class that was given up and comes back while others execute is taken up again:
// its queued runs, and the shard that was in progress, under its own id.
func TestClassComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24, fantest.Succeed)
		ex, begin := newTwoRegions(b, 6), time.Now()
		gone := errors.New("region west is away")
		from, to := time.Minute+time.Second, 4*time.Minute
		ex.away = func() (bool, error) {
			if since := time.Since(begin); since > from && since < to {
				return true, gone
			}
			return false, nil
		}
		var mu sync.Mutex
		shards, broken := map[string][]string{}, 0 // run → shards
		before := b.fake.Before
		b.fake.Before = func(ctx context.Context, run sweep.Run, n int) error {
			mu.Lock()
			cut := ex.west[run.ID] && time.Since(begin) > 30*time.Second && broken == 0
			if cut {
				broken++
			}
			mu.Unlock()
			if cut {
				time.Sleep(time.Until(begin.Add(from + time.Second)))
				return gone
			}
			return before(ctx, run, n)
		}
		watched := watchShards{ex, func(sh sweep.Shard) {
			mu.Lock()
			defer mu.Unlock()
			for _, id := range sh.Runs {
				shards[id] = append(shards[id], sh.ID)
			}
		}}
		sum, err := fan.Fan(t.Context(), b.Sweep, watched, fan.Options{Runs: b.ids, Jobs: 2, Retry: fan.Retry{N: 1}})
		if err != nil || sum.Executed != 24 || sum.Unstarted != 0 || sum.Retried != 0 || broken != 1 {
			t.Errorf("%+v, %v, %d broken", sum, err, broken)
		}
		again := 0
		for id, all := range shards {
			if len(all) == 2 && all[0] == all[1] {
				again++
			} else if len(all) != 1 {
				t.Errorf("run %s was in the shards %v", id, all)
			}
		}
		if again != 1 {
			t.Errorf("%d shards were executed again", again)
		}
	})
}

// watchShards sees the shards that are executed.
type watchShards struct {
	*twoRegions
	see func(sweep.Shard)
}

func (w watchShards) Execute(ctx context.Context, sh sweep.Shard, note func(sweep.Note)) error {
	w.see(sh)
	return w.twoRegions.Execute(ctx, sh, note)
}

// An error that concerns more than a class stops everything, also while one is away.
func TestErrorWhileClassAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Succeed)
		ex := newTwoRegions(b, 3)
		ex.away = func() (bool, error) { return true, nil }
		b.fake.Before = func(context.Context, sweep.Run, int) error { return errors.New("the store is away") }
		sum, err := fan.Fan(t.Context(), b.Sweep, ex, fan.Options{Runs: b.ids, Jobs: 1})
		if err == nil || !strings.Contains(err.Error(), "the store is away") || b.Counts()[outcome.Planned] != 6 {
			t.Errorf("%+v, %v, %v", sum, err, b.Counts())
		}
	})
}
