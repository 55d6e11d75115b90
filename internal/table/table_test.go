package table

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// everyType is a table with every type a runs table can have, nulls, nested
// values, and names that are not ASCII.
func everyType(t testing.TB) *Table {
	t.Helper()
	big38, _ := new(big.Int).SetString("12345678901234567890123456789012345678", 10)
	specs := []ColumnSpec{
		{Name: "run_id", Role: RoleRun},
		{Name: "run_started_at", Role: RoleRun, Type: Time},
		{Name: "flag", Role: RoleParameter},
		{Name: "n", Role: RoleParameter},
		{Name: "Größe 大小", Role: RoleScrap, Unit: "€", Goal: "maximize"},
		{Name: "text", Role: RoleScrap},
		{Name: "day", Role: RoleParameter},
		{Name: "zoned", Role: RoleParameter},
		{Name: "offset", Role: RoleParameter},
		{Name: "local", Role: RoleParameter},
		{Name: "huge", Role: RoleScrap},
		{Name: "price", Role: RoleScrap},
		{Name: "mixed", Role: RoleScrap},
		{Name: "list", Role: RoleScrap},
		{Name: "lists", Role: RoleScrap},
		{Name: "point", Role: RoleScrap},
		{Name: "points", Role: RoleScrap},
		{Name: "ragged", Role: RoleScrap},
		{Name: "nothing", Role: RoleScrap},
		{Name: "a,b.c", Role: RoleScrap},
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	at := time.Date(2026, 3, 29, 1, 59, 59, 123456000, time.UTC)
	rows := [][]any{
		{"aaaa", at, true, 1, 0.5, "plain", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "2026-01-01T10:00:00", big38, DecimalText("12.50"), 1,
			[]any{1, 2}, raw(`[[1,2],[],null,[3]]`), raw(`{"x":1,"y":{"z":[true,null]},"odd":[1,"a"]}`), raw(`[{"a":1,"b":"x"},null,{"a":null,"b":"é"}]`), raw(`{"a":1}`), nil, 1},
		{"bbbb", nil, false, math.MaxInt64, 3, "", "1969-12-31", "1900-01-01T00:00:00.5Z", "2026-06-01T00:00:00+02:00", "2026-01-01T10:00:00.000001", -1, DecimalText("-0.001"), "one",
			[]any{}, raw(`[]`), raw(`{"x":null,"y":null,"odd":null}`), raw(`[]`), raw(`{"b":[1.0]}`), nil, nil},
		{"cccc", at.Add(time.Hour), nil, nil, math.NaN(), "naïve \"q\" \n 漢字 🎉", nil, nil, nil, nil, nil, nil, true,
			nil, nil, nil, nil, nil, nil, 2},
		{"dddd", nil, true, -5, math.Inf(-1), "2026-01-01", "9999-12-31", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "0001-01-01T00:00:00", 7, 3, 2.5,
			[]any{nil, 3}, raw(`[null]`), raw(`{"x":2,"y":{"z":[]},"odd":"s"}`), nil, raw(`[]`), nil, 3},
	}
	for _, row := range rows {
		for i, v := range row {
			if list, ok := v.([]any); ok {
				row[i] = raw(string(mustJSON(t, list)))
			}
		}
	}
	table, err := Build(specs, rows)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTypesOfEveryColumn(t *testing.T) {
	table := everyType(t)
	got := map[string]string{}
	for _, c := range table.Columns() {
		got[c.Name()] = c.typ.String()
	}
	want := map[string]string{
		"run_id": "string", "run_started_at": "time", "flag": "bool", "n": "int", "Größe 大小": "float", "text": "string", "day": "date",
		"zoned": "time", "offset": "time", "local": "local time", "huge": "decimal", "price": "decimal", "mixed": "json", "list": "list of int",
		"lists": "list of list of int", "point": "struct of odd json, x int, y struct of z list of bool", "points": "list of struct of a int, b string",
		"ragged": "json", "nothing": "null", "a,b.c": "int",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTexts(t *testing.T) {
	table := everyType(t)
	want := map[string][]string{
		"zoned":   {"2026-01-01T00:00:00Z", "1900-01-01T00:00:00.5Z", "", "2026-01-01T00:00:00Z"},
		"offset":  {"2025-12-31T23:00:00Z", "2026-05-31T22:00:00Z", "", "2025-12-31T23:00:00Z"},
		"local":   {"2026-01-01T10:00:00", "2026-01-01T10:00:00.000001", "", "0001-01-01T00:00:00"},
		"huge":    {"12345678901234567890123456789012345678", "-1", "", "7"},
		"price":   {"12.500", "-0.001", "", "3.000"},
		"mixed":   {"1", `"one"`, "true", "2.5"},
		"list":    {"[1,2]", "[]", "", "[null,3]"},
		"ragged":  {`{"a":1}`, `{"b":[1.0]}`, "", "[]"},
		"nothing": {"", "", "", ""},
		"n":       {"1", "9223372036854775807", "", "-5"},
	}
	for name, texts := range want {
		c, _ := table.Column(name)
		var got []string
		for i := range table.Len() {
			got = append(got, c.Text(i))
		}
		if d := cmp.Diff(texts, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// pythonPath is the interpreter of the tests, or none.
func pythonPath(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("FANOUT_TEST_PYTHON"); p != "" {
		return p
	}
	venv, err := filepath.Abs("../../.venv/bin/python")
	if err == nil {
		if _, err := os.Stat(venv); err == nil {
			return venv
		}
	}
	if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "ipykernel") {
		t.Fatal("no Python for the tests: set FANOUT_TEST_PYTHON or run make test")
	}
	t.Skip("no Python for the tests")
	return ""
}

// runPython runs a script of testdata and gives what it printed.
func runPython(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(pythonPath(t), append([]string{filepath.Join("testdata", script)}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, errs.Bytes())
	}
	return out
}

// expected is the table as the readers are asked to give it: types and values.
func expected(table *Table) map[string]any {
	all := map[string]any{}
	for k, c := range table.Columns() {
		values := make([]any, table.Len())
		for i := range values {
			chunk, at := c.at(i)
			values[i] = plain(chunk, at, c.typ, false)
		}
		all[c.Name()] = map[string]any{"type": c.typ.String(), "values": values, "index": k}
	}
	return all
}

// plain is a value as the Python side prints it: JSON stays the text it is.
func plain(a arrow.Array, i int, d cell.Type, inside bool) any {
	if cell.IsNull(a, i) {
		return nil
	}
	switch d.Kind {
	case JSON:
		return a.(*array.String).Value(i)
	case List:
		list := []any{}
		start, end := a.(*array.List).ValueOffsets(i)
		for k := start; k < end; k++ {
			list = append(list, plain(a.(*array.List).ListValues(), int(k), *d.Elem, true))
		}
		return list
	case Struct:
		object := map[string]any{}
		for k, f := range d.Fields {
			object[f.Name] = plain(a.(*array.Struct).Field(k), i, f.Type, true)
		}
		return object
	}
	switch v := cell.At(a, i, d).(type) {
	case float64:
		if !inside {
			return "float " + value.FloatJSON(v)
		}
		return v
	case int64, *big.Int, DecimalText:
		if !inside {
			return "number " + string(AppendJSON(nil, v))
		}
		return v
	default:
		return v
	}
}

func TestIndependentReaders(t *testing.T) {
	dir := saveEveryType(t)
	if out := runPython(t, "read_tables.py", dir); string(out) != "agreed\n" {
		t.Errorf("%s", out)
	}
}

// FANOUT_TEST_NODE_MODULES names the folder that `make test` installs
// testdata/js/package.json into.
func TestJavaScriptReaders(t *testing.T) {
	modules := os.Getenv("FANOUT_TEST_NODE_MODULES")
	if modules == "" {
		t.Skip("FANOUT_TEST_NODE_MODULES is not set")
	}
	dir := saveEveryType(t)
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/js/read_tables.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// Node looks for modules beside the script.
	path := filepath.Join(dir, "read_tables.mjs")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("node", path, dir).CombinedOutput(); err != nil || string(out) != "agreed\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// saveEveryType writes the table of every type in every form, and what readers
// must find.
func saveEveryType(t testing.TB) string {
	t.Helper()
	table := everyType(t)
	dir := t.TempDir()
	save(t, filepath.Join(dir, "t.parquet"), table.WriteParquet)
	save(t, filepath.Join(dir, "t.arrow"), table.WriteArrow)
	save(t, filepath.Join(dir, "t.arrows"), table.WriteStream)
	want := filepath.Join(dir, "want.json")
	if err := os.WriteFile(want, mustJSON(t, expected(table)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func save(t testing.TB, path string, write func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The footer and the heads of pages do not repeat a long text.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("x", 8<<20)
	builder := NewBuilder()
	builder.Row()
	if err := builder.Set(builder.Column(ColumnSpec{Name: "text"}), long); err != nil {
		t.Fatal(err)
	}
	table, err := builder.Table()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := table.WriteParquet(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 64<<10 {
		t.Errorf("%d bytes for a text of one letter", b.Len())
	}
}

func TestValues(t *testing.T) {
	table := everyType(t)
	want := map[string][]string{
		"flag":     {"true", "false", "null", "true"},
		"n":        {"1", "9223372036854775807", "null", "-5"},
		"Größe 大小": {"0.5", "3.0", `"NaN"`, `"-Infinity"`},
		"day":      {`"2026-01-01"`, `"1969-12-31"`, "null", `"9999-12-31"`},
		"huge":     {"12345678901234567890123456789012345678", "-1", "null", "7"},
		"price":    {"12.5", "-0.001", "null", "3.0"},
		"mixed":    {"1", `"one"`, "true", "2.5"},
		"list":     {"[1,2]", "[]", "null", "[null,3]"},
		"ragged":   {`{"a":1}`, `{"b":[1.0]}`, "null", "[]"},
		"nothing":  {"null", "null", "null", "null"},
	}
	for name, texts := range want {
		c, _ := table.Column(name)
		var got []string
		for i := range table.Len() {
			got = append(got, c.Value(i).String())
		}
		if d := cmp.Diff(texts, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
