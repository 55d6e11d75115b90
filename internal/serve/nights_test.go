package serve

import (
	"encoding/json"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const nightlyFile = `name: nightly
template: t.ipynb
grid:
  region: [apac, emea, "a<b"]
  model: {dates: {from: 2026-10-30, to: 2026-11-12}}
exclude: [{model: 2026-11-05}]
parameters: {x: 1}
metrics: {y: {goal: minimize, unit: EUR}}
`

// nightly is a sweep of fourteen nights without one, whose last night is odd in emea and
// failed in a<b.
func nightly(t *testing.T, st store.Store) {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	for name, text := range map[string]string{"sweep.yaml": nightlyFile, "t.ipynb": sweepTemplate} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
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
	for i, run := range s.Runs() {
		params := map[string]string{}
		for _, b := range run.Run.Params {
			params[b.Name] = b.Value.Text()
		}
		tonight := params["model"] == "2026-11-12"
		y := 100 + float64(i*7%5)
		if tonight && params["region"] == "emea" {
			y = 250
		}
		_, doc, err := s.TemplateOf(ctx, run.Run)
		must(t, err)
		a, err := l.Begin(ctx, run.Run.ID, sweep.Began{Host: "here"})
		must(t, err)
		o := outcome.Outcome{Status: outcome.Succeeded, Start: a.At, End: a.At.Add(time.Second), Fingerprint: s.Current(run.Run)}
		if params["model"] < "2026-11-08" {
			o.Fingerprint.Code = "earlier code"
		}
		if params["model"] < "2026-11-10" && params["region"] == "emea" {
			o.Fingerprint.Files = "earlier files"
		}
		last := doc.Cells[len(doc.Cells)-1]
		if tonight && params["region"] == "a<b" {
			o.Status, o.Kind, o.Reason = outcome.Failed, outcome.Exception, "cell 2 raised KeyError"
		} else {
			last.Outputs = append(last.Outputs, scrapOutput("y", y))
		}
		last.Touch()
		must(t, a.End(ctx, doc, o, nil))
	}
	must(t, l.Release())
	must(t, schedule.Schedule{Crons: []string{"30 23 * * *"}, Zone: "Europe/Berlin", Since: time.Now()}.Put(ctx, st))
	for due, code := range map[string]int{"2026-11-11T22:30:00Z": 0, "2026-11-12T22:30:00Z": 3} {
		at, _ := time.Parse(time.RFC3339, due)
		r, err := firing.Begin(ctx, st, firing.Firing{Due: at, By: "a test"})
		must(t, err)
		must(t, r.Close(ctx, code, ""))
	}
}

// The page of nights holds the last night against the one before, says what is unusual,
// and has a calendar with what is missing and how firings went.
func TestNights(t *testing.T) {
	dir := t.TempDir()
	nightly(t, store.Dir(filepath.Join(dir, "nightly.sweep")))
	s := serverOf(t, Access{}, dir)
	path := "/s/" + idOf(t, s) + "/nights"
	code, _, page := get(s, path)
	if code != http.StatusOK || strings.Contains(page, "a<b") {
		t.Fatalf("%d %s", code, page)
	}
	for _, want := range []string{
		"model 2026-11-12 against 2026-11-11", "1 of 3 is unusual", "October 2026", "November 2026", `aria-current="page">Nights`,
		`<a class="day failed" href="` + strings.TrimSuffix(path, "nights") + `runs?where=model&#43;%3D%3D&#43;%222026-11-12%22&amp;all=1" title="2026-11-12: 3 runs, 1 did not succeed; a firing ended with exit code 3">12</a>`,
		`title="2026-11-11: 3 runs; a firing succeeded"`, `<a class="day gap" href="` + strings.TrimSuffix(path, "nights") + `schedule?from=2026-11-05&amp;to=2026-11-05#catchup" title="2026-11-05: no runs; what would run it">5</a>`,
		`<figure class="odd"><figcaption>`, `<svg class="spark panel"`, `aria-label="y of emea by date; the last value is 250, usual is 102 ± `, "y by model, each to its own scale;", `<rect class="band"`, `<path class="mark"`, "other code since 2026-11-08", `">cells that differ</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if _, _, summary := get(s, strings.TrimSuffix(path, "/nights")); !strings.Contains(summary, "Changed along the dates: files on 2026-11-10 for emea; code on 2026-11-08.") {
		t.Errorf("the summary does not say what changed:\n%s", summary)
	}
	_, _, twin := get(s, "/api/v1"+path)
	var v struct {
		Metrics []struct {
			Rows []struct {
				Series, Now, Last, Change, Unusual, Usual, Changed, Run string
				Before                                                  string `json:"run_before"`
			}
		}
	}
	must(t, json.Unmarshal([]byte(twin), &v))
	rows := v.Metrics[0].Rows
	if len(rows) != 3 || rows[0].Series != "emea" || rows[0].Now != "250" || !strings.HasPrefix(rows[0].Unusual, "expected 10") || rows[2].Series != "a<b" || rows[2].Now != "–" || rows[2].Unusual != "" {
		t.Errorf("%+v", rows)
	}
	if rows[0].Usual != strings.TrimSuffix(strings.TrimPrefix(rows[0].Unusual, "expected "), " from 12 earlier values") || rows[1].Usual == "" || rows[0].Changed != "other files since 2026-11-10" {
		t.Errorf("%+v", rows)
	}
	base := strings.TrimSuffix(path, "nights")
	question := "cells?run=" + rows[0].Before + "&run=" + rows[0].Run // the earlier is what tonight is held against
	if !strings.Contains(page, base+strings.ReplaceAll(question, "&", "&amp;")+`">cells that differ`) {
		t.Errorf("the page lacks %s:\n%s", question, page)
	}
	if code, _, body := get(s, base+question); code != http.StatusOK || !strings.Contains(body, "<td>"+rows[0].Last+" → 250 ") {
		t.Errorf("tonight against %s last night: %d %s", rows[0].Last, code, body)
	}
	for run, want := range map[string]string{rows[0].Run: "cells?run=" + rows[0].Before + "&amp;run=" + rows[0].Run, rows[0].Before: "&amp;run=" + rows[0].Before + "&amp;run=" + rows[0].Run} {
		_, _, body := get(s, base+"runs/"+run)
		if _, along, _ := strings.Cut(body, "<dt>model</dt>"); !strings.Contains(along, want+`" title="The cells that differ along model">`) {
			t.Errorf("the neighbours of %s do not follow their axis:\n%s", run, body)
		}
	}
	for query, want := range map[string]string{"?from=2026-11-11&to=2026-11-12": "Thu 2026-11-12 23:30 CET.", "?from=2026-11-05&to=2026-11-05": "Thu 2026-11-05 23:30 CET.", "?from=x&to=2026-11-05": "Catch", "?from=2026-11-11&to=2026-11-11": "everything was fired"} {
		code, _, body := get(s, base+"schedule"+query)
		if _, says, found := strings.Cut(body, `id="missing"`); code != http.StatusOK || found != !strings.Contains(query, "=x") || found && !strings.Contains(says, want) {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
	where := strings.TrimSuffix(path, "nights") + `runs?where=model%20%3D%3D%20%222026-11-12%22&all=1`
	if code, _, body := get(s, "/api/v1"+where); code != http.StatusOK || !strings.Contains(body, `"total": 3`) {
		t.Errorf("the runs of a day: %d %.300s", code, body)
	}
	other, _ := tides(t)
	code, _, page = get(other, "/s/"+idOf(t, other)+"/nights")
	if _, _, sweep := get(other, "/s/"+idOf(t, other)); code != http.StatusNotFound || strings.Contains(sweep, ">Nights<") {
		t.Errorf("a sweep without dates: %d %s", code, page)
	}
}

// A firing leads to the runs that began while it ran and to what it printed, which is text.
func TestFirings(t *testing.T) {
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "fired.sweep"))
	due := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	began := time.Now().Add(-time.Minute)
	made := makeSweepOf(t, st, "name: fired\ntemplate: t.ipynb\ngrid: {x: [1, 2, 3, 4]}\n", func(i int, run sweep.RunState) outcome.Outcome {
		if i == 3 {
			return outcome.Outcome{}
		}
		return outcome.Outcome{Status: outcome.Succeeded}
	})
	must(t, made.Lease().Release())
	r, err := firing.Begin(t.Context(), st, firing.Firing{Due: due, By: "a test", Began: began})
	must(t, err)
	r.Write([]byte("4 runs <b>bold</b>\x1b[31m\n"))
	must(t, r.Close(t.Context(), 0, ""))
	s := serverOf(t, Access{}, dir)
	base := "/s/" + idOf(t, s)
	_, _, page := get(s, base+"/schedule")
	link := base + "/firings/20260329T013000Z.1"
	if !strings.Contains(page, `href="`+link+`"`) || !strings.Contains(page, `data-refresh="15"`) {
		t.Errorf("the schedule does not lead to its firing:\n%s", page)
	}
	_, rest, _ := strings.Cut(page, `href="`+base+`/runs?where=`)
	where, rest, _ := strings.Cut(rest, `"`)
	if _, _, runs := get(s, "/api/v1"+base+"/runs?where="+html.UnescapeString(where)); !strings.HasPrefix(rest, ">3</a>") || !strings.Contains(runs, `"total": 3`) {
		t.Errorf("the runs of the firing are %.60s: %.300s", rest, runs)
	}
	code, _, page := get(s, link)
	if code != http.StatusOK || !strings.Contains(page, "4 runs &lt;b&gt;bold&lt;/b&gt;") || strings.Contains(page, "\x1b") || !strings.Contains(page, `>3 runs</a>`) || strings.Contains(page, "data-refresh") {
		t.Errorf("%d %s", code, page)
	}
	for _, other := range []string{"20260329T013000Z.2", "20260329T013000Z.01", "..%2Flock", "lock", "20260329T013000Z.1.end"} {
		if code, _, body := get(s, base+"/firings/"+other); code != http.StatusNotFound || strings.Contains(body, dir) {
			t.Errorf("%s: %d %s", other, code, body)
		}
	}
}
