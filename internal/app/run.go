package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/app/internal/growth"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/publish"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Job is a planned sweep whose lease this process holds. Its steps, in
// order: Due, Execute, Finish, Close.
type Job struct {
	*sweep.Sweep
	Delta *sweep.Delta // what planning changed; nil for a sweep that was resumed

	app     *App
	machine Machine
	known   map[string]bool // the runs whose failure is no news
	stop    func() error    // closes the machine, once
}

// job connects a sweep whose lease is held to where its runs execute.
func (a *App) job(ctx context.Context, s *sweep.Sweep, delta *sweep.Delta) (*Job, error) {
	if err := a.LimitRuns(s); err != nil {
		return nil, errors.Join(err, s.Lease().Release())
	}
	m, err := a.Machines.Connect(ctx, s)
	if err != nil {
		return nil, errors.Join(err, s.Lease().Release())
	}
	return &Job{Sweep: s, Delta: delta, app: a, machine: m, stop: sync.OnceValue(m.Close)}, nil
}

// Close gives back the machine and the lease.
func (j *Job) Close() error { return errors.Join(j.stop(), j.Lease().Release()) }

// Execute executes the runs that are due and returns when none is running
// any more. Meanwhile it heeds a cancellation that is asked for elsewhere, writes
// the tables now and then, and calls note, from any goroutine. A context that
// ended is not an error: the sweep records how far it came. Losing the lease is.
func (j *Job) Execute(ctx context.Context, todo due.List, note func(sweep.Note)) (fan.Summary, error) {
	ctx, stop := j.Lease().Guard(ctx)
	defer stop()
	j.known = todo.Known()
	for _, f := range query.Failures(j.Sweep) {
		if _, due := todo.Why[f.Run]; !due {
			j.known[f.Run] = true // it is not tried again
		}
	}
	defer watchStore(ctx, j.Store(), note)()
	note, written := publish.PagesOf(ctx, j.Sweep).Watch(ctx, note)
	defer written()
	sum, err := j.fan(ctx, todo, note)
	var lost *lease.HeldError
	if errors.As(context.Cause(ctx), &lost) {
		return sum, lost // nothing here is ours any more
	}
	return sum, err
}

func (j *Job) fan(ctx context.Context, todo due.List, note func(sweep.Note)) (fan.Summary, error) {
	defer j.stop() // kernels do not outlive the runs; Close returns the error
	ex, err := j.machine.Executor(ctx, todo.Runs)
	if err != nil {
		return fan.Summary{}, err
	}
	budget := fan.NewBudget(j.Spec().Budget.CPU, j.Spec().Budget.Wall)
	execute := func(todo due.List) (fan.Summary, error) { return j.fanOut(ctx, ex, todo, budget, note) }
	return growth.Job{Sweep: j.Sweep, Options: compareOptions(j.Sweep), Tables: j.app.Tables, Execute: execute, Note: note}.Rounds(ctx, todo)
}

// fanOut executes one round of runs.
func (j *Job) fanOut(ctx context.Context, ex fan.Executor, todo due.List, budget *fan.Budget, note func(sweep.Note)) (fan.Summary, error) {
	if len(todo.Runs) == 0 && len(j.Orphans()) == 0 {
		return fan.Summary{}, nil
	}
	defer j.refresh(ctx, ex.Limits().Remote)()
	spec := j.Spec()
	return fan.Fan(ctx, j.Sweep, ex, fan.Options{
		Runs: todo.Runs, Known: j.known, Jobs: j.app.Jobs, Canary: j.app.Canary && (len(spec.Steps) > 0 || !proven(j.Sweep, todo.Runs)),
		Retry:  j.retry(spec.Retries),
		Halt:   fan.Halt{When: spec.Halt.When, What: spec.Halt.What, Count: spec.Halt.N, Percent: spec.Halt.Percent},
		Budget: budget,
		Limits: valueLimits(spec.Limits), Note: note, Queue: j.app.Queue,
		RetryOf: j.retries(), Later: todo.Later, Due: func(id string) bool { return due.Becomes(j.Sweep, id, spec.StaleOn) },
		Proven: provenTemplates(j.Sweep), InOrder: todo.InOrder,
	})
}

// proven reports whether the code and files in force have succeeded before, for
// every template that is due: then the first runs that fail show what is wrong
// with them, not with all.
func proven(s *sweep.Sweep, due []string) bool {
	good := provenTemplates(s)
	for _, id := range due {
		if st, _ := s.Run(id); !good[st.Run.Template] {
			return false
		}
	}
	return true
}

func valueLimits(limits []grid.ValueLimit) []fan.ValueLimit {
	var out []fan.ValueLimit
	for _, l := range limits {
		out = append(out, fan.ValueLimit{Name: l.Axis, N: l.N})
	}
	return out
}

// refreshShare bounds what refreshing costs: the next one waits this many
// times as long as the last one took.
const refreshShare = 20

// refresh writes the tables now and then, running notebooks included, until
// stop is called. Its failures are left to the collecting at the end.
func (j *Job) refresh(ctx context.Context, remote bool) (stop func()) {
	every := j.app.Refresh
	if every <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		seen := 0
		for wait := every; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			n := j.Ended()
			if remote && n == seen {
				continue // looking into what others execute is not worth a table
			}
			seen = n
			begin := time.Now()
			if res, err := j.app.Collect(ctx, j.Sweep, nil); err == nil {
				res.Close()
			}
			wait = max(every, refreshShare*time.Since(begin))
		}
	}()
	return func() { cancel(); <-done }
}

// An Ending is what Finish leaves behind.
type Ending struct {
	query.Tally
	Summary    string // key of the notebook people are sent to
	Comparison *compare.Report
	Held       string // why pages that were published before stay; empty where the new ones may take their place

	Unpublished error // why the pages that the sweep file asks for are not there
}

// Incomplete reports whether a planned run was executed and did not succeed.
func (e Ending) Incomplete() bool {
	c := e.Counts
	return c[outcome.Failed]+c[outcome.TimedOut]+c[outcome.Canceled]+c[outcome.Lost]+c[outcome.Running] > 0
}

// Finish collects what the runs recorded, writes the tables, the summary and
// the user's own report, publishes the pages and, last of all, sends
// notifications, which say how all of that went. What was executed is worth
// a table also when the rest was stopped: failed is the error of Execute, and
// all but the report is written then, too. Notifications are sent in any case.
// The context may have ended; then nothing is published.
func (j *Job) Finish(ctx context.Context, sum fan.Summary, failed error) (Ending, error) {
	stopped := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	end := Ending{Summary: MainSummary(j.Sweep)}
	res, err := j.app.Collect(ctx, j.Sweep, nil)
	if err == nil {
		end.Comparison, err = j.app.summarize(ctx, j.Sweep, res)
		res.Close()
	}
	if err := errors.Join(failed, err); err != nil {
		return end, j.app.unfinished(ctx, j.Spec(), j.Where(), j.Sweep, err)
	}
	end.Tally = query.TallyOf(j.Sweep)
	end.Held = Held(j.Sweep, end.Comparison)
	unreported := j.app.ownReport(ctx, j.Sweep)
	if j.app.Publish != nil && !stopped && unreported == nil {
		end.Unpublished = j.app.Publish(ctx, j.Sweep, end.Held)
	}
	j.notify(ctx, sum, end, unreported)
	return end, unreported
}
