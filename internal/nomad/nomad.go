// Package nomad executes the runs of a sweep as Nomad batch jobs: it is the
// fan.Executor whose shards outlive this process.
//
// One parameterized job is registered for every class of runs, those that ask
// for the same resources in the same place. Each shard is stored in the sweep
// and dispatched once; its allocation runs `fanout worker`, which claims the
// shard, executes its runs on its own machine and writes them to the sweep.
// Controller and workers share nothing but the store.
//
// The store decides how a run ended, never Nomad: a stopped task is "complete"
// there. Nomad is asked one thing: whether an allocation may still be running.
// Events are hints, and some are lost; what counts are listings, which this
// package asks for on every connect and at intervals.
//
// It decides neither what runs when nor what is retried.
package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/nomad/internal/about"
	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/client"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobs"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobspec"
	"github.com/fanout-dev/fanout/internal/nomad/internal/waiting"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Options are where and how shards are executed. The cluster itself is named by
// the environment: NOMAD_ADDR and the other variables of Nomad's own client.
type Options struct {
	Dir      string            // the sweep, as workers find it
	Job      []byte            // job specification in HCL; nil is ours
	JobFile  string            // its name, for error messages
	Command  string            // path of fanout on the clients; empty keeps the one of the specification
	Driver   string            // instead of the specification's
	Image    string            // for drivers that run images; docker when none is named
	Artifact string            // fetched into the task before it starts, such as fanout itself
	Env      map[string]string // of the workers
	EnvFrom  string            // path of a Nomad variable whose items become the environment of the workers
	Parallel int               // allocations at once
	PerShard int               // runs per allocation; 0 lets fanout decide
	Class    string            // workload class; may be empty

	// ClassParallel is how many allocations of the class, of all sweeps, may exist at
	// once in a place; 0 is no limit.
	ClassParallel int

	Grace     time.Duration // for a worker to stop
	LostAfter time.Duration // how long a worker may be silent on a node that is away; 0 is sweep.LostAfter

	Say func(text string) (said bool) // tells people what concerns no shard, before the first one; what it does not say that one does. May be nil

	// Where runs without a placement go.
	Region, Namespace, NodePool string
	Datacenters                 []string
	Priority                    int

	poll     time.Duration // between looks at a running shard; 0 is a second
	margin   time.Duration // see stopMargin
	retryFor time.Duration // see the constant
}

// An Executor executes shards on a cluster. Its methods may be called
// concurrently.
type Executor struct {
	sweep    *sweep.Sweep
	client   *api.Client
	o        Options
	prefix   string // ids of the sweep's jobs begin with it
	reached  atomic.Bool
	attached bool          // it waits for nothing but answers
	slots    chan struct{} // one per request in flight that concerns no site
	sites    map[place]*site
	opening  sync.WaitGroup
	quit     context.CancelFunc // ends it

	mu       sync.Mutex
	note     func(sweep.Note) // of the latest shard
	remarks  []string         // for people, reported with the first shard
	classes  map[classKey]*class
	watchers map[place]*watcher
	left     map[string]string // shard → child job that an earlier controller dispatched
	waiting  waiting.Shards
	drained  map[string]bool // nodes, as people were told
	inFlight int
	useless  int  // allocations in a row that began no run
	useful   bool // one began a run
}

// New registers the jobs of the sweep, whose lease the caller holds. The
// caller closes the Executor. A region that is away keeps only its own runs
// waiting: see Away.
func New(ctx context.Context, s *sweep.Sweep, o Options) (*Executor, error) {
	return connect(ctx, s, o, true)
}

// Attach is New for shards that exist already: it registers nothing.
func Attach(ctx context.Context, s *sweep.Sweep, o Options) (*Executor, error) {
	return connect(ctx, s, o, false)
}

func connect(ctx context.Context, s *sweep.Sweep, o Options, register bool) (*Executor, error) {
	o.poll = orElse(o.poll, time.Second)
	o.margin = orElse(o.margin, stopMargin)
	o.Grace = orElse(o.Grace, 10*time.Second)
	o.LostAfter = orElse(o.LostAfter, sweep.LostAfter)
	e, err := withoutSweep(o)
	if err != nil {
		return nil, err
	}
	e.sweep, e.prefix, e.attached = s, prefixOf(s), !register
	e.watchers, e.left = map[place]*watcher{}, map[string]string{}
	e.waiting, e.drained = waiting.New(), map[string]bool{}
	if err := e.readClasses(); err != nil {
		return nil, err
	}
	e.makeSites()
	if err := e.openSites(ctx, register); err != nil {
		if !register {
			e.stopOpening()
			return nil, err
		}
		return nil, errors.Join(err, e.Close())
	}
	e.reached.Store(true)
	return e, nil
}

// withoutSweep returns an Executor for questions to a cluster that concern no
// sweep.
func withoutSweep(o Options) (*Executor, error) {
	c, err := newClient(o)
	o.retryFor = orElse(o.retryFor, retryFor)
	return &Executor{client: c, o: o, slots: make(chan struct{}, callers)}, err
}

// newClient returns a client of the cluster that the environment and the options
// name.
func newClient(o Options) (*api.Client, error) {
	config := api.DefaultConfig()
	if o.Region != "" {
		config.Region = o.Region
	}
	if o.Namespace != "" {
		config.Namespace = o.Namespace
	}
	return client.New(config)
}

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// prefixOf is the beginning of the ids of a sweep's jobs: its name for people,
// and its id because other sweeps may have that name.
func prefixOf(s *sweep.Sweep) string { return jobspec.ID(s.Name(), s.ID()) }

// findChildren finds the jobs that earlier controllers dispatched.
func (e *Executor) findChildren(ctx context.Context, p place) error {
	all, err := e.jobs(ctx, p)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range all {
		if shard := j.Meta[about.Shard]; shard != "" && jobs.IsChild(j.ID) {
			e.left[shard] = j.ID
		}
	}
	return err
}

// jobs lists the jobs of the sweep in a place. A copy of the sweep elsewhere has
// jobs of the same names, and shards of the same names.
func (e *Executor) jobs(ctx context.Context, p place) (all []*api.JobListStub, err error) {
	err = e.retry(ctx, p, "list jobs", func(ctx context.Context) (err error) {
		all, err = jobs.List(e.client, e.prefix, p.query(ctx))
		return err
	})
	return slices.DeleteFunc(all, func(j *api.JobListStub) bool { return j.Meta[about.Where] != e.o.Dir }), err
}

// Parallel is how many allocations may exist at once.
func (e *Executor) Parallel() int { return e.o.Parallel }

// PerShard is how many runs an allocation executes; 0 lets fanout decide.
func (e *Executor) PerShard() int { return e.o.PerShard }

// Close stops the parameterized jobs, those of earlier plans too, so that nothing
// more can be dispatched. Nomad collects the children. If another controller has
// taken the sweep over, it keeps the jobs.
func (e *Executor) Close() error {
	e.stopOpening()
	e.stopWatching()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if e.superseded(ctx) {
		return nil
	}
	return e.inPlaces(func(p place) error {
		if e.gone(p) != nil {
			return nil // that has been said, and nothing is dispatched by itself
		}
		return e.stopJobs(ctx, p, func(j *api.JobListStub) bool { return !jobs.IsChild(j.ID) })
	})
}

func (e *Executor) stopOpening() {
	e.quit()
	e.opening.Wait()
}

// superseded reports whether another controller has taken the sweep over, and
// with it what is on the cluster.
func (e *Executor) superseded(ctx context.Context) bool {
	var lost *lease.HeldError
	return errors.As(e.sweep.Lease().Check(ctx), &lost)
}

// Payload is what a worker is to do: Nomad passes it on byte for byte.
type Payload struct {
	Dir   string `json:"dir"`
	Shard string `json:"shard,omitempty"`
	Probe *Probe `json:"probe,omitempty"` // examine the client instead of executing runs
}

// Execute executes the runs of a shard in an allocation. See fan.Executor.
func (e *Executor) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	if len(shard.Runs) == 0 || ctx.Err() != nil && !e.sweep.Stored(shard.ID).Open() {
		return nil
	}
	st, ok := e.sweep.Run(shard.Runs[0])
	if !ok {
		return fmt.Errorf("execute run %s: it was never planned", shard.Runs[0])
	}
	fresh, err := e.sweep.Lease().PutShard(context.WithoutCancel(ctx), shard)
	if err != nil {
		return err
	}
	m := &monitor{Executor: e, shard: shard, class: e.classOf(st.Run), note: note, active: time.Now()}
	m.watch, m.site = e.watcher(m.class.place), e.sites[m.class.place]
	e.enter(note)
	defer e.leave(shard.ID)
	before := m.attempts()
	if err := m.execute(ctx, fresh); err != nil {
		var failed *answer.Error
		if gone := e.gone(m.class.place); gone != nil && errors.As(err, &failed) {
			m.remember()
			return gone
		}
		return err
	}
	return e.judge(m, m.attempts() > before)
}

// enter counts a shard in and passes on remarks of the registration.
func (e *Executor) enter(note func(sweep.Note)) {
	e.mu.Lock()
	remarks := e.remarks
	e.remarks, e.note = nil, note
	e.inFlight++
	e.mu.Unlock()
	for _, text := range remarks {
		note(sweep.Note{Kind: sweep.NoteWord, Text: text})
	}
}

func (e *Executor) leave(shard string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight--
	e.waiting.Forget(shard)
}

// maxUseless is how many allocations in a row may begin no run before the cluster
// is considered unable to.
const maxUseless = 3

// judge gives up when allocations end without having begun a run: the next would
// not either.
func (e *Executor) judge(m *monitor, began bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if began || m.ended == nil || m.ended.Status != api.AllocClientStatusFailed {
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
	return unit.WithHint(errors.New("no run began: "+m.why), "clients need fanout (nomad: {command: PATH}), Python with ipykernel and the sweep's place: `fanout doctor --on nomad` reports what is missing")
}

// Cancel stops every job of the sweep: nothing more is dispatched, and running
// workers are asked to stop. It does not wait for them.
func (e *Executor) Cancel(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.o.Grace+e.o.margin)
	defer cancel()
	return e.inPlaces(func(p place) error {
		return e.stopJobs(ctx, p, func(*api.JobListStub) bool { return true })
	})
}

// stopJobs stops the selected jobs of the sweep in a place unless they are stopped
// already.
func (e *Executor) stopJobs(ctx context.Context, p place, selected func(*api.JobListStub) bool) error {
	all, err := e.jobs(ctx, p)
	errs := []error{err}
	// Parents first: a stopped parent accepts no dispatch, and its children keep running.
	slices.SortStableFunc(all, func(a, b *api.JobListStub) int { return strings.Count(a.ID, "/") - strings.Count(b.ID, "/") })
	for _, j := range all {
		if selected(j) && !j.Stop {
			errs = append(errs, e.deregister(ctx, p, j.ID))
		}
	}
	return errors.Join(errs...)
}

func (e *Executor) deregister(ctx context.Context, p place, id string) error {
	return e.retry(ctx, p, "stop job "+id, func(ctx context.Context) error {
		_, _, err := e.client.Jobs().DeregisterOpts(id, &api.DeregisterOptions{NoShutdownDelay: true}, p.write(ctx, ""))
		if answer.Missing(err) {
			return nil
		}
		return err
	})
}

// dispatch starts a shard and returns the id of its job, which names both. The idempotency token
// makes a lost reply harmless; a copy of the sweep has shards of the same names
// and other tokens.
func (e *Executor) dispatch(ctx context.Context, c *class, what sweep.Shard, probe *Probe) (child string, err error) {
	shard := what.ID
	payload, err := json.Marshal(Payload{e.o.Dir, shard, probe})
	if err != nil {
		return "", err
	}
	var wrong error
	err = e.retry(ctx, c.place, "dispatch shard "+shard, func(ctx context.Context) error {
		got, _, err := e.client.Jobs().DispatchOpts(&api.DispatchOptions{
			JobID: c.id, Payload: payload, Meta: about.OfShard(what, func(run string) string { return e.sweep.RunName(run) }), Priority: c.Priority, IdPrefixTemplate: "shard-" + jobspec.Safe(shard),
		}, c.place.write(ctx, c.id+"."+shard+"."+e.o.Dir))
		if err != nil {
			return err
		}
		child = got.DispatchedJobID
		if err := jobs.ChildOf(c.id, child); err != nil {
			wrong, child = err, ""
			return nil
		}
		// Concurrent dispatches with one token return ids that do not exist.
		_, _, err = e.client.Jobs().Info(child, c.place.query(ctx))
		if err != nil {
			child = ""
		}
		return err
	})
	return child, errors.Join(err, wrong)
}

func shortID(id string) string { return id[:min(8, len(id))] }
