package align_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/value"
)

func runOf(t testing.TB, id string, doc map[string]any) align.Run {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return align.Run{ID: id, Name: id, Size: int64(len(text)), Read: func() ([]byte, error) { return text, nil }}
}

func compared(t testing.TB, o align.Options, runs ...align.Run) *align.Report {
	t.Helper()
	r, err := align.Notebooks(context.Background(), runs, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// book is a notebook whose code cells print the texts. An output that begins
// with "!" is an exception, after which nothing was executed; a source may
// stand before "=>".
func book(outputs ...string) map[string]any {
	var cells []any
	ended := false
	for i, text := range outputs {
		source := fmt.Sprintf("step(%d)", i)
		if before, after, ok := strings.Cut(text, "=>"); ok {
			source, text = before, after
		}
		name, _, _ := strings.Cut(source, "(")
		if name == "step" {
			name = source
		}
		cell := map[string]any{"cell_type": "code", "id": name, "metadata": map[string]any{}, "source": source, "outputs": []any{}, "execution_count": nil}
		if !ended {
			cell["execution_count"] = i + 1
			out := map[string]any{"output_type": "stream", "name": "stdout", "text": text}
			if message, raised := strings.CutPrefix(text, "!"); raised {
				out = map[string]any{"output_type": "error", "ename": "KeyError", "evalue": message, "traceback": []any{"KeyError: " + message}}
				ended = true
			}
			cell["outputs"] = []any{out}
		}
		cells = append(cells, cell)
	}
	return map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{}, "cells": cells}
}

// runs are runs of a grid, each named by its values: "region=us x=1".
func run(t testing.TB, name string, outputs ...string) align.Run {
	r := runOf(t, name, book(outputs...))
	for _, f := range strings.Fields(name) {
		axis, text, _ := strings.Cut(f, "=")
		v, err := value.Of(text)
		if err != nil {
			t.Fatal(err)
		}
		r.Values = append(r.Values, value.Binding{Name: axis, Value: v})
	}
	return r
}

// grid are runs of two axes; out says what the cells of each print.
func grid(t testing.TB, out func(region, x string) []string) []align.Run {
	var runs []align.Run
	for _, region := range []string{"us", "eu", "apac"} {
		for _, x := range []string{"1", "2", "3", "4"} {
			runs = append(runs, run(t, "region="+region+" x="+x, out(region, x)...))
		}
	}
	return runs
}

func sentences(r *align.Report) []string {
	var all []string
	for _, d := range r.Differences {
		all = append(all, d.Name()+" differs: "+d.Sentence())
	}
	return all
}

// What explains the groups of a cell is said, and cells that nothing explains
// come first.
func TestPatterns(t *testing.T) {
	r := compared(t, align.Options{}, grid(t, func(region, x string) []string {
		odd := "fine"
		if region == "eu" && x == "3" {
			odd = "odd"
		}
		west := map[string]string{"us": "west", "eu": "west", "apac": "east"}[region]
		noise := map[string]string{"us1": "p", "eu2": "p", "apac3": "p", "us4": "p", "eu3": "p"}[region+x]
		return []string{"same", "loss of " + region, odd, west, region + x, "free " + noise}
	})...)
	want := []string{
		"cell 3 'step(2)' differs: 2 outputs among 12 runs, region=eu x=3 alone differs",
		"cell 6 'step(5)' differs: 2 outputs among 12 runs, and no axis explains which",
		"cell 2 'step(1)' differs: 3 outputs among 12 runs, splits exactly by region",
		"cell 4 'step(3)' differs: 2 outputs among 12 runs, splits by region (apac, and the others)",
		"cell 5 'step(4)' differs: 12 outputs among 12 runs, each its own",
	}
	if d := cmp.Diff(want, sentences(r)); d != "" {
		t.Error(d)
	}
	if r.Cells != 6 || len(r.Runs) != 12 {
		t.Errorf("%d cells, %d runs", r.Cells, len(r.Runs))
	}
	rank := r.Differences[2].Rank
	if rank < 0.666 || rank > 0.667 {
		t.Errorf("rank %v, want two thirds", rank)
	}
}

// Runs that differ in one axis alone are compared: what other axes change does
// not count.
func TestByAxis(t *testing.T) {
	baseline, _ := value.Of("1")
	o := align.Options{By: []string{"x"}, Reference: []value.Binding{{Name: "x", Value: baseline}}}
	r := compared(t, o, grid(t, func(region, x string) []string {
		fit := "rmse 2.0"
		if x == "2" {
			fit = "rmse 2.5"
		}
		only := "all"
		if region == "apac" && x == "3" {
			only = "apac"
		}
		return []string{"rows of " + region, fit + " in " + region, only}
	})...)
	want := []string{
		"cell 2 'step(1)' differs: in 3 of 9 comparisons, only where x=2",
		"cell 3 'step(2)' differs: in 1 of 9 comparisons, only where region=apac x=3",
	}
	if d := cmp.Diff(want, sentences(r)); d != "" {
		t.Error(d)
	}
	g := r.Differences[0].Groups[0]
	if g.Differ != 3 || g.Compared != 3 || g.Exemplar != "region=us x=2" || g.Reference != "region=us x=1" {
		t.Errorf("%+v", g)
	}
	if d := g.Deltas[0]; d.Where != "rmse" || d.From != "2.0" || d.To != "2.5" || d.Change != 0.5 || d.Share != 0.25 {
		t.Errorf("%+v", d)
	}
}

// Where the run of the baseline did not reach a cell, nothing is compared with
// another one.
func TestByAxisWithoutBaseline(t *testing.T) {
	baseline, _ := value.Of("1")
	o := align.Options{By: []string{"x"}, Reference: []value.Binding{{Name: "x", Value: baseline}}}
	r := compared(t, o, grid(t, func(region, x string) []string {
		if region == "us" && x == "1" {
			return []string{"!gone", "fit 1"}
		}
		return []string{"a", "fit " + x}
	})...)
	want := []string{
		"cell 1 'step(0)' differs: in 3 of 9 comparisons, only where region=us",
		"cell 2 'step(1)' differs: in 6 of 6 comparisons",
	}
	if d := cmp.Diff(want, sentences(r)); d != "" {
		t.Error(d)
	}
}

// Runs that failed half way take part as far as they came.
func TestFailedRuns(t *testing.T) {
	r := compared(t, align.Options{}, grid(t, func(region, x string) []string {
		if region == "apac" {
			return []string{"a", "!apac", "c"}
		}
		return []string{"a", "b", "c"}
	})...)
	if len(r.Differences) != 1 {
		t.Fatalf("%v", sentences(r))
	}
	want := "cell 2 'step(1)' differs: 2 outputs among 12 runs, splits by region (apac, and the others); region=apac raised KeyError: apac"
	if got := sentences(r)[0]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if last := r.Runs[11]; last.Ended != 2 || last.Failed != "KeyError: apac" {
		t.Errorf("%+v", last)
	}
}

// Notebooks of an edited template are aligned by what their cells have in
// common, and what was edited is said.
func TestEditedTemplate(t *testing.T) {
	a := runOf(t, "a", book("load()=>1 row", "fit()=>2", "plot()=>3"))
	b := runOf(t, "b", book("load()=>1 row", "check()=>new", "fit(deep=True)=>2.5", "plot()=>3"))
	r := compared(t, align.Options{First: true}, a, b)
	if d := cmp.Diff([]string{"cell 2 'fit()' differs: 2 outputs among 2 runs"}, sentences(r)); d != "" {
		t.Error(d)
	}
	notes := strings.Join(r.Notes(), "\n")
	for _, want := range []string{"cell 2 'check()' is missing in a", "cell 2 'fit()' has other code in b"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes say %q, want %q", notes, want)
		}
	}
}

// Notebooks that have nothing in common are not taken for equal.
func TestNothingInCommon(t *testing.T) {
	a, b := runOf(t, "a", book("load()=>1", "fit()=>2")), runOf(t, "b", book("other()=>1"))
	if r := compared(t, align.Options{First: true}, a, b); r.Cells != 0 || len(r.Edited) != 3 {
		t.Errorf("%d cells compared, %+v", r.Cells, r.Edited)
	}
}

// Last digits do not count, unless they are asked for.
func TestTolerance(t *testing.T) {
	a, b := run(t, "a", "sum 0.30000000000000004, n 3"), run(t, "b", "sum 0.3, n 3")
	if r := compared(t, align.Options{Tolerance: align.Tolerance}, a, b); len(r.Differences) != 0 {
		t.Errorf("%v", sentences(r))
	}
	if r := compared(t, align.Options{}, a, b); len(r.Differences) != 1 {
		t.Error("with tolerance 0 last digits count")
	}
}

// What cannot be compared is said.
func TestUnreadable(t *testing.T) {
	broken := align.Run{ID: "broken", Name: "broken", Read: func() ([]byte, error) { return []byte(`{"cells": [`), nil }}
	empty := runOf(t, "empty", map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{}, "cells": []any{}})
	r := compared(t, align.Options{}, run(t, "a", "1"), broken, empty, run(t, "b", "1"))
	var left []string
	for _, l := range r.Left {
		left = append(left, l.ID)
	}
	if !slices.Equal(left, []string{"broken", "empty"}) || len(r.Runs) != 2 {
		t.Errorf("left %v, runs %v", r.Left, r.Runs)
	}
	if _, err := align.Notebooks(t.Context(), []align.Run{broken, empty}, align.Options{}); err == nil || !strings.Contains(err.Error(), "two that were executed are needed") {
		t.Errorf("error %v", err)
	}
}

// Two hundred runs of thirty cells, half of which differ in every run.
func manyRuns(t testing.TB) []align.Run {
	var runs []align.Run
	for i := range 200 {
		var outputs []string
		for c := range 30 {
			text := fmt.Sprintf("cell %d\n", c) + strings.Repeat("a line of output 0.125\n", 200)
			if c%2 == 1 {
				text += fmt.Sprintf("loss %d.5 at 0x7f00000%05d, took 0.%d s\n", i*c, i, i)
			}
			outputs = append(outputs, text)
		}
		runs = append(runs, run(t, fmt.Sprintf("seed=%d", i), outputs...))
	}
	return runs
}

func BenchmarkManyRuns(b *testing.B) {
	runs := manyRuns(b)
	for b.Loop() {
		if r := compared(b, align.Options{Tolerance: align.Tolerance}, runs...); len(r.Differences) != 15 {
			b.Fatalf("%d cells differ", len(r.Differences))
		}
	}
}

// What was read of notebooks is not read again: a comparison that remembers gives
// the same report, and one whose memory is spoilt or of other notebooks, too.
func TestMemory(t *testing.T) {
	runs, reads := manyRuns(t)[:40], atomic.Int64{}
	runs = append(runs, run(t, "seed=x", "cell 0\n", "!gone"), run(t, "seed=none", slices.Repeat([]string{""}, 30)...))
	for i, r := range runs {
		runs[i].Mark = fmt.Sprint("mark ", i)
		runs[i].Read = func() ([]byte, error) { reads.Add(1); return r.Read() }
	}
	m := &align.Memory{File: filepath.Join(t.TempDir(), "new", "x"+align.MemoryEnding)}
	ask := func(runs []align.Run) (string, int64) {
		reads.Store(0)
		o := align.Options{Tolerance: align.Tolerance, Most: 3, Memory: m}
		report := func() string {
			text, err := json.Marshal(compared(t, o, runs...))
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		text, n := report(), reads.Load()
		if o.Memory = nil; report() != text {
			t.Error("without a memory it is another report")
		}
		return text, n
	}
	first, n := ask(runs)
	if n < 40 {
		t.Errorf("%d notebooks are read at first", n)
	}
	second, n := ask(runs)
	if second != first || n > 16 {
		t.Errorf("%d notebooks are read again, the same report: %v", n, second == first)
	}
	if _, n := ask(runs[:20]); n > 16 {
		t.Errorf("%d of some", n)
	}
	other := slices.Clone(runs)
	other[3].Mark = "another attempt"
	if _, n := ask(other); n > 17 {
		t.Errorf("%d when one has changed", n)
	}
	for _, spoilt := range []string{"", "no such thing", strings.Repeat("\xff", 1000)} {
		if err := os.WriteFile(m.File, []byte(spoilt), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, _ := ask(runs); again != first {
			t.Error("another report with a memory that is spoilt")
		}
	}
	whole, err := os.ReadFile(m.File)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += len(whole)/7 + 1 {
		if err := os.WriteFile(m.File, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if again, _ := ask(runs); again != first {
			t.Error("another report with a memory that is cut off")
		}
	}
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(filepath.Dir(m.File), fmt.Sprint(i, align.MemoryEnding)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(m.File)
	ask(runs)
	if left, _ := os.ReadDir(filepath.Dir(m.File)); len(left) > 64 {
		t.Errorf("%d memories are kept", len(left))
	}
}

func BenchmarkManyRunsRemembered(b *testing.B) {
	runs := manyRuns(b)
	for i := range runs {
		runs[i].Mark = fmt.Sprint(i)
	}
	o := align.Options{Tolerance: align.Tolerance, Most: 12, Memory: &align.Memory{File: filepath.Join(b.TempDir(), "x"+align.MemoryEnding)}}
	compared(b, o, runs...)
	for b.Loop() {
		if r := compared(b, o, runs...); len(r.Differences) != 15 {
			b.Fatalf("%d cells differ", len(r.Differences))
		}
	}
}

// Runs that ended early are named, the first five of them.
func TestNotesOfWhatEndedEarly(t *testing.T) {
	r := compared(t, align.Options{}, grid(t, func(region, x string) []string {
		if region == "apac" || region == "eu" && x < "3" {
			return []string{"a", "!", "c"}
		}
		return []string{"a", "b", "c"}
	})...)
	notes := r.Notes()
	if len(notes) != 6 || notes[0] != "region=eu x=1 ended in cell 2: KeyError" || notes[5] != "1 more run ended early" {
		t.Errorf("%q", notes)
	}
}
