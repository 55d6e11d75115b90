package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/worker"
)

// machine is a fake that executes runs of the worker's sweep.
type machine struct {
	*fantest.Fake
	jobs   int
	lacks  error // what preflight says
	busy   func(ctx context.Context, run sweep.Run, note func(sweep.Note))
	looked int // preflights
	closed bool
}

func (m *machine) Jobs() int { return m.jobs }

func (m *machine) Close() error { m.closed = true; return nil }

func (m *machine) Preflight(context.Context, string) error { m.looked++; return m.lacks }

func (m *machine) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	if m.busy != nil {
		m.Before = func(_ context.Context, run sweep.Run, _ int) error { m.busy(ctx, run, note); return nil }
	}
	return m.Fake.Execute(ctx, shard, note)
}

// stored plans runs, stores a shard of all of them and opens the sweep as its
// worker does.
func stored(t *testing.T, runs int) (controller, own *sweep.Sweep) {
	t.Helper()
	st := store.Mem()
	controller = fantest.NewSweep(t, st, fantest.FakeMachine(), sweep.Settings{}, runs, fantest.Succeed)
	shard := sweep.Shard{ID: "1-1"}
	for _, r := range controller.Runs() {
		shard.Runs = append(shard.Runs, r.Run.ID)
	}
	if _, err := controller.Lease().PutShard(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	own, err := sweep.Open(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	return controller, own
}

func work(ctx context.Context, s *sweep.Sweep, m *machine) error {
	m.Fake = &fantest.Fake{Sweep: s}
	m.jobs = max(m.jobs, 1)
	var stderr io.Writer = io.Discard
	return worker.Work(ctx, s, "1-1", worker.Options{
		Version: "1.2",
		Start:   func(context.Context, []string) (worker.Machine, error) { return m, nil },
		Note:    func(sweep.Note) {},
		Say:     func(line string) { fmt.Fprintln(stderr, line) },
		Log:     func(w io.Writer) { stderr = w },
	})
}

// counts are the runs by status, as the controller knows them once it has read
// what the worker recorded.
func counts(t *testing.T, controller *sweep.Sweep) string {
	t.Helper()
	if _, err := controller.Stored("1-1").Absorb(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := controller.Counts()
	return fmt.Sprintf("%d succeeded, %d planned", c[outcome.Succeeded], c[outcome.Planned])
}

func TestWorkExecutesEveryRun(t *testing.T) {
	controller, own := stored(t, 5)
	m := &machine{jobs: 2}
	if err := work(t.Context(), own, m); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, controller); got != "5 succeeded, 0 planned" || !m.closed || m.looked != 1 {
		t.Errorf("%s; closed: %t, %d preflights", got, m.closed, m.looked)
	}
	again, err := sweep.Open(t.Context(), own.Store())
	if err != nil {
		t.Fatal(err)
	}
	if err := work(t.Context(), again, &machine{}); !errors.Is(err, sweep.ErrClaimed) {
		t.Errorf("a second worker: %v", err)
	}
}

func TestWorkerComplains(t *testing.T) {
	controller, own := stored(t, 2)
	m := &machine{lacks: unit.WithHint(errors.New("torch is\nmissing"), "install it")}
	if err := work(t.Context(), own, m); err == nil || !m.closed {
		t.Errorf("%v; closed: %t", err, m.closed)
	}
	if got, want := controller.Stored("1-1").Complaint(t.Context()), "torch is missing (install it)"; got != want {
		t.Errorf("complaint %q, want %q", got, want)
	}
	if got := counts(t, controller); got != "0 succeeded, 2 planned" {
		t.Error(got)
	}
}

// Runs that have not begun when a shard is recalled stay planned.
func TestRecalledShard(t *testing.T) {
	controller, own := stored(t, 5)
	var begun atomic.Int32
	m := &machine{busy: func(context.Context, sweep.Run, func(sweep.Note)) {
		if begun.Add(1) == 2 {
			if err := controller.Stored("1-1").Recall(t.Context(), false); err != nil {
				t.Error(err)
			}
		}
	}}
	if err := work(t.Context(), own, m); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, controller); got != "1 succeeded, 4 planned" {
		t.Error(got)
	}
}

// A worker stops when its shard was given up, however much news it has.
func TestBusyWorkerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		controller, own := stored(t, 1)
		began := time.Now()
		m := &machine{busy: func(ctx context.Context, run sweep.Run, note func(sweep.Note)) {
			time.Sleep(100 * time.Millisecond)
			if err := controller.Stored("1-1").Recall(t.Context(), true); err != nil {
				t.Error(err)
			}
			for i := 0; ctx.Err() == nil && i < 1000; i++ {
				note(sweep.Note{Kind: sweep.NoteCell, Run: run.ID, Cell: i})
				time.Sleep(50 * time.Millisecond)
			}
			if cause := context.Cause(ctx); cause == nil || !strings.Contains(cause.Error(), "given up") {
				t.Errorf("it stops because of %v", cause)
			}
			if took := time.Since(began); took > 2*sweep.RecallEvery {
				t.Errorf("it stops after %s", took)
			}
		}}
		if err := work(t.Context(), own, m); err != nil {
			t.Error(err)
		}
	})
}

func TestFindings(t *testing.T) {
	st := store.Mem()
	err := worker.LeaveFindings(t.Context(), st, "p", []outcome.Finding{
		{What: "kernel", Detail: "Python 3"}, {What: "warm", Err: unit.WithHint(errors.New("no"), "install it")}, {What: "disk", Err: errors.New("full")},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := worker.TakeFindings(t.Context(), st, "p")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		line := f.What + " " + f.Detail
		if f.Err != nil {
			line += f.Err.Error() + ": " + unit.HintOf(f.Err)
		}
		got = append(got, line)
	}
	if d := cmp.Diff([]string{"kernel Python 3", "warm no: install it", "disk full: "}, got); d != "" {
		t.Error(d)
	}
	if _, err := worker.TakeFindings(t.Context(), st, "p"); err == nil {
		t.Error("findings are still there")
	}
}
