package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// asFanout makes this test binary the command.
const asFanout = "TEST_AS_FANOUT"

// victim is a sweep that is killed again and again.
type victim struct {
	dir  string
	mark string // in the environment of everything it starts
}

func newVictim(t *testing.T, runs int) *victim {
	t.Helper()
	v := &victim{dir: t.TempDir(), mark: fmt.Sprintf("TEST_MARK=%d-%d", os.Getpid(), time.Now().UnixNano())}
	ledger := filepath.Join(v.dir, "ledger")
	cells := []string{"x = 0", "append " + ledger + " begin $x", "sleep 5ms", "append " + ledger + " end $x", "scrap y $x"}
	spec := fmt.Sprintf("name: victim\ntemplate: t.ipynb\ngrid:\n  x: {range: {from: 1, to: %d}}\n", runs)
	for name, data := range map[string][]byte{"t.ipynb": notebookOf("fake", "python", cells), "sweep.yaml": []byte(spec), "ledger": nil} {
		if err := os.WriteFile(filepath.Join(v.dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := kerneltest.InstallSpec(filepath.Join(v.dir, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	return v
}

// run runs the command, killed in place of its n-th write if n > 0, and
// reports whether it was.
func (v *victim) run(t *testing.T, n int) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--no-progress", "sweep.yaml")
	cmd.Dir = v.dir
	cmd.Env = append(os.Environ(), asFanout+"=1", v.mark, "JUPYTER_PATH="+filepath.Join(v.dir, "jupyter"), "FANOUT_JOBS=2", killAt+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("kill at write %d: %v\n%s", n, err, out)
	}
	return false
}

// check demands that every run succeeded, once, that no two attempts of one
// run overlapped, and that nothing is left.
func (v *victim) check(t *testing.T, runs int) {
	t.Helper()
	v.checkAt(t, filepath.Join(v.dir, "victim.sweep"), runs)
}

// checkAt is check of a sweep that is kept elsewhere.
func (v *victim) checkAt(t *testing.T, where string, runs int) {
	t.Helper()
	s := openAt(t, where)
	states := s.Runs()
	if len(states) != runs {
		t.Errorf("%d runs, want %d", len(states), runs)
	}
	succeeded := successes(t, s.Store())
	for _, st := range states {
		if st.Status != outcome.Succeeded || st.Began != nil {
			t.Errorf("run %s is %s", st.Run.ID, st.Status)
		}
		if got, want := st.Scraps.Text("y"), st.Run.Params[0].Value.String(); got != want {
			t.Errorf("run %s recorded %s, want %s", st.Run.ID, got, want)
		}
		if n := succeeded[st.Run.ID]; n != 1 {
			t.Errorf("run %s succeeded %d times", st.Run.ID, n)
		}
	}
	v.checkLedger(t)
	v.checkProcesses(t)
}

// successes counts the attempts whose notebooks say they succeeded, by run.
func successes(t *testing.T, st store.Store) map[string]int {
	t.Helper()
	n := map[string]int{}
	for o, err := range st.List(context.Background(), "attempts/") {
		if err != nil {
			t.Fatal(err)
		}
		run, _, _ := strings.Cut(path.Base(o.Key), ".")
		if !strings.HasSuffix(o.Key, ".ipynb") || strings.HasSuffix(o.Key, ".part.ipynb") {
			continue
		}
		b, err := st.Get(context.Background(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Metadata struct {
				Fanout struct {
					Outcome outcome.Outcome `json:"outcome"`
				} `json:"fanout"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Errorf("%s: %v", o.Key, err)
		}
		if doc.Metadata.Fanout.Outcome.Status == outcome.Succeeded {
			n[run]++
		}
	}
	return n
}

// checkLedger looks for two attempts of one run that both went on: begin,
// begin, end, end.
func (v *victim) checkLedger(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(v.dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	for line := range strings.Lines(string(b)) {
		what, x, _ := strings.Cut(strings.TrimSpace(line), " ")
		if what == "end" && last[x] != "begin" {
			t.Errorf("run %s: an attempt ended while another went on:\n%s", x, b)
		}
		last[x] = what
	}
}

// checkProcesses looks in every process's environment for the mark.
func (v *victim) checkProcesses(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		left := marked(v.mark)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("processes %v are left", left)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func marked(mark string) (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(b), mark) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// TestKilledInTurn kills one sweep of forty runs at its first write, then at
// its second, and so on, the same command each time, until it is done.
func TestKilledInTurn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many processes")
	}
	const runs = 40
	v := newVictim(t, runs)
	v.killInTurn(t, 10, 500)
	v.check(t, runs)
}

// killInTurn kills the sweep at its first write, then at its second, and so on, the
// same command each time, until it is done: after this many kills at least and at most.
func (v *victim) killInTurn(t *testing.T, least, most int) {
	t.Helper()
	kills := 0
	for n := 1; v.run(t, n); n++ {
		if kills++; kills > most {
			t.Fatal("the sweep does not come to an end")
		}
	}
	if kills < least {
		t.Errorf("only %d kills", kills)
	}
}

// mostKills is how often a command is killed, at most, before it has to come to an end.
const mostKills = 60

// killUntilDone kills a command at its first write, then at another one step further,
// and so on, until it comes to an end; it is to be killed least times.
func (v *victim) killUntilDone(t *testing.T, step, least int, args ...string) {
	t.Helper()
	for kills := 0; ; kills++ {
		n := 1 + kills*step
		cmd := v.command(args...)
		cmd.Env = append(cmd.Env, killAt+"="+strconv.Itoa(n))
		out, err := cmd.CombinedOutput()
		if err == nil {
			if t.Logf("%d kills", kills); kills < least {
				t.Errorf("only %d kills", kills)
			}
			return
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL || kills == mostKills {
			t.Fatalf("kill at write %d: %v\n%s", n, err, out)
		}
	}
}

// TestKilledOnce kills a small sweep at each of its writes, once, and lets the
// same command finish it.
func TestKilledOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many processes")
	}
	const runs = 3
	for n := 1; ; n++ {
		v := newVictim(t, runs)
		if !v.run(t, n) {
			if n < 15 {
				t.Errorf("only %d writes", n-1)
			}
			return
		}
		v.run(t, 0)
		v.check(t, runs)
		if t.Failed() {
			t.Fatalf("after a kill at write %d", n)
		}
	}
}

// TestKilledGC kills gc at each of its writes up to the first that delete; the
// same command then finishes, and runs that are planned again are made anew.
func TestKilledGC(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many processes")
	}
	first := newVictim(t, 3)
	first.run(t, 0)
	first.respec(t, 1)
	first.run(t, 0)
	for n := 1; n <= 9; n++ {
		v := &victim{dir: t.TempDir(), mark: first.mark}
		if err := os.CopyFS(v.dir, os.DirFS(first.dir)); err != nil {
			t.Fatal(err)
		}
		if !v.gc(t, n) {
			t.Errorf("gc has only %d writes", n-1)
		}
		v.gc(t, 0)
		left, err := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "*", "*.ipynb"))
		if err != nil || len(left) != 3 { // one template, one attempt, one run
			t.Errorf("killed at write %d: %v are left, %v", n, left, err)
		}
		v.respec(t, 3)
		v.run(t, 0)
		for _, st := range openVictim(t, v).Runs() {
			if st.Status != outcome.Succeeded || st.BestOut == nil {
				t.Errorf("killed at write %d: run %s is %s", n, st.Run.ID, st.Status)
			}
			if _, err := os.Stat(filepath.Join(v.dir, "victim.sweep", sweep.RunKey(st.Run.ID))); err != nil {
				t.Errorf("killed at write %d: %v", n, err)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// respec changes how many runs the sweep file plans.
func (v *victim) respec(t *testing.T, runs int) {
	t.Helper()
	spec := fmt.Sprintf("name: victim\ntemplate: t.ipynb\ngrid:\n  x: {range: {from: 1, to: %d}}\n", runs)
	if err := os.WriteFile(filepath.Join(v.dir, "sweep.yaml"), []byte(spec), 0o666); err != nil {
		t.Fatal(err)
	}
}

// gc removes all leftovers, killed in place of its n-th write.
func (v *victim) gc(t *testing.T, n int) (killed bool) {
	t.Helper()
	cmd := v.command("gc", "victim.sweep", "--unplanned", "--attempts", "--plans", "--yes")
	cmd.Env = append(cmd.Env, killAt+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("gc killed at write %d: %v\n%s", n, err, out)
	}
	return err != nil
}
