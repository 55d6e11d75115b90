package sweep_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Shards end at the same moment, each with a run whose worker wrote the
// notebook and died before it could say so.
func TestShardsSettleAtOnce(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	var ids []string
	for i := range 8 {
		ids = append(ids, fmt.Sprintf("r%d", i))
	}
	plan(t, s, planOf(t, "c", ids...))
	want := map[string]string{}
	var settling sync.WaitGroup
	for _, id := range ids {
		shard := sweep.Shard{ID: "s" + id, Runs: []string{id}}
		if _, err := s.Lease().PutShard(t.Context(), shard); err != nil {
			t.Fatal(err)
		}
		worker, err := sweep.Open(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := worker.Join(t.Context(), shard.ID, "w"); err != nil {
			t.Fatal(err)
		}
		a, err := worker.Lease().Begin(t.Context(), id, sweep.Began{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stored(shard.ID).Absorb(t.Context()); err != nil {
			t.Fatal(err)
		}
		end(t, worker, a, outcome.Succeeded, "1")
		worker.Lease().Release()
		want[id] = "succeeded 1"
		settling.Go(func() {
			if open, err := s.Lease().Settle(t.Context(), shard.Runs); err != nil || len(open) > 0 {
				t.Errorf("settle %s: open %v, %v", shard.ID, open, err)
			}
		})
	}
	settling.Wait()
	got := map[string]string{}
	for _, r := range s.Runs() {
		got[r.Run.ID] = string(r.Status) + " " + r.Scraps.Text("y")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
