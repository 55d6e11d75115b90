package nomad

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/reason"
	"github.com/fanout-dev/fanout/internal/sweep"
)

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
	if why == reason.NoneReady {
		why = m.noneReady(ctx)
	}
	m.mu.Lock()
	text := m.waiting.Set(m.shard.ID, len(m.shard.Runs), why)
	m.mu.Unlock()
	if text != "" {
		m.note(sweep.Note{Kind: sweep.NoteWord, Text: text})
	}
}

// noneReady names the nodes that are not ready, if the token may list nodes.
func (m *monitor) noneReady(ctx context.Context) string {
	var nodes []*api.NodeListStub
	m.call(ctx, m.class.place, func(ctx context.Context) (err error) {
		nodes, _, err = m.client.Nodes().List(m.class.place.query(ctx))
		return err
	})
	return reason.Nodes(nodes)
}

// sayDrained tells people once that a node is drained on which a worker has stopped.
func (m *monitor) sayDrained() {
	if m.ended == nil || !m.ended.Drained {
		return
	}
	m.mu.Lock()
	known := m.drained[m.ended.Node]
	m.drained[m.ended.Node] = true
	m.mu.Unlock()
	if !known {
		m.note(sweep.Note{Kind: sweep.NoteWord, Text: "node " + m.ended.Node + " is drained: what its workers have not finished is executed elsewhere"})
	}
}
