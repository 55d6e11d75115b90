package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/tasklog"
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
	var errs []error
	for _, p := range e.places() {
		if err := e.workerLogs(ctx, p, shards, wanted, show); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// workerLogs are the logs in one place, of the shards by child.
func (e *Executor) workerLogs(ctx context.Context, p place, shards map[string]string, wanted func(string) bool, show func(WorkerLog)) error {
	listed, cancel := e.asking(ctx, p)
	defer cancel()
	q := p.query(listed)
	q.Filter = fmt.Sprintf("JobID contains %q", e.prefix)
	allocs, _, err := e.client.Allocations().List(q)
	if err != nil {
		return answer.Explain(p.String()+": list allocations", err)
	}
	slices.SortFunc(allocs, func(a, b *api.AllocationListStub) int { return cmp.Compare(a.CreateTime, b.CreateTime) })
	for _, a := range allocs {
		shard, known := shards[a.JobID]
		if !known || !wanted(shard) {
			continue
		}
		log := WorkerLog{Alloc: shortID(a.ID), Node: a.NodeName, Shard: shard}
		if err := log.read(ctx, e.client, a, p); err != nil {
			return err
		}
		show(log)
	}
	return nil
}

// read fetches the stderr of every task that is a worker.
func (l *WorkerLog) read(ctx context.Context, client *api.Client, a *api.AllocationListStub, p place) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	for _, task := range tasklog.WorkersOf(a) {
		text, err := tasklog.Read(client, a.ID, task, tasklog.MaxLog, p.query(ctx))
		l.Text += text
		switch code := answer.Status(err); {
		case err == nil:
		case code == 0: // nor would the next
			return answer.Explain("read the log of allocation "+l.Alloc, err)
		case code == http.StatusForbidden:
			return answer.Needs("read-logs", "read the log of allocation "+l.Alloc, err)
		case code == http.StatusNotFound && strings.Contains(err.Error(), "not started"):
			l.Gone = "it has not started yet"
		case code == http.StatusNotFound:
			l.Gone = "the node has removed its files: clients keep only those of the latest allocations (gc_max_allocs)"
		default:
			l.Gone = answer.Explain("read its log", err).Error()
		}
	}
	return nil
}
