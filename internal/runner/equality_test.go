package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// TestEqualStarts executes notebooks in kernels started in every way, and with
// papermill, and compares what their cells put out. Without a variable it takes
// those of the corpus that depend most on how a kernel starts. FANOUT_TEST_NOTEBOOKS
// is a list of folders with others, and FANOUT_TEST_PYTHONS one of Pythons whose
// ipykernels execute them.
func TestEqualStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts four kernels for each of many notebooks")
	}
	files := corpusOfStarts(t)
	pythons := filepath.SplitList(os.Getenv("FANOUT_TEST_PYTHONS"))
	if len(pythons) == 0 {
		pythons = []string{kerneltest.Python(t)}
	}
	for _, python := range pythons {
		out, err := exec.Command(python, "-c", "import ipykernel; print(ipykernel.__version__)").Output()
		if err != nil {
			t.Fatalf("ask %s for its ipykernel: %v", python, err)
		}
		t.Run(strings.TrimSpace(string(out)), func(t *testing.T) { compareStarts(t, python, files) })
	}
}

// starts matches the notebooks of the corpus that depend most on how a kernel starts.
var starts = regexp.MustCompile(`^(async-task|thread-late|output-threads|output-append|widget-state|comm-foreign|stream-descriptors|stream-order|payload-hooks|error-recursion)\.ipynb$`)

func corpusOfStarts(t *testing.T) (files []string) {
	dirs := filepath.SplitList(os.Getenv("FANOUT_TEST_NOTEBOOKS"))
	all := len(dirs) > 0
	if !all {
		dirs = []string{corpus + "/in"}
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".ipynb" && (all || starts.MatchString(d.Name())) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) == 0 {
		t.Fatalf("no notebook in %v", dirs)
	}
	return files
}

// most is how long a cell may take.
const most = time.Minute

func compareStarts(t *testing.T, python string, files []string) {
	spec, err := kernelspec.Finder{Python: python}.Find("python3")
	if err != nil {
		t.Fatal(err)
	}
	cold := func(ctx context.Context, o kernel.Options) (*kernel.Kernel, error) {
		return kernel.Launch(ctx, spec, o)
	}
	warm := map[string]launcher{}
	for name, zmq := range map[string]bool{"pipe": false, "ipc": true} {
		server, err := kernel.Serve(t.Context(), spec, kernel.ServerOptions{Env: corpusEnv(), ZMQ: zmq})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		warm[name] = func(ctx context.Context, o kernel.Options) (*kernel.Kernel, error) {
			k, err := server.Launch(ctx, o)
			if err == nil && !k.Warm() {
				t.Errorf("a kernel started cold: %s", k.ColdReason())
			}
			return k, err
		}
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			execute := func(l launcher) []string {
				d := foreign(t, file)
				r, b := runFor(t, most, l, d)
				if r.Status == outcome.TimedOut || r.Kind == outcome.StartFailed {
					t.Skip(r.Reason) // where it ended is a matter of time
				}
				return cellOutputs(t, b)
			}
			want, again := execute(cold), execute(cold)
			for i := range want {
				if want[i] != again[i] {
					t.Logf("code cell %d: two cold kernels differ", i+1)
				}
			}
			others := map[string][]string{}
			for name, l := range warm {
				if others[name] = execute(l); !slices.Equal(others[name], want) {
					others[name] = execute(l) // what a child process prints comes a moment earlier or later on a busy machine
				}
			}
			if doc := withPapermill(t, python, file); doc != nil {
				others["papermill"] = cellOutputs(t, doc)
			}
			for name, got := range others {
				if name == "papermill" && strings.Contains(file, "thread-late") {
					continue // it stops reading when a cell ends, at times before a thread's last word
				}
				if len(got) != len(want) {
					t.Errorf("%s: %d code cells, want %d", name, len(got), len(want))
					continue
				}
				for i := range want {
					if want[i] != got[i] && want[i] == again[i] {
						t.Errorf("code cell %d: cold (-), %s (+):\n%s", i+1, name, cmp.Diff(want[i], got[i]))
					}
				}
			}
		})
	}
}

// foreign reads a notebook for a Python kernel, or skips the test.
func foreign(t *testing.T, file string) *notebook.Notebook {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := notebook.Decode(text)
	if err != nil {
		t.Skipf("no notebook: %v", err)
	}
	var head struct {
		Metadata struct {
			Kernelspec struct{ Language, Name string } `json:"kernelspec"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(d.Encode(), &head); err != nil {
		t.Fatal(err)
	}
	if k := head.Metadata.Kernelspec; k.Language != "python" && k.Language != "" || !strings.HasPrefix(k.Name, "python") && k.Name != "" {
		t.Skipf("for kernel %q of %s", k.Name, k.Language)
	}
	if _, err := d.Prepare(notebook.PrepareOptions{InputPath: "a.ipynb", OutputPath: "a.ipynb"}); err != nil {
		t.Skipf("not executable: %v", err)
	}
	return d
}

// withPapermill is what papermill makes of a notebook with a Python's ipykernel; nil
// when it refuses it.
func withPapermill(t *testing.T, python, file string) []byte {
	dir := t.TempDir()
	spec, err := json.Marshal(map[string]any{"argv": []string{python, "-m", "ipykernel_launcher", "-f", "{connection_file}"}, "display_name": "p", "language": "python"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "kernels", "theone"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kernels", "theone", "kernel.json"), spec, 0o644); err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	out, work := filepath.Join(dir, "out.ipynb"), t.TempDir()
	cmd := exec.CommandContext(t.Context(), kerneltest.Python(t), "-m", "papermill", "--no-progress-bar", "-k", "theone", "--cwd", work,
		"--execution-timeout", fmt.Sprint(int(most.Seconds())), abs, out)
	cmd.Env = append(corpusEnv(), "JUPYTER_PATH="+dir)
	text, _ := cmd.CombinedOutput() // an error of a cell is one of papermill
	doc, err := os.ReadFile(out)
	if err != nil {
		t.Logf("papermill refused it: %s", text[max(0, len(text)-200):])
		return nil
	}
	return doc
}

// What outputs hold that differs from run to run.
var changing = regexp.MustCompile(`[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|0x[0-9a-f]{6,}|ipykernel_\d+/\d+\.py|/tmp/[\w/.-]*`)

// cellOutputs is what each code cell put out, and last what the widgets hold.
func cellOutputs(t *testing.T, text []byte) (cells []string) {
	t.Helper()
	doc := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	ownError := false
	merge(doc)
	for _, c := range doc["cells"].([]any) {
		c := c.(map[string]any)
		meta, _ := c["metadata"].(map[string]any)
		tags, _ := meta["tags"].([]any)
		if c["cell_type"] != "code" || slices.Contains(tags, any("papermill-error-cell-tag")) {
			continue
		}
		var kept []any
		for _, o := range outputs(c) {
			// An error output that papermill has not: of a cell that took too long, or whose
			// kernel sent none.
			if name, _ := o["ename"].(string); slices.Contains([]string{"CellTimeoutError", "UsageError", "CellExecutionError", "DeadKernelError", noStdin}, name) {
				ownError = true
				continue
			}
			delete(o, "execution_count")
			kept = append(kept, o)
		}
		cells = append(cells, stable(t, kept))
	}
	if widgets := widgetStates(t, doc); !ownError {
		return append(cells, widgets)
	}
	return append(cells, "")
}

func stable(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return changing.ReplaceAllString(string(b), "…")
}

// widgetStates are the states of a notebook's widgets, in an order of their own.
func widgetStates(t *testing.T, doc map[string]any) string {
	meta, _ := doc["metadata"].(map[string]any)
	widgets, _ := meta["widgets"].(map[string]any)
	var states []string
	for _, of := range widgets {
		of, _ := of.(map[string]any)
		all, _ := of["state"].(map[string]any)
		for _, state := range all {
			states = append(states, stable(t, state))
		}
	}
	slices.Sort(states)
	return strings.Join(states, "\n")
}
