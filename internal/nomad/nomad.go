// Package nomad makes the runs of a sweep as Nomad batch jobs: it is the
// fan.Executor whose shards outlive this process.
//
// One parameterized job is registered per sweep. Each shard is stored in the
// sweep and dispatched once; its allocation runs `fanout worker`, which claims
// the shard, makes its runs on its own machine and writes them to the sweep.
// Controller and workers share nothing but the store.
//
// The store decides how a run ended, never Nomad: a stopped task is "complete"
// there. What Nomad knows is whether an allocation can still be at work, and
// that is all it is asked. Allocations are listed with a blocking query, whose
// answer is the truth at that moment; events, which are dropped without a
// word, are not used.
//
// It decides neither what runs when nor what is tried again.
package nomad

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// Options say where and how the shards are made. The cluster itself is named
// by the environment, NOMAD_ADDR and its kin.
type Options struct {
	Dir      string            // the sweep, as workers find it
	Job      []byte            // job specification in HCL; nil is ours
	JobFile  string            // its name, for mistakes
	Command  string            // the fanout of the clients; empty leaves what the specification says
	Image    string            // for drivers that run images
	Env      map[string]string // of the workers
	EnvFrom  string            // path of a Nomad variable whose items become the environment of the workers
	CPU      int               // MHz of an allocation; 0 leaves the specification's
	Memory   int64             // bytes of an allocation; 0 leaves the specification's
	Parallel int               // allocations at once
	PerShard int               // runs in an allocation; 0 leaves it to fanout
	Grace    time.Duration     // for a worker to stop

	Region, Namespace, NodePool string
	Datacenters                 []string
	Priority                    int

	poll time.Duration // between looks at a shard under way; 0 is a second
}

// An Executor makes shards on a cluster. Its methods may be called
// concurrently.
type Executor struct {
	sweep  *sweep.Sweep
	client *api.Client
	o      Options
	parent string // id of the parameterized job
	met    atomic.Bool

	stop    context.CancelFunc
	watcher sync.WaitGroup

	mu      sync.Mutex
	known   map[string][]*api.AllocationListStub // by child job
	listed  int                                  // listings so far
	changed chan struct{}                        // closed and replaced by every listing
}

// New registers the job of the sweep, whose lease the caller holds, and finds
// out whether one shard would fit anywhere. The caller closes the Executor.
func New(ctx context.Context, s *sweep.Sweep, o Options) (*Executor, error) {
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
	if o.poll == 0 {
		o.poll = time.Second
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	e := &Executor{sweep: s, client: client, o: o, parent: parentID(s.Name(), o.Dir), known: map[string][]*api.AllocationListStub{}, changed: make(chan struct{})}
	if err := e.register(ctx); err != nil {
		return nil, err
	}
	e.met.Store(true)
	if err := e.Recover(ctx, nil); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.watcher.Go(func() { e.watch(watching) })
	return e, nil
}

// parentID names the job of a sweep: the name for people, and a digest of
// where the sweep is, because two sweeps may have one name.
func parentID(name, dir string) string {
	sum := sha256.Sum256([]byte(filepath.ToSlash(dir)))
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
	return fmt.Sprintf("fanout-%.40s-%s", safe, hex.EncodeToString(sum[:4]))
}

// Parallel is how many allocations may be there at once.
func (e *Executor) Parallel() int { return e.o.Parallel }

// PerShard is how many runs an allocation makes; 0 leaves it to fanout.
func (e *Executor) PerShard() int { return e.o.PerShard }

// Close stops the parameterized job: nothing more can be dispatched. Children
// that are there stay for Nomad to collect.
func (e *Executor) Close() error {
	e.stop()
	e.watcher.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return e.deregister(ctx, e.parent)
}

// Payload is what a worker is told: Nomad passes it byte for byte.
type Payload struct {
	Dir   string `json:"dir"`
	Shard string `json:"shard"`
}

// Execute makes the runs of a shard in an allocation. See fan.Executor.
func (e *Executor) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	if ctx.Err() != nil || len(shard.Runs) == 0 {
		return nil
	}
	if err := e.sweep.PutShard(ctx, shard); err != nil {
		return err
	}
	before := e.attempts(shard)
	ended, err := e.make(ctx, shard, note)
	if err != nil {
		return err
	}
	if err := e.close(context.WithoutCancel(ctx), shard, ended, note); err != nil {
		return err
	}
	if ended != nil && ended.ClientStatus == api.AllocClientStatusFailed && e.attempts(shard) == before {
		// The next one could not make any run either.
		return &workerError{alloc: ended.ID, node: ended.NodeName, why: reason(ended)}
	}
	return nil
}

// make dispatches a shard and waits for its end. A dispatch that was cut short
// may have happened all the same.
func (e *Executor) make(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) (*api.AllocationListStub, error) {
	child, err := e.dispatch(ctx, shard.ID)
	if ctx.Err() != nil && child == "" {
		return nil, e.stopChildren(context.WithoutCancel(ctx), func(j *api.JobListStub) bool { return j.Meta["shard"] == shard.ID })
	}
	if err != nil {
		return nil, err
	}
	return e.await(ctx, child, shard, note)
}

// attempts counts those at the runs of a shard.
func (e *Executor) attempts(shard sweep.Shard) (n int) {
	for _, id := range shard.Runs {
		st, _ := e.sweep.Run(id)
		n += st.Attempts
	}
	return n
}

// await waits until nothing of a shard can be at work any more, and tells of
// its runs meanwhile. It stops the allocation when ctx ends.
func (e *Executor) await(ctx context.Context, child string, shard sweep.Shard, note func(sweep.Note)) (ended *api.AllocationListStub, err error) {
	work := context.WithoutCancel(ctx)
	tick := time.NewTicker(e.o.poll)
	defer tick.Stop()
	var limit <-chan time.Time
	cancel := ctx.Done()
	waiting := placement{}
	for {
		allocs, listed, changed := e.look(child)
		if a := terminal(allocs); a != nil {
			return a, nil
		}
		select {
		case <-changed:
			continue
		case <-cancel:
			cancel = nil
			if err := e.deregister(work, child); err != nil {
				return nil, err
			}
			limit = time.After(e.o.Grace + stopMargin)
			continue
		case <-limit:
			return nil, fmt.Errorf("stop job %s: its allocation does not end", child)
		case <-tick.C:
		}
		if err := e.tell(work, shard, note); err != nil {
			return nil, err
		}
		if len(allocs) > 0 || listed == 0 {
			continue
		}
		gone, err := e.gone(work, child, ctx.Err() != nil)
		if gone || err != nil {
			return nil, err
		}
		waiting.tell(e, child, note)
	}
}

// stopMargin is what Nomad takes beyond the worker's own time to stop.
const stopMargin = 60 * time.Second

// tell passes on what the worker has recorded.
func (e *Executor) tell(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	notes, err := e.sweep.Absorb(ctx, shard.ID)
	for _, n := range append(notes, e.sweep.Beats(ctx, shard.ID)...) {
		note(n)
	}
	return err
}

// close settles a shard of which nothing is at work any more: runs that began
// and did not end are lost.
func (e *Executor) close(ctx context.Context, shard sweep.Shard, a *api.AllocationListStub, note func(sweep.Note)) error {
	if err := e.tell(ctx, shard, note); err != nil {
		return err
	}
	open, err := e.sweep.Settle(ctx, shard.Runs)
	if err != nil {
		return err
	}
	for _, b := range open {
		if err := e.sweep.Lose(ctx, b, reason(a)); err != nil {
			return err
		}
	}
	return nil
}

// workerError is an allocation that ended before it began any run.
type workerError struct{ alloc, node, why string }

func (e *workerError) Error() string {
	return fmt.Sprintf("allocation %s on node %s began no run: %s", short(e.alloc), e.node, e.why)
}

// Hint says what to do about it.
func (e *workerError) Hint() string {
	return fmt.Sprintf("nomad alloc logs -stderr %s shows what the worker said; clients need fanout (nomad: {command: PATH}) and the sweep's directory", short(e.alloc))
}

// Recover ends what an earlier fanout left at work on the cluster, so that
// what it did is known and nothing is made twice.
func (e *Executor) Recover(ctx context.Context, _ []sweep.Began) error {
	return e.stopChildren(ctx, func(*api.JobListStub) bool { return true })
}

// stopChildren stops the dispatched jobs that are wanted and waits until none
// is at work.
func (e *Executor) stopChildren(ctx context.Context, wanted func(*api.JobListStub) bool) error {
	ctx, cancel := context.WithTimeout(ctx, e.o.Grace+stopMargin)
	defer cancel()
	for {
		busy, err := e.busyChildren(ctx, wanted)
		if err != nil || len(busy) == 0 {
			return err
		}
		for _, child := range busy {
			if err := e.deregister(ctx, child); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop what an earlier fanout left on the cluster: %d jobs do not end: %w", len(busy), ctx.Err())
		case <-time.After(e.o.poll):
		}
	}
}

// busyChildren are the dispatched jobs with an allocation that may be at work,
// or that may still get one.
func (e *Executor) busyChildren(ctx context.Context, wanted func(*api.JobListStub) bool) ([]string, error) {
	q := e.query(ctx)
	q.Prefix = e.parent + "/dispatch-"
	var jobs []*api.JobListStub
	var allocs map[string][]*api.AllocationListStub
	err := e.retry(ctx, "list jobs", func() (err error) {
		if jobs, _, err = e.client.Jobs().ListOptions(&api.JobListOptions{Fields: &api.JobListFields{Meta: true}}, q); err == nil {
			allocs, _, err = e.list(ctx, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var busy []string
	for _, j := range jobs {
		if wanted(j) && (!j.Stop && j.Status != "dead" || atWork(allocs[j.ID])) {
			busy = append(busy, j.ID)
		}
	}
	return busy, nil
}

func (e *Executor) deregister(ctx context.Context, child string) error {
	return e.retry(ctx, "stop job "+child, func() error {
		_, _, err := e.client.Jobs().DeregisterOpts(child, &api.DeregisterOptions{NoShutdownDelay: true}, e.write("").WithContext(ctx))
		return err
	})
}

// dispatch starts a shard and returns the id of its job. The token makes a
// lost reply harmless while the job is known to Nomad.
func (e *Executor) dispatch(ctx context.Context, shard string) (child string, err error) {
	payload, err := json.Marshal(Payload{Dir: e.o.Dir, Shard: shard})
	if err != nil {
		return "", err
	}
	err = e.retry(ctx, "dispatch shard "+shard, func() error {
		got, _, err := e.client.Jobs().DispatchOpts(&api.DispatchOptions{
			JobID: e.parent, Payload: payload, Meta: map[string]string{"shard": shard}, Priority: e.o.Priority,
		}, e.write(e.parent+"."+shard).WithContext(ctx))
		if err != nil {
			return err
		}
		child = got.DispatchedJobID
		// Raced dispatches of one token hand out ids that do not exist.
		_, _, err = e.client.Jobs().Info(child, e.query(ctx))
		if err != nil {
			child = ""
		}
		return err
	})
	return child, err
}

func (e *Executor) write(token string) *api.WriteOptions {
	return &api.WriteOptions{Region: e.o.Region, Namespace: e.o.Namespace, IdempotencyToken: token}
}

func (e *Executor) query(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{Region: e.o.Region, Namespace: e.o.Namespace}).WithContext(ctx)
}

// patience is how long faults of the cluster are ridden out.
const patience = 5 * time.Minute

// retry repeats what fails for a reason that passes.
func (e *Executor) retry(ctx context.Context, doing string, do func() error) error {
	begin, wait := time.Now(), 100*time.Millisecond
	for {
		err := do()
		if err == nil || !e.passing(err) || time.Since(begin) > patience {
			return explain(doing, err)
		}
		select {
		case <-ctx.Done():
			return explain(doing, err)
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// passing reports whether an error may be over in a while: the connection to a
// cluster that was there before, too many requests, a leader that is being
// elected, an id that does not exist.
func (e *Executor) passing(err error) bool {
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		return e.met.Load() && !errors.Is(err, context.Canceled)
	}
	e.met.Store(true)
	switch code := answer.StatusCode(); {
	case code == http.StatusNotFound, code == http.StatusTooManyRequests:
		return true
	case code < 500:
		return false
	}
	for _, passes := range []string{"No cluster leader", "rpc error", "EOF", "connection"} {
		if strings.Contains(answer.Body(), passes) {
			return true
		}
	}
	return answer.StatusCode() != http.StatusInternalServerError
}

// explain says what was being done, and what the server answered in one line.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		return &clusterError{fmt.Errorf("%s: %w", doing, err), hintFor(0)}
	}
	body := strings.Join(strings.Fields(answer.Body()), " ")
	return &clusterError{fmt.Errorf("%s: Nomad says %d: %s", doing, answer.StatusCode(), body), hintFor(answer.StatusCode())}
}

// clusterError is an answer of the cluster, with what to do about it.
type clusterError struct {
	error
	hint string
}

func (e *clusterError) Unwrap() error { return e.error }

// Hint says what to do about it.
func (e *clusterError) Hint() string { return e.hint }

func hintFor(code int) string {
	switch code {
	case 0:
		return "is NOMAD_ADDR right, and the agent up?"
	case http.StatusForbidden:
		return "NOMAD_TOKEN needs parse-job, register-job, dispatch-job, deregister-job, list-jobs and read-job in the namespace"
	}
	return "docs/nomad.md says what a cluster needs"
}

func short(id string) string { return id[:min(8, len(id))] }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
