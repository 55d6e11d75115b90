package serve

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// cpu is how much of the processor this process has had.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var r syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// watchers are clients that read a stream until stop; events counts what they got, and
// they are all there when it returns.
func watchers(t *testing.T, address string, n int, events *atomic.Int64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var first, all sync.WaitGroup
	for range n {
		first.Add(1)
		all.Go(func() {
			there := sync.OnceFunc(first.Done)
			defer there()
			req, _ := http.NewRequestWithContext(ctx, "GET", address, nil)
			req.Header.Set("Authorization", "Bearer "+testToken)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			for lines := bufio.NewScanner(res.Body); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "data: ") {
					events.Add(1)
					there()
				}
			}
		})
	}
	first.Wait()
	return func() { cancel(); all.Wait() }
}

// Five hundred people watch one sweep while a run of it ends every second: each of them
// gets what happens. It prints how much of a core that takes, with the clients, which
// are in the same process, so that the server takes less. FANOUT_TEST_LONG=1 has five
// hundred of them for a minute; without it there are fifty, for two runs.
func TestManyWatchers(t *testing.T) {
	clients, steps := 50, 2
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		clients, steps = 500, 60
	}
	dir := t.TempDir()
	sw := makeSweep(t, store.Dir(filepath.Join(dir, "busy.sweep")), 2*steps, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{} })
	s := serverOf(t, Access{}, dir)
	var events atomic.Int64
	stop := watchers(t, listening(t, s)+"/s/"+idOf(t, s)+"/events", clients, &events)
	defer stop()
	before, began, used := events.Load(), time.Now(), cpu(t)
	for i, run := range sw.Runs()[:steps] {
		endRun(t, sw, run, outcome.Outcome{Status: outcome.Succeeded})
		for until := time.Now().Add(time.Minute); events.Load() < before+int64((i+1)*clients); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("after %d runs %d clients got %d events", i+1, clients, events.Load()-before)
			}
		}
		time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Second)))
	}
	took := time.Since(began)
	t.Logf("%d clients, %d events each in %s: %.1f%% of a core, clients and the writing of runs included", clients, (events.Load()-before)/int64(clients), took.Round(time.Second), 100*float64(cpu(t)-used)/float64(took))
}

// The table of many runs begins at once, and its page is small. FANOUT_TEST_LONG=1 has 10,000
// of them, and 100,000.
func TestTableOfManyRuns(t *testing.T) {
	sizes := []int{400}
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sizes = []int{10_000, 100_000}
	}
	for _, runs := range sizes {
		dir := t.TempDir()
		fillSweep(t, store.Dir(filepath.Join(dir, "large.sweep")), runs/2, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{Status: outcome.Succeeded} })
		s := serverOf(t, Access{}, dir)
		address := listening(t, s) + "/s/" + idOf(t, s) + "/runs"
		for i, query := range []string{"", "", "?sort=-y", "?where=x+%3E+100", "?group=region"} {
			began, used := time.Now(), cpu(t)
			req, err := http.NewRequestWithContext(t.Context(), "GET", address+query, nil)
			must(t, err)
			req.Header.Set("Authorization", "Bearer "+testToken)
			req.Header.Set("Accept-Encoding", "gzip") // as it comes, compressed
			res, err := http.DefaultClient.Do(req)
			must(t, err)
			body := bufio.NewReader(res.Body)
			_, err = body.Peek(1)
			must(t, err)
			took, spent := time.Since(began), cpu(t)-used
			size, err := io.Copy(io.Discard, body)
			must(t, err)
			res.Body.Close()
			if res.StatusCode != http.StatusOK || res.Header.Get("Content-Encoding") != "gzip" || size > 100_000 {
				t.Errorf("%q: %d, %d bytes, encoded as %q", query, res.StatusCode, size, res.Header.Get("Content-Encoding"))
			}
			t.Logf("%d runs, request %d, %q: first byte after %s, %s of CPU; %d kB", runs, i+1, query, took.Round(time.Millisecond), spent.Round(time.Millisecond), size/1000)
		}
	}
}
