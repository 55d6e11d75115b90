package nomad

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/nomad/inside"
	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
	"github.com/fanout-dev/fanout/internal/nomad/internal/reason"
	"github.com/fanout-dev/fanout/internal/nomad/internal/tasklog"
	"github.com/fanout-dev/fanout/internal/unit"
)

// reason is why the shard's allocation ended, for the runs that it left open.
func (m *monitor) reason(ctx context.Context) string {
	if text := m.stored().Complaint(ctx); text != "" {
		return fmt.Sprintf("%s: %s", m.ended, text)
	}
	return m.whyEnded(ctx, m.class.place, *m.ended, m.class.memory == 0)
}

// whyEnded asks Nomad, and the task's own log, why an allocation ended. unasked says
// that the sweep file does not say how much memory it needs.
func (e *Executor) whyEnded(ctx context.Context, p place, ended alloc.Alloc, unasked bool) string {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	a, _, err := e.client.Allocations().Info(ended.ID, p.query(ctx))
	if err != nil {
		return ended.String() + " ended, and Nomad no longer knows it"
	}
	for _, task := range slices.Sorted(maps.Keys(a.TaskStates)) {
		why := reason.OfTask(a.TaskStates[task])
		if why == "" {
			continue
		}
		if mb := reason.Memory(a, task); mb > 0 && why == reason.Killed {
			why += ": " + inside.MemoryWords(mb, unasked)
		}
		if text := reason.LastError(tasklog.LastWords(ctx, e.client, a.ID, task, p.query)); text != "" {
			why = text
		}
		return ended.String() + ": " + why
	}
	return ended.String() + " ended without an error message: " + cmp.Or(unit.Short(a.ClientDescription, 1000), "Nomad does not say why")
}
