package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Sweeps that share a machine execute no more runs at once than it may, though each of them
// has more jobs; both end, in turn, and a sweep whose process was killed holds up nobody.
func TestSharedMachine(t *testing.T) {
	dir := t.TempDir()
	if err := kerneltest.InstallSpec(filepath.Join(dir, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("t.ipynb", string(notebookOf("fake", "python", []string{"x = 0", "sleep 50ms"})))
	write("long.ipynb", string(notebookOf("fake", "python", []string{"x = 0", "sleep 100s"})))
	write("a.yaml", "template: t.ipynb\ngrid: {x: [1, 2, 3, 4, 5, 6]}\n")
	write("b.yaml", "template: t.ipynb\ngrid: {x: [1, 2, 3, 4, 5, 6]}\n")
	write("killed.yaml", "template: long.ipynb\ngrid: {x: [1]}\n")
	write("fanout.yaml", "machine_jobs: 1\njobs: 3\n")
	start := func(file string) *exec.Cmd {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "run", "--no-progress", "--no-canary", file)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asFanout+"=1", "JUPYTER_PATH="+filepath.Join(dir, "jupyter"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
		cmd.Stderr = new(strings.Builder)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	killed := start("killed.yaml")
	await(t, time.Minute, "a run that begins", func() bool { return len(begunIn(t, filepath.Join(dir, "killed.sweep"))) == 1 })
	commands := []*exec.Cmd{start("a.yaml"), start("b.yaml")}
	await(t, time.Minute, "three sweeps in line", func() bool {
		turns, err := filepath.Glob(filepath.Join(dir, "cache", "fanout", "turns", "*.turn"))
		return err == nil && len(turns) == 3
	})
	killed.Process.Kill()
	killed.Wait()
	var all []outcome.Outcome
	for i, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, cmd.Stderr)
		}
		for _, st := range begunIn(t, filepath.Join(dir, string(rune('a'+i))+".sweep")) {
			if st.Status != outcome.Succeeded {
				t.Errorf("run %s of %c: %s", st.Run.ID, 'a'+i, st.Status)
				continue
			}
			all = append(all, *st.Last)
		}
	}
	slices.SortFunc(all, func(a, b outcome.Outcome) int { return a.Start.Compare(b.Start) })
	for i := 1; i < len(all); i++ {
		if all[i].Start.Before(all[i-1].End) {
			t.Errorf("a run began %v before the one before it ended", all[i-1].End.Sub(all[i].Start))
		}
	}
	if len(all) != 12 {
		t.Errorf("%d runs ended", len(all))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cache", "fanout", "turns", "*.turn")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// begunIn are the runs of a sweep that began, the first first.
func begunIn(t *testing.T, dir string) (all []sweep.RunState) {
	t.Helper()
	s, err := sweep.Open(t.Context(), store.Dir(dir))
	if err != nil {
		return nil
	}
	for st := range s.All() {
		if st.Attempts > 0 {
			all = append(all, st)
		}
	}
	return all
}
