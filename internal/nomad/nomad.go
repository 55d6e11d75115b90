// Package nomad makes the runs of a sweep as Nomad batch jobs: it is the
// fan.Executor whose shards outlive this process.
//
// One parameterized job is registered for every class of runs, those that ask
// for the same resources in the same place. Each shard is stored in the sweep
// and dispatched once; its allocation runs `fanout worker`, which claims the
// shard, makes its runs on its own machine and writes them to the sweep.
// Controller and workers share nothing but the store.
//
// The store decides how a run ended, never Nomad: a stopped task is "complete"
// there. What Nomad knows is whether an allocation can still be at work, and
// that is all it is asked. Events wake this package; listings, on every
// connect and now and then, tell the truth.
//
// It decides neither what runs when nor what is tried again.
package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	Dir       string            // the sweep, as workers find it
	Job       []byte            // job specification in HCL; nil is ours
	JobFile   string            // its name, for mistakes
	Command   string            // the fanout of the clients; empty leaves what the specification says
	Driver    string            // in place of the specification's
	Image     string            // for drivers that run images; docker when none is named
	Artifact  string            // fetched into the task before it starts, such as fanout itself
	Env       map[string]string // of the workers
	EnvFrom   string            // path of a Nomad variable whose items become the environment of the workers
	Parallel  int               // allocations at once
	PerShard  int               // runs in an allocation; 0 leaves it to fanout
	Grace     time.Duration     // for a worker to stop
	LostAfter time.Duration     // how long a worker may be silent on a node that is away; 0 is sweep.LostAfter

	// Where runs go whose placement says nothing.
	Region, Namespace, NodePool string
	Datacenters                 []string
	Priority                    int

	poll time.Duration // between looks at a shard under way; 0 is a second
}

// An Executor makes shards on a cluster. Its methods may be called
// concurrently.
type Executor struct {
	sweep   *sweep.Sweep
	client  *api.Client
	o       Options
	prefix  string // ids of the sweep's jobs begin with it
	met     atomic.Bool
	turns   chan struct{} // one a request under way
	remarks []string      // for people, told with the first shard

	mu       sync.Mutex
	classes  map[classKey]*class
	watchers map[place]*watcher
	left     map[string]string // shard → child job that an earlier fanout dispatched
	waiting  waiting
	underWay int
	useless  int  // allocations in a row that began nothing
	useful   bool // one began something
}

// New registers the jobs of the sweep, whose lease the caller holds. The
// caller closes the Executor.
func New(ctx context.Context, s *sweep.Sweep, o Options) (*Executor, error) {
	e, err := Attach(ctx, s, o)
	if err != nil {
		return nil, err
	}
	if err := e.registerAll(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Attach is New for shards that are there already: it registers nothing.
func Attach(ctx context.Context, s *sweep.Sweep, o Options) (*Executor, error) {
	client, err := newClient(o)
	if err != nil {
		return nil, err
	}
	o.poll = orElse(o.poll, time.Second)
	o.Grace = orElse(o.Grace, 10*time.Second)
	o.LostAfter = orElse(o.LostAfter, sweep.LostAfter)
	e := &Executor{
		sweep: s, client: client, o: o, prefix: prefixOf(s), turns: make(chan struct{}, callers),
		watchers: map[place]*watcher{}, left: map[string]string{}, waiting: waiting{map[string]wait{}, map[string]told{}},
	}
	if err := e.readClasses(); err != nil {
		return nil, err
	}
	for _, p := range e.places() {
		if err := e.findChildren(ctx, p); err != nil {
			return nil, err
		}
	}
	e.met.Store(true)
	return e, nil
}

// sweepless is an Executor for what is asked of a cluster without a sweep.
func sweepless(o Options) (*Executor, error) {
	client, err := newClient(o)
	return &Executor{client: client, o: o, turns: make(chan struct{}, callers)}, err
}

// newClient is a client of the cluster that the environment and the options
// name.
func newClient(o Options) (*api.Client, error) {
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

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// prefixOf begins the ids of a sweep's jobs: the name for people, and what
// tells the sweep from others of that name.
func prefixOf(s *sweep.Sweep) string { return jobID(s.Name(), s.ID()) }

// jobID makes a name that Nomad takes, and something that tells it from others
// of that name, the id of a job.
func jobID(name, id string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
	return fmt.Sprintf("fanout-%.40s-%.8s", safe, id)
}

// findChildren finds the jobs that earlier fanouts dispatched.
func (e *Executor) findChildren(ctx context.Context, p place) error {
	jobs, err := e.jobs(ctx, p)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range jobs {
		if shard := j.Meta["shard"]; shard != "" && isChild(j) {
			e.left[shard] = j.ID
		}
	}
	return err
}

// jobs lists those of the sweep in a place. Those of a copy of it elsewhere
// have the same names, and shards of the same names.
func (e *Executor) jobs(ctx context.Context, p place) (jobs []*api.JobListStub, err error) {
	q := p.query(ctx)
	q.Prefix = e.prefix
	err = e.retry(ctx, "list jobs", func() (err error) {
		jobs, _, err = e.client.Jobs().ListOptions(&api.JobListOptions{Fields: &api.JobListFields{Meta: true}}, q)
		return err
	})
	return slices.DeleteFunc(jobs, func(j *api.JobListStub) bool { return j.Meta[metaWhere] != e.o.Dir }), err
}

// isChild tells what was dispatched from what it was dispatched from.
func isChild(j *api.JobListStub) bool { return strings.Contains(j.ID, "/dispatch-") }

// Parallel is how many allocations may be there at once.
func (e *Executor) Parallel() int { return e.o.Parallel }

// PerShard is how many runs an allocation makes; 0 leaves it to fanout.
func (e *Executor) PerShard() int { return e.o.PerShard }

// Close stops the parameterized jobs, those of earlier plans as well: nothing
// more can be dispatched. Children that are there stay for Nomad to collect.
// Who has taken the sweep over keeps the jobs.
func (e *Executor) Close() error {
	e.stopWatching()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if e.superseded(ctx) {
		return nil
	}
	return e.stopJobs(ctx, func(j *api.JobListStub) bool { return !isChild(j) })
}

// superseded reports whether another fanout has taken the sweep over: what is
// on the cluster is its now.
func (e *Executor) superseded(ctx context.Context) bool {
	var lost *sweep.HeldError
	return errors.As(e.sweep.Holding(ctx), &lost)
}

// Payload is what a worker is told: Nomad passes it byte for byte.
type Payload struct {
	Dir   string `json:"dir"`
	Shard string `json:"shard,omitempty"`
	Probe *Probe `json:"probe,omitempty"` // look at the client instead of making runs
}

// Execute makes the runs of a shard in an allocation. See fan.Executor.
func (e *Executor) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	if len(shard.Runs) == 0 || ctx.Err() != nil && !e.sweep.ShardOpen(shard.ID) {
		return nil
	}
	st, ok := e.sweep.Run(shard.Runs[0])
	if !ok {
		return fmt.Errorf("make run %s: it was never planned", shard.Runs[0])
	}
	fresh, err := e.sweep.PutShard(context.WithoutCancel(ctx), shard)
	if err != nil {
		return err
	}
	v := &vigil{Executor: e, shard: shard, class: e.classOf(st.Run), note: note, heard: time.Now()}
	v.watch = e.watcher(v.class.place)
	e.enter(note)
	defer e.leave(shard.ID)
	before := v.attempts()
	if err := v.make(ctx, fresh); err != nil {
		return err
	}
	return e.judge(v, v.attempts() > before)
}

// enter counts a shard and tells what there is to tell.
func (e *Executor) enter(note func(sweep.Note)) {
	e.mu.Lock()
	remarks := e.remarks
	e.remarks = nil
	e.underWay++
	e.mu.Unlock()
	for _, text := range slices.Compact(remarks) {
		note(sweep.Note{Kind: sweep.NoteWord, Text: text})
	}
}

func (e *Executor) leave(shard string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.underWay--
	delete(e.waiting.shards, shard)
}

// maxUseless is how many allocations in a row may begin nothing before the
// cluster is held to be unable to.
const maxUseless = 3

// judge gives up when allocations end without having begun anything: the next
// could not either.
func (e *Executor) judge(v *vigil, began bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if began || v.ended == nil || v.ended.Status != api.AllocClientStatusFailed {
		e.useful = e.useful || began
		if began {
			e.useless = 0
		}
		return nil
	}
	e.useless++
	if e.useful && e.useless < maxUseless {
		return nil
	}
	return &workerError{v.why}
}

// workerError is an allocation that ended before it began any run.
type workerError struct{ why string }

func (e *workerError) Error() string { return "no run began: " + e.why }

// Hint says what to do about it.
func (e *workerError) Hint() string {
	return "clients need fanout (nomad: {command: PATH}), Python with ipykernel and the sweep's place: `fanout doctor --on nomad` says what is missing"
}

// Cancel stops every job of the sweep: nothing more is dispatched, and what is
// under way is told to leave. It does not wait.
func (e *Executor) Cancel(ctx context.Context) error {
	return e.stopJobs(ctx, func(*api.JobListStub) bool { return true })
}

// stopJobs stops those jobs of the sweep that are meant and not stopped yet.
func (e *Executor) stopJobs(ctx context.Context, meant func(*api.JobListStub) bool) error {
	var errs []error
	for _, p := range e.places() {
		jobs, err := e.jobs(ctx, p)
		errs = append(errs, err)
		// Parents first: a stopped one takes no dispatch, and its children run on.
		slices.SortStableFunc(jobs, func(a, b *api.JobListStub) int { return strings.Count(a.ID, "/") - strings.Count(b.ID, "/") })
		for _, j := range jobs {
			if meant(j) && !j.Stop {
				errs = append(errs, e.deregister(ctx, p, j.ID))
			}
		}
	}
	return errors.Join(errs...)
}

func (e *Executor) deregister(ctx context.Context, p place, id string) error {
	return e.retry(ctx, "stop job "+id, func() error {
		_, _, err := e.client.Jobs().DeregisterOpts(id, &api.DeregisterOptions{NoShutdownDelay: true}, p.write(ctx, ""))
		if missing(err) {
			return nil
		}
		return err
	})
}

// dispatch starts a shard and returns the id of its job. The token makes a
// lost reply harmless while the job is known to Nomad; a copy of the sweep has
// shards of the same names, and other tokens.
func (e *Executor) dispatch(ctx context.Context, c *class, shard string, probe *Probe) (child string, err error) {
	payload, err := json.Marshal(Payload{e.o.Dir, shard, probe})
	if err != nil {
		return "", err
	}
	err = e.retry(ctx, "dispatch shard "+shard, func() error {
		got, _, err := e.client.Jobs().DispatchOpts(&api.DispatchOptions{
			JobID: c.id, Payload: payload, Meta: map[string]string{"shard": shard}, Priority: c.Priority,
		}, c.place.write(ctx, c.id+"."+shard+"."+e.o.Dir))
		if err != nil {
			return err
		}
		child = got.DispatchedJobID
		// Raced dispatches of one token hand out ids that do not exist.
		_, _, err = e.client.Jobs().Info(child, c.place.query(ctx))
		if err != nil {
			child = ""
		}
		return err
	})
	return child, err
}

func short(id string) string { return id[:min(8, len(id))] }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
