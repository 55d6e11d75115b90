package nomad

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// An apart is a shard that an Executor follows on the stand-in, whose allocation
// runs nothing: the test is its worker.
type apart struct {
	t      *testing.T
	sweep  *sweep.Sweep // the controller's
	own    *sweep.Sweep // the worker's
	server *nomadtest.Server
	cancel context.CancelFunc
	over   chan error
}

func newApart(t *testing.T, runs int, lostAfter time.Duration, before ...func(*sweep.Sweep)) *apart {
	t.Helper()
	st := store.Mem()
	a := &apart{t: t, server: nomadtest.New(t), over: make(chan error, 1)}
	t.Setenv("NOMAD_ADDR", a.server.URL)
	a.server.Idle()
	a.sweep = fantest.NewSweep(t, st, fantest.FakeMachine(), sweep.Settings{}, runs, fantest.Succeed)
	for _, do := range before {
		do(a.sweep)
	}
	e, err := New(t.Context(), a.sweep, Options{
		Dir: "d", Command: "fanout", Parallel: 1, poll: 10 * time.Millisecond, LostAfter: lostAfter, Grace: time.Second, margin: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	shard := sweep.Shard{ID: "1-1"}
	for _, r := range a.sweep.Runs() {
		shard.Runs = append(shard.Runs, r.Run.ID)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a.cancel = cancel
	t.Cleanup(cancel)
	go func() { a.over <- e.Execute(ctx, shard, func(sweep.Note) {}) }()
	for a.server.Running() == 0 || !follows(e) { // from then on it dispatches no more
		time.Sleep(5 * time.Millisecond)
	}
	if a.own, err = sweep.Open(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	claim, err := a.own.Join(t.Context(), shard.ID, "worker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { claim.Release() })
	return a
}

// follows reports whether an executor follows a job that it dispatched.
func follows(e *Executor) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.watchers {
		w.mu.Lock()
		n := len(w.children)
		w.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

// work begins the first n runs, and ends them.
func (a *apart) work(n int) {
	a.t.Helper()
	for _, r := range a.own.Runs()[:n] {
		began := a.begin(r.Run.ID)
		_, doc, err := a.own.TemplateOf(a.t.Context(), r.Run)
		if err != nil {
			a.t.Fatal(err)
		}
		now := time.Now().UTC()
		if err := began.End(a.t.Context(), doc, outcome.Outcome{Status: outcome.Succeeded, Start: now, End: now}, nil); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *apart) begin(run string) *sweep.Attempt {
	a.t.Helper()
	began, err := a.own.Lease().Begin(a.t.Context(), run, sweep.Began{Host: "h"})
	if err != nil {
		a.t.Fatal(err)
	}
	return began
}

// wait returns how Execute ended, and fails if that takes longer than limit.
func (a *apart) wait(limit time.Duration) error {
	a.t.Helper()
	select {
	case err := <-a.over:
		return err
	case <-time.After(limit):
		a.t.Fatalf("it has not ended after %s", limit)
		return nil
	}
}

// statuses are those of the runs, in their order.
func (a *apart) statuses() string {
	var all []string
	for _, r := range a.sweep.Runs() {
		all = append(all, string(r.Status))
	}
	return strings.Join(all, " ")
}

// patience is for a machine under load: what is waited for takes a few seconds.
const patience = 60 * time.Second

// A shard whose runs have all ended is closed, whatever Nomad knows of its
// allocation.
func TestEndedShardIsClosed(t *testing.T) {
	for name, fault := range map[string]func(*nomadtest.Server){
		"its node is away": (*nomadtest.Server).Disconnect,
		"its job is gone":  (*nomadtest.Server).Vanish,
		"nothing is reported, though the node is there": (*nomadtest.Server).Mute,
		"no request is answered":                        func(s *nomadtest.Server) { s.Fail(nomadtest.Faults{Broken: 1 << 30}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApart(t, 2, time.Hour)
			fault(a.server)
			a.work(2)
			err := a.wait(patience)
			a.server.Fail(nomadtest.Faults{})
			if got := a.statuses(); err != nil || got != "succeeded succeeded" || a.sweep.Stored("1-1").Open() {
				t.Errorf("%v; the runs are %s; the shard is open: %t", err, got, a.sweep.Stored("1-1").Open())
			}
		})
	}
}

// A purge takes the allocation from the servers, and no event says so: what has
// begun is lost once its worker is silent, and what has not comes back.
func TestPurgedShard(t *testing.T) {
	a := newApart(t, 3, 3*time.Second)
	a.work(1)
	a.begin(a.own.Runs()[1].Run.ID)
	a.server.Vanish()
	if err := a.wait(patience); err != nil || a.statuses() != "succeeded lost planned" {
		t.Errorf("%v; the runs are %s", err, a.statuses())
	}
}

// Stopping a shard on a node that is away does not wait for the node.
func TestStoppedShardOnNodeAway(t *testing.T) {
	a := newApart(t, 1, time.Hour)
	a.begin(a.own.Runs()[0].Run.ID)
	a.server.Disconnect()
	time.Sleep(200 * time.Millisecond)
	a.cancel()
	err := a.wait(patience)
	if err == nil || !strings.Contains(err.Error(), "its node is away") {
		t.Errorf("%v; the run is %s", err, a.statuses())
	}
}

// What a run came to before its shard was dispatched says nothing of the shard.
func TestShardOfRunsThatEndedBefore(t *testing.T) {
	a := newApart(t, 1, time.Hour, func(s *sweep.Sweep) {
		if err := (&fantest.Fake{Sweep: s}).Execute(t.Context(), sweep.Shard{ID: "0", Runs: []string{s.Runs()[0].Run.ID}}, func(sweep.Note) {}); err != nil {
			t.Fatal(err)
		}
	})
	a.server.Disconnect()
	select {
	case err := <-a.over:
		t.Fatalf("%v: it is over before its worker was silent", err)
	case <-time.After(300 * time.Millisecond):
	}
	a.work(1)
	if err := a.wait(patience); err != nil || a.sweep.Runs()[0].Attempts != 2 {
		t.Errorf("%v after %d attempts", err, a.sweep.Runs()[0].Attempts)
	}
}
