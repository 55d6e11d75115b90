package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// scrape is what Prometheus is told.
func scrape(t *testing.T, s *Set) string {
	t.Helper()
	res := httptest.NewRecorder()
	s.Handler().ServeHTTP(res, httptest.NewRequest("GET", "/metrics", nil))
	if res.Code != http.StatusOK {
		t.Fatalf("%d: %s", res.Code, res.Body)
	}
	return res.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains("\n"+text, "\n"+want+"\n") {
			t.Errorf("there is no line %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// What becomes of the runs of a sweep is counted, by the names and labels that
// Prometheus wants.
func TestRuns(t *testing.T) {
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 3, fantest.Succeed)
	var ids []string
	for _, st := range s.Runs() {
		ids = append(ids, st.Run.ID)
	}
	set := New("run", Build{"1.2", "abc", "go"}, Place{})
	r := set.Runs(s, true)
	wantLines(t, scrape(t, set), `fanout_runs{role="run",status="planned",step="",sweep="`+s.Name()+`"} 3`,
		`fanout_attempts_total{reason="exception",role="run",status="failed",step="",sweep="`+s.Name()+`"} 0`,
		`fanout_attempts_total{reason="",role="run",status="succeeded",step="",sweep="`+s.Name()+`"} 0`)
	fake := &fantest.Fake{Sweep: s, Limit: fan.Limits{PerShard: 1}, Deed: func(run sweep.Run, _ int, d fantest.Deed) fantest.Deed {
		if run.ID == ids[1] {
			return fantest.Raise
		}
		return d
	}}
	if _, err := fan.Fan(t.Context(), s, fake, fan.Options{Runs: ids, Jobs: 1, Note: r.Note, Queue: r.Queue}); err != nil {
		t.Fatal(err)
	}
	set.Request(store.Request{Operation: "put", Took: time.Second, Sent: 7, Again: true})
	labels := `role="run"`
	text := scrape(t, set)
	wantLines(t, text,
		`fanout_runs{role="run",status="succeeded",step="",sweep="`+s.Name()+`"} 2`,
		`fanout_runs{role="run",status="failed",step="",sweep="`+s.Name()+`"} 1`,
		`fanout_runs{role="run",status="planned",step="",sweep="`+s.Name()+`"} 0`,
		`fanout_runs_waiting{reason="turn",role="run",sweep="`+s.Name()+`"} 0`,
		`fanout_attempts_total{reason="exception",role="run",status="failed",step="",sweep="`+s.Name()+`"} 1`,
		`fanout_attempts_total{reason="",role="run",status="succeeded",step="",sweep="`+s.Name()+`"} 2`,
		`fanout_attempt_duration_seconds_count{role="run",status="failed",step="",sweep="`+s.Name()+`"} 1`,
		`fanout_lease_term{role="run",sweep="`+s.Name()+`"} 1`,
		`fanout_build_info{commit="abc",goversion="go",role="run",version="1.2"} 1`,
		`fanout_store_requests_total{operation="put",`+labels+`} 1`,
		`fanout_store_retries_total{operation="put",`+labels+`} 1`,
		`fanout_store_retries_total{operation="get",`+labels+`} 0`,
		`fanout_store_written_bytes_total{operation="put",`+labels+`} 7`,
	)
	for _, id := range ids {
		if strings.Contains(text, id) {
			t.Errorf("the run %s is a label", id)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "fanout_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// What a log says of an attempt may be anybody's: it makes no label.
func TestHostile(t *testing.T) {
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 1, fantest.Succeed)
	set := New("worker", Build{Version: "\xff\n" + strings.Repeat("v", 1000)}, Place{})
	r := set.Runs(s, false)
	r.Note(sweep.Note{Kind: sweep.NoteEnded, Run: "none", Outcome: &outcome.Outcome{Status: "evil", Kind: "worse", Kernel: "worst", KernelStart: 1, CPU: -5}})
	text := scrape(t, set)
	wantLines(t, text, `fanout_attempts_total{reason="",role="worker",status="implausible",step="",sweep="`+s.Name()+`"} 1`,
		`fanout_kernel_starts_total{role="worker",start="other",step="",sweep="`+s.Name()+`"} 1`)
	if strings.Contains(text, "evil") || strings.Contains(text, "worse") || strings.Contains(text, strings.Repeat("v", maxLabel)) || strings.Contains(text, "fanout_runs{") {
		t.Error(text)
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]Place{
		"9464": {address: "127.0.0.1:9464"}, ":9464": {address: "127.0.0.1:9464"}, "0.0.0.0:9464": {address: "0.0.0.0:9464"},
		"[::1]:1": {address: "[::1]:1"}, "host:0": {address: "host:0"}, "dir/x.prom": {file: "dir/x.prom"},
	} {
		if got, err := ParsePlace(text); got != want || err != nil {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "host", "a:b:c", "host:99999", "-1", "file.txt", ":"} {
		if got, err := ParsePlace(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// An address answers until it is closed, to nothing but a scrape.
func TestListen(t *testing.T) {
	set := New("run", Build{}, Place{})
	e, err := set.Expose(Place{address: "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"": 200, "/../x": 404} {
		res, err := http.Get(e.Where + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.Body.Close(); res.StatusCode != want || want == 200 && !strings.Contains(string(body), "process_cpu_seconds_total") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(e.Where); err == nil {
		t.Error("it answers after it was closed")
	}
}

// A file has the last numbers at the end, is a label, and leaves nothing beside it.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	place, _ := ParsePlace(filepath.Join(dir, "night.prom"))
	set := New("run", Build{}, place)
	e, err := set.Expose(place, nil)
	if err != nil {
		t.Fatal(err)
	}
	set.Request(store.Request{Operation: "get"})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "night.prom"))
	wantLines(t, string(text), `fanout_store_requests_total{file="night",operation="get",role="run"} 1`)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || err != nil || strings.Contains(string(text), "process_cpu") {
		t.Errorf("%v, %v:\n%s", entries, err, text)
	}
	if _, err := set.Expose(Place{file: filepath.Join(dir, "none", "x.prom")}, nil); err == nil {
		t.Error("a folder that is not there is none to write to")
	}
}
