package collect

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/table/frame"
)

// collectFiles collects a pile and closes the result at the end of the test.
func collectFiles(t testing.TB, fsys fs.FS, o Options) *Result {
	t.Helper()
	o.TempDir = t.TempDir()
	r, err := Files(t.Context(), fsys, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// rowOf is what a row holds, nulls left out.
func rowOf(t testing.TB, table *table.Table, id string) map[string]any {
	t.Helper()
	ids, _ := table.Column("run_id")
	for i := range table.Len() {
		if ids.Text(i) != id {
			continue
		}
		row := map[string]any{}
		for _, c := range table.Columns() {
			if v := c.Any(i); v != nil {
				row[c.Name()] = v
			}
		}
		return row
	}
	t.Fatalf("no row %q", id)
	return nil
}

// problemsOf are the kinds and names of a run's problems.
func problemsOf(table *table.Table, id string) []string {
	var found []string
	for _, p := range table.Problems() {
		if p.Run == id {
			found = append(found, p.Kind+" "+p.Name)
		}
	}
	return found
}

// written is every file of a result.
func written(t testing.TB, r *Result) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := r.Write(t.Context(), func(name string, write func(io.Writer) error) error {
		var b bytes.Buffer
		err := write(&b)
		files[name] = b.Bytes()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(r.Names())), slices.Sorted(maps.Keys(files))); d != "" {
		t.Errorf("the names are not those of the files: %s", d)
	}
	return files
}

type scrapbookSays struct {
	Parameters map[string]any
	Scraps     map[string]struct {
		Data    any
		Encoder string
		Display bool
	}
}

// TestScrapbook compares with what scrapbook's own reader said of notebooks
// that the real scrapbook and papermill made (see testdata/make_fixtures.py).
func TestScrapbook(t *testing.T) {
	dir := os.DirFS("testdata/piles/scrapbook")
	raw, err := fs.ReadFile(dir, "expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]scrapbookSays
	if err := json.Unmarshal(raw, &expected); err != nil {
		t.Fatal(err)
	}
	r := collectFiles(t, dir, Options{})
	if r.Table.Len() != len(expected) {
		t.Fatalf("%d rows for %d notebooks", r.Table.Len(), len(expected))
	}
	files := written(t, r)
	for id, want := range expected {
		row := rowOf(t, r.Table, id)
		for name, v := range want.Parameters {
			if !sameJSON(row[name], v) {
				t.Errorf("%s: parameter %s is %v, want %v", id, name, row[name], v)
			}
		}
		for name, s := range want.Scraps {
			if row["run_status"] != "succeeded" {
				if row[name] != nil {
					t.Errorf("%s did not succeed, and its %s is %v in the runs table", id, name, row[name])
				}
				row[name] = longValue(t, files, id, name)
			}
			checkScrap(t, files, id, name, row[name], s.Data, s.Encoder)
		}
	}
	if got := rowOf(t, r.Table, "displays")["both"]; got != int64(44) {
		t.Errorf("the data of a scrap that is also displayed is %v, want 44", got)
	}
	statuses := map[string]string{}
	for id := range expected {
		row := rowOf(t, r.Table, id)
		statuses[id] = fmt.Sprint(row["run_status"], " ", row["run_reason_kind"])
	}
	wantStatuses := map[string]string{"scalars": "succeeded <nil>", "frames": "succeeded <nil>", "displays": "succeeded <nil>", "twice": "succeeded <nil>",
		"fails": "failed exception", "exits": "succeeded early_exit"}
	if d := cmp.Diff(wantStatuses, statuses); d != "" {
		t.Error(d)
	}
	if got := problemsOf(r.Table, "twice"); !slices.Equal(got, []string{"duplicate_scrap x"}) {
		t.Errorf("problems of the scrap recorded twice: %v", got)
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"displays/figure/displays.png", "displays/html/displays.html", "problems.parquet", "runs.arrow", "runs.parquet", "scraps.parquet",
		"tables/by_day.parquet", "tables/empty_frame.parquet"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	if !bytes.HasPrefix(files["displays/figure/displays.png"], []byte("\x89PNG\r\n")) {
		t.Error("the figure is no PNG")
	}
	if got := string(files["displays/html/displays.html"]); got != "<b>bold</b>" {
		t.Errorf("html is %q", got)
	}
}

// rowsOf reads a Parquet file of a result.
func rowsOf(t testing.TB, files map[string][]byte, name string) (rows []map[string]any) {
	t.Helper()
	names, values, err := frame.ReadRows(bytes.NewReader(files[name]), int64(len(files[name])))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, v := range values {
		row := map[string]any{}
		for i, n := range names {
			row[n] = v[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// longValue is the value of a scrap in scraps.parquet.
func longValue(t testing.TB, files map[string][]byte, id, name string) (v any) {
	t.Helper()
	for _, row := range rowsOf(t, files, "scraps.parquet") {
		if row["run_id"] == id && row["name"] == name {
			if err := json.Unmarshal([]byte(row["value"].(string)), &v); err != nil {
				t.Error(err)
			}
		}
	}
	return v
}

func checkScrap(t *testing.T, files map[string][]byte, id, name string, got, want any, encoder string) {
	t.Helper()
	switch {
	case encoder == "pandas":
		file := files["tables/"+fileName(name)+".parquet"]
		f, err := frame.Check(bytes.NewReader(file), int64(len(file)))
		if err != nil || float64(f.Rows) != want.(map[string]any)["rows"] {
			t.Errorf("%s: frame %s is not stacked", id, name)
		}
	case encoder == "display":
	case want == "nan": // what scrapbook makes of glue(x, float("nan"))
		if f, ok := got.(float64); !ok || !math.IsNaN(f) {
			t.Errorf("%s: %s is %v, want NaN", id, name, got)
		}
	case want == "inf":
		if f, ok := got.(float64); !ok || !math.IsInf(f, 1) {
			t.Errorf("%s: %s is %v, want infinity", id, name, got)
		}
	case name == "big":
		if got != int64(1<<53+1) {
			t.Errorf("%s: %s is %v, want 2^53+1", id, name, got)
		}
	case !sameJSON(got, want):
		t.Errorf("%s: %s is %#v, want %#v", id, name, got, want)
	}
}

func sameJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// A notebook of one cell with these outputs.
func withOutputs(meta, outputs string) string {
	if meta == "" {
		meta = "{}"
	}
	return `{"nbformat":4,"nbformat_minor":4,"metadata":` + meta + `,"cells":[{"cell_type":"code","execution_count":1,"metadata":{},"source":"x","outputs":[` + outputs + `]}]}`
}

func display(data, meta string) string {
	return `{"output_type":"display_data","data":` + data + `,"metadata":` + meta + `}`
}

func zipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.Bytes()
}

// TestForeignForms reads the forms that papermill 0.x, papermillr, scrapbook
// 0.1, MyST-NB, jupyter-scheduler and dagstermill write.
func TestForeignForms(t *testing.T) {
	injected := func(tag, source string) string {
		quoted, _ := json.Marshal(source)
		return `{"nbformat":4,"nbformat_minor":4,"metadata":{"kernelspec":{"name":"python3","language":"python"}},"cells":[` +
			`{"cell_type":"code","execution_count":1,"metadata":{"tags":["` + tag + `"]},"source":` + string(quoted) + `,"outputs":[]}]}`
	}
	pile := map[string]string{
		"papermill0":  withOutputs("", display(`{"application/papermill.record+json":{"loss":0.25,"name":"old"}}`, `{}`)+`,`+display(`{"image/png":"iVBORw0KGgo=","text/plain":"<Figure>"}`, `{"papermill":{"name":"plot"}}`)),
		"papermillr":  withOutputs(`{"kernelspec":{"name":"ir","language":"R"}}`, display(`{"application/papermill.record+json":{"rows":150,"mean":5.84}}`, `{}`)),
		"scrapbook01": withOutputs("", display(`{"application/scrapbook.scrap+json":{"loss":0.5}}`, `{"scrapbook":{"name":"loss"}}`)+`,`+display(`{"application/scrapbook.scrap+unicode":{"name":"text"}}`, `{"scrapbook":{"name":"name"}}`)),
		"myst":        withOutputs("", display(`{"application/papermill.record/text/plain":"0.75"}`, `{"scrapbook":{"name":"loss","mime_prefix":"application/papermill.record/"}}`)),
		"unknown":     withOutputs("", display(`{"application/scrapbook.scrap.arrow+json":{"name":"odd","data":{"x":[1]},"encoder":"arrow","version":1}}`, `{"scrapbook":{"name":"odd","data":true,"display":false}}`)),
		"scheduler":   injected("injected-parameters", "city = São Paulo\nn = 5"),
		"papermill06": `{"nbformat":4,"nbformat_minor":2,"metadata":{"kernelspec":{"name":"python3","language":"python"}},"cells":[{"cell_type":"code","execution_count":1,"metadata":{"tags":["default parameters"]},"source":"n = 1","outputs":[]},{"cell_type":"code","execution_count":2,"metadata":{"tags":["parameters"]},"source":["n = 7\n","city = \"Rome\""],"outputs":[]}]}`,
		"dagster":     withOutputs("", display(`{"application/scrapbook.scrap.json+json":{"name":"event-01234567-89ab-cdef-0123-456789abcdef","data":"/tmp/x","encoder":"json","version":1}}`, `{}`)+`,`+display(`{"application/scrapbook.scrap.json+json":{"name":"loss","data":1,"encoder":"json","version":1}}`, `{}`)),
		"v3":          `{"nbformat":3,"nbformat_minor":0,"metadata":{"name":""},"worksheets":[{"metadata":{},"cells":[{"cell_type":"code","collapsed":false,"input":"1/0","language":"python","metadata":{},"prompt_number":1,"outputs":[{"output_type":"pyerr","ename":"ZeroDivisionError","evalue":"division by zero","traceback":[]}]}]}]}`,
		"nan":         withOutputs("", display(`{"application/scrapbook.scrap.json+json":{"name":"loss","data":NaN,"encoder":"json","version":1}}`, `{}`)),
	}
	fsys := fstest.MapFS{".hidden/x.ipynb": {Data: []byte("no")}, "note.txt": {Data: []byte("no")}}
	for name, doc := range pile {
		fsys[name+".ipynb"] = &fstest.MapFile{Data: []byte(doc)}
	}
	fsys["deep/er/zipped.ipynb.gz"] = &fstest.MapFile{Data: zipped(pile["papermillr"])}
	r := collectFiles(t, fsys, Options{})
	type row = map[string]any
	want := map[string]row{
		"papermill0":     {"loss": 0.25, "name": "old"},
		"papermillr":     {"rows": int64(150), "mean": 5.84},
		"deep/er/zipped": {"rows": int64(150), "mean": 5.84},
		"scrapbook01":    {"loss": 0.5, "name": "text"},
		"myst":           {"loss": 0.75},
		"unknown":        {"odd": row{"x": []any{int64(1)}}},
		"scheduler":      {"city": "São Paulo", "n": int64(5)},
		"papermill06":    {"city": "Rome", "n": int64(7)},
		"dagster":        {"loss": 1.0},
		"v3":             {},
		"nan":            {"loss": "NaN"},
	}
	if r.Table.Len() != len(want) {
		t.Errorf("%d rows, want %d", r.Table.Len(), len(want))
	}
	for id, w := range want {
		got := row{}
		for k, v := range rowOf(t, r.Table, id) {
			if f, ok := v.(float64); ok && math.IsNaN(f) {
				v = "NaN"
			}
			if !strings.HasPrefix(k, "run_") {
				got[k] = v
			}
		}
		if d := cmp.Diff(w, got); d != "" {
			t.Errorf("%s: %s", id, d)
		}
	}
	if got := rowOf(t, r.Table, "v3"); got["run_status"] != "failed" {
		t.Errorf("nbformat 3: %v", got)
	}
	if _, ok := written(t, r)["displays/plot/papermill0.png"]; !ok {
		t.Error("the display of papermill 0.x is not written")
	}
}

// TestEvil reads what is broken or hostile: a row and a problem each.
func TestEvil(t *testing.T) {
	frame := func(data string) string {
		return withOutputs("", display(`{"application/scrapbook.scrap.pandas+json":{"name":"df","data":`+data+`,"encoder":"pandas","version":1}}`, `{}`))
	}
	bomb := []byte("PAR1" + strings.Repeat("\x00", 20) + "\xff\xff\xff\x7fPAR1")
	pile := map[string]struct {
		doc     string
		problem string
	}{
		"empty":        {"", "unreadable "},
		"truncated":    {withOutputs("", scrapOutput)[:200], "unreadable "},
		"text":         {"hello", "unreadable "},
		"list":         {"[1]", "unreadable "},
		"other json":   {`{"a":1}`, "unreadable "},
		"bad base64":   {frame(`"%%%"`), "unreadable df"},
		"not parquet":  {frame(`"aGVsbG8="`), "unreadable df"},
		"not a string": {frame(`{"a":1}`), "unreadable df"},
		"bomb":         {frame(`"` + base64.StdEncoding.EncodeToString(bomb) + `"`), "unreadable df"},
		"bad utf-8":    {strings.Replace(withOutputs("", scrapOutput), `"name":"a"`, "\"name\":\"a\xff\"", 1), "not_utf8 "},
		"no name":      {withOutputs("", display(`{"application/scrapbook.scrap.json+json":{"data":1}}`, `{}`)), "malformed_scrap "},
		"nested":       {`{"cells":` + strings.Repeat("[", 5000), "unreadable "},
	}
	fsys := fstest.MapFS{"zip.ipynb.gz": {Data: []byte("not gzip")}, "cut.ipynb.gz": {Data: zipped(withOutputs("", scrapOutput))[:60]}}
	for name, p := range pile {
		fsys[name+".ipynb"] = &fstest.MapFile{Data: []byte(p.doc)}
	}
	r := collectFiles(t, fsys, Options{Jobs: 3})
	if r.Table.Len() != len(fsys) {
		t.Errorf("%d rows for %d files", r.Table.Len(), len(fsys))
	}
	for id, p := range pile {
		if got := problemsOf(r.Table, id); !slices.Contains(got, p.problem) {
			t.Errorf("%s: problems %q, want %q", id, got, p.problem)
		}
	}
	for _, id := range []string{"zip", "cut"} {
		if got := problemsOf(r.Table, id); !slices.Contains(got, "unreadable ") {
			t.Errorf("%s: problems %q", id, got)
		}
	}
	written(t, r)
}

func TestNamesThatCollide(t *testing.T) {
	scrap := func(name, data string) string {
		n, _ := json.Marshal(name)
		return display(`{"application/scrapbook.scrap.json+json":{"name":`+string(n)+`,"data":`+data+`,"encoder":"json","version":1}}`, `{}`)
	}
	outputs := strings.Join([]string{scrap("alpha", "1"), scrap("run_status", "2"), scrap("AUC", "3"), scrap("auc", "4"), scrap("", "5"), scrap("scrap_alpha", "6"), scrap("x,y", "7")}, ",")
	fsys := fstest.MapFS{"a.ipynb": {Data: []byte(withOutputs(`{"papermill":{"parameters":{"alpha":0.5,"Alpha":1,"run_id":"mine"}}}`, outputs))}}
	r := collectFiles(t, fsys, Options{Require: []string{"alpha", "missing"}, Metrics: []Metric{{Name: "AUC", Unit: "%", Goal: "maximize"}}})
	var names []string
	for _, c := range r.Table.Columns()[len(runColumns)-len(absent):] {
		names = append(names, c.Name()+" "+c.Role().String())
	}
	want := []string{"Alpha parameter", "param_alpha parameter", "param_run_id parameter", "scrap_alpha scrap", "scrap_run_status scrap", "AUC scrap", "scrap_auc scrap", "scrap_scrap_alpha scrap", "x,y scrap"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	c, _ := r.Table.Column("AUC")
	if c.Unit() != "%" || c.Goal() != "maximize" {
		t.Errorf("unit %q, goal %q", c.Unit(), c.Goal())
	}
	problems := problemsOf(r.Table, "a")
	for _, p := range []string{"renamed alpha", "renamed run_status", "renamed auc", "renamed scrap_alpha", "renamed run_id", "missing missing"} {
		if !slices.Contains(problems, p) {
			t.Errorf("no problem %q in %q", p, problems)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 50 {
		fsys[fmt.Sprintf("n%02d.ipynb", i)] = &fstest.MapFile{Data: []byte(withOutputs("", display(
			fmt.Sprintf(`{"application/scrapbook.scrap.json+json":{"name":"m%d","data":{"b":%d,"a":[1,2]},"encoder":"json","version":1}}`, i%7, i), `{}`)))}
	}
	first := written(t, collectFiles(t, fsys, Options{Jobs: 1}))
	for range 3 {
		again := written(t, collectFiles(t, fsys, Options{Jobs: 4}))
		for name := range first {
			if !bytes.Equal(first[name], again[name]) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"by day": "by day", "a/b": "a%2Fb", "../x": "%2E.%2Fx", "": "%", "漢字 é": "漢字 é", "nul": "nul%", "COM1.x": "COM1.x%", "a:b*?": "a%3Ab%2A%3F", "x.": "x.%", "a\x00\n": "a%00%0A", "100%": "100%25",
	} {
		if got := fileName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	a, b := fileName(strings.Repeat("é", 300)+"1"), fileName(strings.Repeat("é", 300)+"2")
	if a == b || len(a) > 140 {
		t.Errorf("long names: %q %q", a, b)
	}
}

func oneFile(doc []byte) fs.FS { return fstest.MapFS{"n.ipynb": {Data: doc}} }

// FuzzScraps collects a pile of one notebook, whatever it is, and writes every
// table.
func FuzzScraps(f *testing.F) {
	paths, _ := filepath.Glob("testdata/piles/scrapbook/*.ipynb")
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(withOutputs(`{"papermill":{"parameters":{"a":[1,{"b":null}],"A":1e400}}}`, scrapOutput)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := collectFiles(t, oneFile(doc), Options{Jobs: 1})
		if r.Table.Len() != 1 {
			t.Fatalf("%d rows", r.Table.Len())
		}
		written(t, r)
	})
}

// TestOneNumberOfACell: what people read of a cell is its number among code
// cells, in a reason and in a problem alike.
func TestOneNumberOfACell(t *testing.T) {
	twice := scrapOutput + "," + scrapOutput
	doc := `{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[
		{"cell_type":"code","metadata":{},"source":"%%html\n<span>An Exception was encountered at 'In [2]'.</span>","outputs":[]},
		{"cell_type":"markdown","metadata":{},"source":"words"},
		{"cell_type":"code","metadata":{},"source":"x = 1","outputs":[` + twice + `],"execution_count":1},
		{"cell_type":"markdown","metadata":{},"source":"more words"},
		{"cell_type":"code","metadata":{},"source":"no()","outputs":[{"output_type":"error","ename":"KeyError","evalue":"'k'","traceback":[]}],"execution_count":2}]}`
	r, err := Files(t.Context(), fstest.MapFS{"a.ipynb": {Data: []byte(doc)}}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reason, _ := r.Table.Column("run_error")
	if got := reason.Any(0); got != "cell 2 raised KeyError: 'k'" {
		t.Errorf("the reason is %v", got)
	}
	if ps := r.Table.Problems(); len(ps) != 1 || ps[0].Kind != "duplicate_scrap" || ps[0].Cell != 1 {
		t.Errorf("problems are %+v", ps)
	}
}
