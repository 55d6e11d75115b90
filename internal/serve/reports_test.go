package serve

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// The reports that a sweep file asks for are linked from every list of runs, and shown: as
// documents of no origin, because the folder may be somebody else's.
func TestReports(t *testing.T) {
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "told.sweep"))
	made := makeSweepOf(t, st, "name: told\ntemplate: t.ipynb\ngrid: {x: [1, 2, 3]}\nhtml: {code: false, name: \"of {x}.html\"}\n", func(i int, run sweep.RunState) outcome.Outcome {
		if i == 2 {
			return outcome.Outcome{}
		}
		return outcome.Outcome{Status: outcome.Succeeded}
	})
	must(t, made.Lease().Release())
	hostile := []byte("<!doctype html><script>fetch('/api/v1/')</script>")
	for _, name := range []string{"of 1.html", "of 2.html", "index.html", "x.svg"} {
		must(t, st.Put(t.Context(), "pages/"+name, hostile, store.Cached))
	}
	s := serverOf(t, Access{}, dir)
	id := idOf(t, s)
	address := "/s/" + id + "/files/pages/of%201.html"
	for _, path := range []string{"/s/" + id + "/runs?sort=x", "/s/" + id + "/runs/" + firstRun(t, s)} {
		_, _, page := get(s, path)
		if !strings.Contains(page, "/s/"+id+"/files/pages/of%20") {
			t.Errorf("%s leads to no report", path)
		}
		if strings.Contains(page, "of%203.html") {
			t.Errorf("%s leads to the report of a run that has none", path)
		}
	}
	for path, policy := range map[string]string{address: render.PagePolicy(), address + "?download=1": "sandbox; ", "/s/" + id + "/files/pages/x.svg": "sandbox; ", "/files/told.sweep/pages/of%201.html": "sandbox; "} {
		code, h, _ := get(s, path)
		shown := policy == render.PagePolicy()
		if code != http.StatusOK || !strings.HasPrefix(h.Get("Content-Security-Policy"), policy) || (h.Get("Content-Disposition") == "") != shown || shown && h.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %v", path, code, h)
		}
	}
	if p := render.PagePolicy(); !strings.HasPrefix(p, "sandbox allow-scripts; default-src 'none'; ") || strings.Contains(p, "allow-same-origin") || !strings.Contains(p, "connect-src 'none'") {
		t.Errorf("reports may do %s", p)
	}
	for path, to := range map[string]string{"/view/told.sweep/pages/of%201.html": address, "/s/" + id + "/files/pages/index.html": "/s/" + id + "/runs"} {
		if code, h, _ := get(s, path); code != http.StatusSeeOther || h.Get("Location") != to {
			t.Errorf("%s: %d %v", path, code, h.Get("Location"))
		}
	}
}
