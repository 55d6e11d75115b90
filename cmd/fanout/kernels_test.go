package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// An otherKernel is a kernel that is not the ipykernel of the test's
// environment.
type otherKernel struct {
	name, language string
	argv           []string
	present        []string // a command that succeeds where the kernel is
	required       string   // what in FANOUT_TEST_REQUIRE makes its absence a failure
	cells          []string // the first declares x and word; the last fails when x is 2
	ename          string   // of that failure
	interrupt      string   // how, if not by a signal
	modules        string   // node_modules beside the template, where the kernel looks for types
	slow           bool     // to start
}

func otherKernels(python string) []otherKernel {
	bin := filepath.Dir(python)
	tslab := filepath.Join(os.Getenv("FANOUT_TEST_NODE_MODULES"), ".bin", "tslab")
	return []otherKernel{
		{
			name: "bash", language: "bash", argv: []string{python, "-m", "bash_kernel", "-f", "{connection_file}"},
			present: []string{python, "-c", "import bash_kernel"}, required: "ipykernel",
			cells: []string{"x=0\nword=a", `printf '%s:%s\n' "$x" "$word"`, "test $x -ne 2"},
		},
		{
			name: "deno", language: "typescript", argv: []string{filepath.Join(bin, "deno"), "jupyter", "--kernel", "--conn", "{connection_file}"},
			present: []string{filepath.Join(bin, "deno"), "--version"}, required: "ipykernel",
			cells: []string{"let x = 0\nlet word = 'a'", "console.log(`${x}:${word}`)", "if (x === 2) throw new RangeError('no good')"}, ename: "RangeError",
		},
		{
			name: "tslab", language: "typescript", argv: []string{tslab, "kernel", "--config-path", "{connection_file}"}, interrupt: "message",
			modules: os.Getenv("FANOUT_TEST_NODE_MODULES"), slow: true, // its compiler takes seconds to start
			present: []string{tslab, "--version"},
			cells:   []string{"let x = 0\nlet word = 'a'", "console.log(`${x}:${word}`)", "if (x === 2) throw new RangeError('no good')"},
		},
		{
			name: "ir", language: "R", argv: []string{"R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"},
			present: []string{"Rscript", "-e", "library(IRkernel)"}, required: "R",
			cells: []string{"x <- 0\nword <- 'a'", `cat(paste0(x, ":", word, "\n"))`, "if (x == 2) stop('no good')"},
		},
		{
			name: "debian", language: "python", argv: []string{"/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"},
			present: []string{"/usr/bin/python3", "-c", "import ipykernel"},
			cells:   []string{"x = 0\nword = 'a'", "print(f'{x}:{word}')", "if x == 2: raise LookupError('no good')"}, ename: "LookupError",
		},
	}
}

// TestOtherKernels makes a small sweep with every kernel that is here: a value
// that is hostile in each language arrives as it is, and a cell that fails is
// a failure of that cell.
func TestOtherKernels(t *testing.T) {
	for _, k := range otherKernels(kerneltest.Python(t)) {
		t.Run(k.name, func(t *testing.T) { k.check(t) })
	}
}

// write makes a folder of the files, the kernel's spec and the template t.ipynb.
func (k otherKernel) write(t *testing.T, files map[string]string) string {
	t.Helper()
	if k.slow {
		deep(t)
	}
	if err := exec.Command(k.present[0], k.present[1:]...).Run(); err != nil {
		if k.required != "" && slices.Contains(strings.Fields(os.Getenv("FANOUT_TEST_REQUIRE")), k.required) {
			t.Fatalf("%v: %v", k.present, err)
		}
		t.Skip("it is not here")
	}
	spec, err := json.Marshal(map[string]any{"argv": k.argv, "display_name": k.name, "language": k.language, "interrupt_mode": cmp.Or(k.interrupt, "signal")})
	if err != nil {
		t.Fatal(err)
	}
	files["kernels/"+k.name+"/kernel.json"] = string(spec)
	files["t.ipynb"] = string(notebookOf(k.name, k.language, k.cells))
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if k.modules != "" {
		if err := os.Symlink(k.modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("JUPYTER_PATH", dir)
	return dir
}

// hostile means something in every language's strings.
const hostile = "it's \"$HOME\" `id` $(id) ${x} \\n %s 漢字"

func (k otherKernel) check(t *testing.T) {
	word, _ := json.Marshal(hostile)
	dir := k.write(t, map[string]string{"sweep.yaml": "name: s\ntemplate: t.ipynb\ngrid: {x: [1, 2]}\nparameters: {word: " + string(word) + "}\n"})
	code, _, stderr := fanout(t, "run", "--no-progress", "--no-canary", filepath.Join(dir, "sweep.yaml"))
	if code != exitIncomplete {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	s, err := sweep.Open(context.Background(), store.Dir(filepath.Join(dir, "s.sweep")))
	if err != nil {
		t.Fatal(err)
	}
	good, bad := s.Runs()[0], s.Runs()[1]
	if good.Status != outcome.Succeeded || bad.Status != outcome.Failed || bad.Last.Cell != 4 || k.ename != "" && bad.Last.Ename != k.ename {
		t.Errorf("%s %+v, %s %+v\n%s", good.Status, good.Last, bad.Status, bad.Last, stderr)
	}
	// tslab prints what the last parameter was set to.
	if got := strings.TrimSpace(printedBy(notebookIn(t, s, good))); strings.TrimPrefix(got, "1\n") != "1:"+hostile {
		t.Errorf("printed %q, want %q", got, "1:"+hostile)
	}
}

// TestScrapSnippets records with the functions of docs/scraps.md, in every
// language whose kernel is here.
func TestScrapSnippets(t *testing.T) {
	text, err := os.ReadFile("../../docs/scraps.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := map[string]string{"ir": fenced(t, string(text), "r"), "deno": fenced(t, string(text), "javascript"), "tslab": fenced(t, string(text), "typescript")}
	for _, k := range otherKernels(kerneltest.Python(t)) {
		if snippet, ok := snippets[k.name]; ok {
			k.cells = []string{k.cells[0], snippet}
			t.Run(k.name, func(t *testing.T) { k.checkScraps(t) })
		}
	}
}

// fenced is the one block of a language in a Markdown text.
func fenced(t *testing.T, text, language string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, "```"+language+"\n")
	block, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatalf("no block of %s", language)
	}
	return block
}

func (k otherKernel) checkScraps(t *testing.T) {
	dir := k.write(t, map[string]string{"sweep.yaml": "name: s\ntemplate: t.ipynb\ngrid: {x: [1, 2]}\n"})
	if code, _, stderr := fanout(t, "run", "--no-progress", "--no-canary", filepath.Join(dir, "sweep.yaml")); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	code, out, stderr := fanout(t, "collect", filepath.Join(dir, "s.sweep"), "--format", "json", "-o", "-")
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	for x, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var row struct {
			X     float64        `json:"x"`
			AUC   float64        `json:"auc"`
			ByDay map[string]int `json:"by_day"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if row.X != float64(x+1) || row.AUC != 0.93 || row.ByDay["monday"] != 1 || row.ByDay["tuesday"] != 2 {
			t.Errorf("recorded %+v", row)
		}
	}
}
