package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/fanout-dev/fanout/internal/notebook"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table"
)

// What value.Stream reads at a time, and keeps.
const scanBuffer, scanKeep = 256 << 10, 1 << 20

// leanOf reads a document through small reads, with a limit on what is kept.
func leanOf(doc []byte, r io.Reader) ([]byte, []table.Problem, error) {
	l := leanReader{limit: leanLimit}
	return l.read(r, func(start, end int64) ([]byte, error) {
		if start < 0 || end > int64(len(doc)) || start > end {
			return nil, fmt.Errorf("asked for bytes %d to %d of %d", start, end, len(doc))
		}
		return doc[start:end], nil
	})
}

// wantedOutputs is what lean should keep, found by encoding/json: for every
// cell the outputs that hold a scrap or an error.
func wantedOutputs(doc []byte) (cells [][]any, ok bool) {
	var n map[string]any
	if json.Unmarshal(doc, &n) != nil {
		return nil, false
	}
	list, _ := n["cells"].([]any)
	for _, c := range list {
		cell, _ := c.(map[string]any)
		outputs, _ := cell["outputs"].([]any)
		wanted := []any{}
		for _, o := range outputs {
			if output, ok := o.(map[string]any); ok && isWanted(output) && !hasEndlessName(output) {
				wanted = append(wanted, withoutTraceback(output))
			}
		}
		cells = append(cells, wanted)
	}
	return cells, true
}

// hasEndlessName says that the reader may pass over the name of a type: with
// every character escaped it is longer than 1 kB.
func hasEndlessName(o map[string]any) bool {
	data, _ := o["data"].(map[string]any)
	for mime := range data {
		if 6*len(mime)+2 > 1<<10 {
			return true
		}
	}
	return false
}

// withoutTraceback is what is kept of an exception.
func withoutTraceback(o map[string]any) map[string]any {
	if isScrap(o) {
		return o
	}
	short := map[string]any{"traceback": []any{}}
	for _, key := range []string{"output_type", "ename", "evalue"} {
		if v, ok := o[key]; ok {
			short[key] = v
		}
	}
	return short
}

func isWanted(o map[string]any) bool {
	t := o["output_type"]
	return t == "error" || t == "pyerr" || isScrap(o)
}

func isScrap(o map[string]any) bool {
	data, _ := o["data"].(map[string]any)
	for mime := range data {
		if notebook.IsScrapType(mime) {
			return true
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	return meta["scrapbook"] != nil || meta["papermill"] != nil || hasKey(meta, "scrapbook") || hasKey(meta, "papermill")
}

func hasKey(m map[string]any, k string) bool {
	_, ok := m[k]
	return ok
}

func keptOutputs(t testing.TB, lean []byte) [][]any {
	cells, ok := wantedOutputs(lean)
	if !ok {
		t.Fatalf("the lean notebook is not JSON: %s", lean)
	}
	return cells
}

const scrapOutput = `{"output_type":"display_data","metadata":{},"data":{"application/scrapbook.scrap.json+json":{"name":"a","data":1,"encoder":"json","version":1}}}`

func TestLean(t *testing.T) {
	tests := map[string]struct {
		outputs string
		kept    int
	}{
		"a scrap":                     {scrapOutput, 1},
		"a picture":                   {`{"output_type":"display_data","metadata":{},"data":{"image/png":"aGVsbG8="}}`, 0},
		"an escaped slash in the key": {`{"output_type":"display_data","data":{"application\/scrapbook.scrap.json+json":{}}}`, 1},
		"an escaped letter":           {`{"output_type":"display_data","data":{"\u0061pplication/scrapbook.scrap.json+json":{}}}`, 1},
		"the type in a text":          {`{"output_type":"stream","name":"stdout","text":"{\"data\":{\"application/scrapbook.scrap.json+json\":{}}}"}`, 0},
		"the type one level too deep": {`{"output_type":"display_data","data":{"application/json":{"application/scrapbook.scrap.json+json":1}}}`, 0},
		"an error":                    {`{"output_type":"error","ename":"E","evalue":"","traceback":[]}`, 1},
		"an escaped error":            {`{"ename":"E","output_type":"err\u006fr"}`, 1},
		"the word error elsewhere":    {`{"output_type":"stream","name":"error","text":["error"]}`, 0},
		"a display scrap":             {`{"output_type":"display_data","data":{"image/png":""},"metadata":{"scrapbook":{"name":"x"}}}`, 1},
		"an old record":               {`{"output_type":"display_data","data":{"application/papermill.record+json":{"x":1}}}`, 1},
		"an old display":              {`{"output_type":"display_data","metadata":{"papermill":{"name":"x"}},"data":{}}`, 1},
		"a glue of MyST-NB":           {`{"output_type":"display_data","data":{"application/papermill.record/text/plain":"1"}}`, 1},
		"two of three":                {scrapOutput + `,{"output_type":"stream","name":"stdout","text":""},` + scrapOutput, 2},
		"not objects":                 {`1,null,"x",[]`, 0},
		"a quote after backslashes":   {`{"output_type":"stream","text":"\\\\\""},` + scrapOutput, 1},
		"Python's numbers":            {`{"output_type":"display_data","data":{"application/scrapbook.scrap.json+json":{"data":NaN}}},{"data":{"x":-Infinity}}`, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			doc := []byte(`{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[{"cell_type":"code","source":"application/scrapbook.scrap.json+json","metadata":{},"outputs":[` + tt.outputs + `]}]}`)
			for size, r := range map[string]io.Reader{"whole": bytes.NewReader(doc), "bytes": iotest.OneByteReader(bytes.NewReader(doc))} {
				lean, _, err := leanOf(doc, r)
				if err != nil {
					t.Fatal(err)
				}
				lean = bytes.ReplaceAll(lean, []byte("NaN"), []byte("0"))
				if got := len(keptOutputs(t, lean)[0]); got != tt.kept {
					t.Errorf("read by %s: kept %d outputs, want %d: %s", size, got, tt.kept, lean)
				}
			}
		})
	}
}

// TestLeanWindows puts a scrap at every distance from the edges of the window.
func TestLeanWindows(t *testing.T) {
	rng, times := rand.New(rand.NewPCG(1, 2)), 20
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		times = 300
	}
	for range times {
		pad := scanBuffer - 600 + rng.IntN(700)
		big := strings.Repeat(`ab\\\"`, rng.IntN(2*scanKeep/6))
		doc := []byte(`{"metadata":{},"nbformat":4,"nbformat_minor":5,"cells":[{"cell_type":"code","metadata":{},"source":"` + strings.Repeat("x", pad) + `","outputs":[` +
			scrapOutput + `,{"output_type":"display_data","data":{"image/png":"` + big + `","application/scrapbook.scrap.text+json":{"name":"late"}},"metadata":{}},` + scrapOutput + `]}]}`)
		want, _ := wantedOutputs(doc)
		lean, _, err := leanOf(doc, iotest.HalfReader(bytes.NewReader(doc)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, keptOutputs(t, lean)); d != "" {
			t.Fatalf("pad %d, %d bytes: %s", pad, len(big), d[:min(len(d), 500)])
		}
	}
}

func TestLeanRefuses(t *testing.T) {
	for doc, want := range map[string]string{
		``:                             "empty",
		`[]`:                           "not a JSON object",
		`{"cells":[`:                   "truncated",
		`{"cells":[{"outputs":[{"x":"`: "truncated",
		`{"cells":[]} x`:               "not JSON",
		`{"cells":[{]}`:                "not JSON",
		`{"a":01}`:                     "not JSON",
		`{"a":tru}`:                    "not JSON",
		`{"a":[1,]}`:                   "not JSON",
		`{"a":{"b":1,}}`:               "not JSON",
		`{"a" 1}`:                      "not JSON",
		`{"a":[1}`:                     "not JSON",
		`{"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`: "nested",
	} {
		_, _, err := leanOf([]byte(doc), strings.NewReader(doc))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want an error with %q", doc, err, want)
		}
	}
	broken := errors.New("disk on fire")
	if _, _, err := leanOf(nil, io.MultiReader(strings.NewReader(`{"a":`), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

func TestLeanLimit(t *testing.T) {
	doc := []byte(`{"cells":[{"cell_type":"code","outputs":[` + scrapOutput + `,` + scrapOutput + `]}]}`)
	l := leanReader{limit: len(scrapOutput) + 10}
	lean, dropped, err := l.read(bytes.NewReader(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(keptOutputs(t, lean)[0]); n != 1 || len(dropped) != 1 || dropped[0].Kind != "too_large" {
		t.Errorf("kept %d, problems %v", n, dropped)
	}
}

// FuzzLean compares the scanner with encoding/json: what that reads, lean reads
// too, and keeps every output that holds a scrap or an error.
func FuzzLean(f *testing.F) {
	f.Add([]byte(`{"cells":[{"cell_type":"code","outputs":[` + scrapOutput + `],"source":["a"],"metadata":{"tags":["parameters"]}}],"metadata":{"papermill":{"parameters":{"a":1}}},"nbformat":4,"nbformat_minor":5}`))
	f.Add([]byte(`{"worksheets":[{"cells":[{"cell_type":"code","input":"","outputs":[{"output_type":"pyerr"}]}]}],"nbformat":3}`))
	f.Add([]byte("{\"a\":\"\\\\\\\"\",\"cells\":[1,{\"outputs\":[{\"data\":{\"application\\/scrapbook.x\":NaN}}]}]}"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		lean, _, err := leanOf(doc, iotest.HalfReader(bytes.NewReader(doc)))
		want, valid := wantedOutputs(doc)
		if !valid {
			return
		}
		if err != nil {
			if strings.Contains(err.Error(), "nested") {
				return
			}
			t.Fatalf("encoding/json reads it: %v", err)
		}
		got := keptOutputs(t, lean)
		if len(got) != len(want) {
			t.Fatalf("got %d cells, want %d", len(got), len(want))
		}
		for i := range want {
			for _, o := range want[i] {
				if !containsValue(got[i], o) {
					t.Fatalf("cell %d lost %v", i, o)
				}
			}
		}
	})
}

func containsValue(list []any, v any) bool {
	for _, e := range list {
		if cmp.Equal(e, v) {
			return true
		}
	}
	return false
}

// BenchmarkLean reads the notebook named by FANOUT_BENCH_NOTEBOOK.
func BenchmarkLean(b *testing.B) {
	doc, err := os.ReadFile(os.Getenv("FANOUT_BENCH_NOTEBOOK"))
	if err != nil {
		b.Skip("no notebook to read")
	}
	l := leanReader{limit: leanLimit}
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, _, err := l.read(bytes.NewReader(doc), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLeanScraps: the lean notebook holds the scraps of the whole one, those of
// widgets and those that are kept aside included, in the same order.
func TestLeanScraps(t *testing.T) {
	scrap := func(name, v string) string {
		return `{"output_type":"display_data","metadata":{},"data":{"application/scrapbook.scrap.json+json":{"name":"` + name + `","data":` + v + `,"encoder":"json","version":1}}}`
	}
	const text = `{"output_type":"stream","name":"stdout","text":"x"},`
	doc := []byte(`{"cells":[{"cell_type":"code","execution_count":1,"id":"a","metadata":{"execution":{"iopub.execute_input":"T"},"papermill":{"start_time":"S"},"fanout":{"start_time":"S","scraps":{"executed":"T","outputs":[` +
		`{"before":0,"times":1,` + scrap("v", "1")[1:] + `,{"before":1,"times":1,` + scrap("w", "4")[1:] + `]}}},"outputs":[` + text + text + scrap("v", "2") + `,` + text + scrap("u", "3") + `],"source":"x"}],` +
		`"metadata":{"papermill":{},"widgets":{"other":[1],"application/vnd.jupyter.widget-state+json":{"version_major":2,"state":{"\u00e9\"":{"buffers":[{"data":"AAAA"}],"model_name":"OutputModel","state":{"layout":"x","outputs":[` +
		text + scrap("z", "5") + `]}},"b":{"state":{"outputs":[` + scrap("no", "6") + `]},"model_name":"TabModel"},"c":{"state":{},"model_name":"OutputModel"},"d":1}}}},"nbformat":4,"nbformat_minor":5}`)
	list := func(b []byte) string {
		n, err := notebook.Decode(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		scraps, problems := n.Scraps()
		var all []string
		for _, s := range scraps {
			all = append(all, s.Name+"="+string(s.Data))
		}
		for _, p := range problems {
			all = append(all, p.Kind+" "+p.Name)
		}
		return strings.Join(all, " ")
	}
	lean, dropped, err := leanOf(doc, iotest.OneByteReader(bytes.NewReader(doc)))
	if err != nil || len(dropped) > 0 {
		t.Fatal(err, dropped)
	}
	const want = "v=2 w=4 u=3 z=5 duplicate_scrap v"
	if whole, got := list(doc), list(lean); whole != want || got != want {
		t.Errorf("the whole notebook has %q, the lean one %q, want %q", whole, got, want)
	}
	if bytes.Contains(lean, []byte("AAAA")) {
		t.Errorf("the state of widgets is kept: %s", lean)
	}
}
