package sweep_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

const template = `{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "x = 0"}],
 "metadata": {"kernelspec": {"display_name": "p", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}`

// planOf plans runs with the given ids.
func planOf(t *testing.T, code string, ids ...string) sweep.Plan {
	t.Helper()
	spec, err := grid.Decode("s.yaml", []byte("template: t.ipynb\ngrid: {x: [0]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := sweep.Plan{TemplateDocs: [][]byte{[]byte(template)}, Spec: spec}
	p.Name, p.Source = "s", ".."
	p.Templates = []sweep.Template{{Path: "t.ipynb", Code: code}}
	for i, id := range ids {
		v, err := value.Of(i)
		if err != nil {
			t.Fatal(err)
		}
		p.Runs = append(p.Runs, sweep.Run{ID: id, Params: []value.Binding{{Name: "x", Value: v}}})
	}
	return p
}

// held opens a sweep and takes its lease.
func held(t *testing.T, st store.Store) *sweep.Sweep {
	t.Helper()
	s, err := sweep.Init(t.Context(), st, "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lease().Release() })
	return s
}

func plan(t *testing.T, s *sweep.Sweep, p sweep.Plan) sweep.Delta {
	t.Helper()
	d, err := s.Lease().Plan(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// attempt makes one attempt at a run that ends with status, and glues y.
func attempt(t *testing.T, s *sweep.Sweep, run string, status outcome.Status, y string) {
	t.Helper()
	a, err := s.Lease().Begin(t.Context(), run, sweep.Began{Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	end(t, s, a, status, y)
}

func end(t *testing.T, s *sweep.Sweep, a *sweep.Attempt, status outcome.Status, y string) {
	t.Helper()
	if err := endWith(t, s, a, status, y); err != nil {
		t.Fatal(err)
	}
}

func endWith(t *testing.T, s *sweep.Sweep, a *sweep.Attempt, status outcome.Status, y string) error {
	t.Helper()
	st, _ := s.Run(a.Run)
	_, doc, err := s.TemplateOf(t.Context(), st.Run)
	if err != nil {
		t.Fatal(err)
	}
	if y != "" {
		doc.Cells[0].Outputs = append(doc.Cells[0].Outputs, notebook.Output{
			Type:     "display_data",
			Data:     map[string]jsonText{"application/scrapbook.scrap.json+json": jsonText(`{"name":"y","data":` + y + `,"encoder":"json","version":1}`)},
			Metadata: map[string]any{"scrapbook": map[string]any{"name": "y", "data": true, "display": false}},
		})
	}
	now := time.Now().UTC()
	o := outcome.Outcome{Status: status, Start: now.Add(-time.Second), End: now, Fingerprint: s.Current(st.Run)}
	return a.End(t.Context(), doc, o, []byte("log\n"))
}

type jsonText = json.RawMessage

// view is what matters of every run.
func view(t *testing.T, st store.Store) map[string]string {
	t.Helper()
	s, err := sweep.Open(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range s.Runs() {
		out[r.Run.ID] = string(r.Status)
		if y, ok := r.Scraps.Get("y"); ok {
			out[r.Run.ID] += " " + string(y)
		}
		if r.Run.Unplanned {
			out[r.Run.ID] += " unplanned"
		}
	}
	return out
}

func TestReopenedSweepKnowsEverything(t *testing.T) {
	for name, st := range map[string]store.Store{"dir": store.Dir(t.TempDir()), "mem": store.Mem()} {
		t.Run(name, func(t *testing.T) {
			s := held(t, st)
			plan(t, s, planOf(t, "c", "a", "b", "c", "d"))
			attempt(t, s, "a", outcome.Succeeded, "1")
			attempt(t, s, "b", outcome.Failed, "2")
			attempt(t, s, "b", outcome.Succeeded, "3")
			attempt(t, s, "c", outcome.Succeeded, "4")
			attempt(t, s, "c", outcome.Canceled, "5") // an interruption undoes no success
			want := map[string]string{"a": "succeeded 1", "b": "succeeded 3", "c": "succeeded 4", "d": "planned"}
			if d := cmp.Diff(want, view(t, st)); d != "" {
				t.Error(d)
			}
			// Without its log the sweep says the same.
			if err := s.Lease().Release(); err != nil {
				t.Fatal(err)
			}
			for o := range st.List(t.Context(), "log/") {
				st.Delete(t.Context(), o.Key)
			}
			if d := cmp.Diff(want, view(t, st)); d != "" {
				t.Errorf("rebuilt from the attempts:\n%s", d)
			}
			// And whoever takes the lease next makes the log good again.
			held(t, st)
			if d := cmp.Diff(want, view(t, st)); d != "" {
				t.Errorf("after the next lease:\n%s", d)
			}
		})
	}
}

func TestTornLogLine(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "a", "b"))
	attempt(t, s, "a", outcome.Succeeded, "1")
	attempt(t, s, "b", outcome.Succeeded, "2")
	s.Lease().Release()
	for o := range st.List(t.Context(), "log/") {
		b, err := st.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		for cut := len(b); cut > 0; cut -= 7 {
			st.Put(t.Context(), o.Key, b[:cut], store.Cached)
			got := view(t, st)
			if begun := strings.Count(string(b[:cut]), `"n":1`); begun >= 4 && got["b"] != "succeeded 2" {
				t.Fatalf("cut at %d of %d: %v", cut, len(b), got)
			}
			for id, status := range got {
				if status != "planned" && status != "running" && !strings.HasPrefix(status, "succeeded") {
					t.Fatalf("cut at %d: run %s is %s", cut, id, status)
				}
			}
		}
	}
}

func TestOneWinnerEndsAnAttempt(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "a"))
	a, err := s.Lease().Begin(t.Context(), "a", sweep.Began{})
	if err != nil {
		t.Fatal(err)
	}
	late := *a
	end(t, s, a, outcome.Succeeded, "1")
	_, doc, err := s.TemplateOf(t.Context(), sweep.Run{})
	if err != nil {
		t.Fatal(err)
	}
	err = late.End(t.Context(), doc, outcome.Outcome{Status: outcome.Lost, End: time.Now()}, nil)
	if !errors.Is(err, sweep.ErrEnded) {
		t.Errorf("the late end says %v, want ErrEnded", err)
	}
	if got := view(t, st)["a"]; got != "succeeded 1" {
		t.Errorf("the run is %s", got)
	}
}

func TestAbandonedAttemptLeavesTheRunPlanned(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "a"))
	a, err := s.Lease().Begin(t.Context(), "a", sweep.Began{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Abandon(); err != nil {
		t.Fatal(err)
	}
	if got := view(t, st)["a"]; got != "planned" {
		t.Errorf("the run is %s", got)
	}
	if orphans := s.Orphans(); len(orphans) != 0 {
		t.Errorf("orphans %v", orphans)
	}
}

func TestGrowing(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "a", "b"))
	attempt(t, s, "a", outcome.Succeeded, "1")
	attempt(t, s, "b", outcome.Failed, "")
	parts := []string{"code", "files", "inputs"}
	if got := due.Of(s, due.Stale, parts).String(); got != "1 kept, 1 failed before" {
		t.Errorf("due: %s", got)
	}
	d := plan(t, s, planOf(t, "c", "b", "c"))
	if diff := cmp.Diff(sweep.Delta{New: 1, Kept: 1, Unplanned: 1}, d); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "succeeded 1 unplanned", "b": "failed", "c": "planned"}, view(t, st)); diff != "" {
		t.Error(diff)
	}
	// A run that comes back is kept; its number did not vanish.
	plan(t, s, planOf(t, "c", "a", "b", "c"))
	now := due.Of(s, due.Stale, parts)
	if diff := cmp.Diff([]string{"b", "c"}, now.Runs); diff != "" {
		t.Error(diff)
	}
	// Other code makes it stale, unless nobody asked about code.
	plan(t, s, planOf(t, "other", "a", "b", "c"))
	if got := due.Of(s, due.Stale, parts).String(); got != "1 new, 1 failed before, 1 stale (code)" {
		t.Errorf("due: %s", got)
	}
	if got := due.Of(s, due.Stale, []string{"files"}).String(); got != "1 new, 1 kept, 1 failed before" {
		t.Errorf("due: %s", got)
	}
	if got := due.Of(s, due.None, parts).Runs; len(got) != 1 || got[0] != "c" {
		t.Errorf("due: %v", got)
	}
}

func TestEqualPlanWritesNothing(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "a"))
	plan(t, s, planOf(t, "c", "a"))
	head, ok := s.Head()
	if !ok || head.Number != 1 {
		t.Errorf("plan number %d", head.Number)
	}
}

func TestLease(t *testing.T) {
	st := store.Dir(t.TempDir())
	s := held(t, st)
	other, err := sweep.Open(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	var heldErr *lease.HeldError
	if _, err := other.Acquire(t.Context()); !errors.As(err, &heldErr) || heldErr.PID != os.Getpid() {
		t.Errorf("second Acquire: %v", err)
	}
	if _, err := other.Lease().Plan(t.Context(), planOf(t, "c", "a")); err == nil {
		t.Error("a plan was made without the lease")
	}
	if err := s.Lease().Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Acquire(t.Context()); err != nil {
		t.Errorf("Acquire after Release: %v", err)
	}
	other.Lease().Release()
}

func TestOrphansAreLost(t *testing.T) {
	st := store.Mem()
	s := held(t, st)
	plan(t, s, planOf(t, "c", "a"))
	a, err := s.Lease().Begin(t.Context(), "a", sweep.Began{Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Part(t.Context(), []byte(strings.Replace(template, "x = 0", "x = 0  # so far", 1))); err != nil {
		t.Fatal(err)
	}
	s.Lease().Release() // as a crash would leave it
	s = held(t, st)
	orphans := s.Orphans()
	if len(orphans) != 1 || orphans[0].Attempt != 1 {
		t.Fatalf("orphans %v", orphans)
	}
	if err := s.Lease().Lose(t.Context(), orphans[0], "gone"); err != nil {
		t.Fatal(err)
	}
	if got := view(t, st)["a"]; got != "lost" {
		t.Errorf("the run is %s", got)
	}
	run, _ := s.Run("a")
	b, err := s.Notebook(t.Context(), run)
	if err != nil || !strings.Contains(string(b), "so far") {
		t.Errorf("the notebook is not what was saved last: %s, %v", b, err)
	}
}

func TestWrongPlaces(t *testing.T) {
	ctx := context.Background()
	st := store.Mem()
	if _, err := sweep.Open(ctx, st); !errors.Is(err, sweep.ErrNotASweep) {
		t.Errorf("Open of nothing: %v", err)
	}
	st.Put(ctx, "precious.txt", nil, store.Cached)
	if _, err := sweep.Init(ctx, st, "s"); !errors.Is(err, sweep.ErrNotASweep) {
		t.Errorf("Init among files: %v", err)
	}
	st = store.Mem()
	held(t, st)
	var other *sweep.OtherSweepError
	if _, err := sweep.Init(ctx, st, "t"); !errors.As(err, &other) {
		t.Errorf("Init of another sweep: %v", err)
	}
	for _, text := range []string{`{"format":"fanout-sweep","version":3}`, `{"format":"fanout-sweep","version":0}`} {
		st.Put(ctx, "FORMAT", []byte(text), store.Cached)
		var format *sweep.FormatError
		if _, err := sweep.Open(ctx, st); !errors.As(err, &format) || format.Hint() == "" {
			t.Errorf("Open of %s: %v", text, err)
		}
	}
}

// What a sweep file names is frozen with the sweep, and unpacked as it was.
func TestFrozenFiles(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"t.ipynb":      strings.Replace(template, "x = 0", "x = 0\\nimport helper, os", 1),
		"sweep.yaml":   "template: t.ipynb\nfiles: ['data/**/*.csv']\ngrid: {x: [1, 2]}\n",
		"data/a.csv":   "a",
		"data/b/c.csv": "c",
		"data/d.txt":   "not asked for",
		"helper.py":    "import other\n",
		"other.py":     "y = 1\n",
		"unused.py":    "z = 1\n",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(data), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *draft.Draft {
		t.Helper()
		d, err := draft.Read(t.Context(), draft.Source{File: filepath.Join(dir, "sweep.yaml"), AsOf: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Expand(t.Context()); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := read()
	var names []string
	for _, f := range d.Files {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"data/a.csv", "data/b/c.csv", "helper.py", "other.py"}, names); diff != "" {
		t.Errorf("frozen files:\n%s", diff)
	}
	s := held(t, store.Mem())
	plan(t, s, d.Plan)
	attempt(t, s, d.Runs[0].ID, outcome.Succeeded, "1")
	out := t.TempDir()
	if err := s.Unpack(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(out, "data", "b", "c.csv")); err != nil || string(b) != "c" {
		t.Errorf("unpacked: %q, %v", b, err)
	}
	// An edit of an imported module makes runs stale.
	if err := os.WriteFile(filepath.Join(dir, "other.py"), []byte("y = 2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	plan(t, s, read().Plan)
	if got := due.Of(s, due.Stale, []string{"files"}).String(); got != "1 new, 1 stale (files)" {
		t.Errorf("due: %s", got)
	}
}

// TestSpec checks that a planned sweep knows its sweep file, also when another
// controller planned it anew meanwhile.
func TestSpec(t *testing.T) {
	ctx := t.Context()
	st := store.Mem()
	s, err := sweep.Init(ctx, st, "s")
	if err != nil {
		t.Fatal(err)
	}
	var unplanned *sweep.UnplannedError
	if _, err := sweep.OpenPlanned(ctx, st); !errors.As(err, &unplanned) || unplanned.Hint() == "" {
		t.Fatalf("open an unplanned sweep: %v", err)
	}
	plan := func(s *sweep.Sweep, retries string) {
		t.Helper()
		p := planOf(t, "c", "r1")
		if p.Spec, err = grid.Decode("s.yaml", []byte("template: t.ipynb\ngrid: {x: [0]}\nretries: "+retries+"\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Acquire(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lease().Plan(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := s.Lease().Release(); err != nil {
			t.Fatal(err)
		}
	}
	plan(s, "1")
	other, err := sweep.OpenPlanned(ctx, st)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := s.Spec().Retries.N, other.Spec().Retries.N; a != 1 || b != 1 {
		t.Errorf("retries are %d and %d, want 1", a, b)
	}
	plan(s, "2")
	if _, err := other.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	defer other.Lease().Release()
	if n := other.Spec().Retries.N; n != 2 {
		t.Errorf("retries are %d after the plan of another, want 2", n)
	}
}
