package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// A WorkerLog is what one worker of a sweep said of its work.
type WorkerLog struct {
	Alloc string // short id of the allocation
	Node  string
	Shard string
	Text  string // of its stderr
	Gone  string // why there is no text; empty when there is
}

// WorkerLogs asks the cluster for what the workers of a sweep wrote to stderr,
// oldest first, and hands it to tell. The files are on the clients, which keep
// them for a while; wanted says of which shards.
func WorkerLogs(ctx context.Context, name string, o Options, wanted func(shard string) bool, tell func(WorkerLog)) error {
	client, err := connect(o)
	if err != nil {
		return err
	}
	q := (&api.QueryOptions{Region: o.Region, Namespace: o.Namespace}).WithContext(ctx)
	parent := parentID(name, o.Dir)
	shards, err := shardsOf(client, parent, *q)
	if err != nil {
		return err
	}
	mine := *q
	mine.Filter = fmt.Sprintf("JobID contains %q", parent+"/dispatch-")
	allocs, _, err := client.Allocations().List(&mine)
	if err != nil {
		return explain("list allocations", err)
	}
	slices.SortFunc(allocs, func(a, b *api.AllocationListStub) int { return int(a.CreateTime - b.CreateTime) })
	for _, a := range allocs {
		if !wanted(shards[a.JobID]) {
			continue
		}
		log := WorkerLog{Alloc: short(a.ID), Node: a.NodeName, Shard: shards[a.JobID]}
		if err := log.read(client, a, q); err != nil {
			return err
		}
		tell(log)
	}
	return nil
}

// connect is a client of the cluster that the environment and the options name.
func connect(o Options) (*api.Client, error) {
	config := api.DefaultConfig()
	if o.Region != "" {
		config.Region = o.Region
	}
	if o.Namespace != "" {
		config.Namespace = o.Namespace
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("reach Nomad: %w", err)
	}
	return client, nil
}

// shardsOf is which shard each child of a sweep's job makes.
func shardsOf(client *api.Client, parent string, q api.QueryOptions) (map[string]string, error) {
	q.Prefix = parent + "/dispatch-"
	jobs, _, err := client.Jobs().ListOptions(&api.JobListOptions{Fields: &api.JobListFields{Meta: true}}, &q)
	if err != nil {
		return nil, explain("list jobs", err)
	}
	shards := map[string]string{}
	for _, j := range jobs {
		shards[j.ID] = j.Meta["shard"]
	}
	return shards, nil
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
			return &clusterError{explain("read the log of allocation "+l.Alloc, err), "NOMAD_TOKEN needs read-logs in the namespace, beside what fanout run needs"}
		case code == http.StatusNotFound && strings.Contains(err.Error(), "not started"):
			l.Gone = "it has not started yet"
		case code == http.StatusNotFound:
			l.Gone = "the node has removed its files: clients keep those of the latest allocations alone (gc_max_allocs)"
		default:
			l.Gone = explain("read its log", err).Error()
		}
	}
	return nil
}

// workerTasks is the task that is called worker, else every task.
func workerTasks(a *api.AllocationListStub) []string {
	names := sortedKeys(a.TaskStates)
	if slices.Contains(names, "worker") || len(names) == 0 {
		return []string{"worker"}
	}
	return names
}

func readLog(client *api.Client, alloc *api.Allocation, task string, q *api.QueryOptions) (string, error) {
	quit := make(chan struct{})
	defer close(quit)
	own := *q // the call adds to it
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

// statusOf is the code of an answer of the cluster, 0 when there was none.
func statusOf(err error) int {
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode()
	}
	return 0
}
