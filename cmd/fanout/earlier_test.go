package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// earlier are the sweeps under testdata/earlier, by the commit whose fanout made
// each, with the kind of sweep that make.py there was asked for. A change of the
// format, or of what is stored, comes with another one.
var earlier = map[string]string{
	"dfff593": "grid",  // the first with all verbs of a sweep on one machine
	"bc5e909": "grid",  // the last before sweeps were in buckets
	"e5c2c85": "grid",  // the first with sweeps in buckets and workers on a cluster
	"1f2b9e1": "grid",  // the first with handles of leases and shards
	"25b3aa6": "until", // the first that looked until its variants were decided
	"99f7858": "steps", // the first with steps, which is format 2
}

// A reading is what is asked of a sweep, and what the answer has in it, by the kind of
// sweep; under "" is what all kinds have. A kind without either is not asked. %s is the
// sweep's folder.
type reading struct {
	args string
	want map[string]string
}

var readings = []reading{
	{"status %s", map[string]string{"grid": "tides: 6 runs: 4 succeeded, 2 failed\n", "until": "tides: 8 runs: 8 succeeded; undecided after 3 looks", "steps": "tides: 6 runs: 6 succeeded\n"}},
	{"ls %s", map[string]string{"grid": "cell 3 raised KeyError: 'atlantis'  atlantis  spline\n6 runs\n", "until": "8 runs\n", "steps": "6 runs\n"}},
	{"top %s --by height", map[string]string{
		"grid": "m4p5hoctkfv676fb  7.61    brest  spline\nryoac3vkbqa3vthr  7.31    dover  spline\n" +
			"y5skm7jmz7e3j4v4  7.11    brest  sine\nrvp2bq23mmdrgh5z  6.81    dover  sine\n4 of 6 runs",
		"until": "7.63    brest  spline  3\n", "steps": "hlbh55v67pxlefzt  7.12    measure   brest  2\n",
	}},
	{"top %s --by highest", map[string]string{"steps": "7.12     report    brest\n"}},
	{"why %s sevhfx4xwh2yc5o3 highest", map[string]string{"steps": "measure"}},
	{"collect %s", map[string]string{"": "tides.sweep/results\n"}},
	{"compare %s", map[string]string{"grid": "2 of 3  7.460 ", "until": "spline           4  7.615 ", "steps": "dover/2  6.82\n"}},
	{"report %s", map[string]string{"": "tides.sweep/summary.ipynb\n"}},
	{"diff %s", map[string]string{"grid": "2 of 3 code cells differ among 6 runs", "until": "splits exactly by"}},
	{"diff %s --where run_step==\"measure\"", map[string]string{"steps": "scrap height"}},
	{"logs %s", map[string]string{"grid": "port=brest method=sine: brest on day 1\n", "until": "brest on day 3\n"}},
	{"gc %s", map[string]string{"": "nothing "}},
	{"run --dry-run %s", map[string]string{"grid": "4 kept, 2 failed before\n", "until": "8 kept\n", "steps": "6 kept\n"}},
	{"publish %s -o %s.site", map[string]string{"": " pages and "}},
	{"find tides --in %s/..", map[string]string{"": "tides.sweep"}},
}

// TestEarlierSweeps has every verb that reads, and a server, look at sweeps of
// earlier fanouts.
func TestEarlierSweeps(t *testing.T) {
	found, err := filepath.Glob("testdata/earlier/*.txtar")
	if err != nil || len(found) != len(earlier) {
		t.Fatalf("%d sweeps are kept (%v), and %d are known", len(found), err, len(earlier))
	}
	for _, commit := range slices.Sorted(maps.Keys(earlier)) {
		t.Run(commit, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := filepath.Join(root, "sweeps", "tides.sweep")
			files := layEarlier(t, filepath.Join("testdata", "earlier", commit+".txtar"), dir)
			readEarlier(t, earlier[commit], dir)
			serveEarlier(t, filepath.Dir(dir))
			for _, f := range files {
				if now, err := os.ReadFile(filepath.Join(dir, f.Name)); err != nil || !bytes.Equal(now, f.Data) {
					t.Errorf("reading changed %s (%v)", f.Name, err)
				}
			}
		})
	}
}

// layEarlier writes a sweep that is kept as text, and returns its files.
func layEarlier(t *testing.T, path, dir string) []txtar.File {
	t.Helper()
	kept, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range kept.Files {
		writeIn(t, filepath.Join(dir, f.Name), f.Data)
	}
	for line := range strings.Lines(string(kept.Comment)) {
		second, first, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok {
			t.Fatalf("%s: a line that is no link: %q", path, line)
		}
		to := filepath.Join(dir, second)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, first), to); err != nil {
			t.Fatal(err)
		}
	}
	return kept.Files
}

func writeIn(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// readEarlier runs the verbs that read, and asks about each run.
func readEarlier(t *testing.T, kind, dir string) {
	t.Helper()
	for _, r := range readings {
		want, asked := r.want[kind]
		if general, all := r.want[""]; all {
			want, asked = general, true
		}
		if !asked {
			continue
		}
		if out := reads(t, strings.ReplaceAll(r.args, "%s", dir)); !strings.Contains(out, want) {
			t.Errorf("fanout %s printed\n%s\nwant in it\n%s", r.args, out, want)
		}
	}
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*.ipynb"))
	if err != nil || len(runs) < 6 {
		t.Fatalf("%v (%v)", runs, err)
	}
	for _, path := range runs {
		run := strings.TrimSuffix(filepath.Base(path), ".ipynb")
		if out := reads(t, "show "+dir+" "+run); !strings.Contains(out, run) {
			t.Errorf("fanout show %s printed\n%s", run, out)
		}
		page := filepath.Join(t.TempDir(), "run.html")
		reads(t, "render "+dir+" "+run+" -o "+page)
		if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("fanout_glue")) {
			t.Errorf("the page of %s does not show its cells (%v)", run, err)
		}
	}
}

// reads is what a command that succeeds, or says that some runs did not, prints.
func reads(t *testing.T, args string) string {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), strings.Fields(args), strings.NewReader(""), &out, &out); code != exitOK && code != exitIncomplete {
		t.Errorf("fanout %s: exit code %d\n%s", args, code, out.String())
	}
	return out.String()
}

// serveEarlier has a server show every page of the sweeps in a folder.
func serveEarlier(t *testing.T, root string) {
	t.Helper()
	h := &heard{all: map[string]string{}}
	if pages := crawl(t, h, root); pages < 30 {
		t.Errorf("%d pages were served", pages)
	}
	for where, text := range h.all {
		if strings.HasPrefix(where, "errors of the server") {
			t.Errorf("%s: %s", where, text)
		}
	}
}
