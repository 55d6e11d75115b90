package notebook

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pythonWith returns a Python that can import a package, or skips the test.
func pythonWith(t *testing.T, pkg string) string {
	t.Helper()
	p := pythonPath(t)
	if exec.Command(p, "-c", "import "+pkg).Run() != nil {
		t.Skipf("%s cannot import %s", p, pkg)
	}
	return p
}

// ask runs a Python program on a JSON value and reads a JSON value from it.
func ask(t *testing.T, python, program string, in []byte, out any) {
	t.Helper()
	cmd := exec.Command(python, "-W", "ignore", "-c", program)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}

// TestDocumentsAreValid asks nbformat about what we write at every stage of a
// notebook's life.
func TestDocumentsAreValid(t *testing.T) {
	python3 := pythonWith(t, "nbformat")
	written := map[string]string{}
	stage := func(name string, n *Notebook) { written[name] = string(n.Encode()) }
	for _, name := range docs(t) {
		if name == "unknown" || name == "numbers" || name == "outputs" { // outside the schema, on purpose
			continue
		}
		n := mustDecode(t, read(t, "docs/"+name+".ipynb"))
		stage(name, n)
		n.Metadata["language_info"] = map[string]any{"name": "python"}
		at := time.Now()
		if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "a", Value: 1.5}}, ReportMode: true}); err != nil {
			t.Fatal(err)
		}
		stage(name+" prepared", n)
		n.BeginRun(at)
		for i, c := range n.Cells {
			n.BeginCell(i, at)
			if c.Type == "code" {
				for _, m := range []string{StampInput, StampBusy, StampIdle, StampReply} {
					c.StampExecution(m, at)
				}
				c.Outputs = append(c.Outputs, Output{Type: "stream", Name: "stdout", Text: "x"}, Output{Type: "display_data"}, Output{Type: "execute_result"}, Output{Type: "error"})
			}
			stage(name+" running", n)
			n.FailCell(i)
			n.EndCell(i, at)
		}
		n.EndRun(at)
		if err := n.SetRecord(map[string]any{"status": "failed"}); err != nil {
			t.Fatal(err)
		}
		if err := n.SetLanguageInfo(json.RawMessage(`{"name": "python", "version": "3.12"}`)); err != nil {
			t.Fatal(err)
		}
		if f, failed := n.Failure(); failed {
			n.MarkFailure(f)
		}
		stage(name+" ended", n)
	}
	in, err := json.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	var wrong map[string]string
	ask(t, python3, `
import json, sys, nbformat
wrong = {}
for name, text in json.load(sys.stdin).items():
    try:
        nbformat.validate(json.loads(text), version=4, version_minor=5)
        nb = nbformat.reads(text, 4)
        nbformat.validate(nb)
        if nbformat.writes(nb) != text:
            wrong[name] = "nbformat writes it otherwise"
    except Exception as e:
        wrong[name] = str(e)[:500]
json.dump(wrong, sys.stdout)`, in, &wrong)
	if len(wrong) > 0 || len(written) < 40 {
		t.Errorf("of %d documents %d are wrong: %v", len(written), len(wrong), wrong)
	}
}

// TestLiteralsAsPapermill compares what is written for values in Python with
// what papermill's installed version writes, without black.
func TestLiteralsAsPapermill(t *testing.T) {
	python3 := pythonWith(t, "papermill")
	all := values(true, everyText)
	var in []byte
	var ours []string
	for i, v := range all {
		lit, err := python.literal(v)
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, lit)
		if i > 0 {
			in = append(in, ',')
		}
		in = append(in, encodeValue(v)...)
	}
	var theirs []string
	ask(t, python3, `
import json, sys
from papermill.translators import PythonTranslator
json.dump([PythonTranslator.translate(v) for v in json.load(sys.stdin)], sys.stdout)`, []byte("["+string(in)+"]"), &theirs)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("-papermill +ours\n%s", diff)
	}
}

// TestPapermillReadsWhatWeWrite prepares our output again with papermill: the
// injected cell is found and replaced, nothing else changes.
func TestPapermillReadsWhatWeWrite(t *testing.T) {
	python3 := pythonWith(t, "papermill")
	n := mustDecode(t, read(t, "prepare/after.ipynb"))
	if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "a", Value: 1}}, InputPath: "in", OutputPath: "out"}); err != nil {
		t.Fatal(err)
	}
	n.BeginRun(time.Now())
	n.EndRun(time.Now())
	var sources []string
	ask(t, python3, `
import json, sys, logging
logging.disable()
import nbformat, papermill
nb = nbformat.reads(sys.stdin.read(), 4)
out = papermill.execute_notebook(nb, None, {"a": 2}, prepare_only=True, progress_bar=False)
json.dump([c.source for c in out.cells], sys.stdout)`, n.Encode(), &sources)
	var want []string
	for _, c := range n.Cells {
		want = append(want, strings.Replace(c.Source, "# Parameters\na = 1\n", "# Parameters\na = 2\n", 1))
	}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Error(diff)
	}
}

// TestIPythonTakesTheCellAsItIs: no value looks like a magic, a shell line or
// a question to IPython, which rewrites cells before Python sees them.
func TestIPythonTakesTheCellAsItIs(t *testing.T) {
	python3 := pythonWith(t, "IPython")
	var args []Argument
	for i, v := range values(true, everyText) {
		args = append(args, Argument{Name: "p" + string(rune('a'+i%26)) + strings.Repeat("x", i/26), Value: v})
	}
	source, _, err := python.source("Parameters", args, nil)
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	var same bool
	ask(t, python3, `
import json, sys
from IPython.core.inputtransformer2 import TransformerManager
cell = json.load(sys.stdin)
json.dump(TransformerManager().transform_cell(cell) == cell, sys.stdout)`, in, &same)
	if !same {
		t.Error("IPython rewrites the injected cell")
	}
}
