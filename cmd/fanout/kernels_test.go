package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// An otherKernel is a kernel that is not the ipykernel of the test's
// environment.
type otherKernel struct {
	name, language string
	argv           []string
	present        []string // a command that succeeds where the kernel is
	required       bool     // make test installs it
	cells          []string // the first declares x and word; the last fails when x is 2
	ename          string   // of that failure
}

func otherKernels(python string) []otherKernel {
	bin := filepath.Dir(python)
	return []otherKernel{
		{
			name: "bash", language: "bash", argv: []string{python, "-m", "bash_kernel", "-f", "{connection_file}"},
			present: []string{python, "-c", "import bash_kernel"}, required: true,
			cells: []string{"x=0\nword=a", `printf '%s:%s\n' "$x" "$word"`, "test $x -ne 2"},
		},
		{
			name: "deno", language: "typescript", argv: []string{filepath.Join(bin, "deno"), "jupyter", "--kernel", "--conn", "{connection_file}"},
			present: []string{filepath.Join(bin, "deno"), "--version"}, required: true,
			cells: []string{"let x = 0\nlet word = 'a'", "console.log(`${x}:${word}`)", "if (x === 2) throw new RangeError('no good')"}, ename: "RangeError",
		},
		{
			name: "ir", language: "R", argv: []string{"R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"},
			present: []string{"Rscript", "-e", "library(IRkernel)"},
			cells:   []string{"x <- 0\nword <- 'a'", `cat(paste0(x, ":", word, "\n"))`, "if (x == 2) stop('no good')"},
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
	for _, k := range otherKernels(python(t)) {
		t.Run(k.name, func(t *testing.T) { k.check(t) })
	}
}

// hostile means something in every language's strings.
const hostile = "it's \"$HOME\" `id` $(id) ${x} \\n %s 漢字"

func (k otherKernel) check(t *testing.T) {
	if err := exec.Command(k.present[0], k.present[1:]...).Run(); err != nil {
		if k.required && os.Getenv("FANOUT_TEST_REQUIRE") != "" {
			t.Fatalf("%v: %v", k.present, err)
		}
		t.Skip("it is not here")
	}
	dir := t.TempDir()
	spec, err := json.Marshal(map[string]any{"argv": k.argv, "display_name": k.name, "language": k.language})
	if err != nil {
		t.Fatal(err)
	}
	word, _ := json.Marshal(hostile)
	files := map[string]string{
		"kernels/" + k.name + "/kernel.json": string(spec),
		"t.ipynb":                            string(notebookOf(k.name, k.language, k.cells)),
		"sweep.yaml":                         "name: s\ntemplate: t.ipynb\ngrid: {x: [1, 2]}\nparameters: {word: " + string(word) + "}\n",
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("JUPYTER_PATH", dir)
	code, _, stderr := fanout(t, "run", "--no-progress", "--no-canary", filepath.Join(dir, "sweep.yaml"))
	if code != exitIncomplete {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	s, err := sweep.Open(context.Background(), store.Dir(filepath.Join(dir, "s.sweep")))
	if err != nil {
		t.Fatal(err)
	}
	good, bad := s.Runs()[0], s.Runs()[1]
	if good.Status != sweep.Succeeded || bad.Status != sweep.Failed || bad.Last.Cell != 4 || k.ename != "" && bad.Last.Ename != k.ename {
		t.Errorf("%s %+v, %s %+v\n%s", good.Status, good.Last, bad.Status, bad.Last, stderr)
	}
	text, err := s.Notebook(context.Background(), good)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for _, c := range doc.Cells {
		for _, o := range c.Outputs {
			printed.WriteString(o.Text)
		}
	}
	if got := strings.TrimSpace(printed.String()); got != "1:"+hostile {
		t.Errorf("printed %q, want %q", got, "1:"+hostile)
	}
}
