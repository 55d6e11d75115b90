package serve

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// pagesOf are the paths of all pages about a sweep.
func pagesOf(id, run string) []string {
	s := "/s/" + id
	return []string{"/", "/?q=tides", s, s + "/runs", s + "/runs?group=region", s + "/runs/" + run, s + "/runs/" + run + "/1", s + "/cells",
		s + "/schedule", s + "/tables", s + "/tables/runs", s + "/runs.csv", s + "/runs.parquet", s + "/files/runs/" + run + ".ipynb", "/view/", "/api/contents/"}
}

// settled is the answer of a page once it says no more that something is being
// computed.
func settled(s *Server, path string) (code int, body string) {
	for range 200 {
		if code, _, body = get(s, path); !strings.Contains(body, "data-reload") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return code, body
}

// With credentials that may read a bucket and write nothing, every page works, and none
// so much as tries to write.
func TestReadOnlyBucket(t *testing.T) {
	bucket := storetest.S3(t)
	st, err := store.Open(t.Context(), bucket.Where("all/tides.sweep"))
	must(t, err)
	sw := makeSweep(t, st, 3, mixed(3))
	must(t, sw.Lease().Release())
	collected(t, st)
	bucket.ReadOnly()
	bucket.Requests()
	s := serverOf(t, Access{}, bucket.Where("all"))
	for _, path := range pagesOf(idOf(t, s), firstRun(t, s)) {
		for _, at := range []string{path, "/api/v1" + path} {
			if code, body := settled(s, at); code >= 500 || at == path && code >= 400 {
				t.Errorf("%s: %d %.300s", at, code, body)
			}
		}
	}
	for method, n := range bucket.Requests() {
		if method != http.MethodGet && method != http.MethodHead {
			t.Errorf("%d requests of %s", n, method)
		}
	}
}

// Of a sweep of another format every page says so, and one whose tables are of an
// earlier format has all its pages.
func TestOlderFormats(t *testing.T) {
	s, dir := tides(t)
	id, run := idOf(t, s), firstRun(t, s)
	results := filepath.Join(dir, "tides.sweep", "results")
	must(t, os.WriteFile(filepath.Join(results, "scraps.parquet"), []byte("PAR1 of another program"), 0o666))
	must(t, os.WriteFile(filepath.Join(results, "runs.arrow"), []byte("an older table"), 0o666))
	must(t, os.MkdirAll(filepath.Join(results, "frames", "old"), 0o777))
	for _, path := range pagesOf(id, run) {
		if code, body := settled(s, path); code >= 400 {
			t.Errorf("with older results, %s: %d %.300s", path, code, body)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "tides.sweep", "FORMAT"), []byte(`{"format":"fanout-sweep","version":99,"name":"tides"}`), 0o666))
	s = serverOf(t, Access{}, dir)
	for _, path := range pagesOf(id, run) {
		code, body := settled(s, path)
		if code >= 500 {
			t.Errorf("of another format, %s: %d %.300s", path, code, body)
		}
		if strings.HasPrefix(path, "/s/") && !strings.Contains(path, "/files/") && !strings.HasSuffix(path, "/schedule") && (code < 400 || !strings.Contains(body, "format")) {
			t.Errorf("of another format, %s does not say so: %d %.600s", path, code, body)
		}
	}
}
