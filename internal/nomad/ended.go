package nomad

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

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
		if text := e.stderrTail(ctx, p, a.ID, task); text != "" {
			why = text
		}
		return ended.String() + ": " + why
	}
	return ended.String() + " ended without an error message: " + cmp.Or(unit.Short(a.ClientDescription, 1000), "Nomad does not say why")
}

// lastWords is how many bytes of a log may hold why its worker ended.
const lastWords = 256 << 10

// stderrTail returns the last error that a worker wrote to its standard error, while
// the client still has it.
func (e *Executor) stderrTail(ctx context.Context, p place, alloc, task string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	text, err := tasklog.Read(e.client, alloc, task, lastWords, p.query(ctx))
	if err != nil {
		return ""
	}
	return reason.LastError(text)
}
