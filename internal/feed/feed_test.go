package feed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/feed"
	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

const template = `{"cells":[{"cell_type":"code","id":"c","source":"1","outputs":[],"execution_count":null,"metadata":{}}],"metadata":{},"nbformat":4,"nbformat_minor":5}`

// Runs of the tests: an extract for each region, a report on each, and one
// notebook for the world.
const (
	extractUS, extractEU = "extractus0000000", "extracteu0000000"
	reportUS, world      = "reportus00000000", "world00000000000"
)

// regions is a sweep in which the extract of us has succeeded, with two scraps and
// a file, and that of eu has failed.
func regions(t *testing.T, st store.Store, report, all []sweep.With) *sweep.Sweep {
	t.Helper()
	s, err := sweep.Init(t.Context(), st, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lease().Release() })
	var p sweep.Plan
	p.Name, p.Source = "test", ".."
	p.Steps = []sweep.Step{
		{Name: "extract", Axes: []string{"region"}},
		{Name: "report", Axes: []string{"region"}, Needs: []needs.Need{{Step: "extract", Share: 1}}, With: report},
		{Name: "world", Needs: []needs.Need{{Step: "extract", Share: 0.5}}, With: all},
	}
	for _, step := range p.Steps {
		p.Templates = append(p.Templates, sweep.Template{Slot: step.Name, Path: step.Name + ".ipynb", Code: "c"})
		p.TemplateDocs = append(p.TemplateDocs, []byte(template))
	}
	in := func(id, step, region string) sweep.Run {
		v, err := value.Of(region)
		if err != nil {
			t.Fatal(err)
		}
		return sweep.Run{ID: id, Template: step, Params: []value.Binding{{Name: "region", Value: v}}}
	}
	p.Runs = []sweep.Run{in(extractUS, "extract", "us"), in(extractEU, "extract", "eu"), in(reportUS, "report", "us"), {ID: world, Template: "world"}}
	if _, err := s.Lease().Plan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	end(t, s, extractUS, outcome.Succeeded)
	end(t, s, extractEU, outcome.Failed)
	return s
}

func end(t *testing.T, s *sweep.Sweep, id string, status outcome.Status) {
	t.Helper()
	a, err := s.Lease().Begin(t.Context(), id, sweep.Began{Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := notebook.Decode([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"rows": "3", "medium": `"` + strings.Repeat("x", 10<<10) + `"`, "large": `"` + strings.Repeat("x", 2<<20) + `"`} {
		doc.Cells[0].Outputs = append(doc.Cells[0].Outputs, notebook.Output{Type: "display_data", Data: map[string]json.RawMessage{
			"application/scrapbook.scrap.json+json": json.RawMessage(fmt.Sprintf(`{"name":%q,"data":%s,"encoder":"json","version":1}`, name, data)),
		}})
	}
	doc.BeginCell(0, time.Unix(0, 0))
	doc.Cells[0].Keep([]notebook.Kept{{Lost: "it has 200 MB, and there was room for 67 MB: it is lost", Names: []string{"huge"}}})
	doc.Cells[0].Touch()
	write := func(w io.Writer) error { _, err := io.WriteString(w, "a,b\n"); return err }
	if err := a.Keep(t.Context(), "out/rows.csv", write); err != nil {
		t.Fatal(err)
	}
	run, _ := s.Run(id)
	if err := a.End(t.Context(), doc, outcome.Outcome{Status: status, Reason: map[outcome.Status]string{outcome.Failed: "KeyError: no price"}[status], Fingerprint: s.Current(run.Run)}, nil); err != nil {
		t.Fatal(err)
	}
}

// fed is what a run is fed in a folder of its own: parameters as text, and files
// with the text of each that is no table.
func fed(t *testing.T, s *sweep.Sweep, id string) (params, files map[string]string) {
	t.Helper()
	run, _ := s.Run(id)
	dir := t.TempDir()
	args, refused, err := feed.Feed(t.Context(), s, run.Run, dir)
	if err := errors.Join(refused, err); err != nil {
		t.Fatal(err)
	}
	params, files = map[string]string{}, map[string]string{}
	for _, b := range args {
		params[b.Name] = b.Value.String()
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if filepath.Ext(path) == ".parquet" {
			b = b[:4] // its mark
		}
		files[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return params, files
}

// A run has the values, files and rows of what it needs, wherever the sweep is
// kept: of one run, and of several where some have failed.
func TestFeed(t *testing.T) {
	one := []sweep.With{{Param: "n", Expr: "extract.rows"}, {Param: "share", Expr: "extract.rows", Float: true}, {Param: "path", Expr: `extract.artifact("out/rows.csv")`}}
	several := []sweep.With{{Param: "total", Expr: "sum(map(extract, .rows))"}, {Param: "of", Expr: "map(extract, .region)"}}
	for name, st := range map[string]store.Store{"folder": store.Dir(filepath.Join(t.TempDir(), "test.sweep")), "memory": store.Mem()} {
		t.Run(name, func(t *testing.T) {
			s := regions(t, st, one, several)
			params, files := fed(t, s, reportUS)
			check(t, params, map[string]string{"n": "3", "share": "3.0", "path": `"upstream/extract/out/rows.csv"`})
			check(t, files, map[string]string{"upstream/extract.parquet": "PAR1", "upstream/extract/out/rows.csv": "a,b\n", "upstream/missing.json": "[]\n"})
			params, files = fed(t, s, world)
			check(t, params, map[string]string{"total": "3", "of": `["us"]`})
			check(t, files, map[string]string{"upstream/extract.parquet": "PAR1", "upstream/extract/" + extractUS + "/out/rows.csv": "a,b\n", "upstream/missing.json": `[
 {
  "step": "extract",
  "run": "extracteu0000000",
  "name": "extract",
  "parameters": {
   "region": "eu"
  },
  "status": "failed",
  "error": "KeyError: no price"
 }
]
`})
			params, files = fed(t, s, extractUS)
			check(t, params, map[string]string{})
			check(t, files, map[string]string{})
		})
	}
}

func check(t *testing.T, got, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What cannot be fed is refused in a sentence that says why; it is no error of
// the sweep.
func TestRefused(t *testing.T) {
	gone := func(t *testing.T, dir, _ string) { os.RemoveAll(filepath.Join(dir, "artifacts")) }
	taken := func(t *testing.T, _, workdir string) { os.Mkdir(filepath.Join(workdir, feed.Folder), 0o777) }
	for _, c := range []struct {
		name   string
		with   sweep.With
		before func(t *testing.T, dir, workdir string)
		want   string
	}{
		{"no such scrap", sweep.With{Expr: "extract.rosw"}, nil, "recorded no scrap `rosw`; it recorded medium, rows"},
		{"another kind", sweep.With{Expr: "extract.rows", Kind: value.String.String()}, nil, "it is 3, and the template declares " + value.String.String()},
		{"a large scrap", sweep.With{Expr: "extract.large"}, nil, "keep it as a file, and pass its path with artifact"},
		{"a scrap that was too large to be recorded", sweep.With{Expr: "extract.huge"}, nil, "with `p`: the scrap `huge` of extract was too large to be recorded: it has 200 MB, and there was room for 67 MB: it is lost; keep it as a file"},
		{"a result that is large", sweep.With{Expr: `map(1..30000, "a text of thirty-nine characters, or so")`}, nil, "keep it as a file, and pass its path with artifact"},
		{"no number", sweep.With{Expr: "extract.rows / 0"}, nil, "with `p`: extract.rows / 0: it is +Inf, and a parameter is a number that JSON has"},
		{"not a number", sweep.With{Expr: "[1, extract.rows / 0 - extract.rows / 0]"}, nil, "it is NaN, and a parameter is a number that JSON has: let the notebook record null instead"},
		{"a whole run", sweep.With{Expr: "[extract]"}, nil, "it is a whole run, and a parameter is a value: name one that it recorded"},
		{"more than is read", sweep.With{Expr: "extract.rows"}, func(t *testing.T, _, _ string) { t.Cleanup(feed.Room(9 << 10)) }, "the large scraps of the runs that it needs have more than 9 kB together: keep it as a file"},
		{"no such file", sweep.With{Expr: `extract.artifact("rows.csv")`}, nil, "rows.csv"},
		{"a file that is gone", sweep.With{Expr: "extract.rows"}, gone, "kept out/rows.csv, which is gone from the sweep"},
		{"a folder that is taken", sweep.With{Expr: "extract.rows"}, taken, "the template's folder has `upstream` of its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.with.Param = "p"
			dir, workdir := filepath.Join(t.TempDir(), "test.sweep"), t.TempDir()
			s := regions(t, store.Dir(dir), []sweep.With{c.with}, nil)
			if c.before != nil {
				c.before(t, dir, workdir)
			}
			run, _ := s.Run(reportUS)
			args, refused, err := feed.Feed(t.Context(), s, run.Run, workdir)
			if err != nil || refused == nil || !strings.Contains(refused.Error(), c.want) {
				t.Errorf("args %v, refused %v, error %v; want it refused with %q", args, refused, err, c.want)
			}
		})
	}
}
