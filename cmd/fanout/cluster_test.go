package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests do to a cluster what clusters do to themselves. They need a real
// agent.

// needAgent starts one that can be restarted.
func needAgent(t *testing.T) *agent {
	t.Helper()
	path, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH: what a node or an agent does cannot be shown")
	}
	for _, name := range []string{"NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_CACERT"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	a := startAgent(t, path, agentOptions{name: "test", lasting: true, ttl: "2s"})
	t.Setenv("NOMAD_ADDR", a.addr)
	t.Logf("on a real agent: %s", a.version)
	return a
}

// sweeping is a victim that is being made on a cluster.
type sweeping struct {
	*victim
	cmd *exec.Cmd
	out *strings.Builder
	end chan error
}

// sweepOn starts a sweep of so many runs, each of which takes that long.
func sweepOn(t *testing.T, runs int, each time.Duration, settings string, flags ...string) *sweeping {
	t.Helper()
	v, args := onNomad(t, runs)
	v.slow(t, each)
	if settings != "" {
		if err := os.WriteFile(filepath.Join(v.dir, "fanout.yaml"), []byte("nomad: "+settings+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := &sweeping{victim: v, cmd: v.command(append(args, flags...)...), out: &strings.Builder{}, end: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.end <- s.cmd.Wait() }()
	t.Cleanup(func() { s.cmd.Process.Kill() })
	return s
}

// slow makes every run take at least so long.
func (v *victim) slow(t *testing.T, each time.Duration) {
	t.Helper()
	ledger := filepath.Join(v.dir, "ledger")
	cells := []string{"x = 0", "append " + ledger + " begin $x", "sleep " + each.String(), "append " + ledger + " end $x", "scrap y $x"}
	if err := os.WriteFile(filepath.Join(v.dir, "t.ipynb"), notebookOf("fake", "python", cells), 0o666); err != nil {
		t.Fatal(err)
	}
}

// awaitLines waits until the ledger has so many lines.
func (v *victim) awaitLines(t *testing.T, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		b, err := os.ReadFile(filepath.Join(v.dir, "ledger"))
		if err == nil && strings.Count(string(b), "\n") >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the ledger does not get %d lines", n)
}

// finish waits for the end of the sweep and demands that all is well.
func (s *sweeping) finish(t *testing.T, runs int) {
	t.Helper()
	select {
	case err := <-s.end:
		if err != nil {
			t.Fatalf("%v\n%s", err, s.out)
		}
	case <-time.After(3 * time.Minute):
		t.Fatalf("the sweep does not end\n%s", s.out)
	}
	s.check(t, runs)
}

// TestAgentRestarted kills the agent while workers are at work, and starts it
// again: workers do not notice, and their controller waits.
func TestAgentRestarted(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, 40, 200*time.Millisecond, "")
	s.awaitLines(t, 12)
	a.kill()
	time.Sleep(2 * time.Second)
	a.start(t)
	s.finish(t, 40)
}

// TestNodeDrained drains the only node: workers write down how far they came,
// and what they leave is made when there is a node again.
func TestNodeDrained(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, 40, 200*time.Millisecond, "")
	s.awaitLines(t, 12)
	if out, err := a.run("node", "drain", "-enable", "-yes", "-detach", "-deadline", "2s", a.node()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	time.Sleep(5 * time.Second)
	if out, err := a.run("node", "drain", "-disable", "-yes", a.node()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.finish(t, 40)
}

// TestCollectedByNomad collects garbage all the time: jobs are gone before the
// controller has looked at them.
func TestCollectedByNomad(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, 60, 20*time.Millisecond, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			a.run("system", "gc")
		}
	}()
	s.finish(t, 60)
}

// workers are the processes on the agent's node that make shards.
func (a *agent) workers() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		words, _ := os.ReadFile(file)
		if strings.Contains(string(words), "\x00worker\x00--payload\x00"+a.dir) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, n)
		}
	}
	return pids
}

// TestNodeLost kills the agent and everything on its node, and brings it back
// after its shards have been declared lost.
func TestNodeLost(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, 40, 200*time.Millisecond, "{lost_after: 4s}", "--retries", "2")
	s.awaitLines(t, 12)
	a.kill()
	for _, pid := range a.workers() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	time.Sleep(8 * time.Second)
	a.start(t)
	s.finish(t, 40)
}

// TestWorkerFrozen stops a worker, with its node away, until it has been
// declared lost and its runs are made elsewhere; then it lives on: what it has
// comes too late, and it begins nothing more.
func TestWorkerFrozen(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, 30, 100*time.Millisecond, "{lost_after: 4s}", "--retries", "2")
	s.awaitLines(t, 12)
	frozen := a.workers()
	if len(frozen) == 0 {
		t.Fatal("no worker is at work")
	}
	a.kill()
	for _, pid := range frozen {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	defer func() {
		for _, pid := range frozen {
			syscall.Kill(pid, syscall.SIGCONT)
		}
	}()
	time.Sleep(8 * time.Second)
	a.start(t)
	s.awaitLost(t)
	for _, pid := range frozen {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	s.finish(t, 30)
}

// awaitLost waits until a run has been declared lost.
func (v *victim) awaitLost(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		for _, st := range openVictim(t, v).Runs() {
			if st.Last != nil && st.Last.Status == "lost" {
				return
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("nothing is declared lost")
}
