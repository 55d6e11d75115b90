package notebook

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestVerdict judges notebooks that papermill and nbclient left behind.
func TestVerdict(t *testing.T) {
	var truth map[string]struct {
		Code   *int `json:"papermill_exit_code"`
		Expect [3]any
	}
	if err := json.Unmarshal(read(t, "ended/ended.json"), &truth); err != nil {
		t.Fatal(err)
	}
	oneOf := func(want any, got string) bool {
		if all, ok := want.([]any); ok {
			return slices.Contains(all, any(got))
		}
		return want == got
	}
	for name, c := range truth {
		t.Run(name, func(t *testing.T) {
			n := mustDecode(t, read(t, "ended/"+name+".ipynb"))
			v := n.Verdict()
			if !oneOf(c.Expect[0], v.Status) || !oneOf(c.Expect[1], v.Kind) || c.Expect[2] != float64(v.Cell) {
				t.Errorf("got %+v, want %v", v, c.Expect)
			}
			if (v.Reason == "") != (v.Status == "succeeded" && v.Kind == "") {
				t.Errorf("reason %q of %+v", v.Reason, v)
			}
			if _, failed := n.Failure(); failed != (v.Status == "failed" || v.Status == "timed_out") {
				t.Errorf("failure is %v, verdict %+v", failed, v)
			}
			if n.EarlyExit() != (v.Kind == "early_exit") {
				t.Error("early exit is", n.EarlyExit())
			}
		})
	}
}

func TestVerdictOfOldDocuments(t *testing.T) {
	cell := func(status string, started bool, outputs ...Output) *Cell {
		m := map[string]any{"status": status, "start_time": nil}
		if started {
			m["start_time"] = "2019-01-01T00:00:00.5"
		}
		one := 1
		return &Cell{Type: "code", Source: "x", Metadata: map[string]any{"papermill": m}, Outputs: outputs, ExecutionCount: &one}
	}
	record := func(end, exception any) map[string]any {
		return map[string]any{"papermill": map[string]any{"start_time": "2019-01-01T00:00:00", "end_time": end, "exception": exception}}
	}
	interrupt := Output{Type: "error", Ename: "KeyboardInterrupt"}
	for name, c := range map[string]struct {
		n    *Notebook
		want Verdict
	}{
		"interrupted by a time limit": {&Notebook{Metadata: record("x", nil), Cells: []*Cell{cell("completed", true, interrupt), cell("completed", false)}}, Verdict{Status: "timed_out", Kind: "cell_timeout"}},
		"interrupted by somebody":     {&Notebook{Metadata: record("x", true), Cells: []*Cell{cell("failed", true, interrupt), cell("pending", false)}}, Verdict{Status: "failed", Kind: "exception"}},
		"completed and never run":     {&Notebook{Metadata: record("x", nil), Cells: []*Cell{cell("completed", true), cell("completed", true), cell("completed", false)}}, Verdict{Status: "lost", Kind: "unfinished", Cell: 1}},
		"no end":                      {&Notebook{Metadata: record(nil, nil), Cells: []*Cell{cell("completed", true), cell("running", true)}}, Verdict{Status: "lost", Kind: "unfinished", Cell: 1}},
		"marked only":                 {&Notebook{Metadata: record("x", true), Cells: []*Cell{cell("completed", true)}}, Verdict{Status: "failed", Kind: "exception", Cell: -1}},
		"some cells by hand":          {&Notebook{Cells: []*Cell{{Type: "code", Source: "a", ExecutionCount: new(int)}, {Type: "code", Source: "b"}}}, Verdict{Status: "lost", Kind: "unfinished", Cell: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.n.Verdict()
			got.Reason = ""
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
