package query_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// sample is a sweep of six runs: three succeeded, one more did and failed when
// it was executed again, one failed and one is planned. Those that succeeded
// recorded the scrap y.
func sample(t *testing.T) *sweep.Sweep {
	t.Helper()
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 6, fantest.Glue)
	again := false
	ex := &fantest.Fake{Sweep: s, Deed: func(run sweep.Run, _ int, d fantest.Deed) fantest.Deed {
		if d == fantest.Glue && (run.ID == runID(4) || again) {
			return fantest.Raise
		}
		return d
	}}
	execute := func(runs ...string) {
		if err := ex.Execute(t.Context(), sweep.Shard{ID: "1-1", Runs: runs}, func(sweep.Note) {}); err != nil {
			t.Fatal(err)
		}
	}
	execute(runID(0), runID(1), runID(2), runID(3), runID(4))
	again = true
	execute(runID(3))
	return s
}

func runID(i int) string { return fmt.Sprintf("run%013d", i) }

// TestDocs holds the documentation to the list of columns.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/files.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "| column | type | |\n|---|---|---|\n"
	for _, c := range query.Columns() {
		kind := string(c.Type)
		if c.Unit != "" {
			kind += ", " + c.Unit
		}
		want += fmt.Sprintf("| `%s` | %s | %s |\n", c.Name, kind, c.Means)
	}
	if !strings.Contains(string(text), want) {
		t.Errorf("docs/files.md lacks this table of the columns:\n%s", want)
	}
}

func TestColumnsAreReadFromRuns(t *testing.T) {
	s := sample(t)
	read := func(id string) map[string]any {
		st, _ := s.Run(id)
		got := map[string]any{}
		for _, c := range query.Columns() {
			if v := c.Of(query.RunOf(s, st)); v != nil {
				got[c.Name] = v
			}
		}
		return got
	}
	for name, c := range map[string]struct {
		run  string
		want map[string]any
	}{
		"succeeded": {runID(0), map[string]any{"run_status": "succeeded", "run_attempts": int64(1), "run_notebook": "runs/" + runID(0) + ".ipynb", "run_code": "c"}},
		"failed after a success": {runID(3), map[string]any{"run_status": "failed", "run_reason_kind": "exception",
			"run_attempts": int64(2), "run_notebook": "runs/" + runID(3) + ".ipynb", "run_code": "c"}},
		"planned": {runID(5), map[string]any{"run_status": "planned", "run_attempts": int64(0)}},
	} {
		got := read(c.run)
		c.want["run_id"], c.want["run_planned"], c.want["run_stale"], c.want["run_replicate"] = c.run, true, false, int64(0)
		for _, varies := range []string{"run_started_at", "run_duration_s", "run_error"} {
			if _, has := got[varies]; has == (name == "planned") && varies != "run_error" {
				t.Errorf("%s: %s is %v", name, varies, got[varies])
			}
			delete(got, varies)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestChoose(t *testing.T) {
	s := sample(t)
	for name, c := range map[string]struct {
		choice query.Choice
		want   string
	}{
		"all":              {query.Choice{}, "0 1 2 3 4 5"},
		"failed":           {query.Choice{Failed: true}, "3 4"},
		"stale":            {query.Choice{Stale: true}, ""},
		"failed or stale":  {query.Choice{Failed: true, Stale: true}, "3 4"},
		"named":            {query.Choice{Runs: []string{runID(1) + ".ipynb", runID(4)}}, "1 4"},
		"named and failed": {query.Choice{Runs: []string{runID(1), runID(4)}, Failed: true}, "4"},
		"parameter":        {query.Choice{Where: "x >= 2"}, "2 3 4 5"},
		"column":           {query.Choice{Where: `run_reason_kind == "exception"`}, "3 4"},
		"unknown is zero":  {query.Choice{Where: `run_peak_rss_bytes == 0 && run_started_at == "" && run_error == ""`}, "5"},
		"times compare":    {query.Choice{Where: `run_started_at > "2020-01-01"`}, "0 1 2 3 4"},
	} {
		runs, err := query.Choose(s, c.choice)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, r := range runs {
			got = append(got, strings.TrimLeft(strings.TrimPrefix(r.Run.ID, "run"), "0"))
			if got[len(got)-1] == "" {
				got[len(got)-1] = "0"
			}
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What is wrong with a question is the mistake of whoever asks.
func TestMistakes(t *testing.T) {
	s := sample(t)
	for _, c := range []query.Choice{{Where: "x >"}, {Where: "nothing == 1"}, {Where: "x + 1"}, {Runs: []string{"z"}}, {Runs: []string{"run"}}} {
		if _, err := query.Choose(s, c); !unit.IsMistake(err) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := query.Lead(s, "", "", false); !unit.IsMistake(err) {
		t.Errorf("no metric: %v", err)
	}
}

func TestLead(t *testing.T) {
	s := sample(t)
	for _, by := range []string{"nothing", "run_status"} {
		if _, err := query.Lead(s, by, "", false); err == nil || !unit.IsMistake(err) || !strings.Contains(unit.HintOf(err), "x") {
			t.Errorf("%s: %v (%s)", by, err, unit.HintOf(err))
		}
	}
	for _, c := range []struct {
		by        string
		ascending bool
		want      string
	}{{"x", false, "2 1 0"}, {"x", true, "0 1 2"}} {
		l, err := query.Lead(s, c.by, "", c.ascending)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range l.Runs {
			if r.Status != outcome.Succeeded {
				t.Errorf("%s leads and is %s", r.Run.Run.ID, r.Status)
			}
			got = append(got, fmt.Sprint(r.Value))
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("by %s (-want +got):\n%s", c.by, d)
		}
	}
}

// recorded is a sweep whose runs recorded these values, as JSON, as scrap z.
func recorded(t *testing.T, values ...string) *sweep.Sweep {
	t.Helper()
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, len(values), fantest.Succeed)
	for i, v := range values {
		st, _ := s.Run(runID(i))
		a, err := s.Lease().Begin(t.Context(), runID(i), sweep.Began{})
		if err != nil {
			t.Fatal(err)
		}
		_, doc, err := s.TemplateOf(t.Context(), st.Run)
		if err != nil {
			t.Fatal(err)
		}
		doc.Cells[0].Outputs = append(doc.Cells[0].Outputs, notebook.Output{
			Type:     "display_data",
			Data:     map[string]json.RawMessage{"application/scrapbook.scrap.json+json": json.RawMessage(`{"name":"z","data":` + v + `,"encoder":"json","version":1}`)},
			Metadata: map[string]any{"scrapbook": map[string]any{"name": "z", "data": true, "display": false}},
		})
		if err := a.End(t.Context(), doc, outcome.Outcome{Status: outcome.Succeeded, Fingerprint: s.Current(st.Run)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A run that recorded NaN, an infinity, null or a huge number is chosen or not
// like any other, and does not keep others from being chosen.
func TestChooseByStrangeNumbers(t *testing.T) {
	s := recorded(t, "NaN", "Infinity", "-Infinity", "18446744073709551615", "9223372036854775807", "null", "2", "0.5")
	for src, want := range map[string]string{
		"z > 1":                     "1 3 4 6",
		"z < 3":                     "2 6 7",
		"not (z > 1)":               "0 2 5 7",
		"z != 2":                    "0 1 2 3 4 5 7",
		"z == z":                    "1 2 3 4 5 6 7",
		"z != z":                    "0",
		"z == nil":                  "5",
		"z > 9223372036854775807":   "1 3",
		"z == 18446744073709551615": "3",
		"x > 5 && z <= 2":           "6 7",
	} {
		ids := make([]string, 8)
		for i := range ids {
			ids[i] = runID(i)
		}
		got, err := query.Matching(s, ids, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		}
		for i, id := range got {
			got[i] = strings.TrimPrefix(id, "run000000000000")
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s (-want +got):\n%s", src, d)
		}
	}
}

// NaN was recorded, and leads nobody.
func TestLeadWithStrangeNumbers(t *testing.T) {
	s := recorded(t, "NaN", "3", "-Infinity", "Infinity", "NaN", "18446744073709551615", `"text"`, "null")
	for ascending, want := range map[bool]string{
		false: "+Inf 1.8446744073709552e+19 3 -Inf NaN NaN",
		true:  "-Inf 3 1.8446744073709552e+19 +Inf NaN NaN",
	} {
		l, err := query.Lead(s, "z", "", ascending)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range l.Runs {
			got = append(got, fmt.Sprint(r.Value))
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Errorf("ascending %v (-want +got):\n%s", ascending, d)
		}
	}
}

// What is shown of scraps is JSON.
func TestScrapsAreJSON(t *testing.T) {
	s := recorded(t, "NaN", "18446744073709551615")
	for i, want := range []string{`{"z":"NaN"}`, `{"z":18446744073709551615}`} {
		st, _ := s.Run(runID(i))
		if got, err := json.Marshal(query.Scraps(st)); err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}
