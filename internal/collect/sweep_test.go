package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// newSweep plans runs r0…, with the parameters day and n, in a folder.
func newSweep(t testing.TB, runs int) (*sweep.Sweep, string) {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	s, err := sweep.Init(ctx, store.Dir(dir), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lease().Release() })
	valueOf := func(x any) value.Value {
		v, err := value.Of(x)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	p := sweep.Plan{Head: sweep.Head{Name: "test", AsOf: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	for i := range runs {
		p.Runs = append(p.Runs, sweep.Run{ID: fmt.Sprintf("r%d", i), Replicate: i % 2, Params: []value.Binding{{Name: "day", Value: valueOf(fmt.Sprintf("2026-01-%02d", i+1))}, {Name: "n", Value: valueOf(i)}}})
	}
	if _, err := s.Lease().Plan(ctx, p); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func finishRun(t testing.TB, s *sweep.Sweep, id, doc string, status outcome.Status) {
	t.Helper()
	ctx := context.Background()
	a, err := s.Lease().Begin(ctx, id, sweep.Began{Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := notebook.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	o := outcome.Outcome{Status: status, Start: start, End: start.Add(1500 * time.Millisecond), CPU: time.Second, PeakRSS: 1 << 20, Fingerprint: outcome.Fingerprint{Code: "abc"}}
	if status == outcome.Failed {
		o.Kind, o.Reason = outcome.Exception, "cell 1 raised ValueError"
	}
	if err := a.End(ctx, n, o, nil); err != nil {
		t.Fatal(err)
	}
}

func glued(name, data string) string {
	return display(`{"application/scrapbook.scrap.json+json":{"name":"`+name+`","data":`+data+`,"encoder":"json","version":1}}`, `{}`)
}

func TestSweep(t *testing.T) {
	s, dir := newSweep(t, 6)
	figure := display(`{"image/png":"iVBORw0KGgo="}`, `{"scrapbook":{"name":"plot","data":false,"display":true}}`)
	finishRun(t, s, "r0", withOutputs("", glued("auc", "0.5")+","+glued("label", `"2026-01-01"`)), outcome.Succeeded)
	finishRun(t, s, "r1", withOutputs("", glued("auc", "1")+","+figure), outcome.Succeeded)
	finishRun(t, s, "r2", withOutputs("", glued("auc", "NaN")), outcome.Failed)
	finishRun(t, s, "r3", withOutputs("", glued("auc", "0.25")), outcome.Succeeded)
	open, err := s.Lease().Begin(t.Context(), "r4", sweep.Began{Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Part(t.Context(), []byte(withOutputs("", glued("auc", "0.75")))); err != nil {
		t.Fatal(err)
	}
	// Somebody edits a notebook: what it says now counts.
	path := filepath.Join(dir, filepath.FromSlash(sweep.RunKey("r3")))
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(doc), "0.25", "0.125", 1)
	if edited == string(doc) {
		t.Fatal("nothing was edited")
	}
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Sweep(t.Context(), s, Options{TempDir: t.TempDir(), Metrics: []Metric{{Name: "auc", Goal: "maximize"}}, Require: []string{"label"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	names := ""
	for _, c := range r.Table.Columns() {
		names += c.Name() + " "
	}
	want := ""
	for _, c := range query.Columns() {
		if c.Name != query.Step {
			want += c.Name + " "
		}
	}
	if want += "day n auc label "; names != want {
		t.Errorf("columns %s", names)
	}
	text := func(column string) (all []string) {
		c, ok := r.Table.Column(column)
		if !ok {
			t.Fatalf("no column %s", column)
		}
		for i := range r.Table.Len() {
			all = append(all, c.Text(i))
		}
		return all
	}
	for column, want := range map[string][]string{
		"run_status":      {"succeeded", "succeeded", "failed", "succeeded", "running", "planned"},
		"run_reason_kind": {"", "", "exception", "", "", ""},
		"run_planned":     {"true", "true", "true", "true", "true", "true"},
		"run_attempts":    {"1", "1", "1", "1", "1", "0"},
		"run_as_of":       {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
		"run_duration_s":  {"1.5", "1.5", "1.5", "1.5", "", ""},
		"run_replicate":   {"0", "1", "0", "1", "0", "1"},
		"day":             {"2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-06"},
		"n":               {"0", "1", "2", "3", "4", "5"},
		"auc":             {"0.5", "1.0", "", "0.125", "", ""}, // what failed or is running has no number
		"label":           {"2026-01-01", "", "", "", "", ""},
	} {
		if d := cmp.Diff(want, text(column)); d != "" {
			t.Errorf("%s: %s", column, d)
		}
	}
	if c, _ := r.Table.Column("day"); c.Type() != table.Date || c.Role() != table.RoleParameter {
		t.Errorf("day is %v %v", c.Role(), c.Type())
	}
	files := written(t, r)
	if _, ok := files["displays/plot/r1.png"]; !ok {
		t.Error("the picture is not written")
	}
	var missing []string
	for _, p := range r.Table.Problems() {
		missing = append(missing, p.Run+" "+p.Kind)
	}
	if d := cmp.Diff([]string{"r1 missing", "r3 missing"}, missing); d != "" {
		t.Error(d)
	}
}

// TestPartialScraps records the same in runs that ended in every way: only
// those that succeeded have numbers and frames where people look first, and
// nothing is lost.
func TestPartialScraps(t *testing.T) {
	s, _ := newSweep(t, 6)
	frame := display(`{"application/scrapbook.scrap.pandas+json":{"name":"by_day","data":"`+frameBase64(t, 2)+`","encoder":"pandas","version":1}}`, `{}`)
	doc := withOutputs("", glued("revenue", "100")+","+frame)
	ends := []outcome.Status{outcome.Succeeded, outcome.Failed, outcome.TimedOut, outcome.Canceled}
	for i, status := range ends {
		finishRun(t, s, fmt.Sprintf("r%d", i), doc, status)
	}
	open, err := s.Lease().Begin(t.Context(), "r4", sweep.Began{Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Part(t.Context(), []byte(doc)); err != nil {
		t.Fatal(err)
	}
	finishRun(t, s, "r5", withOutputs("", glued("only", "1")), outcome.Failed)
	r, err := Sweep(t.Context(), s, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, want := range []any{int64(100), nil, nil, nil, nil, nil} {
		if row := rowOf(t, r.Table, fmt.Sprintf("r%d", i)); row["revenue"] != want || row["only"] != nil {
			t.Errorf("r%d, %v: revenue is %v, want %v", i, row["run_status"], row["revenue"], want)
		}
	}
	if _, ok := r.Table.Column("only"); !ok {
		t.Error("a scrap that no run which succeeded recorded has no column")
	}
	files := written(t, r)
	statuses := func(name string) map[string]any {
		found := map[string]any{}
		for _, row := range rowsOf(t, files, name) {
			found[row["run_id"].(string)] = row["run_status"]
		}
		return found
	}
	others := map[string]any{"r1": "failed", "r2": "timed_out", "r3": "canceled", "r4": "running"}
	if d := cmp.Diff(map[string]any{"r0": nil}, statuses("tables/by_day.parquet")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(others, statuses("unsuccessful/by_day.parquet")); d != "" {
		t.Error(d)
	}
	if row := rowsOf(t, files, "tables/by_day.parquet")[0]; row["run_planned"] != true || row["run_stale"] != true { // its code is not the plan's
		t.Errorf("the rows of a run that succeeded begin with %v", row)
	}
	others["r0"], others["r5"] = "succeeded", "failed"
	if d := cmp.Diff(others, statuses("scraps.parquet")); d != "" {
		t.Error(d)
	}
}

// TestUnplannedKeepTheirNumbers: what succeeded stays a number when the sweep
// file no longer plans it, and says so.
func TestUnplannedKeepTheirNumbers(t *testing.T) {
	s, _ := newSweep(t, 2)
	finishRun(t, s, "r0", withOutputs("", glued("auc", "0.5")), outcome.Succeeded)
	head, _ := s.Head()
	head.Number = 0
	if _, err := s.Lease().Plan(t.Context(), sweep.Plan{Head: head, Runs: []sweep.Run{{ID: "r9"}}}); err != nil {
		t.Fatal(err)
	}
	r, err := Sweep(t.Context(), s, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if row := rowOf(t, r.Table, "r0"); row["auc"] != 0.5 || row["run_planned"] != false {
		t.Errorf("%v", row)
	}
	for _, row := range rowsOf(t, written(t, r), "scraps.parquet") {
		if row["run_planned"] != false {
			t.Errorf("%v", row)
		}
	}
}

// TestSweepLogAndNotebooksAgree collects a sweep by its log, and again from its
// notebooks after the log's sizes no longer match: the same bytes.
func TestSweepLogAndNotebooksAgree(t *testing.T) {
	s, dir := newSweep(t, 8)
	for i := range 8 {
		outputs := glued("z", fmt.Sprint(i)) + "," + glued("a", `{"x":1.5,"y":[1,null]}`) + "," + glued("text", `"word"`)
		finishRun(t, s, fmt.Sprintf("r%d", i), withOutputs("", outputs), outcome.Succeeded)
	}
	collect := func() map[string][]byte {
		r, err := Sweep(t.Context(), s, Options{TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		return written(t, r)
	}
	first := collect()
	for i := range 8 {
		path := filepath.Join(dir, filepath.FromSlash(sweep.RunKey(fmt.Sprintf("r%d", i))))
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(doc, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range collect() {
		if !bytes.Equal(b, first[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// runs/ has the notebook of an attempt that does not stand for the run, as late
// workers of earlier versions left it, and their collects kept what it recorded.
func TestNotebookOfAnotherAttempt(t *testing.T) {
	for _, more := range []string{"", "," + display(`{"image/png":"iVBORw0KGgo="}`, `{"scrapbook":{"name":"plot","data":false,"display":true}}`)} {
		s, dir := newSweep(t, 1)
		finishRun(t, s, "r0", withOutputs("", glued("loss", "99")+more), outcome.Failed)
		finishRun(t, s, "r0", withOutputs("", glued("loss", "0.5")+more), outcome.Succeeded)
		if err := s.Store().Copy(t.Context(), sweep.RunKey("r0"), "attempts/r0.1.ipynb"); err != nil {
			t.Fatal(err)
		}
		versions, err := s.Versions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf(`{"run":"r0","version":{"Size":%d,"ModTime":%d},"bytes":%%d}`, versions["r0"].Size, versions["r0"].ModTime)
		kept := `{"scraps":[{"name":"loss","encoder":"json","data":99}]}`
		pack := `{"format":"fanout-collected","version":1}` + "\n" + fmt.Sprintf(line, len(kept)) + "\n" + kept + "\n"
		if err := s.Store().Put(t.Context(), sweep.PrefixCollected+"old.jsonl", []byte(pack), store.Cached); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, err := Sweep(t.Context(), s, Options{TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			c, ok := r.Table.Column("loss")
			if !ok || c.Text(0) != "0.5" {
				t.Errorf("in %s: loss is %v", dir, c)
			}
			if err := r.Keep(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			r.Close()
		}
	}
}

// What lies in the place of a notebook and is none is a problem of that run alone.
func TestOneRunIsNoFile(t *testing.T) {
	const irregular, large = "not a regular file", "at most 2147483648 are read"
	for name, tt := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"pipe":             {func(path string) error { return syscall.Mkfifo(path, 0o666) }, irregular},
		"link that is out": {func(path string) error { return os.Symlink("/etc/passwd", path) }, irregular},
		"loop":             {func(path string) error { return os.Symlink(filepath.Base(path), path) }, irregular},
		"a terabyte":       {func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) }, large},
	} {
		s, dir := newSweep(t, 2)
		for i := range 2 {
			finishRun(t, s, fmt.Sprintf("r%d", i), withOutputs("", glued("loss", "0.5")), outcome.Succeeded)
		}
		path := filepath.Join(dir, filepath.FromSlash(sweep.RunKey("r0")))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		// The cache is only a help: where it cannot be read, the notebooks are.
		pack := filepath.Join(dir, filepath.FromSlash(sweep.PrefixCollected), "a.jsonl")
		if err := errors.Join(tt.put(path), os.MkdirAll(filepath.Dir(pack), 0o777), tt.put(pack)); err != nil {
			t.Fatal(err)
		}
		r, err := Sweep(t.Context(), s, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := r.Table.Problems()
		if r.Table.Len() != 2 || len(p) != 1 || p[0].Kind != "unreadable" || p[0].Run != "r0" || !strings.Contains(p[0].Detail, tt.want) {
			t.Errorf("%s: %d rows, problems %+v", name, r.Table.Len(), p)
		}
		r.Close()
	}
}
