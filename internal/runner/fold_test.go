package runner

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/secret"
)

// A line of a transcript: a cell begins, or a message.
type line struct {
	Begin   *int
	Channel string
	Header  kernel.Header
	Parent  kernel.Header
	Content json.RawMessage
	Buffers []string
}

func readTranscript(t *testing.T, file string) (lines []line) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

func readNotebook(t *testing.T, file string) *notebook.Notebook {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := notebook.Decode(b)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

func replay(f *fold, lines []line) {
	number := 0
	for _, l := range lines {
		if l.Begin != nil {
			number++
			f.begin(*l.Begin)
			continue
		}
		m := kernel.Message{Channel: l.Channel, Header: l.Header, Parent: l.Parent, Content: l.Content, Received: time.Unix(0, 0)}
		for _, b := range l.Buffers {
			raw, _ := base64.StdEncoding.DecodeString(b)
			m.Buffers = append(m.Buffers, raw)
		}
		f.message(m)
	}
	f.finish()
}

// TestFoldAgainstNbclient folds what a kernel said while nbclient listened,
// and compares with what nbclient made of it.
func TestFoldAgainstNbclient(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/transcripts/*.jsonl")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			want := readNotebook(t, strings.TrimSuffix(file, ".jsonl")+".ipynb")
			got := readNotebook(t, "testdata/corpus/in/"+name+".ipynb")
			replay(newFold(got, nil, caps{1 << 30, 1 << 30}), readTranscript(t, file))
			if diff := cmp.Diff(outline(want), outline(got)); diff != "" {
				t.Errorf("nbclient (-), fold (+):\n%s", diff)
			}
		})
	}
}

// outline is what a fold decides of a document.
func outline(d *notebook.Notebook) (out []any) {
	for _, c := range d.Cells {
		count := 0
		if c.ExecutionCount != nil {
			count = *c.ExecutionCount
		}
		out = append(out, c.Source, count, c.Metadata["execution"], outputsOf(c))
	}
	return append(out, d.Metadata["widgets"])
}

// outputsOf gives outputs a form that does not depend on how JSON is written.
func outputsOf(c *notebook.Cell) []notebook.Output {
	outs := make([]notebook.Output, len(c.Outputs))
	for i, o := range c.Outputs {
		data := map[string]json.RawMessage{}
		for k, v := range o.Data {
			data[k] = compact(v)
		}
		o.Data, o.Extra = data, nil
		if len(o.Metadata) == 0 {
			o.Metadata = nil
		}
		outs[i] = o
	}
	return outs
}

func compact(raw json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return raw
	}
	b, _ := json.Marshal(v)
	return b
}

// say is a message of a stream.
func sayMsg(parent, name, text string) kernel.Message {
	return msg(parent, "stream", map[string]string{"name": name, "text": text})
}

func msg(parent, kind string, content any) kernel.Message {
	b, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return kernel.Message{Channel: "iopub", Header: kernel.Header{MsgType: kind}, Parent: kernel.Header{MsgID: parent}, Content: b}
}

func textOf(c *notebook.Cell) string {
	var b strings.Builder
	for _, o := range c.Outputs {
		b.WriteString(o.Text)
	}
	return b.String()
}

func TestLateOutputGoesToItsCell(t *testing.T) {
	d := doc("one", "two")
	f := newFold(d, nil, caps{1 << 20, 1 << 20})
	f.begin(0)
	f.message(msg("m1", "status", map[string]string{"execution_state": "busy"}))
	f.message(msg("m1", "status", map[string]string{"execution_state": "idle"}))
	f.begin(1)
	f.message(sayMsg("m1", "stdout", "late "))
	f.message(msg("m2", "status", map[string]string{"execution_state": "busy"}))
	f.message(sayMsg("m1", "stdout", "later"))
	f.message(sayMsg("m2", "stdout", "own"))
	f.message(sayMsg("", "stdout", " nobody's"))
	f.message(msg("stranger", "status", map[string]string{"execution_state": "idle"}))
	f.finish()
	if got := textOf(d.Cells[0]) + "|" + textOf(d.Cells[1]); got != "late later|own nobody's" {
		t.Error(got)
	}
	if times := d.Cells[1].Metadata["execution"].(map[string]any); len(times) != 1 {
		t.Errorf("a stranger's messages are timed: %v", times)
	}
}

func TestCaps(t *testing.T) {
	png := map[string]any{"data": map[string]string{"image/png": strings.Repeat("A", 5000)}, "metadata": map[string]any{}}
	for _, tc := range []struct {
		name  string
		caps  caps
		msgs  []kernel.Message
		texts string // of the outputs
		marks int
		most  int64
	}{
		{"under", caps{1000, 1000}, []kernel.Message{sayMsg("m", "stdout", "abc")}, "abc", 0, 1000},
		{"cut in a character", caps{perOutput + 4, 9000}, []kernel.Message{sayMsg("m", "stdout", "aé✗z")}, "aé", 1, perOutput + 4},
		{"then silence", caps{perOutput + 10, 9000}, []kernel.Message{sayMsg("m", "stdout", strings.Repeat("x", 100)), sayMsg("m", "stdout", "y"), sayMsg("m", "stderr", "z")},
			"xxxxxxxxxx", 1, perOutput + 10},
		{"a picture", caps{1000, 9000}, []kernel.Message{msg("m", "display_data", png), sayMsg("m", "stdout", "y")}, "", 1, 0},
		{"the run's cap", caps{9000, 1000}, []kernel.Message{msg("m", "display_data", png)}, "", 1, 0},
		{"clearing makes room", caps{1000, 1000}, []kernel.Message{msg("m", "display_data", png), msg("m", "clear_output", map[string]bool{"wait": false}), sayMsg("m", "stdout", "y")}, "y", 0, 1000},
		{"errors come through", caps{perOutput, 9000}, []kernel.Message{sayMsg("m", "stdout", "yyy"), msg("m", "error", map[string]any{"ename": "E", "evalue": "bad", "traceback": []string{"tb"}})}, "E: bad", 1, 0},
		{"many small ones", caps{10 * perOutput, 1 << 20}, manyEmpty(1000), "", 1, 10 * perOutput},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := doc("cell")
			f := newFold(d, nil, tc.caps)
			f.begin(0)
			for _, m := range tc.msgs {
				f.message(m)
			}
			f.finish()
			var texts string
			marks := 0
			for _, o := range d.Cells[0].Outputs {
				switch {
				case strings.HasPrefix(o.Text, "[output cut here: "):
					marks++
				case o.Type == "error":
					texts += o.Ename + ": " + o.Evalue
				default:
					texts += o.Text
				}
			}
			if texts != tc.texts || marks != tc.marks {
				t.Errorf("%q with %d marks, want %q with %d: %+v", texts, marks, tc.texts, tc.marks, d.Cells[0].Outputs)
			}
		})
	}
}

// TestCutOutputIsNotSaved: what is dropped changes nothing.
func TestCutOutputIsNotSaved(t *testing.T) {
	f := newFold(doc("cell"), nil, caps{100, 1000})
	f.begin(0)
	changes := 0
	for range 50 {
		f.message(sayMsg("m", "stdout", strings.Repeat("x", 30)))
		if text, changed := f.take(); changed {
			changes++
		} else if len(text) > 0 {
			t.Errorf("dropped output is logged: %v", text)
		}
	}
	if changes != 2 { // the first, and the one that is cut
		t.Errorf("the document changed %d times", changes)
	}
}

func manyEmpty(n int) (ms []kernel.Message) {
	for range n {
		ms = append(ms, sayMsg("m", "stdout", ""))
	}
	return ms
}

func TestCapOfUpdates(t *testing.T) {
	d := doc("cell")
	f := newFold(d, nil, caps{1000, 1000})
	f.begin(0)
	show := func(kind, text string) {
		f.message(msg("m", kind, map[string]any{"data": map[string]string{"text/plain": text}, "metadata": map[string]any{}, "transient": map[string]string{"display_id": "d"}}))
	}
	show("display_data", "small")
	for range 100 {
		show("update_display_data", strings.Repeat("x", 500)) // replaces, so it never adds up
	}
	if n := len(d.Cells[0].Outputs); n != 1 || f.used > 1000 {
		t.Fatalf("%d outputs, %d bytes", n, f.used)
	}
	show("update_display_data", strings.Repeat("x", 5000))
	if n := len(d.Cells[0].Outputs); n != 2 || len(d.Cells[0].Outputs[0].Data["text/plain"]) != 502 {
		t.Errorf("%d outputs", n)
	}
}

func TestStreamsAreJoinedWhenMany(t *testing.T) {
	const n = 200_000
	d := doc("cell")
	f := newFold(d, nil, caps{1 << 30, 1 << 30})
	f.begin(0)
	var want strings.Builder
	for i := range n {
		text := fmt.Sprintf("%d\n", i)
		want.WriteString(text)
		f.message(sayMsg("m", "stdout", text))
		if i%20_000 == 0 {
			f.settle() // a save on the way changes nothing
		}
	}
	f.message(sayMsg("m", "stderr", "end"))
	f.message(sayMsg("m", "stderr", "ed"))
	f.finish()
	want.WriteString("ended")
	if got := textOf(d.Cells[0]); got != want.String() {
		t.Errorf("%d bytes, want %d", len(got), want.Len())
	}
	if got := len(d.Cells[0].Outputs); got != separate+1 {
		t.Errorf("%d outputs, want %d", got, separate+1)
	}
}

func TestSecretsInMessages(t *testing.T) {
	m, err := secret.New([]string{"hunter2x"})
	if err != nil {
		t.Fatal(err)
	}
	d := doc("one", "two")
	f := newFold(d, m, caps{1 << 20, 1 << 20})
	f.begin(0)
	for _, r := range "a hunter2x b hunter2" {
		f.message(sayMsg("m1", "stdout", string(r)))
	}
	f.message(sayMsg("m1", "stderr", "huh"))
	f.message(sayMsg("m1", "stdout", "xhunt"))
	f.message(msg("m1", "display_data", map[string]any{"data": map[string]any{"text/plain": "hunter2x", "application/json": map[string]any{"hunter2x": []any{"aHVudGVyMng="}}}, "metadata": map[string]any{"m": "hunter2x"}}))
	f.message(sayMsg("m1", "stdout", "er2x"))
	f.message(msg("m1", "error", map[string]any{"ename": "E", "evalue": "hunter2x", "traceback": []string{"x=hunter2x"}}))
	f.message(msg("m1", "comm_open", map[string]any{"comm_id": "w", "target_name": "jupyter.widget", "data": map[string]any{"state": map[string]any{"_model_name": "T", "value": "hunter2x"}}}))
	f.begin(1)
	f.message(sayMsg("m2", "stdout", "tail hunter"))
	f.finish()
	all := string(d.Encode()) + fmt.Sprint(f.printed)
	if strings.Contains(all, "hunter2x") || strings.Contains(all, "aHVudGVyMng") {
		t.Error(all)
	}
	if got := textOf(d.Cells[0]); got != "a [secret] b hu[secret][secret]h" {
		t.Errorf("%q", got)
	}
	if got := textOf(d.Cells[1]); got != "tail hunter" {
		t.Errorf("what was held back at the end is lost: %q", got)
	}
}

// TestSecretsInPieces: what a reader of the document or of the log would join is
// masked as one.
func TestSecretsInPieces(t *testing.T) {
	out := func(text string) kernel.Message { return sayMsg("m", "stdout", text) }
	err := func(text string) kernel.Message { return sayMsg("m", "stderr", text) }
	shown := msg("m", "display_data", map[string]any{"data": map[string]any{"text/plain": "shown"}})
	for name, msgs := range map[string][]kernel.Message{
		"with another stream between": {out("a hunt"), err("warning\n"), out("er2x b\n")},
		"on both streams":             {out("hun"), err("hunt"), out("ter2x"), err("er2x")},
		"with a display between":      {out("hunt"), shown, out("er2x")},
		"wrapped":                     {out("hunt\n"), out("   er2x\n")},
		"coloured":                    {out("a hunt\x1b[1;3"), out("6mer2\x1b[0mx b\n")},
		"in a list":                   {msg("m", "display_data", map[string]any{"data": map[string]any{"text/plain": []string{"a hunt", "er2x b"}}})},
		"as a traceback":              {msg("m", "error", map[string]any{"ename": "E", "evalue": "", "traceback": []string{"a hunt", "er2x b"}})},
		"in a widget":                 append(widgetMsgs(true), out("hunt"), out("er2x")),
	} {
		m, e := secret.New([]string{"hunter2x"})
		if e != nil {
			t.Fatal(e)
		}
		d := doc("one", "two")
		f := newFold(d, m, caps{1 << 20, 1 << 20})
		f.begin(0)
		for _, m := range msgs {
			f.message(m)
		}
		told := fmt.Sprint(f.widgets.updates())
		f.begin(1)
		f.finish()
		var log strings.Builder
		for _, p := range f.printed {
			if p.stream == logStdout {
				log.WriteString(p.text)
			}
		}
		all := strings.NewReplacer("\n", "", " ", "").Replace(textOf(d.Cells[0]) + "|" + log.String() + "|" + told + string(d.Encode()))
		if strings.Contains(all, "hunter2x") || strings.Contains(all, "er2xb") || !strings.Contains(all, secret.Mark) {
			t.Errorf("%s: %s", name, all)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range []struct{ kind, content string }{
		{"stream", `{"name":"stdout","text":"x"}`}, {"display_data", `{"data":{"text/plain":"x"},"metadata":{},"transient":{"display_id":"d"}}`},
		{"update_display_data", `{"data":null,"metadata":[],"transient":null}`}, {"error", `{"ename":1}`}, {"clear_output", `{"wait":true}`},
		{"comm_open", `{"comm_id":"c","target_name":"jupyter.widget","data":{"state":{"_model_module":"@jupyter-widgets/output","_model_name":"OutputModel","outputs":7}}}`},
		{"comm_msg", `{"comm_id":"c","data":{"state":{"msg_id":"m"}}}`}, {"execute_result", `{"data":{"a":1},"execution_count":"x"}`}, {"status", `[]`},
	} {
		f.Add(seed.kind, seed.content, seed.kind, seed.content)
	}
	f.Fuzz(func(t *testing.T, kind1, content1, kind2, content2 string) {
		if !json.Valid([]byte(content1)) || !json.Valid([]byte(content2)) {
			return // the kernel package delivers JSON only
		}
		m, err := secret.New([]string{"secret-value"})
		if err != nil {
			t.Fatal(err)
		}
		d := doc("cell")
		fold := newFold(d, m, caps{4096, 4096})
		fold.begin(0)
		for range 3 {
			for _, m := range []kernel.Message{msgRaw(kind1, content1), msgRaw(kind2, content2)} {
				fold.message(m)
			}
		}
		fold.finish()
		b := d.Encode()
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		if bytes.Contains(b, []byte("secret-value")) {
			t.Fatalf("the secret is in %s", b)
		}
	})
}

func msgRaw(kind, content string) kernel.Message {
	return kernel.Message{Channel: "iopub", Header: kernel.Header{MsgType: kind}, Parent: kernel.Header{MsgID: "m"}, Content: json.RawMessage(content)}
}
