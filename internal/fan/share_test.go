package fan_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Twenty runs that take twenty seconds lie next to each other among five
// hundred short ones. Nobody knows beforehand; what is left of the shard that
// got them is spread anew, so that they are done almost as soon as they can be.
func TestLongRunsAmongShortOnes(t *testing.T) {
	for _, c := range []struct{ at, window int }{{0, 2}, {250, 2}, {500, 2}, {0, 4}, {250, 4}, {500, 4}} {
		synctest.Test(t, func(t *testing.T) {
			const long, short = 20 * time.Second, 100 * time.Millisecond
			b := newBench(t, 520, fantest.Succeed)
			took := map[string]time.Duration{}
			for i, id := range b.ids {
				took[id] = short
				if i >= c.at && i < c.at+20 {
					took[id] = long
				}
			}
			b.fake.Before = nil
			b.fake.Deed = func(run sweep.Run, _ int, d fantest.Deed) fantest.Deed {
				if d == fantest.Succeed {
					time.Sleep(took[run.ID])
				}
				return d
			}
			b.fake.Limit = fan.Limits{Remote: true, Parallel: c.window}
			began := time.Now()
			if sum := b.fan(t, fan.Options{}); sum.Executed != 520 {
				t.Errorf("%+v", sum)
			}
			bound := (20*long + 500*short) / time.Duration(c.window)
			if makespan := time.Since(began); makespan > bound*5/4 {
				t.Errorf("long runs at %d, %d at a time: it took %v, %.2f times as long as it must", c.at, c.window, makespan, makespan.Seconds()/bound.Seconds())
			}
			for _, st := range b.Runs() {
				if st.Attempts != 1 {
					t.Errorf("run %s: %d attempts", st.Run.ID, st.Attempts)
				}
			}
		})
	}
}

// What an earlier process left is executed again under its own id, before
// anything else and not twice.
func TestOpenShardsAreExecutedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10, fantest.Succeed)
		b.fake.Limit = fan.Limits{Remote: true, PerShard: 4}
		left := sweep.Shard{ID: "0-7", Runs: b.ids[3:6]}
		if _, err := b.Lease().PutShard(t.Context(), left); err != nil {
			t.Fatal(err)
		}
		var ids []string
		ex := shardWatcher{b.fake, func(s sweep.Shard) { b.mu.Lock(); ids = append(ids, s.ID); b.mu.Unlock() }}
		sum, err := fan.Fan(t.Context(), b.Sweep, ex, fan.Options{Runs: b.ids, Jobs: 1})
		if err != nil || sum.Executed != 10 || sum.Unstarted != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		if len(ids) != 3 || ids[0] != left.ID {
			t.Errorf("shards %v", ids)
		}
		for _, st := range b.Runs() {
			if st.Attempts != 1 {
				t.Errorf("run %s: %d attempts", st.Run.ID, st.Attempts)
			}
		}
		open, err := b.OpenShards(t.Context())
		if err != nil || len(open) > 0 {
			t.Errorf("open shards are left: %v, %v", open, err)
		}
	})
}

// drained ends the first run of the first shard as a node does that is drained.
type drained struct {
	*fantest.Fake
	done bool
}

func (d *drained) Execute(ctx context.Context, s sweep.Shard, note func(sweep.Note)) error {
	if !d.done {
		d.done = true
		canceled, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ctx = canceled
	}
	return d.Fake.Execute(ctx, s, note)
}

// A run whose worker was told to leave is made again by another, and that is
// no retry.
func TestDrainedRunsAreMadeElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 4, fantest.Hang)
		b.fake.Before = nil
		b.fake.Deed = func(_ sweep.Run, attempt int, d fantest.Deed) fantest.Deed {
			if attempt > 1 || d != fantest.Hang {
				return fantest.Succeed
			}
			return d
		}
		b.fake.Limit = fan.Limits{Remote: true, PerShard: 4}
		for _, id := range b.ids[1:] { // only the first hangs
			a, err := b.Lease().Begin(t.Context(), id, sweep.Began{})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Lease().Lose(t.Context(), a.Began, "gone"); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := fan.Fan(t.Context(), b.Sweep, &drained{Fake: b.fake}, fan.Options{Runs: b.ids, Jobs: 1})
		if err != nil || sum.Retried != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		for _, st := range b.Runs() {
			if st.Status != outcome.Succeeded {
				t.Errorf("run %s: %s", st.Run.ID, st.Status)
			}
		}
	})
}

// A shard that still starts, on a client that fetches an image say, is not
// taken away from: its runs would start anew, for ever.
func TestShardsThatStartAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 4, fantest.Succeed)
		b.fake.Before = nil
		b.fake.Deed = func(_ sweep.Run, _ int, d fantest.Deed) fantest.Deed {
			time.Sleep(10 * time.Second)
			return d
		}
		b.fake.Limit = fan.Limits{Remote: true, Parallel: 3}
		began := time.Now()
		sum, err := fan.Fan(t.Context(), b.Sweep, slowStart{b.fake}, fan.Options{Runs: b.ids})
		if err != nil || sum.Executed != 4 {
			t.Errorf("%+v, %v", sum, err)
		}
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// slowStart takes a while before a shard begins.
type slowStart struct{ *fantest.Fake }

func (s slowStart) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	if _, err := s.Sweep.Lease().PutShard(ctx, shard); err != nil {
		return err
	}
	time.Sleep(30 * time.Second)
	return s.Fake.Execute(ctx, shard, note)
}
