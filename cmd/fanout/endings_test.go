package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// ending is a notebook that ends in the way its parameter says.
var ending = []string{
	"how = 'well'",
	`import os, subprocess, sys, time
if how == "large": print("x" * 20_000_000)
if how == "endless": time.sleep(600)
if how == "deaf":
    import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)
if how == "crash":
    import ctypes; ctypes.string_at(0)
if how == "killed": os.kill(os.getpid(), 9)
if how == "exit 0": sys.exit(0)
if how == "exit 3": sys.exit(3)
if how == "asks": input("well?")
if how == "magic": get_ipython().run_cell_magic("bash", "", "exit 1")
if how == "hungry": b = [bytearray(50_000_000) for _ in range(40)]; time.sleep(60)
if how == "strays": subprocess.Popen(["sleep", "600"], start_new_session=True)
if how == "raises": raise KeyError("no")`,
}

// Each row says exactly what happened, on a real kernel, and nothing is left.
func TestEveryEnding(t *testing.T) { everyEnding(t) }

// It says the same where a cluster executed it: limits of time and memory hold there, too.
func TestEveryEndingOnNomad(t *testing.T) {
	deep(t)
	needAgent(t)
	everyEnding(t, "--on", "nomad")
}

func everyEnding(t *testing.T, on ...string) {
	interpreter := kerneltest.Python(t)
	dir := t.TempDir()
	want := map[string]string{
		"well": "succeeded", "naïve \" ' \\ 漢字 😀": "succeeded", "large": "succeeded", "strays": "succeeded", "exit 0": "succeeded early_exit",
		"raises": "failed exception KeyError", "exit 3": "failed exception SystemExit", "magic": "failed exception CalledProcessError",
		"crash": "failed kernel_died", "killed": "failed kernel_died", "asks": "failed input_asked StdinNotImplementedError", "hungry": "failed out_of_memory",
		"endless": "timed_out run_timeout", "deaf": "timed_out run_timeout",
	}
	var values []string
	for how := range want {
		values = append(values, fmt.Sprintf("%q", how))
	}
	spec := fmt.Sprintf("name: endings\ntemplate: t.ipynb\npython: %s\ntimeout: 12s\nresources: {memory: 800MB}\ngrid:\n  how: [%s]\n", interpreter, strings.Join(values, ", "))
	mark := fmt.Sprintf("TEST_ENDINGS_%d", os.Getpid())
	t.Setenv(mark, "1")
	for name, data := range map[string][]byte{"t.ipynb": notebookOf("python3", "python", ending), "sweep.yaml": []byte(spec)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	code, _, stderr := fanout(t, append([]string{"run", "--no-progress", "--no-canary", filepath.Join(dir, "sweep.yaml")}, on...)...)
	if code != exitIncomplete {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	s, err := sweep.Open(t.Context(), store.Dir(filepath.Join(dir, "endings.sweep")))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, st := range s.Runs() {
		got[st.Run.Params[0].Value.Any().(string)] = strings.TrimSpace(strings.Join([]string{string(st.Last.Status), string(st.Last.Kind), st.Last.Ename}, " "))
	}
	got["exit 0"] = strings.TrimSuffix(got["exit 0"], " SystemExit")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, pid := range marked(mark) {
		if name, _ := os.ReadFile("/proc/" + pid + "/comm"); strings.HasPrefix(string(name), "sleep") || strings.HasPrefix(string(name), "python") {
			t.Errorf("process %s (%s) is left", pid, strings.TrimSpace(string(name)))
		}
	}
	checkSweepFiles(t, filepath.Join(dir, "endings.sweep"))
}

// checkSweepFiles demands that every notebook of a sweep is whole.
func checkSweepFiles(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ipynb"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d notebooks, %v", len(files), err)
	}
	for _, file := range files {
		if strings.Contains(file, ".part.") {
			t.Errorf("%s is left", file)
		}
	}
}
