package rights

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A right that is refused is named, and one whose request fails for another reason,
// as those about no job do, is not.
func TestLacks(t *testing.T) {
	var refused []string // methods and beginnings of paths
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Nomad-Token"); got != "a-token" || r.URL.Query().Get("namespace") != "n" || r.URL.Query().Get("region") != "eu" {
			t.Errorf("%s %s has the token %q", r.Method, r.URL, got)
		}
		for _, what := range refused {
			if strings.HasPrefix(r.Method+" "+r.URL.Path+" ", what) {
				http.Error(w, "Permission denied", http.StatusForbidden)
				return
			}
		}
		if r.Method == http.MethodGet && r.URL.Path == "/v1/jobs" {
			fmt.Fprint(w, "[]")
			return
		}
		http.Error(w, "job not found", http.StatusNotFound)
	}))
	defer s.Close()
	t.Setenv("NOMAD_ADDR", s.URL)
	t.Setenv("NOMAD_TOKEN", "another")
	if got := Lacks(t.Context(), "a-token", "eu", "n"); len(got) > 0 {
		t.Errorf("nothing is refused, and it lacks %v", got)
	}
	refused = []string{"PUT /v1/job/" + nothing + "/dispatch", "PUT /v1/jobs ", "GET /v1/job/"}
	if d := cmp.Diff([]string{"register-job", "dispatch-job", "read-job"}, Lacks(t.Context(), "a-token", "eu", "n")); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	refused = []string{"DELETE ", "GET /v1/jobs ", "PUT /v1/jobs/parse"}
	if d := cmp.Diff([]string{"parse-job", "deregister-job", "list-jobs"}, Lacks(t.Context(), "a-token", "eu", "n")); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
