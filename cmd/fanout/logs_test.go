package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// talker is a sweep whose runs speak, wait and speak again.
func talker(t *testing.T) *victim {
	t.Helper()
	v := newVictim(t, 2)
	cells := []string{"x = 0", "print one $x", "print draft\nsleep 2500ms\nclear\nprint two $x", "sleep 2500ms", "print three $x"}
	if err := os.WriteFile(filepath.Join(v.dir, "t.ipynb"), notebookOf("fake", "python", cells), 0o666); err != nil {
		t.Fatal(err)
	}
	return v
}

// start starts the command in the victim's folder and returns what it prints,
// line by line, and how it ends.
func (v *victim) start(t *testing.T, args ...string) (cmd *exec.Cmd, lines <-chan string) {
	t.Helper()
	cmd = v.command(args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 100)
	go func() {
		defer close(said)
		for s := bufio.NewScanner(out); s.Scan(); {
			said <- s.Text()
		}
	}()
	return cmd, said
}

// awaitPlan waits until the victim's sweep is planned.
func (v *victim) awaitPlan(t *testing.T) {
	t.Helper()
	for range 500 {
		if found, _ := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "plan", "*.json")); len(found) > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the sweep is not planned")
}

// TestLogsFollow follows a sweep from its first run to its end: what is
// printed comes while the runs are under way, and once.
func TestLogsFollow(t *testing.T) {
	v := talker(t)
	run, _ := v.start(t, "run", "--no-progress", "--no-canary", "sweep.yaml")
	v.awaitPlan(t)
	logs, said := v.start(t, "logs", "-f", "victim.sweep")
	seen := map[string]int{}
	for line := range said {
		seen[line]++
		if line == "x=1: one 1" && openVictim(t, v).Counts()[outcome.Succeeded] > 0 {
			t.Error("the first line came when runs had ended")
		}
	}
	if err := logs.Wait(); err != nil {
		t.Errorf("logs: %v", err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	want := map[string]int{}
	for _, x := range []string{"1", "2"} {
		for _, word := range []string{"one", "two", "three"} {
			want["x="+x+": "+word+" "+x] = 1
		}
		seen["x="+x+": draft"] = 0 // a clear may come before anybody saw it
		want["x="+x+": draft"] = 0
	}
	if d := cmp.Diff(want, seen); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestLogsStopped: Ctrl-C ends following cleanly; the death of the fanout that
// makes the runs ends it, too.
func TestLogsStopped(t *testing.T) {
	v := talker(t)
	run, _ := v.start(t, "run", "--no-progress", "--no-canary", "sweep.yaml")
	v.awaitPlan(t)
	all, said := v.start(t, "logs", "-f", "victim.sweep")
	other, _ := v.start(t, "logs", "-f", "victim.sweep")
	<-said
	other.Process.Signal(os.Interrupt)
	if other.Wait(); other.ProcessState.ExitCode() != 130 {
		t.Errorf("after Ctrl-C: exit code %d, want 130", other.ProcessState.ExitCode())
	}
	run.Process.Kill()
	run.Wait()
	for range said {
	}
	if err := all.Wait(); err != nil {
		t.Errorf("after the death of run: %v", err)
	}
}

// TestLogsOfWorkers follows runs that outlive the fanout that dispatched them.
func TestLogsOfWorkers(t *testing.T) {
	fakeCluster(t)
	v := talker(t)
	file := filepath.Join(v.dir, "sweep.yaml")
	spec := read(t, file) + "nomad: {command: " + workerBinary(t) + ", runs_per_job: 1}\n"
	if err := os.WriteFile(file, []byte(spec), 0o666); err != nil {
		t.Fatal(err)
	}
	run, _ := v.start(t, "run", "--on", "nomad", "--no-progress", "--no-canary", "sweep.yaml")
	v.awaitPlan(t)
	logs, said := v.start(t, "logs", "-f", "victim.sweep")
	seen := map[string]int{}
	for line := range said {
		if len(seen) == 0 {
			run.Process.Kill()
			run.Wait()
		}
		seen[line]++
	}
	if err := logs.Wait(); err != nil {
		t.Errorf("logs: %v", err)
	}
	if seen["x=1: one 1"] != 1 || seen["x=1: three 1"] != 1 {
		t.Errorf("%v", seen)
	}
}
