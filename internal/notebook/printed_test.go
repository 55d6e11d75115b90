package notebook

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrints(t *testing.T) {
	text := TextJSON("42")
	n := &Notebook{Cells: []*Cell{
		{Type: "markdown", Source: "# words"},
		{Type: "code", Outputs: []Output{
			{Type: "stream", Name: "stdout", Text: "one\n"},
			{Type: "stream", Name: "stderr", Text: "half"},
		}},
		{Type: "code"},
		{Type: "code", Outputs: []Output{
			{Type: "execute_result", Data: map[string]json.RawMessage{"text/plain": text}},
			{Type: "display_data", Data: map[string]json.RawMessage{"image/png": text}},
			{Type: "error", Ename: "ValueError", Evalue: "bad", Traceback: []string{"Traceback", "ValueError: bad"}},
			{Type: "error", Ename: "Oops", Evalue: "untold"},
		}},
	}}
	want := []Print{
		{1, "stdout", "one\n"}, {1, "stderr", "half"},
		{3, "traceback", "Traceback\nValueError: bad\n"}, {3, "traceback", "Oops: untold\n"},
	}
	if d := cmp.Diff(want, n.Prints(false)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	want = append(want[:2:2], append([]Print{{3, "result", "42\n"}}, want[2:]...)...)
	if d := cmp.Diff(want, n.Prints(true)); d != "" {
		t.Errorf("with results (-want +got):\n%s", d)
	}
}
