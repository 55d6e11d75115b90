package align_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"testing"

	"github.com/fanout-dev/fanout/internal/align"
)

// A specimen is a notebook of testdata/make_zoo.py, executed twice, and what a
// cell put out when something in its code was changed.
type specimen struct {
	Name    string         `json:"name"`
	A       map[string]any `json:"a"`
	B       map[string]any `json:"b"`
	Planted []struct {
		Cell     int            `json:"cell"`
		Outputs  []any          `json:"outputs"`
		Metadata map[string]any `json:"metadata"`
	} `json:"planted"`
}

func zoo(t testing.TB) []specimen {
	t.Helper()
	f, err := os.Open("testdata/zoo.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var all []specimen
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// planted is the second execution with the outputs of one cell changed.
func (s specimen) planted(i int) map[string]any {
	p := s.Planted[i]
	doc := maps.Clone(s.B)
	cells := append([]any(nil), doc["cells"].([]any)...)
	cell := maps.Clone(cells[p.Cell].(map[string]any))
	cell["outputs"] = p.Outputs
	cells[p.Cell] = cell
	doc["cells"] = cells
	metadata := maps.Clone(doc["metadata"].(map[string]any))
	if p.Metadata["widgets"] != nil {
		states := maps.Clone(statesOf(metadata))
		maps.Copy(states, statesOf(p.Metadata))
		metadata["widgets"] = map[string]any{widgetState: map[string]any{"state": states}}
	}
	doc["metadata"] = metadata
	return doc
}

const widgetState = "application/vnd.jupyter.widget-state+json"

func statesOf(metadata map[string]any) map[string]any {
	return metadata["widgets"].(map[string]any)[widgetState].(map[string]any)["state"].(map[string]any)
}

// Notebooks of plotting libraries that were executed twice differ in no cell.
func TestNothingChanged(t *testing.T) {
	all := zoo(t)
	if len(all) < 40 {
		t.Errorf("only %d notebooks", len(all))
	}
	for _, s := range all {
		r := compared(t, align.Options{First: true, Tolerance: align.Tolerance}, runOf(t, "a", s.A), runOf(t, "b", s.B))
		for _, d := range r.Differences {
			t.Errorf("%s: %s differs: %s: %+v", s.Name, d.Name(), d.Sentence(), d.Groups[1].Deltas)
		}
	}
}

// A change of the code shows in the cell that it was made in, and nowhere else.
func TestPlantedChanges(t *testing.T) {
	planted := 0
	for _, s := range zoo(t) {
		for i, p := range s.Planted {
			planted++
			r := compared(t, align.Options{First: true, Tolerance: align.Tolerance}, runOf(t, "a", s.A), runOf(t, "b", s.planted(i)))
			if len(r.Differences) != 1 || r.Differences[0].Cell != p.Cell+1 {
				t.Errorf("%s, change %d: want cell %d alone, got %d: %+v", s.Name, i, p.Cell+1, len(r.Differences), r.Differences)
				continue
			}
			if d := r.Differences[0].Groups[1].Deltas; len(d) == 0 || d[0].Kind == align.Markup && d[0].From == "" {
				t.Errorf("%s, change %d: how it differs is not said: %+v", s.Name, i, d)
			}
		}
	}
	if planted < 50 {
		t.Errorf("only %d planted changes", planted)
	}
}
