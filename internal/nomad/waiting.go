package nomad

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

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
	evals, _, err := m.client.Jobs().Evaluations(m.child, m.class.place.query(ctx))
	if err != nil {
		return
	}
	why := ""
	for _, ev := range evals {
		for _, metric := range ev.FailedTGAllocs {
			why = obstaclesOf(metric)
		}
	}
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

// obstaclesOf lists why no node has room for an allocation.
func obstaclesOf(m *api.AllocationMetric) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m.DimensionExhausted)) {
		parts = append(parts, fmt.Sprintf("%s exhausted on %d of %d nodes", k, m.DimensionExhausted[k], m.NodesEvaluated))
	}
	for _, k := range slices.Sorted(maps.Keys(m.ConstraintFiltered)) {
		parts = append(parts, fmt.Sprintf("%s on %d nodes", k, m.ConstraintFiltered[k]))
	}
	if m.NodesEvaluated == 0 {
		return "there is none in its datacenters and node pool"
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d nodes were evaluated", m.NodesEvaluated)
	}
	return strings.Join(parts, ", ")
}
