package nomad

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/reason"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// waiting knows why shards have no node.
type waiting struct {
	shards  map[string]wait       // by id
	reports map[string]waitReport // by reason
}

type wait struct {
	runs int
	why  string
}

// waitReport is the last report about a reason.
type waitReport struct {
	runs int
	at   time.Time
}

// reportEvery is the shortest time between two reports about a reason.
const reportEvery = 30 * time.Second

// set records why a shard waits and returns what to report, if anything: a shard
// that begins to wait is reported with the others, at the next look.
func (w *waiting) set(shard string, runs int, why string) string {
	known := w.shards[shard].why == why
	w.shards[shard] = wait{runs, why}
	all := 0
	for _, s := range w.shards {
		if s.why == why {
			all += s.runs
		}
	}
	if was := w.reports[why]; !known || was.runs == all || time.Since(was.at) < reportEvery {
		return ""
	}
	w.reports[why] = waitReport{all, time.Now()}
	verb := "wait"
	if all == 1 {
		verb = "waits"
	}
	return fmt.Sprintf("%s %s for a node: %s", unit.Plural(all, "run"), verb, why)
}

// reportWaiting reports how many runs wait for a node and why.
func (m *monitor) reportWaiting(ctx context.Context) {
	var evals []*api.Evaluation
	err := m.call(ctx, m.class.place, func(ctx context.Context) (err error) {
		evals, _, err = m.client.Jobs().Evaluations(m.child, m.class.place.query(ctx))
		return err
	})
	if err != nil {
		return
	}
	slices.SortFunc(evals, func(a, b *api.Evaluation) int { return cmp.Compare(a.CreateIndex, b.CreateIndex) })
	var looks []*api.AllocationMetric
	for _, ev := range evals {
		looks = slices.AppendSeq(looks, maps.Values(ev.FailedTGAllocs))
	}
	why := reason.Obstacles(looks, m.class.driver)
	if why == "" {
		return
	}
	m.mu.Lock()
	text := m.waiting.set(m.shard.ID, len(m.shard.Runs), why)
	m.mu.Unlock()
	if text != "" {
		m.note(sweep.Note{Kind: sweep.NoteWord, Text: text})
	}
}
