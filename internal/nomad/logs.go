package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// A WorkerLog is the log of one worker of a sweep.
type WorkerLog struct {
	Alloc string // short id of the allocation
	Node  string
	Shard string
	Text  string // of its stderr
	Gone  string // why there is no text; empty if there is
}

// WorkerLogs asks the cluster for what the workers of the wanted shards wrote to
// stderr and passes it on, oldest first. The files are on the clients, which keep
// them for a while.
func (e *Executor) WorkerLogs(ctx context.Context, wanted func(shard string) bool, show func(WorkerLog)) error {
	shards := map[string]string{} // by child
	for shard, child := range e.left {
		shards[child] = shard
	}
	for _, p := range e.places() {
		q := p.query(ctx)
		q.Filter = fmt.Sprintf("JobID contains %q", e.prefix)
		allocs, _, err := e.client.Allocations().List(q)
		if err != nil {
			return explain("list allocations", err)
		}
		slices.SortFunc(allocs, func(a, b *api.AllocationListStub) int { return cmp.Compare(a.CreateTime, b.CreateTime) })
		for _, a := range allocs {
			shard, known := shards[a.JobID]
			if !known || !wanted(shard) {
				continue
			}
			log := WorkerLog{Alloc: shortID(a.ID), Node: a.NodeName, Shard: shard}
			if err := log.read(e.client, a, p.query(ctx)); err != nil {
				return err
			}
			show(log)
		}
	}
	return nil
}

// read fetches the stderr of every task that is a worker.
func (l *WorkerLog) read(client *api.Client, a *api.AllocationListStub, q *api.QueryOptions) error {
	alloc := &api.Allocation{ID: a.ID, NodeID: a.NodeID, Namespace: a.Namespace}
	for _, task := range workerTasks(a) {
		text, err := readLog(client, alloc, task, q)
		l.Text += text
		switch code := statusOf(err); {
		case err == nil:
		case code == http.StatusForbidden:
			return &clusterError{explain("read the log of allocation "+l.Alloc, err), err, "NOMAD_TOKEN needs read-logs in the namespace, besides what fanout run needs"}
		case code == http.StatusNotFound && strings.Contains(err.Error(), "not started"):
			l.Gone = "it has not started yet"
		case code == http.StatusNotFound:
			l.Gone = "the node has removed its files: clients keep only those of the latest allocations (gc_max_allocs)"
		default:
			l.Gone = explain("read its log", err).Error()
		}
	}
	return nil
}

// workerTasks returns the task called worker or, without one, every task.
func workerTasks(a *api.AllocationListStub) []string {
	names := slices.Sorted(maps.Keys(a.TaskStates))
	if slices.Contains(names, "worker") || len(names) == 0 {
		return []string{"worker"}
	}
	return names
}

func readLog(client *api.Client, alloc *api.Allocation, task string, q *api.QueryOptions) (string, error) {
	quit := make(chan struct{})
	defer close(quit)
	own := *q // the call changes it
	frames, errs := client.AllocFS().Logs(alloc, false, task, api.FSLogNameStderr, api.OriginStart, 0, quit, &own)
	var b strings.Builder
	for {
		select {
		case f, more := <-frames:
			if !more {
				return b.String(), nil
			}
			b.Write(f.Data)
		case err := <-errs:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b.String(), err
		}
	}
}
