package serve

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
)

// The page of a sweep that grows by its dates leads with the last one, and what the summary
// says in sections is to be opened.
func TestLastNight(t *testing.T) {
	dir := t.TempDir()
	nightly(t, store.Dir(filepath.Join(dir, "nightly.sweep")))
	s := serverOf(t, Access{}, dir)
	base := "/s/" + idOf(t, s)
	_, page := settled(s, base)
	_, after, found := strings.Cut(page, "<h2>Last night: model 2026-11-12</h2>")
	lead, _, _ := strings.Cut(after, "</section>")
	if !found || strings.Index(page, "Last night:") > strings.Index(page, `aria-label="Verdict"`) {
		t.Fatalf("the last night does not lead:\n%s", page)
	}
	for _, want := range []string{
		`>3 runs</a>: 2 succeeded, 1 failed.`, `<a href="` + base + `/nights">Nights</a>`, `<th scope="row">y of emea</th><td class="num"><b>250</b></td>`, `<td class="num">102 ± `,
		`class="st failed">a&lt;b</a>`, `class="st succeeded">apac</a>`,
	} {
		if !strings.Contains(lead, want) {
			t.Errorf("the last night lacks %q:\n%s", want, lead)
		}
	}
	folds := regexp.MustCompile(`<details class="fold"><summary><h2 id="[^"]+">[^<]+</h2></summary>`).FindAllString(page, -1)
	if sections := strings.Count(page, `<h2 id="`); len(folds) != sections || sections < 4 {
		t.Errorf("%d of %d sections are folded", len(folds), sections)
	}
	if _, _, twin := get(s, "/api/v1"+base); !strings.Contains(twin, `"last_night": {`) || !strings.Contains(twin, `"series": "emea"`) {
		t.Errorf("the twin does not say how last night went: %s", twin)
	}
	other, _ := tides(t)
	if _, page := settled(other, "/s/"+idOf(t, other)); strings.Contains(page, "Last night") || strings.Contains(page, "fold") {
		t.Errorf("a sweep without dates has a last night:\n%s", page)
	}
}

// A sweep without a schedule leads to the form of its own sweep file, opened where it is
// scheduled.
func TestScheduleIsFound(t *testing.T) {
	p := newPortal(t, Access{}, true)
	id := idOf(t, p.Server)
	ask := func(path string) string {
		_, _, page := get(p, path, func(r *http.Request) { bearer(r) })
		return page
	}
	if page := ask("/s/" + id); strings.Contains(page, "Schedule…") {
		t.Errorf("a sweep that no file describes leads to one:\n%s", page)
	}
	must(t, os.WriteFile(filepath.Join(p.dir, "water.yaml"), []byte("name: 'tides' # of the sea\ntemplate: t.ipynb\ngrid: {x: [1, 2]}\n"), 0o666))
	p.roots.Changed()
	link := regexp.MustCompile(`href="(/launch/[a-z2-7]{16})\?schedule=1#when"`)
	for _, path := range []string{"/s/" + id, "/s/" + id + "/schedule"} {
		found := link.FindStringSubmatch(ask(path))
		if found == nil {
			t.Fatalf("%s does not lead to the form:\n%s", path, ask(path))
		}
		if form := ask(found[1] + "?schedule=1"); !strings.Contains(form, "<h1>water.yaml</h1>") || !strings.Contains(form, `id="when" open>`) {
			t.Errorf("the form is not that of the sweep file, opened:\n%s", form)
		}
	}
	must(t, schedule.Schedule{Crons: []string{"0 4 * * *"}, Zone: "UTC"}.Put(t.Context(), p.store(t)))
	if page := ask("/s/" + id); link.MatchString(page) {
		t.Errorf("a sweep that is scheduled is to be scheduled:\n%s", page)
	}
}
