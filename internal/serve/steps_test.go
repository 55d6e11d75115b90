package serve

import (
	"encoding/json"
	"html"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
