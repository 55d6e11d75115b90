package serve

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// manySweeps fills a folder with sweeps of a number of runs each. They are copies
// of a few, which share their objects: a server that reads them cannot tell.
func manySweeps(t testing.TB, root string, sweeps, runs int) {
	t.Helper()
	const kinds = 3
	var models []string
	for i := range kinds {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		fillSweep(t, store.Dir(dir), runs/2, func(n int, _ sweep.RunState) outcome.Outcome {
			if i == 1 && n%50 == 3 {
				return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "ValueError", Evalue: "bad tide", Reason: "cell 2 raised ValueError: bad tide"}
			}
			return outcome.Outcome{Status: outcome.Succeeded}
		})
		models = append(models, dir)
	}
	for i := range sweeps {
		copyLinked(t, models[i%kinds], filepath.Join(root, fmt.Sprintf("team-%d", i%20), fmt.Sprintf("tides-%04d.sweep", i)))
	}
}

// copyLinked copies what a reader of many sweeps reads; the notebooks of the runs
// are left out.
func copyLinked(t testing.TB, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		switch {
		case e.IsDir() && slices.Contains([]string{"attempts", "runs"}, rel):
			return fs.SkipDir
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		}
		return os.Link(path, filepath.Join(to, rel))
	}))
}

// The front page of many sweeps reads none of them again that it knows, and what it
// remembers may be deleted. FANOUT_TEST_LONG=1 prints how long 2,000 sweeps of
// 10,000 runs take.
func TestManySweeps(t *testing.T) {
	sweeps, runs := 12, 10
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps, runs = 2000, 10_000
	}
	root, cache := t.TempDir(), filepath.Join(t.TempDir(), "shelf.json.gz")
	manySweeps(t, root, sweeps, runs)
	debug.FreeOSMemory()
	start := func() *Server {
		a := &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}
		s, err := New(t.Context(), Config{App: a, Roots: []string{root}, Access: Access{Auth: None, Base: "/"}, Errors: func(text string) { t.Log(text) }, Cache: cache})
		must(t, err)
		return s
	}
	s := start()
	began := time.Now()
	listed, err := s.roots.Sweeps(t.Context())
	must(t, err)
	stop := watchMemory()
	for _, k := range s.shelf.ReadAll(t.Context(), listed.Sweeps) {
		if k.State == shelf.Unread || k.Tally.Runs != runs || k.Ended.IsZero() {
			t.Fatalf("%+v", k)
		}
	}
	t.Logf("%d sweeps of %d runs: read for the first time in %s, memory at most %d MB", sweeps, runs, time.Since(began).Round(time.Millisecond), stop()>>20)

	s = start() // another process
	for _, q := range []string{"", "", "failed:>0 tides-0004", "apac team-3", "state:failed bad"} {
		began, stop = time.Now(), watchMemory()
		code, _, body := get(s, "/?q="+url.QueryEscape(q))
		took := time.Since(began)
		if code != 200 || !strings.Contains(body, "tides-0") {
			t.Errorf("%q: %d %.2000s", q, code, body)
		}
		if strings.Contains(body, "still being read") && sweeps < 100 {
			t.Errorf("%q: sweeps are read again", q)
		}
		t.Logf("page of %q: %s, %d kB, memory at most %d MB", q, took.Round(100*time.Microsecond), len(body)>>10, stop()>>20)
		question, err := shelf.Parse(q)
		must(t, err)
		began = time.Now()
		found := s.shelf.Find(question, listed.Sweeps)
		t.Logf("search alone: %s, %d found", time.Since(began).Round(10*time.Microsecond), len(found.Sweeps))
	}
	must(t, os.WriteFile(cache, []byte("no archive"), 0o600))
	if _, _, body := get(start(), "/"); !strings.Contains(body, "tides-0") && !strings.Contains(body, "still being read") {
		t.Errorf("without what it remembers: %.2000s", body)
	}
}

// watchMemory returns what says how much memory Go had at most since.
func watchMemory() (most func() uint64) {
	quit, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var high uint64
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			high = max(high, m.Sys-m.HeapReleased)
			select {
			case <-quit:
				peak <- high
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(quit); return <-peak }
}
