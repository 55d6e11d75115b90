package shelf

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const template = `{"cells": [
 {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Churn by **region**\n\nHow many customers leave,\nand where.\n\n## Data\nmore"},
 {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "region = ''\nx = 0", "outputs": [], "execution_count": null}
], "metadata": {"tags": ["finance"], "kernelspec": {"name": "python3", "display_name": "p", "language": "python"}, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}`

// churn is a sweep of four runs, of which one failed.
func churn(t *testing.T, st store.Store) *sweep.Sweep {
	t.Helper()
	s := plannedOf(t, st, "name: churn\ntemplate: t.ipynb\ngrid: {region: [apac, emea], x: [1, 2]}\nmetrics: {auc: {goal: maximize, unit: '%'}}\n")
	for i, r := range s.Runs()[:3] {
		end(t, s, r, i == 1)
	}
	return s
}

// plannedOf is the sweep of a file over the template, also as u.ipynb, whose lease
// is held.
func plannedOf(t *testing.T, st store.Store, file string) *sweep.Sweep {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	for name, text := range map[string]string{"sweep.yaml": file, "t.ipynb": template, "u.ipynb": template} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d, err := draft.Read(ctx, draft.Source{File: filepath.Join(dir, "sweep.yaml"), AsOf: time.Now()})
	must(t, err)
	s, err := sweep.Init(ctx, st, d.Spec.Name)
	must(t, err)
	l, err := s.Acquire(ctx)
	must(t, err)
	must(t, d.Expand(ctx))
	d.SetSource(st.String())
	_, err = l.Plan(ctx, d.Plan)
	must(t, err)
	return s
}

func end(t *testing.T, s *sweep.Sweep, r sweep.RunState, fails bool) {
	t.Helper()
	_, doc, err := s.TemplateOf(t.Context(), r.Run)
	must(t, err)
	a, err := s.Lease().Begin(t.Context(), r.Run.ID, sweep.Began{Host: "here"})
	must(t, err)
	o := outcome.Outcome{Status: outcome.Succeeded, Start: a.At, End: a.At.Add(time.Second), Fingerprint: s.Current(r.Run)}
	if fails {
		o.Status, o.Kind, o.Reason = outcome.Failed, outcome.Exception, "cell 1 raised KeyError: revenue"
	}
	must(t, a.End(t.Context(), doc, o, nil))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// counting is a store that counts how often a sweep is opened.
type counting struct {
	store.Store
	opened *int
}

func (c counting) Get(ctx context.Context, key string) ([]byte, error) {
	if key == sweep.KeyFormat {
		*c.opened++
	}
	return c.Store.Get(ctx, key)
}

// A record says what a sweep is about, is made anew only after news, and is found by
// another process without opening the sweep.
func TestRecords(t *testing.T) {
	st := store.Dir(filepath.Join(t.TempDir(), "churn.sweep"))
	s := churn(t, st)
	opened, file := 0, filepath.Join(t.TempDir(), "deep", "shelf.json.gz")
	open := func(context.Context, string) (store.Store, error) { return counting{st, &opened}, nil }
	place := []roots.Sweep{{ID: "x", Name: "churn", Where: "/w/churn.sweep", Path: "churn.sweep", Root: "w"}}
	now := func(shelf *Shelf, wantOpened int, wantState string) Record {
		t.Helper()
		r := shelf.ReadAll(t.Context(), place)[0]
		if r.State != wantState || opened != wantOpened {
			t.Errorf("%s after opening it %d times, want %s after %d", r.State, opened, wantState, wantOpened)
		}
		return r
	}
	shelf := New(file, open)
	r := now(shelf, 1, Running) // somebody holds it
	if r.Title != "Churn by region" || r.About != "How many customers leave, and where." || strings.Join(r.Tags, " ") != "finance" ||
		r.Templates[0] != "t.ipynb" || len(r.Axes) != 2 || r.Axes[0].Range() != "apac, emea" || r.Metrics[0] != (Metric{"auc", "%", "maximize"}) ||
		r.Tally.Runs != 4 || r.Owner == "" || r.Ended.IsZero() || len(r.Failures) != 1 || r.Schedule != nil {
		t.Errorf("%+v", r)
	}
	must(t, s.Lease().Release())
	must(t, schedule.Schedule{Crons: []string{"0 4 * * *"}, Zone: "UTC", Since: time.Now()}.Put(t.Context(), st))
	shelf = New(file, open)
	if r = now(shelf, 1, Failed); r.Schedule == nil || r.Schedule.Next().IsZero() {
		t.Errorf("schedule %+v", r.Schedule)
	}
	l, err := s.Acquire(t.Context())
	must(t, err)
	end(t, s, s.Runs()[3], false)
	must(t, l.Release())
	if r = now(New(file, open), 2, Failed); r.Tally.Counts[outcome.Succeeded] != 3 {
		t.Errorf("%+v", r.Tally)
	}
	must(t, os.WriteFile(file, []byte("\x1f\x8bnothing"), 0o600))
	now(New(file, open), 3, Failed)
	must(t, os.Remove(file))
	now(New("", open), 4, Failed)
	if _, err := os.Stat(file); err == nil {
		t.Error("a shelf without a file wrote one")
	}
}

// TestFind: all words and conditions count, and the best match leads.
func TestFind(t *testing.T) {
	day := func(n int) time.Time { return time.Now().AddDate(0, 0, -n) }
	records := []Record{
		{State: Done, Title: "Sales", About: "churn is elsewhere", Owner: "bo", Ended: day(0), Tally: query.Tally{Runs: 10}},
		{State: Failed, Title: "Churn", Owner: "ana", Ended: day(200), Tally: query.Tally{Runs: 20, Counts: map[outcome.Status]int{outcome.Failed: 2, outcome.Lost: 1}}, Failures: []query.Reason{{Text: "KeyError: revenue", Count: 3}}},
		{State: Done, Title: "Churn rates", Owner: "Ana Lee", Ended: day(1), Axes: []Axis{{Name: "region", Values: []string{"apac", "emea"}, N: 2}}, Schedule: &Schedule{}},
		{State: Running, Title: "Tides", Owner: "cy", Tags: []string{"churning"}, Ended: day(9), Metrics: []Metric{{Name: "auc"}}},
	}
	s := New("", nil)
	var places []roots.Sweep
	for i := range records {
		p := roots.Sweep{Name: "s" + string(rune('0'+i)), Where: "/w/" + string(rune('0'+i))}
		records[i].Sweep = p
		places = append(places, p)
		s.known[p.Where] = &known{Record: records[i], words: wordsOf(records[i])}
	}
	for text, want := range map[string]string{
		"":                        "s3 s1 s0 s2",
		"churn":                   "s2 s3 s1 s0", // a beginning of a title of yesterday, of a tag; an old title; a text
		"CHURN  rates":            "s2",
		"owner:ana":               "s1 s2",
		`owner:"ana lee"`:         "s2",
		"failed:>0":               "s1",
		"failed:3":                "s1",
		"runs:>=10 runs:<20":      "s0",
		"region:emea":             "s2",
		"region=emea":             "s2",
		"revenue":                 "s1",
		"metric:auc state:run":    "s3",
		"schedule:yes":            "s2",
		"churn state:done nobody": "",
		`"churn rates"`:           "s2",
		`"rates churn"`:           "",
		"tag:churn":               "s3",
	} {
		q, err := Parse(text)
		must(t, err)
		var got []string
		for _, r := range s.Find(q, places).Sweeps {
			got = append(got, r.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	for _, wrong := range []string{"failed:many", "runs:>", "runs:=>3"} {
		if _, err := Parse(wrong); err == nil {
			t.Errorf("%q is a question", wrong)
		}
	}
	q, _ := Parse("")
	facets := s.Find(q, places).Facets
	if facets[0].Key != "state" || facets[0].Counts[0] != (Count{Done, 2}) || len(facets[0].Counts) != 3 {
		t.Errorf("%+v", facets)
	}
}

func TestHeading(t *testing.T) {
	for source, want := range map[string]string{
		"no heading":                      "|",
		"<h1>x</h1>\n# Real\n![p](x)\nIs": "Real|Is",
		"# A\n## B\ntext":                 "A|",
		"#\n\n":                           "|",
	} {
		title, about := Heading(&notebook.Notebook{Cells: []*notebook.Cell{{Type: "code", Source: "# no"}, {Type: "markdown", Source: source}}})
		if got := title + "|" + about; got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

// A notebook that several steps execute is named once.
func TestRecordOfSteps(t *testing.T) {
	st := store.Dir(filepath.Join(t.TempDir(), "chain.sweep"))
	s := plannedOf(t, st, "name: chain\nsteps: {a: {template: t.ipynb}, b: {template: u.ipynb, needs: a}, c: {template: t.ipynb, needs: b}}\ngrid: {region: [apac, emea], x: [1, 2]}\n")
	must(t, s.Lease().Release())
	r := New("", func(context.Context, string) (store.Store, error) { return st, nil }).ReadAll(t.Context(), []roots.Sweep{{ID: "x", Name: "chain", Where: st.String()}})[0]
	if got := strings.Join(r.Templates, ", "); got != "t.ipynb, u.ipynb" {
		t.Errorf("its templates are %s", got)
	}
}

// What a summary calls unusual is known of a sweep with dates, leads what ended well, and
// is found; what anybody else wrote there is cut.
func TestUnusual(t *testing.T) {
	stores := map[string]store.Store{}
	var places []roots.Sweep
	for _, name := range []string{"calm", "odd", "undated"} {
		stores[name] = store.Dir(filepath.Join(t.TempDir(), name+".sweep"))
		axis := "region: [2026-11-01, 2026-11-02]"
		if name == "undated" {
			axis = "region: [apac, emea]"
		}
		s := plannedOf(t, stores[name], "name: "+name+"\ntemplate: t.ipynb\ngrid: {"+axis+"}\nmetrics: {auc: maximize}\n")
		must(t, s.Lease().Release())
		if name != "calm" {
			must(t, stores[name].Put(t.Context(), sweep.Unusual, []byte(`{"unusual": [{"text": "auc of apac is 3\u0007, expected 1 ± 0.1"}, {"text": "`+strings.Repeat("x", 5*maxText)+`"}]}`), store.Cached))
		}
		places = append(places, roots.Sweep{ID: name, Name: name, Where: name})
	}
	shelf := New("", func(_ context.Context, where string) (store.Store, error) { return stores[where], nil })
	records := shelf.ReadAll(t.Context(), places)
	if odd := records[1].Unusual; len(odd) != 2 || strings.ContainsRune(odd[0], 7) || len([]rune(odd[1])) != maxText || records[0].Unusual != nil || records[2].Unusual != nil {
		t.Errorf("%+v", records)
	}
	for question, want := range map[string]string{"": "odd calm undated", "unusual:yes": "odd", "unusual:no": "calm undated", "expected": "odd"} {
		q, err := Parse(question)
		must(t, err)
		var got []string
		for _, r := range shelf.Find(q, places).Sweeps {
			got = append(got, r.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q finds %q, want %q", question, got, want)
		}
	}
}

// A parameter that is the same for every run is known, and found by its name, its value or
// both, where an axis of the name comes first.
func TestFixedParameters(t *testing.T) {
	stores := map[string]store.Store{}
	var places []roots.Sweep
	for name, file := range map[string]string{"a": "grid: {x: [1, 2]}\nparameters: {region: \"emea\\u0007north\"}\n", "b": "grid: {region: [apac, emea]}\nparameters: {x: 4711}\n"} {
		stores[name] = store.Dir(filepath.Join(t.TempDir(), name+".sweep"))
		must(t, plannedOf(t, stores[name], "name: "+name+"\ntemplate: t.ipynb\n"+file).Lease().Release())
		places = append(places, roots.Sweep{ID: name, Name: name, Where: name})
	}
	shelf := New("", func(_ context.Context, where string) (store.Store, error) { return stores[where], nil })
	for _, r := range shelf.ReadAll(t.Context(), places) {
		if want := map[string]Fixed{"a": {"region", "emeanorth"}, "b": {"x", "4711"}}[r.Name]; len(r.Fixed) != 1 || r.Fixed[0] != want {
			t.Errorf("%s has %+v, want %+v", r.Name, r.Fixed, want)
		}
	}
	for question, want := range map[string]string{"4711": "b", "x=4711": "b", "x:4711": "b", "region:north": "a", "region:emea x:2": "a", "region": "b a", "emea north": "a"} {
		q, err := Parse(question)
		must(t, err)
		var got []string
		for _, r := range shelf.Find(q, places).Sweeps {
			got = append(got, r.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q finds %q, want %q", question, got, want)
		}
	}
}
