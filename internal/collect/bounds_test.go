package collect

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
)

// repeated is a text many times over that takes no memory.
type repeated struct {
	text string
	left int64 // bytes
	at   int
}

func (r *repeated) Read(b []byte) (n int, err error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	for n < len(b) && r.left > 0 {
		m := copy(b[n:min(int64(len(b)), int64(n)+r.left)], r.text[r.at:])
		n, r.at, r.left = n+m, (r.at+m)%len(r.text), r.left-int64(m)
	}
	return n, nil
}

func times(text string, n int) io.Reader {
	return &repeated{text: text, left: int64(n) * int64(len(text))}
}

func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const (
	bookStart = `{"nbformat":4,"nbformat_minor":5,"metadata":{`
	bookCells = `},"cells":[{"cell_type":"code","source":"1","execution_count":1,"metadata":{`
	bookOuts  = `},"outputs":[`
	bookEnd   = `]}]}`
)

// Small files that unpack to much, and notebooks that say much in few bytes: an
// error or a problem, and little memory.
func TestNotebooksOfMuchFromLittle(t *testing.T) {
	book := func(meta, cell, outputs io.Reader) io.Reader {
		text := strings.NewReader
		return io.MultiReader(text(bookStart), meta, text(bookCells), cell, text(bookOuts), outputs, text(bookEnd))
	}
	none := strings.NewReader("")
	tests := map[string]struct {
		doc  io.Reader
		want string // in the problem
		most int    // MB
	}{
		"millions of cells": {io.MultiReader(strings.NewReader(bookStart+`},"cells":[`), times(`{"cell_type":"code"},`, 1<<20), strings.NewReader(`{}]}`)), "more than 100000 cells", 100},
		"millions of outputs": {book(none, none, io.MultiReader(times(`{"output_type":"error"},`, 3<<20), strings.NewReader(`{"output_type":"error"}`))),
			"more exceptions than are read", 1000},
		"millions of tags":        {book(none, io.MultiReader(strings.NewReader(`"tags":[`), times(`{},`, 5<<20), strings.NewReader(`{}]`)), none), "left out", 400},
		"millions of parameters":  {book(io.MultiReader(strings.NewReader(`"papermill":{"parameters":{"a":[`), times(`[],`, 5<<20), strings.NewReader(`[]]}}`)), none, none), "left out", 400},
		"nothing but white space": {book(times(" ", 64<<20), none, none), "", 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var zipped bytes.Buffer
			z := gzip.NewWriter(&zipped)
			if _, err := io.Copy(z, tt.doc); err != nil {
				t.Fatal(err)
			}
			z.Close()
			var problems string
			used := allocated(func() {
				r, err := Files(t.Context(), fstest.MapFS{"a.ipynb.gz": {Data: zipped.Bytes()}}, nil, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				for _, p := range r.Table.Problems() {
					if p.Run != "a" {
						t.Errorf("a problem of %q", p.Run)
					}
					problems += p.Detail + "\n"
				}
			})
			if !strings.Contains(problems, tt.want) || tt.want == "" && problems != "" {
				t.Errorf("problems %q, want %q", problems, tt.want)
			}
			if used > uint64(tt.most)<<20 {
				t.Errorf("allocated %d MB for a file of %d kB", used>>20, zipped.Len()>>10)
			}
		})
	}
}

// An exception of 300 MB costs no more than a short one, and is one.
func TestExceptionOfAnySize(t *testing.T) {
	doc := io.MultiReader(strings.NewReader(bookStart+bookCells+bookOuts+`{"output_type":"error","ename":"ValueError","evalue":"`),
		times("no good ", 300<<17), strings.NewReader(`","traceback":["`), times("no good ", 300<<17), strings.NewReader(`"]}`+bookEnd))
	l := leanReader{limit: leanLimit}
	var verdict string
	used := allocated(func() {
		n, problems, err := l.notebook(doc, func(start, end int64) ([]byte, error) { return nil, fmt.Errorf("read %d bytes again", end-start) })
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		verdict = n.Verdict().Reason
	})
	if want := "cell 1 raised ValueError: (a text of 314572802 bytes)"; verdict != want {
		t.Errorf("got %q, want %q", verdict, want)
	}
	if used > 8<<20 {
		t.Errorf("allocated %d MB", used>>20)
	}
}

// Pipes and devices are no notebooks, whatever they are called.
func TestPipesArePassedOver(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.ipynb"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"zero.ipynb": "/dev/zero", "link.ipynb": "pipe.ipynb", "good.ipynb": "real"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "real"), []byte(`{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := Files(t.Context(), os.DirFS(dir), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := r.Table.Len(); n != 1 || len(r.Table.Problems()) > 0 {
		t.Errorf("%d rows, problems %v", n, r.Table.Problems())
	}
	r, err = Files(t.Context(), os.DirFS(dir), []string{"pipe.ipynb"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if p := r.Table.Problems(); len(p) != 1 || !strings.Contains(p[0].Detail, "not a regular file") {
		t.Errorf("problems %v", p)
	}
}

// absent are the columns that a table without steps and replicates does not have.
var absent = []string{query.Step, query.Replicate}

// gathered puts scraps of one run into tables that are to hold so many.
func gathered(t *testing.T, o Options, runs int, names iter.Seq[string], v any) *gatherer {
	t.Helper()
	o.TempDir = t.TempDir()
	g, err := newGatherer(o, runs, absent...)
	if err != nil {
		t.Fatal(err)
	}
	e := &entry{id: "a", status: outcome.Succeeded, columns: make([]any, len(runColumns))}
	for name := range names {
		e.items = append(e.items, item{name: name, encoder: "json", value: v, has: true})
	}
	if err := g.add(e); err != nil {
		t.Fatal(err)
	}
	return g
}

func numbered(prefix string, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("%s%06d", prefix, i)) {
				return
			}
		}
	}
}

// The more runs, the fewer columns: the memory of a table is that of its cells. A
// metric has its column all the same.
func TestManyScrapsOfManyRuns(t *testing.T) {
	for _, tt := range []struct {
		runs, width int
		want        string
	}{
		{100, 4096, "the runs table ends at 4096 columns; this scrap is only in scraps.parquet"},
		{20_000, 2000, "the runs table ends at 2000 columns, because it has so many rows; this scrap is only in scraps.parquet"},
		{10_000_000, len(runColumns) + fewColumns, "because it has so many rows"},
	} {
		g := gathered(t, Options{Metrics: []Metric{{Name: "z"}}}, tt.runs, func(yield func(string) bool) {
			numbered("s", 5000)(yield)
			yield("z")
		}, 0.5)
		r, err := g.finish()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		problems := r.Table.Problems()
		if n := len(r.Table.Columns()); n != tt.width+1 {
			t.Errorf("%d runs: %d columns, want %d and the metric", tt.runs, n, tt.width)
		}
		fixed := len(runColumns) - len(absent)
		if len(problems) != 5000-(tt.width-fixed) {
			t.Errorf("%d runs: %d problems", tt.runs, len(problems))
		}
		last := problems[len(problems)-1]
		if last.Run != "a" || last.Name != "s004999" || last.Kind != "too_many" || !strings.Contains(last.Detail, tt.want) {
			t.Errorf("%d runs: %+v", tt.runs, last)
		}
		if _, ok := r.Table.Column("z"); !ok {
			t.Errorf("%d runs: the metric has no column", tt.runs)
		}
		if r.Scraps != 5001 {
			t.Errorf("%d runs: %d scraps in the long table", tt.runs, r.Scraps)
		}
	}
}

// Names without a column, and what is wrong with them, are not kept without end.
func TestProblemsWithoutEnd(t *testing.T) {
	const names = 250_000
	g := gathered(t, Options{TableOnly: true}, 10_000_000, numbered("s", names), true)
	r, err := g.finish()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	problems := r.Table.Problems()
	if n := len(problems); n != maxProblems+1 || len(g.columnOf) > maxNames+g.width {
		t.Fatalf("%d problems, %d names", n, len(g.columnOf))
	}
	left := names - (fewColumns + len(absent)) - maxProblems
	if want := fmt.Sprintf("%d more problems are not listed", left); problems[0].Detail != want {
		t.Errorf("got %q, want %q", problems[0].Detail, want)
	}
}

// Texts that together are too much for the runs table are in the long table alone.
func TestTextsOfARunsTable(t *testing.T) {
	const size = 60 << 10
	g := gathered(t, Options{TableOnly: true}, 1, numbered("s", 100), strings.Repeat("x", size))
	defer g.buffer.close()
	defer g.scraps.file.Close()
	if n := len(g.problems); n != 0 {
		t.Fatalf("%d problems at %d bytes", n, g.runs.Size())
	}
	g.most = g.runs.Size() + size // a limit just ahead
	if err := g.add(&entry{id: "b", status: outcome.Succeeded, columns: make([]any, len(runColumns)), items: []item{
		{name: "s000000", has: true, value: strings.Repeat("y", 100)}, {name: "s000001", has: true, value: strings.Repeat("y", size)}}}); err != nil {
		t.Fatal(err)
	}
	if len(g.problems) != 1 || g.problems[0].Name != "s000001" || g.problems[0].Run != "b" || g.problems[0].Kind != "large" {
		t.Errorf("problems %+v", g.problems)
	}
}

// More parameters than a table has columns are a problem, as more scraps are.
func TestMoreParametersThanColumns(t *testing.T) {
	var text strings.Builder
	text.WriteString(bookStart + `"papermill":{"parameters":{"p":0`)
	for i := range 70_000 {
		fmt.Fprintf(&text, `,"p%d":%d`, i, i)
	}
	text.WriteString(`}}` + bookCells + bookOuts + bookEnd)
	r, err := Files(t.Context(), fstest.MapFS{"a.ipynb": {Data: []byte(text.String())}}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := len(r.Table.Columns()); n != maxColumns {
		t.Errorf("%d columns, want %d", n, maxColumns)
	}
	left := 0
	for _, p := range r.Table.Problems() {
		if p.Kind == "too_many" && strings.Contains(p.Detail, "this parameter is in no table") {
			left++
		}
	}
	if want := 70_001 + len(runColumns) - len(absent) - maxColumns; left != want {
		t.Errorf("%d problems, want %d", left, want)
	}
}
