package table

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExportsAgree(t *testing.T) {
	pythonPath(t)
	table := everyType(t)
	dir := t.TempDir()
	save(t, filepath.Join(dir, "t.parquet"), table.WriteParquet)
	save(t, filepath.Join(dir, "t.csv"), table.WriteCSV)
	save(t, filepath.Join(dir, "t.jsonl"), table.WriteJSON)
	names, err := table.Partition(t.Context(), []string{"flag", "text"}, func([]string) error { return nil }, func(name string, write func(io.Writer) error) error {
		path := filepath.Join(dir, "hive", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		save(t, path, write)
		return nil
	})
	if err != nil || len(names) != table.Len() {
		t.Fatalf("%d files, %v", len(names), err)
	}
	if out := runPython(t, "read_exports.py", dir); string(out) != "agreed\n" {
		t.Errorf("%s", out)
	}
	for _, column := range []string{"nobody", "point", "list", "mixed"} {
		if _, err := table.Partition(t.Context(), []string{column}, nil, nil); err == nil {
			t.Errorf("partitioned by %s", column)
		}
	}
}

// TestRead reads runs.arrow back.
func TestRead(t *testing.T) {
	table := everyType(t)
	var b bytes.Buffer
	if err := table.WriteArrow(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if again.Len() != table.Len() {
		t.Errorf("%d rows, want %d", again.Len(), table.Len())
	}
	for i, c := range table.Columns() {
		d := again.Columns()[i]
		if c.Name() != d.Name() || !cmp.Equal(c.typ, d.typ) || c.Role() != d.Role() || c.Unit() != d.Unit() || c.Goal() != d.Goal() {
			t.Errorf("%s: %v became %s %v", c.Name(), c.typ, d.Name(), d.typ)
		}
		for row := range table.Len() {
			if diff := cmp.Diff(c.Text(row), d.Text(row)); diff != "" {
				t.Errorf("%s, row %d: %s", c.Name(), row, diff)
			}
		}
	}
	for cut := 0; cut < b.Len(); cut += 97 {
		if _, err := Read(bytes.NewReader(b.Bytes()[:cut])); err == nil {
			t.Errorf("read a table cut off at %d", cut)
		}
	}
}
