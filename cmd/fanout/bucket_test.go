package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// ok runs the command and returns what it prints on each stream.
func (v *victim) ok(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := v.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil {
		t.Fatalf("fanout %s: %v\n%s%s", strings.Join(args, " "), e, out.String(), err.String())
	}
	return out.String(), err.String()
}

// table is the table of runs without what differs from time to time.
func (v *victim) table(t *testing.T, where string) []map[string]any {
	t.Helper()
	out, _ := v.ok(t, "collect", where, "--format", "json")
	return rowsOf(t, out)
}

// rowsOf reads a table of runs, without what differs from time to time.
func rowsOf(t *testing.T, out string) (rows []map[string]any) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		row := map[string]any{}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"run_started_at", "run_duration_s", "run_kernel_start_s", "run_cpu_s", "run_peak_rss_bytes", "run_load", "run_node"} {
			delete(row, name)
		}
		rows = append(rows, row)
	}
	return rows
}

func openAt(t *testing.T, where string) *sweep.Sweep {
	t.Helper()
	st, err := store.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sweep.Open(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSweepInBucket makes a sweep in a bucket as users do, with every verb, and
// demands the same tables as in a directory.
func TestSweepInBucket(t *testing.T) {
	server := storetest.S3(t)
	const runs = 8
	v := newVictim(t, runs)
	command := []string{"run", "--no-progress", "--as-of", "2026-01-02", "sweep.yaml"}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	where := server.Where("team a/victim")
	stdout, stderr := v.ok(t, append(command, "-o", where)...)
	if want := "s3://sweeps/team%20a/victim/summary.ipynb\n"; stdout != want {
		t.Errorf("run prints %q, want %q", stdout, want)
	}
	if !strings.Contains(stderr, "8 new") || !strings.Contains(stderr, "8 succeeded") {
		t.Errorf("run says:\n%s", stderr)
	}
	if _, stderr := v.ok(t, append(command, "-o", where)...); !strings.Contains(stderr, "8 kept") {
		t.Errorf("run again says:\n%s", stderr)
	}
	v.ok(t, command...)
	if d := cmp.Diff(v.table(t, "victim.sweep"), v.table(t, where)); d != "" {
		t.Errorf("tables (-directory +bucket):\n%s", d)
	}
	for _, verb := range [][]string{{"status"}, {"ls"}, {"compare"}, {"top", "--by", "y"}} {
		inDir, _ := v.ok(t, append([]string{verb[0], "victim.sweep"}, verb[1:]...)...)
		inBucket, _ := v.ok(t, append([]string{verb[0], where}, verb[1:]...)...)
		if d := cmp.Diff(withoutTimes(inDir, "victim.sweep"), withoutTimes(inBucket, where)); d != "" {
			t.Errorf("%s (-directory +bucket):\n%s", verb[0], d)
		}
	}
	st := openAt(t, where).Runs()[0]
	if out, _ := v.ok(t, "show", where, st.Run.ID); !strings.Contains(out, "s3://sweeps/team%20a/victim/attempts/"+st.Run.ID+".1.ipynb") {
		t.Errorf("show says:\n%s", out)
	}
	if out, _ := v.ok(t, "doctor", "-k", "fake", where); !strings.Contains(out, "ok    the store s3://") {
		t.Errorf("doctor says:\n%s", out)
	}
	for _, verb := range []string{"collect", "report"} {
		v.ok(t, verb, where)
	}
	v.ok(t, "rerun", where, st.Run.ID, "--no-progress")
	if out, _ := v.ok(t, "gc", where, "--attempts", "--plans", "--yes"); strings.Contains(out, "error") {
		t.Errorf("gc says:\n%s", out)
	}
	v.respec(t, runs-2)
	v.ok(t, append(command, "-o", where)...)
	v.ok(t, "gc", where, "--unplanned", "--yes")
	if n := len(openAt(t, where).Runs()); n != runs-2 {
		t.Errorf("%d runs are left", n)
	}
	v.ok(t, "collect", where, "--partition-by", "x", "-o", server.Where("tables"))
	v.ok(t, "collect", where, "--format", "csv", "-o", server.Where("files/runs.csv"))
	v.ok(t, "collect", where, "--format", "csv", "-o", "runs.csv")
	if _, err := os.Stat(filepath.Join(v.dir, "runs.csv")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "fanout*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	if stray, _ := filepath.Glob(filepath.Join(v.dir, "s3*")); len(stray) > 0 {
		t.Errorf("%v was made of a URL", stray)
	}
}

var duration = regexp.MustCompile(`\b\d+(\.\d+)? (ms|s)\b|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?`)

func withoutTimes(text, where string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "'"+where+"'", "SWEEP"), where, "SWEEP"), "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(duration.ReplaceAllString(line, "T")), " ")
	}
	return strings.Join(lines, "\n")
}

// Opening a finished sweep takes a handful of requests however many runs it has.
func TestFinishedSweepTakesFewRequests(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 40)
	where := server.Where("victim")
	v.ok(t, "run", "--no-progress", "sweep.yaml", "-o", where)
	made := total(server.Requests())
	if t.Logf("%.1f requests a run", float64(made)/40); made > 12*40 {
		t.Errorf("making 40 runs took %d requests", made)
	}
	openAt(t, where)
	n := total(server.Requests())
	t.Logf("%d requests to open", n)
	if n > 8 {
		t.Errorf("%d requests", n)
	}
	v.ok(t, "collect", where)
	if gets := server.Requests()["GET"]; gets > 20 {
		t.Errorf("collect takes %d GET requests for 40 runs", gets)
	}
}

func total(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// A store that is away for a while and refuses some requests does not disturb
// a sweep, only delays it.
func TestSweepAmongFaults(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 10)
	where := server.Where("victim")
	server.Refuse(0.1)
	cmd := v.command("run", "--no-progress", "sweep.yaml", "-o", where)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	server.Away(2 * time.Second)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	server.Refuse(0)
	v.checkStates(t, openAt(t, where), 10)
	v.checkLedger(t)
}

// checkStates demands that every run succeeded with its own scraps.
func (v *victim) checkStates(t *testing.T, s *sweep.Sweep, runs int) {
	t.Helper()
	states := s.Runs()
	if len(states) != runs {
		t.Errorf("%d runs, want %d", len(states), runs)
	}
	for _, st := range states {
		if st.Status != outcome.Succeeded || st.Scraps.Text("y") != st.Run.Params[0].Value.String() {
			t.Errorf("run %s is %s with %s", st.Run.ID, st.Status, st.Scraps.Text("y"))
		}
	}
}

// The controller of a sweep in a bucket is killed again and again; the same
// command goes on at once, because it runs where the dead one ran.
func TestKilledInBucket(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many processes")
	}
	server := storetest.S3(t)
	const runs = 12
	v := newVictim(t, runs)
	where := server.Where("victim")
	v.killUntilDone(t, 4, 5, "run", "--no-progress", "sweep.yaml", "-o", where)
	v.checkStates(t, openAt(t, where), runs)
	v.checkLedger(t)
	v.checkProcesses(t)
}

// Two fanouts on one sweep in a bucket: the second exits with 4 and says who
// has it.
func TestBucketIsHeld(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 40)
	where := server.Where("victim")
	first := v.command("run", "--no-progress", "sweep.yaml", "-o", where)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	waitForRuns(t, where)
	second := v.command("run", "--no-progress", "sweep.yaml", "-o", where)
	out, _ := second.CombinedOutput()
	want := fmt.Sprintf("held by a live fanout: process %d", first.Process.Pid)
	if code := second.ProcessState.ExitCode(); code != exitHeld || !strings.Contains(string(out), want) {
		t.Errorf("the second exits with %d:\n%s", code, out)
	}
	if out, _ := v.ok(t, "status", where); !strings.Contains(out, "is running") {
		t.Errorf("status says:\n%s", out)
	}
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	v.checkStates(t, openAt(t, where), 40)
}

func waitForRuns(t *testing.T, where string) {
	t.Helper()
	st, err := store.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		for range st.List(t.Context(), "runs/") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no run ends")
}

// A controller that another has superseded stops and exits with 4.
func TestSupersededControllerStops(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 400)
	v.slow(t, 500*time.Millisecond) // it looks at its lease each ten seconds, and is not to end before
	where := server.Where("victim")
	cmd := v.command("run", "--no-progress", "sweep.yaml", "-o", where)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForRuns(t, where)
	supersede(t, where)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		cmd.Process.Kill()
		<-done
		t.Fatal("it goes on")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitHeld || !strings.Contains(out.String(), "was taken over") {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
	v.checkProcesses(t)
}

// A worker on another machine shares nothing with the controller but the
// store.
func TestWorkerOnBucket(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 6)
	where := server.Where("victim")
	v.ok(t, "run", "--no-progress", "sweep.yaml", "-o", where, "--limit", "1")
	s := openAt(t, where)
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Lease().Release()
	var ids []string
	for _, st := range s.Runs() {
		if st.Status == outcome.Planned {
			ids = append(ids, st.Run.ID)
		}
	}
	if _, err := s.Lease().PutShard(t.Context(), sweep.Shard{ID: "1-1", Runs: ids}); err != nil {
		t.Fatal(err)
	}
	elsewhere := v.command("worker", where, "1-1")
	elsewhere.Dir = t.TempDir()
	var out bytes.Buffer
	elsewhere.Stdout, elsewhere.Stderr = &out, &out
	if err := elsewhere.Start(); err != nil {
		t.Fatal(err)
	}
	notes := 0
	absorb := func() {
		news, err := s.Stored("1-1").Absorb(t.Context())
		if err != nil {
			t.Error(err)
		}
		notes += len(news)
	}
	done := make(chan error, 1)
	go func() { done <- elsewhere.Wait() }()
	for running := true; running; {
		select {
		case err := <-done:
			if running = false; err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
		case <-time.After(20 * time.Millisecond):
		}
		absorb()
	}
	if notes != 10 { // five began, five ended
		t.Errorf("%d notes", notes)
	}
	v.checkStates(t, s, 6)
	v.checkStates(t, openAt(t, where), 6)
}

// The user's own report finds the tables as files, and is executed into the
// bucket. --open shows a copy.
func TestOwnReportInBucket(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 2)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	spec, err := os.ReadFile(filepath.Join(v.dir, "sweep.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"sweep.yaml": append(spec, "report: {template: mine.ipynb, after: true}\n"...),
		"mine.ipynb": notebookOf("fake", "python", []string{"results_dir = '.'\nruns_path = '.'\nsweep_name = ''\nas_of = ''", "print tables in $runs_path"}),
		"browser":    []byte("#!/bin/sh\ncp \"$1\" " + filepath.Join(v.dir, "opened.html") + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(v.dir, name), data, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	where := server.Where("victim")
	v.ok(t, "run", "--no-progress", "sweep.yaml", "-o", where)
	text, err := openAt(t, where).Store().Get(t.Context(), sweep.OwnReport)
	if err != nil || !strings.Contains(string(text), "tables in "+temp) {
		t.Errorf("the report: %v\n%s", err, text)
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "fanout-*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	t.Setenv("BROWSER", filepath.Join(v.dir, "browser"))
	v.ok(t, "report", where, "--open")
	if page, err := os.ReadFile(filepath.Join(v.dir, "opened.html")); err != nil || !bytes.Contains(page, []byte("<html")) {
		t.Errorf("the page: %v", err)
	}
}

// A sweep in a bucket knows its template beside the sweep file, and keeps what
// was accepted.
func TestRepairInBucket(t *testing.T) {
	server := storetest.S3(t)
	v := newVictim(t, 3)
	where := server.Where("victim")
	v.ok(t, "run", "--no-progress", "sweep.yaml", "-o", where)
	head, _ := openAt(t, where).Head()
	file := filepath.Join(v.dir, head.Templates[0].Path)
	if err := os.WriteFile(file, notebookOf("fake", "python", []string{"x = 0", "print fixed", "scrap y $x"}), 0o666); err != nil {
		t.Fatal(err)
	}
	one := openAt(t, where).Runs()[0].Run.ID
	out, _ := v.command("rerun", where, one).CombinedOutput()
	if !strings.Contains(string(out), "edited since victim was planned: "+head.Templates[0].Path) {
		t.Errorf("rerun says:\n%s", out)
	}
	v.ok(t, "rerun", where, one, "--update", "--no-progress")
	if out, _ := v.ok(t, "status", where); !strings.Contains(out, "3 succeeded (2 of them stale: code)") {
		t.Errorf("status says:\n%s", out)
	}
	v.ok(t, "accept", where, "--stale")
	if _, stderr := v.ok(t, "run", "sweep.yaml", "-o", where, "--dry-run"); !strings.Contains(stderr, "3 runs: 3 kept") {
		t.Errorf("after accept:\n%s", stderr)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, stderr := v.ok(t, "run", where); !strings.Contains(stderr, "3 kept") || !strings.Contains(stderr, "is no longer in ") {
		t.Errorf("without its template:\n%s", stderr)
	}
}

// Places that name no store are mistakes of the command line.
func TestOddPlaces(t *testing.T) {
	storetest.S3(t)
	v := newVictim(t, 1)
	for _, args := range [][]string{
		{"run", "sweep.yaml", "-o", "ftp://host/x"}, {"run", "sweep.yaml", "-o", "s3://"}, {"status", "s3://b/p?nonsense=1"},
		{"run", "sweep.yaml", "-o", "s3://key:hush@bucket/p"}, {"ls", "http://x/y"}, {"rerun", "ftp://x/y", "--failed"},
	} {
		cmd := v.command(args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(out), "hint: name a directory") || strings.Contains(string(out), "hush") {
			t.Errorf("%v exits with %d:\n%s", args, code, out)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(v.dir, "*:*")); len(left) > 0 {
		t.Errorf("%v was made", left)
	}
}
