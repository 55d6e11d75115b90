package notebook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pythontest"
)

// TestDocumentsAreValid asks nbformat about what we write at every stage of a
// notebook's life.
func TestDocumentsAreValid(t *testing.T) {
	python3 := pythontest.With(t, "nbformat")
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
	pythontest.Ask(t, python3, `
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

// TestPapermillReadsWhatWeWrite prepares our output again with papermill: the
// injected cell is found and replaced, nothing else changes.
func TestPapermillReadsWhatWeWrite(t *testing.T) {
	python3 := pythontest.With(t, "papermill")
	n := mustDecode(t, read(t, "prepare/after.ipynb"))
	if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "a", Value: 1}}, InputPath: "in", OutputPath: "out"}); err != nil {
		t.Fatal(err)
	}
	n.BeginRun(time.Now())
	n.EndRun(time.Now())
	var sources []string
	pythontest.Ask(t, python3, `
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
