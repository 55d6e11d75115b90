package app

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/table"
)

func statuses(t *testing.T, words ...string) *table.Table {
	t.Helper()
	var rows [][]any
	for _, w := range words {
		rows = append(rows, []any{w})
	}
	table, err := table.Build([]table.ColumnSpec{{Name: "status"}, {Name: "n"}}, rows)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// parquets are the files that a reader of the folder takes for the table.
func parquets(t *testing.T, dir string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		found = append(found, strings.TrimPrefix(filepath.Base(filepath.Dir(p)), "status="))
	}
	slices.Sort(found)
	return found
}

func TestExportPartitions(t *testing.T) {
	a := &App{OpenStore: func(_ context.Context, where string) (store.Store, error) { return store.Dir(where), nil }}
	dir := filepath.Join(t.TempDir(), "parts")
	export := func(words ...string) error {
		_, err := a.ExportPartitions(t.Context(), statuses(t, words...), dir, []string{"status"})
		return err
	}
	check := func(want ...string) {
		t.Helper()
		if d := cmp.Diff(want, parquets(t, dir)); d != "" {
			t.Error(d)
		}
	}
	if err := export("failed", "succeeded"); err != nil {
		t.Fatal(err)
	}
	check("failed", "succeeded")
	if err := export("succeeded", "succeeded"); err != nil {
		t.Fatal(err)
	}
	check("succeeded")

	// One that is interrupted is repaired by the next.
	st := store.Dir(dir)
	if err := beginExport(t.Context(), st, dir, []string{"status=lost/part-0.parquet"}); err != nil {
		t.Fatal(err)
	}
	if err := st.Put(t.Context(), "status=lost/part-0.parquet", []byte("x"), store.Cached); err != nil {
		t.Fatal(err)
	}
	if err := export("failed"); err != nil {
		t.Fatal(err)
	}
	check("failed")

	// What is not ours is neither removed nor mixed with.
	theirs := filepath.Join(dir, "status=theirs", "part-0.parquet")
	if err := os.MkdirAll(filepath.Dir(theirs), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := export("succeeded"); err == nil || !strings.Contains(err.Error(), "status=theirs/part-0.parquet, which no export wrote") {
		t.Errorf("a folder with other files: %v", err)
	}
	check("failed", "theirs")
}

// Tables of notebooks replace those before them whole: the table of a frame that
// no notebook records any more is gone, and what fanout did not write stays.
func TestCollectNotebooksReplaces(t *testing.T) {
	a := &App{OpenStore: func(_ context.Context, where string) (store.Store, error) { return store.Dir(where), nil }}
	dir := t.TempDir()
	out, notebook := filepath.Join(dir, "tables"), filepath.Join(dir, "in.ipynb")
	collect := func(name string) {
		t.Helper()
		doc := `{"nbformat":4,"nbformat_minor":4,"metadata":{},"cells":[{"cell_type":"code","execution_count":1,"metadata":{},"source":"x","outputs":[
			{"output_type":"display_data","data":{"text/html":"<b>x</b>"},"metadata":{"scrapbook":{"name":"` + name + `","data":false,"display":true}}}]}]}`
		if err := os.WriteFile(notebook, []byte(doc), 0o666); err != nil {
			t.Fatal(err)
		}
		res, err := a.CollectNotebooks(t.Context(), []string{notebook}, out, nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Close()
	}
	collect("old")
	theirs := filepath.Join(out, "displays", "old", "theirs.html")
	if err := os.WriteFile(theirs, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	collect("new")
	for _, c := range []struct {
		pattern string
		want    int
	}{{"new/*.html", 1}, {"old/*.html", 1}, {"old/theirs.html", 1}} {
		if found, err := fs.Glob(os.DirFS(filepath.Join(out, "displays")), c.pattern); err != nil || len(found) != c.want {
			t.Errorf("displays/%s are %q, %v; want %d", c.pattern, found, err, c.want)
		}
	}
}
