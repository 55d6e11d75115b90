package serve

import (
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const stepsFile = `name: chain
steps:
  extract: {template: t.ipynb}
  report: {template: t.ipynb, needs: extract}
  world: {template: t.ipynb, needs: {report: 50%}, over: x}
grid:
  region: [apac, emea]
  x: [1, 2]
`

// The page of a sweep with steps has how each stands, and who blocks whom, and keeps
// it up to date.
func TestSteps(t *testing.T) {
	dir := t.TempDir()
	sw := makeSweepOf(t, store.Dir(filepath.Join(dir, "chain.sweep")), stepsFile, func(i int, _ sweep.RunState) outcome.Outcome {
		switch i {
		case 0, 1:
			return outcome.Outcome{Status: outcome.Succeeded}
		case 3:
			return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "KeyError", Evalue: "<b>x</b>", Reason: "cell 2 raised KeyError: <b>x</b>"}
		}
		return outcome.Outcome{}
	})
	s := serverOf(t, Access{}, dir)
	id := idOf(t, s)
	_, _, page := get(s, "/s/"+id)
	page = html.UnescapeString(page)
	for _, want := range []string{
		`<tr data-step="report"><th scope="row"><a href="/s/` + id + `/runs?where=run_step+%3D%3D+%22report%22">report</a></th><td>extract</td><td class="num">4</td>`,
		`<td>50% of report</td><td class="num">2</td>`,
		`<span data-bind="words">2 succeeded, 1 failed, 1 planned</span>`,
		`<span class="faint" data-bind="blocked">1 blocked by extract region=emea x=2: failed, KeyError</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Count(page, "blocked by") != 1 {
		t.Error("what half of its needs suffice for is not blocked")
	}
	_, _, twin := get(s, "/api/v1/s/"+id)
	var v struct {
		Steps []struct{ Step, BlockedBy string }
	}
	must(t, json.Unmarshal([]byte(strings.ReplaceAll(twin, "blocked_by", "BlockedBy")), &v))
	if list := `"templates":["t.ipynb"]`; !strings.Contains(strings.Join(strings.Fields(twin), ""), list) {
		t.Errorf("a notebook of several steps is not named once: %s", twin)
	}
	if len(v.Steps) != 3 || v.Steps[1].BlockedBy != "extract region=emea x=2: failed, KeyError" {
		t.Errorf("its twin: %+v", v)
	}

	tab, _ := openTab(t, browsertest.Chromium(t), listening(t, s)+"/s/"+id, "light")
	for _, st := range sw.Runs()[4:6] {
		endRun(t, sw, st, outcome.Outcome{Status: outcome.Succeeded})
	}
	must(t, sw.Lease().Release())
	for until := time.Now().Add(time.Minute); evaluated[string](t, tab, `document.querySelector('[data-step=report] [data-bind=words]').textContent`) != "2 succeeded, 2 planned"; {
		if time.Now().After(until) {
			t.Fatal("the page is not kept up to date")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := evaluated[int](t, tab, `document.querySelectorAll('[data-step=report] rect').length`); n != 2 {
		t.Errorf("its bar has %d parts", n)
	}
}

// Cells are compared within a step: the page offers the steps, and the axes that the
// runs of the chosen one differ in. A site has a page for each.
func TestStepsCells(t *testing.T) {
	dir := t.TempDir()
	where := filepath.Join(dir, "chain.sweep")
	sw := makeSweepOf(t, store.Dir(where), stepsFile, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{Status: outcome.Succeeded} })
	must(t, sw.Lease().Release())
	s := serverOf(t, Access{}, dir)
	id := idOf(t, s)
	for _, c := range []struct {
		query      string
		code, runs int
		want, not  string
	}{
		{"", 200, 0, "Each step has cells of its own: choose one of extract, report and world.", "between"},
		{"?by=x", 200, 0, "choose one of extract, report and world", "between"},
		{"?where=x+%3D%3D+1", 200, 0, "choose one of extract, report and world", "between"},
		{"?step=report", 200, 4, "<option selected>report</option>", "choose one of"},
		{"?step=report&by=region", 200, 4, "<option selected>region</option>", "choose one of"},
		{"?step=report&where=x+%3D%3D+1", 200, 2, "between 2 runs", "choose one of"},
		{"?step=world", 200, 2, "<option>x</option>", "<option>region</option>"},
		{"?step=world&by=regoin", 400, 0, "no axis", ""},
		{"?step=wrold", 200, 0, "The sweep has no step &#34;wrold&#34;.", "between"},
		{"?where=run_step+%3D%3D+%22world%22", 200, 2, "between 2 runs", "choose one of"},
	} {
		var v cellsView
		for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			_, _, twin := get(s, "/api/v1/s/"+id+"/cells"+c.query)
			v = cellsView{}
			must(t, json.Unmarshal([]byte(twin), &v))
			if !v.Pending || time.Now().After(until) {
				break
			}
		}
		code, _, page := get(s, "/s/"+id+"/cells"+c.query)
		if code != c.code || !strings.Contains(page, c.want) || c.not != "" && strings.Contains(page, c.not) {
			t.Errorf("cells%s is %d, and has %q, without %q: %s", c.query, code, c.want, c.not, page)
		}
		if runs := 0; c.runs > 0 {
			if v.Report != nil {
				runs = len(v.Report.Runs)
			}
			if runs != c.runs {
				t.Errorf("cells%s compares %d runs, want %d", c.query, runs, c.runs)
			}
		}
	}

	site := filepath.Join(t.TempDir(), "site")
	_, err := Publish(t.Context(), &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}, where, site, Pages{})
	must(t, err)
	for file, wants := range map[string][]string{
		"cells.html":                       {"choose one of extract, report and world", `<a href="cells-step-report.html">report</a>`},
		"cells-step-report.html":           {"between 4 runs", `<b>report</b>`, `<a href="cells-step-world.html">`, `<a href="cells-step-report-by-region.html">`},
		"cells-step-report-by-region.html": {"between 4 runs", `<b>region</b>`, `<a href="cells-step-report.html">everything</a>`},
	} {
		page, err := os.ReadFile(filepath.Join(site, file))
		must(t, err)
		for _, want := range wants {
			if !strings.Contains(string(page), want) {
				t.Errorf("%s lacks %s:\n%s", file, want, page)
			}
		}
	}
}
