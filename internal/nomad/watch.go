package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// watch lists the allocations of all shards again whenever one changes, until
// ctx ends. A fault is ridden out: who waits for a shard waits on.
func (e *Executor) watch(ctx context.Context) {
	index, wait := uint64(0), 100*time.Millisecond
	for ctx.Err() == nil {
		allocs, next, err := e.list(ctx, index)
		if err != nil {
			index = 0
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			wait = min(2*wait, 5*time.Second)
			continue
		}
		if next < index { // another server, another history
			next = 0
		}
		index, wait = next, 100*time.Millisecond
		e.publish(allocs)
	}
}

// listWait is how long a listing waits for a change.
const listWait = 10 * time.Second

// list returns the allocations of all shards, by child job, once they differ
// from how they were at index.
func (e *Executor) list(ctx context.Context, index uint64) (map[string][]*api.AllocationListStub, uint64, error) {
	q := e.query(ctx)
	q.WaitIndex, q.WaitTime = index, listWait
	q.Filter = fmt.Sprintf("JobID contains %q", e.parent+"/dispatch-")
	stubs, meta, err := e.client.Allocations().List(q)
	if err != nil {
		return nil, 0, err
	}
	by := map[string][]*api.AllocationListStub{}
	for _, a := range stubs {
		by[a.JobID] = append(by[a.JobID], a)
	}
	return by, meta.LastIndex, nil
}

func (e *Executor) publish(allocs map[string][]*api.AllocationListStub) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known = allocs
	e.listed++
	close(e.changed)
	e.changed = make(chan struct{})
}

// look is what the last listing said of a child. changed is closed by the
// next.
func (e *Executor) look(child string) (allocs []*api.AllocationListStub, listed int, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known[child], e.listed, e.changed
}

// terminal returns the allocation that made the shard when none of the child's
// can be at work any more.
func terminal(allocs []*api.AllocationListStub) *api.AllocationListStub {
	if len(allocs) == 0 || atWork(allocs) {
		return nil
	}
	first := allocs[0]
	for _, a := range allocs {
		if a.CreateIndex < first.CreateIndex {
			first = a
		}
	}
	return first
}

// atWork reports whether any of the allocations may have a process. One that
// is lost has had its end decided by the server; its worker, should it live
// on, finds its attempts ended.
func atWork(allocs []*api.AllocationListStub) bool {
	for _, a := range allocs {
		switch a.ClientStatus {
		case api.AllocClientStatusComplete, api.AllocClientStatusFailed, api.AllocClientStatusLost:
		default:
			return true
		}
	}
	return false
}

// reason says why an allocation ended, for the runs that it left open.
func reason(a *api.AllocationListStub) string {
	if a == nil {
		return "its Nomad job is gone, and nobody knows how it ended"
	}
	where := fmt.Sprintf("allocation %s on node %s", short(a.ID), a.NodeName)
	if a.ClientStatus == api.AllocClientStatusLost {
		return where + " is lost: " + a.DesiredDescription
	}
	for _, task := range sortedKeys(a.TaskStates) {
		if why := taskReason(a.TaskStates[task]); why != "" {
			return where + ": " + why
		}
	}
	return where + " ended without a word: " + a.ClientDescription
}

// taskReason finds what ended a task in its events.
func taskReason(s *api.TaskState) string {
	why := ""
	for _, ev := range s.Events {
		switch ev.Type {
		case api.TaskTerminated:
			if ev.Signal == 9 {
				return "it was killed, most likely for its memory"
			}
			if ev.ExitCode != 0 || ev.Signal != 0 {
				why = fmt.Sprintf("the worker ended with exit code %d, signal %d", ev.ExitCode, ev.Signal)
			}
		case api.TaskDriverFailure, api.TaskFailedValidation, api.TaskArtifactDownloadFailed, api.TaskSetupFailure:
			why = strings.Join(strings.Fields(ev.DisplayMessage), " ")
		}
	}
	return why
}

// gone reports whether a child without allocations will never get one: it was
// collected, or stopped before it was placed.
func (e *Executor) gone(ctx context.Context, child string, stopped bool) (bool, error) {
	job, _, err := e.client.Jobs().Info(child, e.query(ctx))
	if err != nil {
		var answer api.UnexpectedResponseError
		if errors.As(err, &answer) && answer.StatusCode() == http.StatusNotFound {
			return e.confirm(ctx, child)
		}
		return false, nil // the next look may tell
	}
	if stopped && job.Stop != nil && *job.Stop {
		return e.confirm(ctx, child)
	}
	return false, nil
}

// confirm looks once more for an allocation that the last listing missed.
func (e *Executor) confirm(ctx context.Context, child string) (bool, error) {
	allocs, _, err := e.list(ctx, 0)
	if err != nil {
		return false, nil
	}
	e.publish(allocs)
	return len(allocs[child]) == 0, nil
}

// placement tells, once, why a shard waits for a node.
type placement struct{ told string }

func (p *placement) tell(e *Executor, child string, note func(sweep.Note)) {
	evals, _, err := e.client.Jobs().Evaluations(child, e.query(context.Background()))
	if err != nil {
		return
	}
	for _, ev := range evals {
		for _, m := range ev.FailedTGAllocs {
			text := "a shard waits for a node: " + obstacles(m)
			if text != p.told {
				p.told = text
				note(sweep.Note{Kind: sweep.NoteWord, Text: text})
			}
			return
		}
	}
}

// obstacles says why no node would take an allocation.
func obstacles(m *api.AllocationMetric) string {
	var parts []string
	for _, k := range sortedKeys(m.DimensionExhausted) {
		parts = append(parts, fmt.Sprintf("%s exhausted on %d of %d nodes", k, m.DimensionExhausted[k], m.NodesEvaluated))
	}
	for _, k := range sortedKeys(m.ConstraintFiltered) {
		parts = append(parts, fmt.Sprintf("%s on %d nodes", k, m.ConstraintFiltered[k]))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d nodes were evaluated", m.NodesEvaluated)
	}
	return strings.Join(parts, ", ")
}
