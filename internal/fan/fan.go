// Package fan executes the runs of a sweep: it decides which run goes when to an
// Executor. In go the runs and the policy for failures; out comes a summary. It
// keeps a window of runs in progress, sends one ahead as a canary, retries
// failures within their budget and stops when the halt policy requires it or
// its context ends.
//
// Package fan knows nothing of kernels or clusters. All its state is in the sweep:
// after a crash the same call finishes the work.
package fan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/glob"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Options are what to execute and how.
type Options struct {
	Runs    []string        // ids, in the order to take them
	Known   map[string]bool // those of them that failed before and have not changed: they are no canaries, and Halt does not count their failures
	Jobs    int             // concurrent runs, at least 1; for remote executors Limits decides
	Canary  bool            // one run must get past its first cells before the others start
	Retry   Retry
	Halt    Halt
	Budget  *Budget
	RetryOf map[string]Retry // step → instead of Retry
	Limits  []ValueLimit     // at most N runs of one value at a time
	Note    func(sweep.Note) // may be nil
	Queue   func(Queue)      // called whenever it may have changed; may be nil

	// In a sweep with steps, a run begins when nothing it needs is open any more, and
	// enough of that has succeeded.
	Later   []string              // runs that stand, and may become due as others end
	Due     func(run string) bool // whether a run of Later is due, now that what it needs has ended
	Proven  map[string]bool       // steps that need no canary
	InOrder bool                  // a run that may begin takes its place in Runs, rather than the first one
}

// Retry is which failures are retried. Interruptions never are.
type Retry struct {
	N       int           // further attempts at one run
	On      []string      // statuses, reason kinds, exception names, or patterns of "Name: message"; empty is any failure
	Backoff time.Duration // before the first further attempt; doubles each time
	Total   int           // further attempts in the whole call; 0 is no cap
}

// Halt stops a sweep that goes badly, in the terms of GNU parallel.
type Halt struct {
	When    string  // "never", "soon": start nothing more; "now": also stop what runs
	What    string  // "fail", "success" or "done"
	Count   int     // after this many runs,
	Percent float64 // or after this percentage of the runs, and at least three
}

// ValueLimit bounds how many runs with one value of a parameter or label execute at
// once.
type ValueLimit struct {
	Name string
	N    int
}

// A Queue is how many runs wait for what.
type Queue struct {
	Turn  int // for room in the window
	Retry int // for the end of their back-off
	Needs int // for other runs
	Gone  int // for a class that does not come back
	Out   int // none: they were handed to the executor, and have not come back
}

// A Summary is how a call of Fan went.
type Summary struct {
	Executed  int // attempts that ended
	Retried   int
	Halted    string // why the sweep was halted; empty if it was not
	Unstarted int    // requested runs that never began
	Blocked   int    // requested runs whose needs did not succeed
}

// haltedError is the cause of the context when the policy cancels runs. Executors
// take the reason kind from it.
type haltedError struct{ why string }

func (e haltedError) Error() string { return "halted: " + e.why }

// ReasonKind is the reason kind of canceled runs.
func (e haltedError) ReasonKind() outcome.Kind { return outcome.Halted }

// Fan executes the runs and returns when none is in progress. An error means that
// fan could not continue; the sweep records how far it came. When ctx ends, no
// further run starts and those in progress are canceled.
func Fan(ctx context.Context, s *sweep.Sweep, ex Executor, o Options) (Summary, error) {
	left, err := openShards(ctx, s, ex)
	if err != nil {
		return Summary{}, err
	}
	if err := settle(ctx, s, ex, left); err != nil {
		return Summary{}, err
	}
	workCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &fanner{
		sweep: s, ex: ex, o: o, cancel: cancel,
		window: window(o.Jobs, ex.Limits()), typicalOf: -1, away: newAway(ex),
		busy: map[string]int{}, tries: map[string]int{}, before: map[string]int{}, returned: map[string]int{},
		rates: newRates(), canary: newCanary(o.Known), order: slices.Concat(o.Runs, o.Later),
		ended: make(chan result), awake: make(chan string, len(o.Runs)+len(o.Later)),
	}
	f.class, f.chain = f.away.class, newChain(s, o)
	for i, id := range o.Runs {
		st, ok := s.Run(id)
		if !ok {
			return Summary{}, fmt.Errorf("execute run %s: it was never planned", id)
		}
		f.queue = append(f.queue, st.Run)
		f.canary.place[id] = i
		if !o.Known[id] {
			f.total++
		}
	}
	for i, id := range o.Later {
		f.canary.place[id] = len(o.Runs) + i
	}
	f.canary.shut = o.Canary && f.total > 1 && f.chain.wait == nil // steps are tried as they come up
	f.resume(workCtx, left)
	f.hold()
	err = f.loop(workCtx)
	f.sum.Unstarted += f.away.unstarted()
	for _, r := range f.queue {
		if f.tries[r.ID] == 0 {
			f.sum.Unstarted++
		}
	}
	for id := range f.chain.held {
		if !f.chain.later[id] {
			f.sum.Unstarted++
		}
	}
	return f.sum, err
}

// openShards lists what an earlier process left with an executor whose shards
// outlive processes.
func openShards(ctx context.Context, s *sweep.Sweep, ex Executor) ([]sweep.OpenShard, error) {
	if !ex.Limits().Remote {
		return nil, nil
	}
	return s.OpenShards(context.WithoutCancel(ctx))
}

// settle ends what an earlier process left open, except for runs of shards that
// are executed again.
func settle(ctx context.Context, s *sweep.Sweep, ex Executor, left []sweep.OpenShard) error {
	again := map[string]bool{}
	for _, sh := range left {
		for _, id := range sh.Runs {
			again[id] = true
		}
	}
	orphans := slices.DeleteFunc(s.Orphans(), func(b sweep.Began) bool { return again[b.Run] })
	if len(orphans) == 0 {
		return nil
	}
	if r, ok := ex.(Recoverer); ok {
		if err := r.Recover(context.WithoutCancel(ctx), orphans); err != nil {
			return fmt.Errorf("end what an earlier controller left running: %w", err)
		}
	}
	for _, b := range orphans {
		if err := s.Lease().Lose(context.WithoutCancel(ctx), b, "the controller that executed it ended without recording how it went"); err != nil {
			return err
		}
	}
	return nil
}

func window(jobs int, l Limits) int {
	jobs = max(jobs, 1)
	switch {
	case l.Parallel > 0 && l.Remote:
		return l.Parallel
	case l.Parallel > 0:
		return min(jobs, l.Parallel)
	}
	return jobs
}

// fanner is one call of Fan. Only its loop uses it.
type fanner struct {
	sweep  *sweep.Sweep
	ex     Executor
	o      Options
	cancel context.CancelCauseFunc
	window int
	canary *canary
	class  func(sweep.Run) string
	away   *away
	rates  *rates
	chain  *chain

	order             []string // Runs and Later
	queue             []sweep.Run
	inFlight          int            // shards
	waiting           int            // runs that wait for their back-off
	out               int            // runs that were handed out
	busy              map[string]int // ValueLimit key → runs in progress
	tries             map[string]int // run → attempts of this call
	before            map[string]int // run → attempts it had when it was handed out
	returned          map[string]int // run → how often it came back without having begun
	retried           int
	total             int // runs that Halt counts
	failed, succeeded int
	typicalTook       time.Duration // as of typicalOf successes
	typicalOf         int
	stopped           bool // start nothing more
	err               error
	sum               Summary

	ended chan result
	awake chan string
}

type result struct {
	shard sweep.Shard
	class string
	runs  []sweep.Run
	err   error
}

func (f *fanner) loop(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		f.start(ctx)
		if f.o.Queue != nil {
			f.o.Queue(Queue{Turn: len(f.queue), Retry: f.waiting, Needs: len(f.chain.held), Gone: f.away.unstarted(), Out: f.out})
		}
		if f.inFlight == 0 && (f.stopped || ctx.Err() != nil || len(f.queue)+f.waiting == 0) {
			return f.away.err(f.err)
		}
		select {
		case r := <-f.ended:
			f.end(ctx, r)
		case id := <-f.awake:
			f.waiting--
			if st, ok := f.sweep.Run(id); ok {
				f.enqueue(0, st.Run)
			}
		case <-f.canary.alive:
			f.passed()
		case <-look.C:
			f.share(ctx)
		case <-f.done(ctx):
			f.stopped = true
		}
	}
}

// done reports the end of ctx, once.
func (f *fanner) done(ctx context.Context) <-chan struct{} {
	if f.stopped {
		return nil
	}
	return ctx.Done()
}

// resume executes the shards that an earlier process left. Shards whose runs would
// be executed differently now are stopped.
func (f *fanner) resume(ctx context.Context, left []sweep.OpenShard) {
	canceled, cancel := context.WithCancelCause(ctx)
	cancel(changedError{})
	queued := map[string]sweep.Run{}
	for _, r := range f.queue {
		queued[r.ID] = r
	}
	for _, sh := range left {
		var runs []sweep.Run
		for _, id := range sh.Runs {
			if run, ok := queued[id]; ok {
				delete(queued, id)
				f.hand(run)
				runs = append(runs, run)
			}
		}
		if sh.Current {
			f.send(ctx, sh.Shard, runs)
		} else {
			f.send(canceled, sh.Shard, runs)
		}
	}
	f.queue = slices.DeleteFunc(f.queue, func(r sweep.Run) bool { _, ok := queued[r.ID]; return !ok })
}

// changedError is the cause with which shards of an earlier plan are stopped.
type changedError struct{}

func (changedError) Error() string { return "its runs have changed" }

// start fills the window.
func (f *fanner) start(ctx context.Context) {
	f.lookAway(ctx)
	for !f.stopped && ctx.Err() == nil && f.inFlight-f.away.stuck() < f.canary.window(f.window) {
		i := f.next()
		if i < 0 {
			return
		}
		if why := f.o.Budget.over(); why != "" {
			f.halt("soon", why)
			return
		}
		runs := f.take(i, f.shardSize(f.queue[i]))
		shard := sweep.Shard{ID: f.sweep.Lease().NextShard()}
		for _, r := range runs {
			shard.Runs = append(shard.Runs, r.ID)
		}
		f.send(ctx, shard, runs)
	}
}

// send hands a shard to the executor.
func (f *fanner) send(ctx context.Context, shard sweep.Shard, runs []sweep.Run) {
	class := ""
	for _, id := range shard.Runs {
		if st, ok := f.sweep.Run(id); ok {
			class = f.class(st.Run)
			break
		}
	}
	f.inFlight++
	f.away.busy[class]++
	f.rates.began(shard)
	passed := f.canary.passed
	go func() {
		err := f.execute(ctx, shard, passed)
		f.ended <- result{shard, class, runs, err}
	}()
}

// next is where in the queue the run is that begins next, -1 if none may.
func (f *fanner) next() int {
	if f.canary.shut {
		fit := func(r sweep.Run) bool {
			return !f.o.Known[r.ID] && f.tries[r.ID] == 0 && (f.canary.step == "" || f.canary.step == r.Template)
		}
		if slices.ContainsFunc(f.queue, fit) {
			return f.canary.choose(f.queue, func(r sweep.Run) bool { return fit(r) && f.allowed(r) })
		}
		f.canary.open() // what is left would show nothing about others
	}
	i := slices.IndexFunc(f.queue, f.allowed)
	if i < 0 || !f.tryStep(f.queue[i]) {
		return i
	}
	if f.inFlight > f.away.stuck() {
		return -1
	}
	return f.next()
}

// take removes up to n runs of one class from the queue, beginning with the one at
// i.
func (f *fanner) take(i, n int) []sweep.Run {
	var runs []sweep.Run
	class := f.class(f.queue[i])
	for i >= 0 && len(runs) < n {
		run := f.queue[i]
		f.queue = without(f.queue, i)
		if i == 0 {
			f.chain.room++
		}
		f.hand(run)
		runs = append(runs, run)
		next := slices.IndexFunc(f.queue[i:], func(r sweep.Run) bool { return f.allowed(r) && f.class(r) == class })
		if next < 0 {
			break
		}
		i += next
	}
	return runs
}

// without removes run i. The first one, as most often, moves no others.
func without(queue []sweep.Run, i int) []sweep.Run {
	if i > 0 {
		return slices.Delete(queue, i, i+1)
	}
	queue[0] = sweep.Run{}
	return queue[1:]
}

// hand records that a run was handed out.
func (f *fanner) hand(run sweep.Run) {
	f.count(run, +1)
	f.tries[run.ID]++
	st, _ := f.sweep.Run(run.ID)
	f.before[run.ID] = st.Attempts
	if st.Began != nil { // in a shard that is executed again
		f.before[run.ID]--
	}
}

func (f *fanner) execute(ctx context.Context, shard sweep.Shard, passed func()) error {
	defer f.rates.ended(shard.ID)
	return f.ex.Execute(ctx, shard, func(n sweep.Note) {
		if n.Kind == sweep.NoteCell && n.Cell > canaryCells {
			passed()
		}
		f.rates.see(shard.ID, n)
		f.note(n)
	})
}

func (f *fanner) allowed(r sweep.Run) bool {
	if f.away.holds(r) {
		return false
	}
	for _, l := range f.o.Limits {
		if key, ok := limitKey(l, r); ok && f.busy[key] >= l.N {
			return false
		}
	}
	return true
}

func (f *fanner) count(r sweep.Run, by int) {
	f.out += by
	for _, l := range f.o.Limits {
		if key, ok := limitKey(l, r); ok {
			f.busy[key] += by
		}
	}
}

func limitKey(l ValueLimit, r sweep.Run) (string, bool) {
	for _, b := range slices.Concat(r.Params, r.Labels) {
		if b.Name == l.Name {
			return l.Name + "=" + b.Value.String(), true
		}
	}
	return "", false
}

// end records how a shard ended and decides what follows.
func (f *fanner) end(ctx context.Context, r result) {
	f.inFlight--
	f.away.busy[r.class]--
	for _, run := range r.runs {
		f.count(run, -1)
	}
	if r.err != nil {
		f.fail(ctx, r)
		return
	}
	recalled := f.rates.recalled(r.shard.ID)
	for _, run := range r.runs {
		f.settle(ctx, run, recalled)
	}
}

// inShard adds to an error the run or shard it is about.
func (f *fanner) inShard(r result) error {
	if len(r.runs) == 1 {
		return fmt.Errorf("run %s: %w", r.runs[0].ID, r.err)
	}
	return fmt.Errorf("shard %s: %w", r.shard.ID, r.err)
}

// settle records how one run ended. A run of a recalled shard may come back any
// number of times.
func (f *fanner) settle(ctx context.Context, run sweep.Run, recalled bool) {
	st, _ := f.sweep.Run(run.ID)
	if st.Attempts == f.before[run.ID] { // whatever an earlier attempt came to
		f.canary.open()
		f.unstarted(ctx, run, recalled)
		return
	}
	f.sum.Executed++
	f.o.Budget.spend(st.Last.CPU)
	if st.Last.Status == outcome.Canceled && f.putBack(ctx, run, recalled) {
		return // its worker was asked to stop
	}
	why, alive := f.canary.judge(st, f.left())
	if why != "" {
		f.halt("soon", why)
		return
	}
	if alive {
		f.passed()
	}
	if st.Status == outcome.Canceled || st.Status == outcome.Succeeded {
		f.book(st)
		f.settled(run.ID)
		return
	}
	if f.retry(ctx, st) {
		return
	}
	f.book(st)
	f.settled(run.ID)
}

// maxReturns is how often a run may come back without having begun.
const maxReturns = 5

// unstarted puts back a run that never began because its shard was asked to stop,
// for example when its node is drained.
func (f *fanner) unstarted(ctx context.Context, run sweep.Run, recalled bool) {
	if !f.putBack(ctx, run, recalled) {
		f.sum.Unstarted++
		f.settled(run.ID)
	}
}

// putBack queues a run again that ended for reasons outside it.
func (f *fanner) putBack(ctx context.Context, run sweep.Run, recalled bool) bool {
	if !f.ex.Limits().Remote || f.stopped || ctx.Err() != nil || f.returned[run.ID] == maxReturns {
		return false
	}
	if !recalled {
		f.returned[run.ID]++
	}
	f.tries[run.ID]--
	f.enqueue(len(f.queue), run)
	return true
}

// retry queues a failed run again if its budget allows.
func (f *fanner) retry(ctx context.Context, st sweep.RunState) bool {
	again, policy := f.tries[st.Run.ID], f.o.Retry
	if own, has := f.o.RetryOf[st.Run.Template]; has {
		policy = own
	}
	spent := again > policy.N || f.o.Retry.Total > 0 && f.retried >= f.o.Retry.Total
	if spent || f.stopped || ctx.Err() != nil || !policy.matches(*st.Last) {
		return false
	}
	f.retried++
	f.sum.Retried++
	f.waiting++
	wait := backoff(policy.Backoff, again)
	go func() {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		f.awake <- st.Run.ID
	}()
	return true
}

// backoff doubles with each attempt and is spread by a quarter either way, so
// that runs that failed together are not retried together.
func backoff(base time.Duration, attempt int) time.Duration {
	d := base << min(attempt-1, 10)
	if d <= 0 {
		return 0
	}
	return d*3/4 + time.Duration(rand.Int64N(int64(d)/2+1))
}

func (r Retry) matches(o outcome.Outcome) bool {
	if len(r.On) == 0 {
		return true
	}
	return slices.ContainsFunc(r.On, func(on string) bool {
		if on == string(o.Status) || on == string(o.Kind) || on == o.Ename {
			return true
		}
		return glob.MatchText(on, o.Ename+": "+o.Evalue)
	})
}

// book counts a settled run and applies the halt policy.
func (f *fanner) book(st sweep.RunState) {
	known := f.o.Known[st.Run.ID]
	switch {
	case st.Status == outcome.Succeeded:
		f.succeeded++
		if known {
			f.total++
		}
	case st.Status == outcome.Canceled || known:
		return
	default:
		f.failed++
	}
	if why := f.o.Halt.due(f.failed, f.succeeded, f.total); why != "" && !f.stopped {
		f.halt(f.o.Halt.When, why)
	}
}

func (f *fanner) halt(when, why string) {
	f.sum.Halted, f.stopped = why, true
	if when == "now" {
		f.cancel(haltedError{why})
	}
}

// due returns why the policy halts the sweep, or nothing.
func (h Halt) due(failed, succeeded, total int) string {
	if h.When == "" || h.When == "never" {
		return ""
	}
	n := map[string]int{"fail": failed, "success": succeeded, "done": failed + succeeded}[h.What]
	word := map[string]string{"fail": "failed", "success": "succeeded", "done": "ended"}[h.What]
	switch {
	case h.Percent > 0 && n >= 3 && float64(n)*100 >= h.Percent*float64(total):
		return fmt.Sprintf("%d of %s %s, which is %s%% or more", n, unit.Plural(total, "run"), word, unit.Number(h.Percent))
	case h.Percent == 0 && h.Count > 0 && n >= h.Count:
		return unit.Plural(n, "run") + " " + word
	}
	return ""
}
