package nomad

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// alloc is what has to be known of an allocation.
type alloc struct {
	ID, Node     string
	Status       string // ClientStatus
	created, mod uint64 // indexes
}

func allocOf(s *api.AllocationListStub) alloc {
	return alloc{ID: s.ID, Node: s.NodeName, Status: s.ClientStatus, created: s.CreateIndex, mod: s.ModifyIndex}
}

// ended reports that no process of the allocation is left.
func (a alloc) ended() bool {
	return a.Status == api.AllocClientStatusComplete || a.Status == api.AllocClientStatusFailed
}

// terminal returns the allocation that made the shard when none of the child's
// can be at work any more.
func terminal(allocs []alloc) *alloc {
	var first *alloc
	for i, a := range allocs {
		if !a.ended() {
			return nil
		}
		if first == nil || a.created < first.created {
			first = &allocs[i]
		}
	}
	return first
}

// away reports that the node of an allocation cannot be asked: its process may
// be alive.
func away(allocs []alloc) bool {
	for _, a := range allocs {
		if a.Status == api.AllocClientStatusLost || a.Status == api.AllocClientStatusUnknown {
			return true
		}
	}
	return false
}

// A watcher knows the allocations of the sweep's shards in one place.
type watcher struct {
	e *Executor
	place
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	children map[string]*child
}

// child is a job that somebody waits for.
type child struct {
	allocs []alloc       // one, unless Nomad replaced it
	wake   chan struct{} // holds a word when something changed
}

// watcher returns the one of a place, and starts it.
func (e *Executor) watcher(p place) *watcher {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.watchers[p]
	if w == nil {
		w = &watcher{e: e, place: p, children: map[string]*child{}}
		ctx, stop := context.WithCancel(context.Background())
		w.stop = stop
		e.watchers[p] = w
		w.done.Go(func() { w.run(ctx) })
	}
	return w
}

func (e *Executor) stopWatching() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.watchers {
		w.stop()
		w.done.Wait()
	}
	e.watchers = map[place]*watcher{}
}

// follow makes the watcher remember a child until forget.
func (w *watcher) follow(id string) (wake <-chan struct{}, forget func()) {
	c := &child{wake: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.children[id] = c
	return c.wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.children, id)
	}
}

// look is what is known of a child that is followed.
func (w *watcher) look(id string) []alloc {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.children[id]
	if c == nil {
		return nil
	}
	return slices.Clone(c.allocs)
}

// learn takes over what is said of an allocation, unless something newer is
// known, and wakes who waits.
func (w *watcher) learn(id string, a alloc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.children[id]
	if c == nil {
		return
	}
	i := slices.IndexFunc(c.allocs, func(known alloc) bool { return known.ID == a.ID })
	if i < 0 {
		c.allocs, i = append(c.allocs, alloc{}), len(c.allocs)
	}
	known := &c.allocs[i]
	changed := known.Status != a.Status
	if known.Status != "" && known.mod >= a.mod {
		return
	}
	*known = a
	if !changed {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// How often allocations are listed: with events, which may be lost, and
// without.
const (
	listEvery = 30 * time.Second
	listAlone = 2 * time.Second
)

// run keeps a watcher up to date until ctx ends. A fault is ridden out: who
// waits for a shard waits on.
func (w *watcher) run(ctx context.Context) {
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		w.stream(ctx)
		if time.Since(began) > time.Minute {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// silence is how long a stream may say nothing: a heartbeat comes at once and
// every half minute, and none at all means that the token may not listen.
const silence = 45 * time.Second

// stream listens to events until the stream ends, and lists meanwhile.
func (w *watcher) stream(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	frames := make(chan []byte)
	go func() {
		defer stop()
		w.read(ctx, frames)
	}()
	every, quiet := listAlone, time.Now()
	for {
		if w.list(ctx) != nil {
			return
		}
		tick := time.NewTimer(every)
		for listed := true; listed; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case frame := <-frames:
				every, quiet = listEvery, time.Now()
				w.hear(frame)
			case <-tick.C:
				listed = false
			}
		}
		if every == listEvery && time.Since(quiet) > silence {
			return
		}
	}
}

// read passes on the lines of the event stream.
func (w *watcher) read(ctx context.Context, frames chan<- []byte) {
	q := w.query(ctx)
	q.Params = map[string]string{"topic": string(api.TopicAllocation) + ":*"}
	body, err := w.e.client.Raw().Response("/v1/event/stream", q)
	if err != nil {
		<-ctx.Done() // listing goes on alone
		return
	}
	defer body.Close()
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	lines := bufio.NewReaderSize(body, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			select {
			case frames <- line:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// frame is one line of the event stream.
type frame struct {
	Events []struct {
		Index   uint64
		Payload struct {
			Allocation *said
		}
	}
}

func (w *watcher) hear(line []byte) {
	var f frame
	if json.Unmarshal(line, &f) != nil {
		return // the next listing tells
	}
	for _, ev := range f.Events {
		if s := ev.Payload.Allocation; s != nil {
			a := s.alloc()
			a.mod = max(a.mod, ev.Index)
			w.learn(s.JobID, a)
		}
	}
}

// list takes over how all allocations of the sweep are.
func (w *watcher) list(ctx context.Context) error {
	w.mu.Lock()
	followed := len(w.children)
	w.mu.Unlock()
	if followed == 0 {
		return ctx.Err()
	}
	q := w.query(ctx)
	q.Filter = fmt.Sprintf("JobID contains %q", w.e.prefix)
	q.Params = map[string]string{"task_states": "false"}
	return w.e.call(ctx, func() error {
		body, err := w.e.client.Raw().Response("/v1/allocations", q)
		if err != nil {
			return err
		}
		defer body.Close()
		return w.learnAll(body)
	})
}

// said is what a listing or an event says of an allocation, as far as it
// matters.
type said struct {
	ID, JobID, NodeName, ClientStatus string
	CreateIndex, ModifyIndex          uint64
}

func (s said) alloc() alloc {
	return alloc{ID: s.ID, Node: s.NodeName, Status: s.ClientStatus, created: s.CreateIndex, mod: s.ModifyIndex}
}

// learnAll reads a listing one by one: it may be of thousands.
func (w *watcher) learnAll(list io.Reader) error {
	dec := json.NewDecoder(list)
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		var s said
		if err := dec.Decode(&s); err != nil {
			return err
		}
		w.learn(s.JobID, s.alloc())
	}
	return nil
}

// reason says why the shard's allocation ended, for the runs that it left open.
func (v *vigil) reason(ctx context.Context) string {
	if said := v.sweep.Complaint(ctx, v.shard.ID); said != "" {
		return fmt.Sprintf("%s: %s", v.ended, said)
	}
	return v.whyEnded(ctx, v.class.place, *v.ended)
}

// String names an allocation for people.
func (a alloc) String() string { return fmt.Sprintf("allocation %s on node %s", short(a.ID), a.Node) }

// whyEnded asks Nomad, and the task's own log, why an allocation ended.
func (e *Executor) whyEnded(ctx context.Context, p place, ended alloc) string {
	a, _, err := e.client.Allocations().Info(ended.ID, p.query(ctx))
	if err != nil {
		return ended.String() + " ended, and Nomad does not know it any more"
	}
	for _, task := range sortedKeys(a.TaskStates) {
		why := taskReason(a.TaskStates[task])
		if why == "" {
			continue
		}
		if said := e.lastWords(ctx, p, a, task); said != "" {
			why = said
		}
		return ended.String() + ": " + why
	}
	return ended.String() + " ended without a word: " + a.ClientDescription
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

// lastWords is what a worker wrote on its standard error at the end, while the
// client still has it.
func (e *Executor) lastWords(ctx context.Context, p place, a *api.Allocation, task string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	text, err := readLog(e.client, a, task, p.query(ctx))
	if err != nil {
		return ""
	}
	return complaintIn(text)
}

// complaintIn is the last thing that fanout said, with its hint in brackets.
func complaintIn(text string) string {
	text, hint, hinted := cutLast(text, "fanout: hint: ")
	_, why, said := cutLast(text, "fanout: ")
	if !said || !hinted {
		return why
	}
	return why + " (" + hint + ")"
}

// cutLast cuts text at the last sep; after is one line.
func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], strings.Join(strings.Fields(text[i+len(sep):]), " "), true
}

// waiting is why shards have no node.
type waiting struct {
	shards map[string]wait // by id
	told   map[string]told // by reason
}

type wait struct {
	runs int
	why  string
}

type told struct {
	runs int
	at   time.Time
}

// tellAgain is how often people are told how many runs wait for a reason.
const tellAgain = 30 * time.Second

// set notes why a shard waits and returns what to say about it, if anything: a
// shard that begins to wait is told of with the others, at the next look.
func (w *waiting) set(shard string, runs int, why string) string {
	known := w.shards[shard].why == why
	w.shards[shard] = wait{runs, why}
	all := 0
	for _, s := range w.shards {
		if s.why == why {
			all += s.runs
		}
	}
	if was := w.told[why]; !known || was.runs == all || time.Since(was.at) < tellAgain {
		return ""
	}
	w.told[why] = told{all, time.Now()}
	if all == 1 {
		return "1 run waits for a node: " + why
	}
	return fmt.Sprintf("%d runs wait for a node: %s", all, why)
}

// tellWaiting tells how many runs wait for a node and why.
func (v *vigil) tellWaiting(ctx context.Context) {
	evals, _, err := v.client.Jobs().Evaluations(v.child, v.class.place.query(ctx))
	if err != nil {
		return
	}
	why := ""
	for _, ev := range evals {
		for _, m := range ev.FailedTGAllocs {
			why = obstaclesOf(m)
		}
	}
	if why == "" {
		return
	}
	v.mu.Lock()
	text := v.waiting.set(v.shard.ID, len(v.shard.Runs), why)
	v.mu.Unlock()
	if text != "" {
		v.note(sweep.Note{Kind: sweep.NoteWord, Text: text})
	}
}

// obstaclesOf says why no node would take an allocation.
func obstaclesOf(m *api.AllocationMetric) string {
	var parts []string
	for _, k := range sortedKeys(m.DimensionExhausted) {
		parts = append(parts, fmt.Sprintf("%s exhausted on %d of %d nodes", k, m.DimensionExhausted[k], m.NodesEvaluated))
	}
	for _, k := range sortedKeys(m.ConstraintFiltered) {
		parts = append(parts, fmt.Sprintf("%s on %d nodes", k, m.ConstraintFiltered[k]))
	}
	if m.NodesEvaluated == 0 {
		return "there is none in its datacenters and node pool"
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d nodes were evaluated", m.NodesEvaluated)
	}
	return strings.Join(parts, ", ")
}
