package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// fanout runs the command in this process and returns its code and words.
func fanout(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	c := &cli{stdin: strings.NewReader(""), stdout: unit.NewPrinter(&out), stderr: unit.NewPrinter(&err), openStore: store.Open}
	code = c.main(t.Context(), args)
	return code, out.String(), err.String()
}

var pythonKey = regexp.MustCompile(`(?m)^python:.*$`)

// example copies an example to a folder of its own, made with the test's
// interpreter, and returns its sweep file.
func example(t *testing.T, name string) string {
	t.Helper()
	interpreter := kerneltest.Python(t)
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", name, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("examples/%s: %d files, %v", name, len(files), err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.IsDir() {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "sweep.yaml" {
			b = pythonKey.ReplaceAll(b, []byte("python: "+interpreter))
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "sweep.yaml")
}

// checkSweep has other people's programs look at a sweep.
func checkSweep(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command(kerneltest.Python(t), "testdata/check_sweep.py", dir).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", dir, err, out)
	}
}

// varying is what differs from one night to the next in an example's summary:
// what took how long, where and when.
var varying = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`(?s)## What the runs took.*`), ""},
	// Without scaling it does not converge, and ends where the processor's
	// arithmetic leads it.
	{regexp.MustCompile(`(?m)^\| logistic-raw .*$`), "| logistic-raw | … |"},
	{regexp.MustCompile(`logistic-raw \([^)]*\)`), "logistic-raw (…)"},
	{regexp.MustCompile(`logical date [0-9-]+`), "logical date DATE"},
	{regexp.MustCompile(`(?m)^- \*\*fit\\_ms\*\*.*\n`), ""},
	{regexp.MustCompile(`(?s)## fit\\_ms.*?(## What drives)`), "$1"},
	{regexp.MustCompile(`(?m)^\| fit\\_ms .*\n(\|  \|.*\n)*`), ""},
}

// checkGolden demands that an example's summary is what it was;
// UPDATE_GOLDEN=1 accepts what it is.
func checkGolden(t *testing.T, dir string) {
	t.Helper()
	got := read(t, filepath.Join(dir, "summary.md"))
	for _, v := range varying {
		got = v.what.ReplaceAllString(got, v.by)
	}
	golden := filepath.Join("testdata", "examples", strings.TrimSuffix(filepath.Base(dir), ".sweep")+".md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(read(t, golden), got); d != "" {
		t.Errorf("%s (-want +got, UPDATE_GOLDEN=1 accepts):\n%s", golden, d)
	}
}

func TestExampleAB(t *testing.T) {
	spec := example(t, "ab")
	code, _, stderr := fanout(t, "run", "--no-progress", spec)
	if code != exitOK || !strings.Contains(stderr, "60 runs: 60 succeeded") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	dir := filepath.Join(filepath.Dir(spec), "ab.sweep")
	checkSweep(t, dir)
	checkGolden(t, dir)
	text := read(t, filepath.Join(dir, "summary.md"))
	for _, want := range []string{"60 succeeded", "12 pairs", "nearest-raw", "worse than the baseline"} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary does not say %q", want)
		}
	}
	if code, _, stderr := fanout(t, "report", "--execute", dir); code != exitOK {
		t.Fatalf("report --execute: exit %d\n%s", code, stderr)
	}
	if text := read(t, filepath.Join(dir, "summary.ipynb")); !strings.Contains(text, `"execute_result"`) || strings.Contains(text, `"output_type": "error"`) {
		t.Errorf("the summary's code has no results, or raised")
	}
}

func TestExampleBackfill(t *testing.T) {
	spec := example(t, "backfill")
	code, _, stderr := fanout(t, "run", "--no-progress", spec)
	if code != exitOK || !strings.Contains(stderr, "43 runs: 43 succeeded") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	checkSweep(t, filepath.Join(filepath.Dir(spec), "backfill.sweep"))
	checkGolden(t, filepath.Join(filepath.Dir(spec), "backfill.sweep"))
	code, _, stderr = fanout(t, "run", "--no-progress", spec)
	if code != exitOK || !strings.Contains(stderr, "43 kept") {
		t.Errorf("again: exit %d\n%s", code, stderr)
	}
}

// One region has no data: its run fails, the others do not, and the numbers
// of the summary are those of the notebooks.
func TestExampleRegions(t *testing.T) {
	spec := example(t, "regions")
	code, _, stderr := fanout(t, "run", "--no-progress", spec)
	if code != exitIncomplete || !strings.Contains(stderr, "8 runs: 7 succeeded, 1 failed") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	dir := filepath.Join(filepath.Dir(spec), "regions.sweep")
	checkSweep(t, dir)
	checkGolden(t, dir)
	if text := read(t, filepath.Join(dir, "summary.md")); !strings.Contains(text, "no fertility figures for Monaco") || !strings.Contains(text, "Exactly the runs with region = Monaco") {
		t.Errorf("the summary does not explain the failure:\n%s", text)
	}

	moved := filepath.Join(t.TempDir(), "moved.sweep")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	checkSweep(t, moved)
	alterScrap(t, moved)
	if code, _, stderr := fanout(t, "report", moved); code != exitOK {
		t.Fatalf("report: exit %d\n%s", code, stderr)
	}
	if text := read(t, filepath.Join(moved, "summary.md")); !strings.Contains(text, "12345") {
		t.Errorf("the summary does not show the altered scrap:\n%s", text)
	}
	checkSweep(t, moved)
}

// One country has no data: its extracts fail, its report waits for them, and the
// comparison of all countries does without.
func TestExamplePipeline(t *testing.T) {
	deep(t)
	spec := example(t, "pipeline")
	code, _, stderr := fanout(t, "run", "--no-progress", spec)
	if code != exitIncomplete || !strings.Contains(stderr, "17 runs: 13 succeeded, 3 failed, 1 planned") ||
		!strings.Contains(stderr, "needs extract region=Monaco decade=1980: failed, LookupError, and 2 more of 3 runs (1 run)") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	dir := filepath.Join(filepath.Dir(spec), "pipeline.sweep")
	checkSweep(t, dir)
	checkGolden(t, dir)
	code, stdout, _ := fanout(t, "ls", dir, "--where", `run_step == "world"`, "--json")
	var world struct {
		ID string `json:"run_id"`
	}
	if err := json.Unmarshal([]byte(stdout), &world); code != exitOK || err != nil {
		t.Fatalf("ls: exit %d, %v\n%s", code, err, stdout)
	}
	if text := read(t, filepath.Join(dir, "runs", world.ID+".ipynb")); !strings.Contains(text, "3 countries; without a report: Monaco") {
		t.Errorf("the comparison does not say that Monaco is missing:\n%s", text)
	}
}

var latest = regexp.MustCompile(`("data": )[0-9.]+(,\s*"encoder": "json",\s*"name": "latest")`)

// alterScrap edits the scrap `latest` of one notebook that has it.
func alterScrap(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "runs", "*.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text := read(t, file)
		if !latest.MatchString(text) {
			continue
		}
		// Replace the file, as an editor does; the attempt keeps what it was.
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(latest.ReplaceAllString(text, "${1}12345${2}")), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("no notebook has the scrap")
}

// The starter runs as it is.
func TestStarter(t *testing.T) {
	interpreter := kerneltest.Python(t)
	dir := filepath.Join(t.TempDir(), "demo")
	if code, _, stderr := fanout(t, "init", dir); code != exitOK {
		t.Fatalf("init: exit %d\n%s", code, stderr)
	}
	t.Setenv("VIRTUAL_ENV", filepath.Dir(filepath.Dir(interpreter)))
	code, _, stderr := fanout(t, "run", "--no-progress", filepath.Join(dir, "sweep.yaml"))
	if code != exitOK || !strings.Contains(stderr, "24 runs: 24 succeeded") {
		t.Errorf("run: exit %d\n%s", code, stderr)
	}
	checkSweep(t, filepath.Join(dir, "walk.sweep"))
}

func TestDoctor(t *testing.T) {
	code, stdout, stderr := fanout(t, "doctor", "--python", kerneltest.Python(t), t.TempDir())
	if code != exitOK || !strings.Contains(stdout, "ok    cold start  ipython") || !strings.Contains(stdout, "ok    warm start") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = fanout(t, "doctor", "--python", t.TempDir())
	if code != exitFailed || !strings.Contains(stdout, "FAIL  kernel") {
		t.Errorf("without an interpreter: exit %d\n%s", code, stdout)
	}
	t.Setenv("FANOUT_PYTHON", kerneltest.Python(t))
	if code, stdout, _ := fanout(t, "doctor", t.TempDir()); code != exitOK {
		t.Errorf("with the setting: exit %d\n%s", code, stdout)
	}
}

// The setting stands in place of the sweep file's Python from the first look on.
func TestPythonOfSettings(t *testing.T) {
	t.Setenv("FANOUT_PYTHON", kerneltest.Python(t))
	dir := filepath.Join(t.TempDir(), "demo")
	fanout(t, "init", dir)
	file := filepath.Join(dir, "sweep.yaml")
	if err := os.WriteFile(file, []byte(read(t, file)+"python: /nowhere\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := fanout(t, "run", "--no-progress", "--limit", "1", file); code != exitOK {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
