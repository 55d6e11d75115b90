package notebook

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
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
			cell := 0
			if i := c.Expect[2].(float64); i >= 0 { // index in Cells
				cell = n.CodeCell(int(i))
			}
			if !oneOf(c.Expect[0], string(v.Status)) || !oneOf(c.Expect[1], string(v.Kind)) || v.Cell != cell {
				t.Errorf("got %+v, want %v", v, c.Expect)
			}
			if (v.Reason == "") != (v.Status == outcome.Succeeded && v.Kind == "") {
				t.Errorf("reason %q of %+v", v.Reason, v)
			}
			if _, failed := n.Failure(); failed != (v.Status == outcome.Failed || v.Status == outcome.TimedOut) {
				t.Errorf("failure is %v, verdict %+v", failed, v)
			}
			if earlyExit(n) != (v.Kind == outcome.EarlyExit) {
				t.Error("early exit is", earlyExit(n))
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
		want outcome.Outcome
	}{
		"interrupted by a time limit": {&Notebook{Metadata: record("x", nil), Cells: []*Cell{cell("completed", true, interrupt), cell("completed", false)}}, outcome.Outcome{Status: outcome.TimedOut, Kind: outcome.CellTimeout, Cell: 1, Ename: "KeyboardInterrupt"}},
		"interrupted by somebody":     {&Notebook{Metadata: record("x", true), Cells: []*Cell{cell("failed", true, interrupt), cell("pending", false)}}, outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 1, Ename: "KeyboardInterrupt"}},
		"completed and never run":     {&Notebook{Metadata: record("x", nil), Cells: []*Cell{cell("completed", true), cell("completed", true), cell("completed", false)}}, outcome.Outcome{Status: outcome.Lost, Kind: outcome.Unfinished, Cell: 2}},
		"no end":                      {&Notebook{Metadata: record(nil, nil), Cells: []*Cell{cell("completed", true), cell("running", true)}}, outcome.Outcome{Status: outcome.Lost, Kind: outcome.Unfinished, Cell: 2}},
		"marked only":                 {&Notebook{Metadata: record("x", true), Cells: []*Cell{cell("completed", true)}}, outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception}},
		"some cells by hand":          {&Notebook{Cells: []*Cell{{Type: "code", Source: "a", ExecutionCount: new(int)}, {Type: "code", Source: "b"}}}, outcome.Outcome{Status: outcome.Lost, Kind: outcome.Unfinished, Cell: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.n.Verdict()
			got.Reason = ""
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestVerdictOfRecord: the notebook of an attempt says itself how it ended,
// unless that cannot be, or something has executed it since.
func TestVerdictOfRecord(t *testing.T) {
	begun, ended := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 1, 0, 1, 0, 0, time.UTC)
	record := func(s outcome.Status, k outcome.Kind) outcome.Outcome {
		return outcome.Outcome{Status: s, Kind: k, Reason: "so it is", Start: begun, End: ended}
	}
	for name, c := range map[string]struct {
		record   any
		executed time.Time
		believed bool
	}{
		"timed out":        {record(outcome.TimedOut, outcome.RunTimeout), begun, true},
		"lost at once":     {record(outcome.Lost, outcome.WorkerGone), begun.AddDate(-1, 0, 0), true},
		"executed since":   {record(outcome.TimedOut, outcome.RunTimeout), ended.Add(time.Second), false},
		"no such status":   {record("splendid", ""), begun, false},
		"not an end":       {record(outcome.Running, ""), begun, false},
		"no such kind":     {record(outcome.Failed, "weather"), begun, false},
		"another's kind":   {record(outcome.Succeeded, outcome.KernelDied), begun, false},
		"endless reason":   {outcome.Outcome{Status: outcome.Failed, Reason: strings.Repeat("x", 1<<20), Start: begun, End: ended}, begun, false},
		"backwards":        {outcome.Outcome{Status: outcome.Failed, Start: ended, End: begun}, begun, false},
		"something else":   {map[string]any{"status": 7}, begun, false},
		"a text":           {"failed", begun, false},
		"foreign with end": {nil, begun, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Notebook{}
			n.BeginRun(c.executed)
			n.EndRun(c.executed)
			if err := n.SetRecord(map[string]any{"run_id": "x", "outcome": c.record}); err != nil {
				t.Fatal(err)
			}
			v := mustDecode(t, n.Encode()).Verdict()
			if v.Status == outcome.Succeeded == c.believed || c.believed && v.Reason != "so it is" {
				t.Errorf("believed should be %v: %+v", c.believed, v)
			}
			if n.BeginRun(ended); n.Metadata[recordKey] != nil {
				t.Error("the record outlives the next execution")
			}
		})
	}
}

// earlyExit reports whether a cell ended the notebook successfully.
func earlyExit(n *Notebook) bool {
	_, failed := n.Failure()
	return !failed && n.exitCell() >= 0
}
