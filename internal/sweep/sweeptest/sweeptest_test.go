package sweeptest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/sweep/sweeptest"
	"github.com/fanout-dev/fanout/internal/value"
)

const template = `{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "x = 0"}],
 "metadata": {"kernelspec": {"display_name": "p", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}`

func planned(t *testing.T, st store.Store, runs int) *sweep.Sweep {
	t.Helper()
	spec, err := grid.Decode("s.yaml", []byte("template: t.ipynb\ngrid: {x: [0]}\n"))
	must(t, err)
	p := sweep.Plan{TemplateDocs: [][]byte{[]byte(template)}, Spec: spec}
	p.Name, p.Source, p.Templates = "s", "..", []sweep.Template{{Path: "t.ipynb", Code: "code"}}
	for i := range runs {
		v, err := value.Of(i)
		must(t, err)
		p.Runs = append(p.Runs, sweep.Run{ID: fmt.Sprintf("run%013d", i), Params: []value.Binding{{Name: "x", Value: v}}})
	}
	s, err := sweep.Init(t.Context(), st, "s")
	must(t, err)
	_, err = s.Acquire(t.Context())
	must(t, err)
	_, err = s.Lease().Plan(t.Context(), p)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is filled in is known as what was executed: of two runs that ended alike, one
// of either kind, the same is known but for the size and time of a notebook.
func TestFill(t *testing.T) {
	for place, st := range map[string]store.Store{"folder": store.Dir(t.TempDir() + "/s.sweep"), "bucket": bucket(t)} {
		t.Run(place, func(t *testing.T) {
			s := planned(t, st, 4)
			runs := s.Runs()
			a, err := s.Lease().Begin(t.Context(), runs[0].Run.ID, sweep.Began{Host: "here"})
			must(t, err)
			_, doc, err := s.TemplateOf(t.Context(), runs[0].Run)
			must(t, err)
			doc.Cells[0].Outputs = append(doc.Cells[0].Outputs, notebook.Output{Type: "display_data",
				Data:     map[string]json.RawMessage{"application/scrapbook.scrap.json+json": json.RawMessage(`{"name":"y","data":7,"encoder":"json","version":1}`)},
				Metadata: map[string]any{"scrapbook": map[string]any{"name": "y", "data": true, "display": false}}})
			at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
			done := outcome.Outcome{Status: outcome.Succeeded, Start: at, End: at.Add(1500 * time.Millisecond), Fingerprint: s.Current(runs[0].Run)}
			must(t, a.End(t.Context(), doc, done, nil))
			must(t, sweeptest.Fill(t.Context(), s, func(i int, _ sweep.RunState) (e sweeptest.End) {
				switch i {
				case 1:
					e.Outcome.Status, e.Scraps = outcome.Succeeded, map[string]json.RawMessage{"y": json.RawMessage("7")}
				case 2:
					e.Outcome = outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Ename: "ValueError"}
				}
				return e
			}))
			must(t, s.Lease().Release())

			read, err := sweep.Open(t.Context(), st)
			must(t, err)
			got := read.Runs()
			if got[2].Status != outcome.Failed || got[2].Last.Ename != "ValueError" || got[3].Status != outcome.Planned || got[3].Attempts != 0 {
				t.Errorf("a failed run is %+v, and one that did not begin %+v", got[2], got[3])
			}
			same := []cmp.Option{cmpopts.IgnoreUnexported(sweep.RunState{}), cmpopts.IgnoreFields(sweep.RunState{}, "Run", "Place", "Size", "ModTime")}
			if diff := cmp.Diff(got[0], got[1], same...); diff != "" {
				t.Errorf("executed against filled in:\n%s", diff)
			}
		})
	}
}

func bucket(t *testing.T) store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), storetest.S3(t).Where("s.sweep"))
	must(t, err)
	return st
}
