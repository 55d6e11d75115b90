package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// A portal is a server in a process of its own, and who asks it.
type portal struct {
	t           *testing.T
	base, token string
	stop        func()
}

// serve serves a place; it ends with the test.
func (v *victim) serve(t *testing.T, where string) *portal {
	t.Helper()
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("XDG_STATE_HOME", cache)
	cmd, lines := v.start(t, "serve", where, "--listen", "127.0.0.1:0")
	stop := sync.OnceFunc(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	t.Cleanup(stop)
	base, token, ok := strings.Cut(strings.TrimSpace(<-lines), "/?token=")
	if !ok {
		t.Fatalf("serve prints %q", base)
	}
	return &portal{t, base, token, stop}
}

func (p *portal) get(ctx context.Context, path, since string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", p.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if since != "" {
		req.Header.Set("Last-Event-ID", since)
	}
	return http.DefaultClient.Do(req)
}

func (p *portal) read(path string) (status int, body string) {
	p.t.Helper()
	res, err := p.get(p.t.Context(), path, "")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
	return res.StatusCode, string(b)
}

// sweep is the path of the only sweep that is served, once it is found.
func (p *portal) sweep() string {
	p.t.Helper()
	body := ""
	for range 200 {
		var front struct{ Sweeps []struct{ ID string } }
		if _, body = p.read("/api/v1/"); json.Unmarshal([]byte(body), &front) == nil && len(front.Sweeps) == 1 {
			return "/s/" + front.Sweeps[0].ID
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("no sweep is served: %s", body)
	return ""
}

// A watcher is a client of a stream that comes again when it is cut off, as browsers do. It
// knows how many runs the last state of the sweep had in each status.
type watcher struct {
	mu     sync.Mutex
	counts map[string]int
	events int
	cuts   int
	sleep  time.Duration // after the first event it reads nothing for so long
}

// seen is the last state, and how many runs have ended in it.
func (w *watcher) seen() (counts map[string]int, ended int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for status, n := range w.counts {
		if outcome.Status(status).Ended() {
			ended += n
		}
	}
	return w.counts, ended
}

func (w *watcher) watch(ctx context.Context, p *portal, path string) {
	last := ""
	for ctx.Err() == nil {
		res, err := p.get(ctx, path, last)
		if err == nil {
			last = w.read(res.Body, last)
			res.Body.Close()
		}
		w.mu.Lock()
		w.cuts++
		w.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

func (w *watcher) read(stream io.Reader, last string) string {
	event := ""
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			last = text
		case "event":
			event = text
		case "data":
			if event == "sweep" {
				w.take(text)
			}
		}
	}
	return last
}

func (w *watcher) take(text string) {
	var state struct {
		Bar []struct {
			Status string
			N      int
		}
	}
	if json.Unmarshal([]byte(text), &state) != nil {
		return
	}
	counts := map[string]int{}
	for _, part := range state.Bar {
		counts[part.Status] = part.N
	}
	w.mu.Lock()
	w.counts = counts
	w.events++
	first := w.events == 1
	w.mu.Unlock()
	if first {
		time.Sleep(w.sleep)
	}
}

// statusOf is what status --json counts.
func (v *victim) statusOf(t *testing.T, where string) map[string]int {
	t.Helper()
	out, _ := v.ok(t, "status", where, "--json")
	var report struct{ Counts map[string]int }
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(report.Counts, func(_ string, n int) bool { return n == 0 })
	return report.Counts
}

// Fifty people watch a sweep that another process makes, in a folder and in a bucket. It is
// killed twice and goes on, and one of them does not read for a while. What each of them sees
// in the end is what status --json says, and watching what has ended costs a bucket next to
// nothing. FANOUT_TEST_LONG=1 has 10,000 runs, and one who sleeps
// for a minute.
func TestWatchedWhileKilled(t *testing.T) {
	runs, clients, sleep := 60, 50, 2*time.Second
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		runs, sleep = 10_000, time.Minute
	}
	t.Run("folder", func(t *testing.T) {
		v := newVictim(t, runs)
		watchedWhileKilled(t, v, filepath.Join(v.dir, "victim.sweep"), runs, clients, sleep, func() {})
		v.check(t, runs)
	})
	t.Run("bucket", func(t *testing.T) {
		bucket := storetest.S3(t)
		watchedWhileKilled(t, newVictim(t, runs), bucket.Where("team/victim.sweep"), runs, clients, sleep, func() {
			bucket.Requests() // counts from here
			time.Sleep(12 * time.Second)
			n := 0
			for _, count := range bucket.Requests() {
				n += count
			}
			t.Logf("%d requests while %d watch for 12 s what has ended", n, clients)
			if n > clients { // two looks, whoever watches
				t.Errorf("%d requests while %d watch what has ended", n, clients)
			}
		})
	})
}

func watchedWhileKilled(t *testing.T, v *victim, where string, runs, clients int, sleep time.Duration, ended func()) {
	start := func() *exec.Cmd {
		cmd := v.command("run", "--no-progress", "sweep.yaml", "-o", where)
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	cmd := start()
	for range 500 {
		if v.command("status", where).Run() == nil { // it is planned
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	p := v.serve(t, where)
	path := p.sweep() + "/events"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all []*watcher
	var group sync.WaitGroup
	for i := range clients {
		w := &watcher{}
		if i == 1 {
			w.sleep = sleep
		}
		all = append(all, w)
		group.Go(func() { w.watch(ctx, p, path) })
	}
	for _, share := range []int{5, 2} {
		for v.statusOf(t, where)["succeeded"] < runs/share {
			time.Sleep(sleep / 50)
		}
		cmd.Process.Kill()
		cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Errorf("it ended before it was killed: %s", cmd.ProcessState)
		}
		cmd = start()
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the sweep does not come to its end: %v", err)
	}
	want := v.statusOf(t, where)
	if want["succeeded"] != runs {
		t.Errorf("status says %v", want)
	}
	deadline := time.Now().Add(sleep + 30*time.Second)
	events, cuts := 0, 0
	for i, w := range all {
		for _, n := w.seen(); n < runs && time.Now().Before(deadline); _, n = w.seen() {
			time.Sleep(50 * time.Millisecond)
		}
		if counts, _ := w.seen(); !cmp.Equal(counts, want) {
			t.Errorf("client %d sees %v in the end, and status says %v", i, counts, want)
		}
		events, cuts = events+w.events, cuts+w.cuts
	}
	ended()
	stop()
	group.Wait()
	p.stop()
	t.Logf("%d clients of %d runs: %d events, cut off %d times", clients, runs, events, cuts)
}

// written asks the system to tell of every change beneath a folder, and returns what
// takes the changes so far.
func written(t *testing.T, root string) func() []string {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	const changes = syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MODIFY | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO | syscall.IN_ATTRIB | syscall.IN_CLOSE_WRITE
	folders := map[int32]string{}
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			var n int
			n, err = syscall.InotifyAddWatch(fd, path, changes)
			folders[int32(n)] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() (all []string) {
		b := make([]byte, 1<<20)
		n, err := syscall.Read(fd, b)
		if err == syscall.EAGAIN {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		for b = b[:n]; len(b) >= syscall.SizeofInotifyEvent; {
			folder, mask, size := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), int(binary.NativeEndian.Uint32(b[12:]))
			name, _, _ := strings.Cut(string(b[syscall.SizeofInotifyEvent:syscall.SizeofInotifyEvent+size]), "\x00")
			all = append(all, fmt.Sprintf("%s: %#x", filepath.Join(folders[folder], name), mask))
			b = b[syscall.SizeofInotifyEvent+size:]
		}
		return all
	}
}

// A server of a read-only folder shows every page of it, also live, and changes nothing:
// the system, which is asked by another process than the server, knows of no change.
func TestServeChangesNothing(t *testing.T) {
	v := newVictim(t, 3)
	v.ok(t, "run", "--no-progress", "sweep.yaml")
	root := filepath.Join(v.dir, "victim.sweep")
	var folders []string
	if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if err := os.Chmod(folder, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(folder, 0o777) })
	}
	changes := written(t, root)
	p := v.serve(t, root)
	at := p.sweep()
	var list struct{ Runs []struct{ ID string } }
	_, body := p.read("/api/v1" + at + "/runs")
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Runs) != 3 {
		t.Fatalf("%v: %s", err, body)
	}
	run := at + "/runs/" + list.Runs[0].ID
	within, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	w := &watcher{}
	w.watch(within, p, at+"/events")
	if counts, n := w.seen(); n != 3 {
		t.Errorf("a watcher sees %v", counts)
	}
	for _, path := range []string{"/", "/?q=victim", at, at + "/runs", at + "/runs?group=x", run, run + "/1", at + "/cells", at + "/cells?run=" + list.Runs[0].ID + "&run=" + list.Runs[1].ID, at + "/tables", at + "/tables/runs",
		at + "/runs.csv", at + "/runs.parquet", at + "/schedule", "/view/", "/api/contents/", "/api/v1" + at, "/metrics"} {
		if status, body := p.read(path); status != http.StatusOK {
			t.Errorf("%s: %d %.300s", path, status, body)
		}
	}
	if all := changes(); len(all) > 0 {
		t.Errorf("the folder was changed:\n%s", strings.Join(all, "\n"))
	}
	os.Chmod(root, 0o777)
	if all := changes(); len(all) == 0 {
		t.Error("the system does not tell of changes")
	}
}
