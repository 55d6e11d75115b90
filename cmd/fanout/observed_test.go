package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// fakeSweep is a sweep file in a folder of its own, whose cells the fake kernel
// executes.
func fakeSweep(t *testing.T, grid string, cells ...string) (file string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("JUPYTER_PATH", filepath.Join(dir, "jupyter"))
	if err := kerneltest.InstallSpec(filepath.Join(dir, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "sweep.yaml")
	for name, text := range map[string][]byte{
		"sweep.yaml": []byte("name: watched\ntemplate: t.ipynb\ngrid: " + grid + "\n"), "t.ipynb": notebookOf("fake", "python", cells),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// The environment is all it takes to have spans of runs, and values of parameters are
// not in them. A collector that is away is told of, and nothing else.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		io.Copy(&got, r.Body)
	}))
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	file := fakeSweep(t, "{x: [value-1, value-2]}", "x = ''", "print hello", "when $x value-2 error ValueError bad")
	code, _, stderr := fanout(t, "run", file)
	if code != exitIncomplete || strings.Contains(stderr, "traces") {
		t.Errorf("%d: %s", code, stderr)
	}
	mu.Lock()
	text := got.String()
	mu.Unlock()
	for _, want := range []string{"attempt 1", "start kernel", "cell 1", "cell 4", "fanout.parameters_digest", "watched", "exception"} {
		if !strings.Contains(text, want) {
			t.Errorf("the spans lack %s", want)
		}
	}
	if strings.Contains(text, "value-1") {
		t.Error("the value of a parameter is in the spans")
	}
	collector.Close()
	code, _, stderr = fanout(t, "rerun", "--failed", filepath.Join(filepath.Dir(file), "watched.sweep"))
	if code != exitIncomplete || strings.Count(stderr, "warning: traces: ") != 1 {
		t.Errorf("%d: %s", code, stderr)
	}
}

// panels are the queries of the dashboard, by title.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	code, text, _ := fanout(t, "dashboard")
	var d struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	all := map[string][]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all[p.Title] = append(all[p.Title], strings.NewReplacer("$__rate_interval", "20s", "$__range", "5m", "$sweep", ".*").Replace(q.Expr))
		}
	}
	return all
}

var series = regexp.MustCompile(`\b(fanout|process|go)_[a-z_]+`)

// exposed are the names of the series that a text of Prometheus's has.
func exposed(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)[{ ]`).FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

// The dashboard asks for every number that is exposed, and for no other; the document
// names them all.
func TestDashboard(t *testing.T) {
	file := fakeSweep(t, "{x: [1, 2]}", "x = 0", "when $x 2 error ValueError bad")
	numbers := filepath.Join(t.TempDir(), "x.prom")
	if code, _, stderr := fanout(t, "run", file, "--metrics", numbers); code != exitIncomplete {
		t.Fatal(code, stderr)
	}
	names := exposed(read(t, numbers))
	page, server, stop := served(t, filepath.Dir(file))
	scraped(t, page)
	for name := range exposed(scraped(t, server)) {
		names[name] = true
	}
	stop()
	asked := map[string]bool{}
	for title, queries := range panels(t) {
		for _, q := range queries {
			for _, name := range series.FindAllString(q, -1) {
				if asked[name] = true; !names[name] {
					t.Errorf("%s asks for %s, which nobody exposes", title, name)
				}
			}
		}
	}
	document := read(t, "../../docs/observing.md")
	for name := range names {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !strings.HasPrefix(name, "fanout_") {
			continue
		}
		if !asked[name] && !asked[base] && !asked[base+"_bucket"] {
			t.Errorf("the dashboard does not show %s", name)
		}
		if !strings.Contains(document, "`"+base+"`") {
			t.Errorf("docs/observing.md does not name %s", base)
		}
	}
}

// served is where a server of a folder has its pages and its numbers, until stop.
func served(t *testing.T, dir string) (page, metrics string, stop func()) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	out, says, done := newLines(), newLines(), make(chan struct{})
	c := &cli{stdin: strings.NewReader(""), stdout: unit.NewPrinter(out), stderr: unit.NewPrinter(says), openStore: store.Open}
	go func() {
		defer close(done)
		c.main(ctx, []string{"serve", dir, "--listen", "127.0.0.1:0", "--metrics", "0", "--auth", "none"})
	}()
	stop = func() { cancel(); <-done }
	metrics = says.after(t, "fanout: metrics at ")
	return "http://" + out.after(t, "http://"), metrics, stop
}

// lines are what a command prints, while it does.
type lines struct{ ch chan string }

func newLines() lines { return lines{make(chan string, 1000)} }

func (l lines) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		select {
		case l.ch <- strings.TrimSpace(line):
		default:
		}
	}
	return len(b), nil
}

// after waits for a line and returns what follows its beginning.
func (l lines) after(t *testing.T, beginning string) string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line := <-l.ch:
			if rest, found := strings.CutPrefix(line, beginning); found {
				return rest
			}
		case <-limit:
			t.Fatalf("nothing begins with %q", beginning)
		}
	}
}

func scraped(t *testing.T, at string) string {
	t.Helper()
	res, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return string(b)
}

// A real Prometheus scrapes a controller while it executes runs, and a server; each
// query of the dashboard has an answer.
func TestPrometheus(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not on the PATH: Debian's package prometheus has it")
	}
	file := fakeSweep(t, "{x: {range: {from: 1, to: 24}}}", "x = 0", "busy 20ms", "sleep 1s", "when $x 2 error ValueError bad")
	dir := filepath.Dir(file)
	page, server, stop := served(t, dir)
	defer stop()
	says := newLines()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	c := &cli{stdin: strings.NewReader(""), stdout: unit.NewPrinter(io.Discard), stderr: unit.NewPrinter(says), openStore: store.Open}
	go func() { ended <- c.main(ctx, []string{"run", file, "-j", "2", "--metrics", "0", "--no-canary"}) }()
	controller := says.after(t, "fanout: metrics at ")
	api := prometheus(t, program, controller, server)

	missing := map[string]error{}
	for begin := time.Now(); time.Since(begin) < 2*time.Minute; time.Sleep(500 * time.Millisecond) {
		scraped(t, page) // it has something to count, too
		missing = map[string]error{}
		for title, queries := range panels(t) {
			for _, q := range queries {
				if err := ask(api, q); err != nil {
					missing[title] = fmt.Errorf("%s: %w", q, err)
				}
			}
		}
		if len(missing) == 0 {
			break
		}
	}
	for title, err := range missing {
		t.Errorf("%s: %v", title, err)
	}
	cancel()
	<-ended
}

// prometheus starts a Prometheus that scrapes addresses every half second, and returns
// where it answers queries.
func prometheus(t *testing.T, program string, targets ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n- job_name: fanout\n  static_configs: [{targets: ["
	for _, target := range targets {
		text += strings.TrimSuffix(strings.TrimPrefix(target, "http://"), "/metrics") + ", "
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text+"]}]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=error")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	for range 600 {
		res, err := http.Get("http://" + at + "/-/ready")
		if err == nil {
			if res.Body.Close(); res.StatusCode == http.StatusOK {
				return "http://" + at
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("Prometheus does not become ready")
	return ""
}

// ask evaluates a query, which has to have an answer.
func ask(api, query string) error {
	res, err := http.Get(api + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var reply struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := json.NewDecoder(res.Body).Decode(&reply); err != nil {
		return err
	}
	if reply.Status != "success" || len(reply.Data.Result) == 0 {
		return fmt.Errorf("%s %s, %d series", reply.Status, reply.Error, len(reply.Data.Result))
	}
	return nil
}
