package runner

import (
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"

	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
)

const corpus = "testdata/corpus"

// unlikePapermill says where a notebook comes out differently than with
// papermill, on purpose, and makes papermill's document what ours must be.
var unlikePapermill = map[string]struct {
	why  string
	edit func(papermill, ours map[string]any)
}{
	"error-allowed": {"papermill calls an error that a tag allows a failure of the notebook", dropBanners},
	"exit-allowed":  {"papermill calls an error that a tag allows a failure of the notebook", dropBanners},
	"error-magic":   {"a cell that failed without an error output gets one", dropError(1)},
	"error-group":   {"a cell that failed without an error output gets one", dropError(0)},
}

// verdicts of the corpus where papermill's exit code says otherwise.
var verdictUnlike = map[string]outcome.Status{
	"error-allowed": outcome.Succeeded, "exit-allowed": outcome.Succeeded,
}

type launcher = func(context.Context, kernel.Options) (*kernel.Kernel, error)

// TestCorpusAgainstPapermill executes the corpus and compares, cell by cell,
// with what papermill made of it.
func TestCorpusAgainstPapermill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a kernel for each of many notebooks")
	}
	spec, same := corpusKernel(t)
	compareCorpus(t, same, func(ctx context.Context, o kernel.Options) (*kernel.Kernel, error) {
		return kernel.Launch(ctx, spec, o)
	})
}

// TestCorpusWarm does the same with kernels forked from a server.
func TestCorpusWarm(t *testing.T) { compareWarm(t, false, "pipe") }

// TestCorpusWarmZMQ does the same with forked kernels that have ZeroMQ's sockets.
func TestCorpusWarmZMQ(t *testing.T) { compareWarm(t, true, "ipc") }

func compareWarm(t *testing.T, zmq bool, transport string) {
	if testing.Short() {
		t.Skip("starts a kernel for each of many notebooks")
	}
	spec, same := corpusKernel(t)
	server, err := kernel.Serve(t.Context(), spec, kernel.ServerOptions{Env: corpusEnv(), ZMQ: zmq})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	compareCorpus(t, same, func(ctx context.Context, o kernel.Options) (*kernel.Kernel, error) {
		k, err := server.Launch(ctx, o)
		if err != nil {
			return k, err
		}
		if name, why := k.Transport(); !k.Warm() || name != transport {
			t.Errorf("a kernel started over %s: %s%s", name, why, k.ColdReason())
		}
		return k, nil
	})
}

func corpusEnv() []string { return append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1") }

func compareCorpus(t *testing.T, same bool, launch launcher) {
	files, err := filepath.Glob(corpus + "/in/*.ipynb")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d notebooks, %v", len(files), err)
	}
	params, verdicts := map[string]map[string]any{}, map[string]bool{}
	readJSON(t, "params.json", &params)
	readJSON(t, "verdicts.json", &verdicts)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ipynb")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := readNotebook(t, file)
			prepare(t, d, name, params[name])
			r, doc := runReal(t, launch, d)
			want := map[string]any{}
			readJSON(t, "papermill/"+name+".ipynb", &want)
			got := normal(t, doc)
			merge(want)
			merge(got)
			if !same {
				shortenTraces(want)
				shortenTraces(got)
			}
			if u := unlikePapermill[name]; u.edit != nil {
				if cmp.Equal(want, got) {
					t.Errorf("nothing differs, but it should: %s", u.why)
				}
				u.edit(want, got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("papermill (-), ours (+):\n%s", diff)
			}
			status := map[bool]outcome.Status{true: outcome.Succeeded, false: outcome.Failed}[verdicts[name]]
			if other, ok := verdictUnlike[name]; ok {
				status = other
			}
			if r.Status != status {
				t.Errorf("%s (%s), want %s", r.Status, r.Reason, status)
			}
			if strings.HasPrefix(name, "exit-zero") || strings.HasPrefix(name, "exit-bare") {
				if r.Kind != outcome.EarlyExit {
					t.Errorf("it exited early, but the result is %q", r.Kind)
				}
			}
		})
	}
}

// corpusKernel is the kernel to use, and whether it is the one that papermill
// used: otherwise tracebacks look different.
func corpusKernel(t *testing.T) (kernelspec.Spec, bool) {
	python := kerneltest.Python(t)
	spec, err := kernelspec.Finder{Python: python}.Find("python3")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", "import ipykernel, IPython; print(ipykernel.__version__, IPython.__version__)").Output()
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	readJSON(t, "versions.json", &made)
	return spec, strings.TrimSpace(string(out)) == made["ipykernel"]+" "+made["ipython"]
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpus, name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func prepare(t *testing.T, d *notebook.Notebook, name string, params map[string]any) {
	t.Helper()
	var args []notebook.Argument
	for k, v := range params {
		if k != "p" { // p is 1.0
			v = whole(v)
		}
		args = append(args, notebook.Argument{Name: k, Value: v})
	}
	slices.SortFunc(args, func(a, b notebook.Argument) int { return strings.Compare(a.Name, b.Name) })
	_, err := d.Prepare(notebook.PrepareOptions{Args: args, InputPath: name + ".ipynb", OutputPath: name + ".ipynb"})
	if err != nil {
		t.Fatal(err)
	}
}

func runReal(t *testing.T, launch launcher, d *notebook.Notebook) (Result, []byte) {
	t.Helper()
	return runFor(t, time.Minute, launch, d)
}

// runFor executes a notebook whose cells may take so long.
func runFor(t *testing.T, most time.Duration, launch launcher, d *notebook.Notebook) (Result, []byte) {
	t.Helper()
	dir := t.TempDir()
	s := &sheet{}
	r, err := Run(t.Context(), Task{
		Doc: d, Timeout: Timeouts{Start: 5 * time.Minute, Cell: most},
		Launch: func(ctx context.Context) (*kernel.Kernel, error) {
			return launch(ctx, kernel.Options{Dir: dir, Env: corpusEnv(), StartTimeout: 5 * time.Minute})
		},
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	return r, d.Encode()
}

var (
	ourID    = regexp.MustCompile(`^c\d+$`)
	scrubbed = []struct {
		re *regexp.Regexp
		to string
	}{
		{regexp.MustCompile(`0x[0-9a-f]{6,}`), "0xADDRESS"},
		{regexp.MustCompile(`/[^\s:'"\x1b]*/(site-packages|lib/python3\.\d+)/`), "/LIB/"},
		{regexp.MustCompile(`ipykernel_\d+/\d+\.py`), "ipykernel_PID/FILE.py"},
		{regexp.MustCompile(`<DisplayHandle display_id=[0-9a-f]{32}>`), "<DisplayHandle display_id=ID>"},
	}
)

func scrub(v any) any {
	switch v := v.(type) {
	case string:
		for _, s := range scrubbed {
			v = s.re.ReplaceAllString(v, s.to)
		}
		return v
	case []any:
		for i := range v {
			v[i] = scrub(v[i])
		}
	}
	return v
}

// normal takes out what differs from run to run, as make.py does.
func normal(t *testing.T, b []byte) map[string]any {
	t.Helper()
	d := map[string]any{}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	meta := d["metadata"].(map[string]any)
	if pm, ok := meta["papermill"].(map[string]any); ok {
		setTimes(pm)
		pm["version"] = "VERSION"
	}
	info, _ := meta["language_info"].(map[string]any)
	meta["language_info"] = map[string]any{"name": info["name"]}
	for i, c := range d["cells"].([]any) {
		c := c.(map[string]any)
		if !ourID.MatchString(c["id"].(string)) {
			c["id"] = fmt.Sprintf("NEW%d", i)
		}
		m := c["metadata"].(map[string]any)
		if pm, ok := m["papermill"].(map[string]any); ok {
			setTimes(pm)
		}
		if e, ok := m["execution"].(map[string]any); ok {
			for k := range e {
				e[k] = "SET"
			}
		}
		for _, o := range outputs(c) {
			for _, key := range []string{"traceback", "text"} {
				if o[key] != nil {
					o[key] = scrub(o[key])
				}
			}
			if data, ok := o["data"].(map[string]any); ok && data["text/plain"] != nil {
				data["text/plain"] = scrub(data["text/plain"])
			}
		}
	}
	return d
}

func setTimes(m map[string]any) {
	for _, k := range []string{"start_time", "end_time", "duration"} {
		if m[k] != nil {
			m[k] = "SET"
		}
	}
}

func outputs(cell any) (outs []map[string]any) {
	list, _ := cell.(map[string]any)["outputs"].([]any)
	for _, o := range list {
		outs = append(outs, o.(map[string]any))
	}
	return outs
}

// merge joins neighbouring outputs of one stream, since where a kernel cuts its
// streams into messages is a matter of time, and equal neighbouring lines of a
// traceback, since how deep a recursion gets depends on who called.
func merge(d map[string]any) {
	for _, c := range d["cells"].([]any) {
		var outs []any
		for _, o := range outputs(c) {
			if n := len(outs); n > 0 && o["output_type"] == "stream" {
				if last := outs[n-1].(map[string]any); last["output_type"] == "stream" && last["name"] == o["name"] {
					last["text"] = text(last["text"]) + text(o["text"])
					continue
				}
			}
			if o["output_type"] == "stream" {
				o["text"] = text(o["text"])
			}
			if lines, ok := o["traceback"].([]any); ok {
				o["traceback"] = slices.Compact(lines)
			}
			outs = append(outs, o)
		}
		if c := c.(map[string]any); len(outs) > 0 {
			c["outputs"] = outs
		}
	}
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b strings.Builder
	for _, s := range v.([]any) {
		b.WriteString(s.(string))
	}
	return b.String()
}

func shortenTraces(d map[string]any) {
	for _, c := range d["cells"].([]any) {
		for _, o := range outputs(c) {
			if o["output_type"] == "error" {
				o["traceback"] = []any{}
			}
		}
	}
}

func dropBanners(papermill, _ map[string]any) {
	cells := papermill["cells"].([]any)
	papermill["cells"] = slices.DeleteFunc(cells, func(c any) bool {
		tags, _ := c.(map[string]any)["metadata"].(map[string]any)["tags"].([]any)
		return slices.Contains(tags, any("papermill-error-cell-tag"))
	})
}

// byID finds a cell.
func byID(d map[string]any, n int) map[string]any {
	for _, c := range d["cells"].([]any) {
		if c := c.(map[string]any); c["id"] == fmt.Sprintf("c%d", n) {
			return c
		}
	}
	return nil
}

// dropError drops our error output of cell n, which must be there.
func dropError(n int) func(papermill, ours map[string]any) {
	return func(_, ours map[string]any) {
		var rest []any
		for _, o := range outputs(byID(ours, n)) {
			if o["output_type"] != "error" {
				rest = append(rest, o)
			}
		}
		byID(ours, n)["outputs"] = rest
		merge(ours)
	}
}

// whole makes the whole numbers among JSON's integers.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	}
	return v
}

// TestQuit: a cell that tells the kernel to quit ends the notebook, well or
// badly as its argument says; papermill knows a dead kernel only. The document
// says the same as the result.
func TestQuit(t *testing.T) {
	spec, _ := corpusKernel(t)
	for code, want := range map[string]outcome.Outcome{
		"quit()":                   {Status: outcome.Succeeded, Kind: outcome.EarlyExit, Cell: 2},
		"exit":                     {Status: outcome.Succeeded, Kind: outcome.EarlyExit, Cell: 2},
		"quit(0)":                  {Status: outcome.Succeeded, Kind: outcome.EarlyExit, Cell: 2},
		"get_ipython().ask_exit()": {Status: outcome.Succeeded, Kind: outcome.EarlyExit, Cell: 2},
		"quit(3)":                  {Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "SystemExit", Evalue: "3"},
		"exit('bad')":              {Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "SystemExit", Evalue: "bad"},
		"quit(); raise KeyError":   {Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "KeyError"},
		"exit(True)":               {Status: outcome.Succeeded},
	} {
		d := doc("print('a')", code, "print('never')")
		r, b := runReal(t, func(ctx context.Context, o kernel.Options) (*kernel.Kernel, error) {
			return kernel.Launch(ctx, spec, o)
		}, d)
		got := outcome.Outcome{Status: r.Status, Kind: r.Kind, Cell: r.Cell, Ename: r.Ename, Evalue: r.Evalue}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", code, got, want)
		}
		saved, err := notebook.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		v := saved.Verdict()
		if v.Status != r.Status || v.Kind != r.Kind || v.Reason != r.Reason || v.Cell != r.Cell {
			t.Errorf("%s: the document says %+v, the result %+v", code, v, r.Outcome)
		}
		if marked := bytes.Contains(b, []byte(`"exception": true`)); marked != (want.Status == outcome.Failed) {
			t.Errorf("%s: marked as an exception: %v", code, marked)
		}
	}
}

func TestQuitOfR(t *testing.T) {
	for payload, want := range map[string]string{
		`{"source":"ask_exit","keepkernel":0},{"source":"ask_exit"}`: "0",
		`{"source":"ask_exit","keepkernel":3},{"source":"ask_exit"}`: "3",
		`{"source":"ask_exit"}`: unknownStatus,
	} {
		status, quit := quits([]byte(`{"status":"ok","payload":[`+payload+`]}`), "IRkernel")
		if !quit || status != want {
			t.Errorf("%s: quits %v with %q, want %q", payload, quit, status, want)
		}
	}
}
