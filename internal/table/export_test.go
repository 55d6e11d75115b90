package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
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
	again, err := read(b.Bytes())
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
		if _, err := read(b.Bytes()[:cut]); err == nil {
			t.Errorf("read a table cut off at %d", cut)
		}
	}
}

// read reads a table from what WriteArrow wrote.
func read(b []byte) (t *Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read table: %v", p)
		}
	}()
	f, err := ipc.NewFileReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	defer f.Close()
	schema := f.Schema()
	meta := schema.Metadata()
	if v, ok := meta.GetValue("fanout"); !ok || v != layout {
		return nil, errors.New("read table: not a table of this version of fanout")
	}
	t = &Table{schema: schema}
	for k := range f.NumRecords() {
		b, err := f.RecordAt(k)
		if err != nil {
			return nil, fmt.Errorf("read table: %w", err)
		}
		t.starts = append(t.starts, t.rows)
		t.rows += int(b.NumRows())
		t.batches = append(t.batches, b)
	}
	specs, types := specsOf(schema)
	t.index(specs, types)
	return t, nil
}

func specsOf(schema *arrow.Schema) ([]ColumnSpec, []cell.Type) {
	var specs []ColumnSpec
	var types []cell.Type
	for _, f := range schema.Fields() {
		get := func(key string) string {
			v, _ := f.Metadata.GetValue(key)
			return v
		}
		specs = append(specs, ColumnSpec{Name: f.Name, Role: roleNamed(get(metaRole)), Unit: get(metaUnit), Goal: get(metaDirection)})
		types = append(types, cell.TypeOf(f.Type, f.Metadata))
	}
	return specs, types
}

func roleNamed(name string) Role {
	if i := slices.Index(roleNames[:], name); i >= 0 {
		return Role(i)
	}
	return RoleScrap
}
