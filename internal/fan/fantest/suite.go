// Package fantest is the contract of fan.Executor as a test suite. Every
// executor runs it; what differs between executors is declared in Machine,
// not found by skipping.
package fantest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Machine is an executor under test and how notebooks do things on it.
type Machine struct {
	Name string
	// New returns the executor for a sweep whose lease is held, and
	// registers its cleanup.
	New func(t *testing.T, s *sweep.Sweep) fan.Executor
	// Kernelspec and Language go into the templates.
	Kernelspec, Language string
	// Cells maps what a cell does to its source.
	Cells map[Deed]string
	// Survivors returns the processes that runs left behind. It is nil for a
	// machine without processes.
	Survivors func(t *testing.T) []int
	// Grace is how long a canceled run may take to end.
	Grace time.Duration
	// Outlives says that shards outlive the process that handed them out, so
	// that another one may execute them again.
	Outlives bool
}

// A Deed is something a cell does.
type Deed string

// The deeds every machine must know how to do.
const (
	Succeed    Deed = "succeed"    // print "hello"
	Glue       Deed = "glue"       // record the parameter x as scrap "y"
	Raise      Deed = "raise"      // raise ValueError("no good")
	Die        Deed = "die"        // end the kernel's process with SIGKILL
	Hang       Deed = "hang"       // never end, but honour an interrupt
	HangHard   Deed = "hang hard"  // never end, and ignore interrupts
	ExitZero   Deed = "exit zero"  // end the notebook as a success
	WriteFile  Deed = "write file" // fail if file "mark" exists in the working directory, then create it
	Overwrite  Deed = "overwrite"  // append a line "mine" to the files Beside and Frozen, then print both
	Grandchild Deed = "grandchild" // start a process that outlives the kernel
	Unicode    Deed = "unicode"    // print UnicodeText
	Large      Deed = "large"      // print 5,000,000 characters
)

// FakeKernel is how the fake kernel of kerneltest does the deeds.
func FakeKernel() map[Deed]string {
	return map[Deed]string{
		Succeed: "print hello", Glue: "scrap y $x", Raise: "error ValueError no good",
		Die: "die 9", Hang: "hang", HangHard: "ignore-interrupt\nignore-term\nignore-shutdown\nhang",
		ExitZero: "exit-cell", WriteFile: "append mark x\ncat mark",
		Overwrite:  "append beside.txt mine\nappend frozen.txt mine\ncat beside.txt\ncat frozen.txt",
		Grandchild: "fork-grandchild\nfork-grandchild setsid", Unicode: "print " + UnicodeText,
		Large: "big 5_000_000",
	}
}

// The files that Overwrite appends to. Each has one line at first, its name.
const (
	Beside = "beside.txt" // beside the template
	Frozen = "frozen.txt" // frozen with the sweep
)

// UnicodeText is what the deed Unicode prints.
const UnicodeText = "naïve Ω 漢字 😀"

// Run checks every clause of the contract.
func Run(t *testing.T, m Machine) {
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) { c.check(t, m) })
	}
}

var clauses = []struct {
	name  string
	check func(t *testing.T, m Machine)
}{
	{"returns when every attempt has ended", returnsEnded},
	{"scraps are recorded", recordsScraps},
	{"a notebook that raises is failed, never an error", raises},
	{"cells up to the failure are kept", keepsCells},
	{"a dead kernel is failed, kernel_died", dies},
	{"a run timeout is timed_out and names the cell", timesOut},
	{"a timeout ends a kernel that ignores interrupts", timesOutHard},
	{"cancelling ends as canceled and leaves a valid notebook", cancels},
	{"a shard cancelled before it begins stays planned", cancelsEarly},
	{"a notebook that ends itself succeeds", exitsEarly},
	{"attempts do not see each other's working directories", isolates},
	{"attempts do not see what others write to the files they have in common", isolatesFiles},
	{"nothing is left after return", leavesNothing},
	{"text of any script arrives whole", keepsUnicode},
	{"output of millions of characters arrives whole", keepsLarge},
	{"a shard executed again runs nothing twice", executesAgain},
	{"a shard executed again to be cancelled is stopped", cancelsAgain},
	{"a late worker changes nothing", lateChangesNothing},
}

// sweepOf plans runs over a template of the given deeds, in a directory.
func sweepOf(t *testing.T, m Machine, settings sweep.Settings, runs int, deeds ...Deed) *sweep.Sweep {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string][]byte{"template.ipynb": templateOf(t, m, deeds), Beside: []byte(Beside + "\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return NewSweep(t, store.Dir(filepath.Join(dir, "test.sweep")), m, settings, runs, deeds...)
}

// NewSweep plans runs over a template of the given deeds and holds the lease
// until the test ends. Run i has the parameters x = i and y = 0.
func NewSweep(t *testing.T, st store.Store, m Machine, settings sweep.Settings, runs int, deeds ...Deed) *sweep.Sweep {
	t.Helper()
	s := must(sweep.Init(t.Context(), st, "test"))(t)
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lease().Release() })
	p := sweep.Plan{TemplateDocs: [][]byte{templateOf(t, m, deeds)}}
	p.Name, p.Source = "test", ".."
	p.Templates = []sweep.Template{{Path: "template.ipynb", Code: "c"}}
	p.Recipe.Settings = settings
	p.Files = []pack.File{{Name: Frozen, Mode: 0o666, Data: []byte(Frozen + "\n")}}
	for i := range runs {
		p.Runs = append(p.Runs, sweep.Run{
			ID:     fmt.Sprintf("run%013d", i),
			Params: []value.Binding{{Name: "x", Value: valueOf(t, i)}, {Name: "y", Value: valueOf(t, 0)}},
		})
	}
	if _, err := s.Lease().Plan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return s
}

func valueOf(t *testing.T, x any) value.Value {
	t.Helper()
	return must(value.Of(x))(t)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func templateOf(t *testing.T, m Machine, deeds []Deed) []byte {
	t.Helper()
	cell := func(id, source string, tags ...string) map[string]any {
		return map[string]any{
			"cell_type": "code", "id": id, "source": source, "outputs": []any{}, "execution_count": nil,
			"metadata": map[string]any{"tags": append([]string{}, tags...)},
		}
	}
	cells := []any{cell("parameters", "x = 0\ny = 0", "parameters")}
	for i, d := range deeds {
		source, ok := m.Cells[d]
		if !ok {
			t.Fatalf("%s does not know how to %q", m.Name, d)
		}
		cells = append(cells, cell(fmt.Sprintf("deed-%d", i), source))
	}
	b, err := json.Marshal(map[string]any{
		"nbformat": 4, "nbformat_minor": 5, "cells": cells,
		"metadata": map[string]any{
			"kernelspec":    map[string]any{"name": m.Kernelspec, "display_name": m.Kernelspec, "language": m.Language},
			"language_info": map[string]any{"name": m.Language},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// execute executes every run of the sweep in one shard.
func execute(ctx context.Context, t *testing.T, m Machine, s *sweep.Sweep, note func(sweep.Note)) {
	t.Helper()
	ex := m.New(t, s)
	if note == nil {
		note = func(sweep.Note) {}
	}
	shard := sweep.Shard{ID: "1-1"}
	for st := range s.All() {
		shard.Runs = append(shard.Runs, st.Run.ID)
	}
	if err := ex.Execute(ctx, shard, note); err != nil {
		t.Fatalf("Execute: %v", err)
	}
}

// only returns the outcome of the sweep's single run.
func only(t *testing.T, s *sweep.Sweep, want outcome.Status) sweep.RunState {
	t.Helper()
	st := s.Runs()[0]
	if st.Status != want {
		t.Fatalf("status is %s (%+v), want %s", st.Status, st.Last, want)
	}
	return st
}

// document returns the run's notebook, as a fresh process would find it.
func document(t *testing.T, s *sweep.Sweep) *notebook.Notebook {
	t.Helper()
	fresh := must(sweep.Open(t.Context(), s.Store()))(t)
	b := must(fresh.Notebook(t.Context(), fresh.Runs()[0]))(t)
	return must(notebook.Decode(b))(t)
}

// text is everything a notebook's cells printed.
func text(doc *notebook.Notebook) string {
	var b strings.Builder
	for _, c := range doc.Cells {
		for _, o := range c.Outputs {
			if o.Type == "stream" {
				b.WriteString(o.Text)
			}
		}
	}
	return b.String()
}

func returnsEnded(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 3, Succeed)
	execute(t.Context(), t, m, s, nil)
	fresh := must(sweep.Open(t.Context(), s.Store()))(t)
	for _, st := range fresh.Runs() {
		if st.Status != outcome.Succeeded || st.Attempts != 1 || st.Began != nil {
			t.Errorf("run %s: %s after %d attempts", st.Run.ID, st.Status, st.Attempts)
		}
		if st.Last.End.Before(st.Last.Start) || st.Last.Start.IsZero() {
			t.Errorf("run %s: from %v to %v", st.Run.ID, st.Last.Start, st.Last.End)
		}
	}
	if got := text(document(t, s)); !strings.Contains(got, "hello") {
		t.Errorf("the notebook shows %q", got)
	}
}

func recordsScraps(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 2, Glue)
	execute(t.Context(), t, m, s, nil)
	for i, st := range s.Runs() {
		if got := st.Scraps.Text("y"); got != fmt.Sprint(i) {
			t.Errorf("run %d: scrap y is %q (%s: %+v)", i, got, st.Status, st.Last)
		}
	}
}

func raises(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Succeed, Raise, Succeed)
	execute(t.Context(), t, m, s, nil)
	o := only(t, s, outcome.Failed).Last
	if o.Kind != outcome.Exception || o.Ename != "ValueError" || o.Evalue != "no good" {
		t.Errorf("outcome is %+v", o)
	}
	if o.Cell != 4 { // parameters, injected, succeed, raise
		t.Errorf("cell is %d, want 4", o.Cell)
	}
}

func keepsCells(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Succeed, Raise)
	execute(t.Context(), t, m, s, nil)
	doc := document(t, s)
	if got := text(doc); !strings.Contains(got, "hello") {
		t.Errorf("the notebook shows %q", got)
	}
	if f, failed := doc.Failure(); !failed || f.Ename != "ValueError" {
		t.Errorf("the notebook's failure is %+v, %v", f, failed)
	}
}

func dies(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Succeed, Die)
	execute(t.Context(), t, m, s, nil)
	o := only(t, s, outcome.Failed).Last
	if o.Kind != outcome.KernelDied || !strings.Contains(o.Reason, "killed") {
		t.Errorf("outcome is %+v", o)
	}
}

func timesOut(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{RunTimeout: 2 * time.Second}, 1, Succeed, Hang)
	execute(t.Context(), t, m, s, nil)
	o := only(t, s, outcome.TimedOut).Last
	if o.Kind != outcome.RunTimeout || o.Cell != 4 {
		t.Errorf("outcome is %+v", o)
	}
}

func timesOutHard(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{CellTimeout: time.Second}, 1, HangHard)
	execute(t.Context(), t, m, s, nil)
	o := only(t, s, outcome.TimedOut).Last
	if o.Kind != outcome.CellTimeout || o.Cell != 3 {
		t.Errorf("outcome is %+v", o)
	}
	survivors(t, m)
}

func cancels(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Succeed, Hang)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	execute(ctx, t, m, s, func(n sweep.Note) {
		if n.Kind == sweep.NoteCell && n.Cell == 4 {
			cancel(errors.New("stop"))
		}
	})
	only(t, s, outcome.Canceled)
	if got := text(document(t, s)); !strings.Contains(got, "hello") {
		t.Errorf("the partial notebook shows %q", got)
	}
}

func cancelsEarly(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 2, Succeed)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	execute(ctx, t, m, s, nil)
	for st := range s.All() {
		if st.Status != outcome.Planned || st.Attempts != 0 {
			t.Errorf("run %s: %s after %d attempts", st.Run.ID, st.Status, st.Attempts)
		}
	}
}

func exitsEarly(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, ExitZero, Raise)
	execute(t.Context(), t, m, s, nil)
	if o := only(t, s, outcome.Succeeded).Last; o.Kind != outcome.EarlyExit {
		t.Errorf("outcome is %+v", o)
	}
}

func isolates(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 3, WriteFile)
	execute(t.Context(), t, m, s, nil)
	for st := range s.All() {
		if st.Status != outcome.Succeeded {
			t.Errorf("run %s: %+v", st.Run.ID, st.Last)
		}
	}
}

func isolatesFiles(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 3, Overwrite)
	execute(t.Context(), t, m, s, nil)
	for st := range s.All() {
		if st.Status != outcome.Succeeded {
			t.Errorf("run %s: %+v", st.Run.ID, st.Last)
			continue
		}
		doc := must(notebook.Decode(must(s.Notebook(t.Context(), st))(t)))(t)
		if got, want := text(doc), Beside+"\nmine\n"+Frozen+"\nmine\n"; got != want {
			t.Errorf("run %s: its files say %q, want %q", st.Run.ID, got, want)
		}
	}
	if b := must(os.ReadFile(s.Resolve(Beside)))(t); string(b) != Beside+"\n" {
		t.Errorf("beside the template, %s now says %q", Beside, b)
	}
}

func leavesNothing(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Grandchild, Succeed)
	execute(t.Context(), t, m, s, nil)
	only(t, s, outcome.Succeeded)
	survivors(t, m)
}

func survivors(t *testing.T, m Machine) {
	t.Helper()
	if m.Survivors == nil {
		return
	}
	if pids := m.Survivors(t); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

func keepsUnicode(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Unicode)
	execute(t.Context(), t, m, s, nil)
	if got := text(document(t, s)); !strings.Contains(got, UnicodeText) {
		t.Errorf("the notebook shows %q", got)
	}
}

func keepsLarge(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{}, 1, Large)
	execute(t.Context(), t, m, s, nil)
	only(t, s, outcome.Succeeded)
	if got := len(text(document(t, s))); got < 5_000_000 {
		t.Errorf("%d characters arrived", got)
	}
}

// again executes the shard of every run, and once more by another executor when
// the first run has begun.
func again(ctx context.Context, t *testing.T, m Machine, s *sweep.Sweep) {
	t.Helper()
	shard := sweep.Shard{ID: "1-1"}
	for st := range s.All() {
		shard.Runs = append(shard.Runs, st.Run.ID)
	}
	began, once := make(chan struct{}), sync.Once{}
	first, second := m.New(t, s), func() fan.Executor { return m.New(t, s) }
	var working sync.WaitGroup
	working.Go(func() {
		err := first.Execute(t.Context(), shard, func(n sweep.Note) {
			if n.Kind == sweep.NoteCell {
				once.Do(func() { close(began) })
			}
		})
		if err != nil {
			t.Errorf("Execute: %v", err)
		}
	})
	<-began
	if err := second().Execute(ctx, shard, func(sweep.Note) {}); err != nil {
		t.Errorf("Execute again: %v", err)
	}
	working.Wait()
}

func executesAgain(t *testing.T, m Machine) {
	if !m.Outlives {
		return // its shards end with the process
	}
	s := sweepOf(t, m, sweep.Settings{CellTimeout: 3 * time.Second}, 2, Glue, Hang)
	again(t.Context(), t, m, s)
	for st := range s.All() {
		if st.Status != outcome.TimedOut || st.Attempts != 1 {
			t.Errorf("run %s: %s after %d attempts", st.Run.ID, st.Status, st.Attempts)
		}
	}
}

func cancelsAgain(t *testing.T, m Machine) {
	if !m.Outlives {
		return
	}
	s := sweepOf(t, m, sweep.Settings{}, 2, Hang)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	again(canceled, t, m, s)
	canceledRuns := 0
	for st := range s.All() { // a machine may execute both at once
		switch {
		case st.Status == outcome.Canceled && st.Attempts == 1:
			canceledRuns++
		case st.Status != outcome.Planned || st.Attempts != 0:
			t.Errorf("run %s: %s after %d attempts", st.Run.ID, st.Status, st.Attempts)
		}
	}
	if canceledRuns == 0 {
		t.Error("no run was canceled")
	}
	survivors(t, m)
}

// lateChangesNothing gives an attempt up as lost while it executes, and lets
// another one succeed before it ends.
func lateChangesNothing(t *testing.T, m Machine) {
	s := sweepOf(t, m, sweep.Settings{CellTimeout: 3 * time.Second}, 1, Glue, Hang)
	shard := sweep.Shard{ID: "1-1", Runs: []string{s.Runs()[0].Run.ID}}
	ex := m.New(t, workersView(t, m, s, shard))
	began, once := make(chan struct{}), sync.Once{}
	var working sync.WaitGroup
	working.Go(func() {
		err := ex.Execute(t.Context(), shard, func(n sweep.Note) {
			if n.Kind == sweep.NoteCell && n.Cell == 4 { // parameters, injected, glue, hang
				once.Do(func() { close(began) })
			}
		})
		if err != nil {
			t.Errorf("Execute: %v", err)
		}
	})
	<-began
	before := overtake(t, s, shard)
	working.Wait()
	for key, text := range objects(t, s) {
		if before[key] != text {
			t.Errorf("%s was written", key)
		}
		delete(before, key)
	}
	for key := range before {
		if !strings.HasSuffix(key, ".part.ipynb") {
			t.Errorf("%s is gone", key)
		}
	}
	fresh := must(sweep.Open(t.Context(), s.Store()))(t)
	st := only(t, fresh, outcome.Succeeded)
	if got := st.Scraps.Text("y"); got != "0.5" || st.Best != 2 || st.Attempts != 2 {
		t.Errorf("y is %q, of attempt %d of %d", got, st.Best, st.Attempts)
	}
	if past := must(fresh.History(t.Context(), shard.Runs[0]))(t); len(past) != 2 || past[0].Outcome.Status != outcome.Lost || past[0].Log != "" {
		t.Errorf("the attempts are %+v", past)
	}
}

// workersView is the sweep as the process has it that executes the shard: a
// machine whose shards end with the process is that process itself.
func workersView(t *testing.T, m Machine, s *sweep.Sweep, shard sweep.Shard) *sweep.Sweep {
	t.Helper()
	if m.Outlives {
		return s
	}
	must(s.Lease().PutShard(t.Context(), shard))(t)
	own := must(sweep.Open(t.Context(), s.Store()))(t)
	claim := must(own.Join(t.Context(), shard.ID, "late"))(t)
	t.Cleanup(func() { claim.Release() })
	return own
}

// overtake gives up the attempt at the shard's run that is open, makes one that
// succeeds, and returns what the store holds then.
func overtake(t *testing.T, s *sweep.Sweep, shard sweep.Shard) map[string]string {
	t.Helper()
	must(s.Stored(shard.ID).Absorb(t.Context()))(t)
	st := s.Runs()[0]
	if st.Began == nil {
		t.Fatalf("the run is %s", st.Status)
	}
	if err := s.Lease().Lose(t.Context(), *st.Began, "it is silent"); err != nil {
		t.Fatal(err)
	}
	a := must(s.Lease().Begin(t.Context(), st.Run.ID, sweep.Began{Host: "another"}))(t)
	_, doc, err := s.TemplateOf(t.Context(), st.Run)
	if err != nil {
		t.Fatal(err)
	}
	doc.Cells[0].Outputs = append(doc.Cells[0].Outputs, scrapOf("y", "0.5"))
	now := time.Now().UTC()
	if err := a.End(t.Context(), doc, outcome.Outcome{Status: outcome.Succeeded, Start: now, End: now}, nil); err != nil {
		t.Fatal(err)
	}
	return objects(t, s)
}

// objects are those of the plan, the runs and their attempts, by key.
func objects(t *testing.T, s *sweep.Sweep) map[string]string {
	t.Helper()
	all := map[string]string{}
	for e, err := range s.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all[e.Key] = string(must(s.Store().Get(t.Context(), e.Key))(t))
	}
	return all
}
