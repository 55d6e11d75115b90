package local_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// A place is a project folder with a template in it, and its sweep.
type place struct {
	*sweep.Sweep
	dir   string
	specs string // JUPYTER_PATH
}

// settle writes files and plans n runs over a template of cells.
func settle(t testing.TB, kernel string, recipe sweep.Recipe, files, bundle map[string]string, n int, cells ...string) place {
	t.Helper()
	p := place{dir: t.TempDir(), specs: t.TempDir()}
	if err := kerneltest.InstallSpec(p.specs, nil); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sweep.Init(t.Context(), store.Dir(filepath.Join(p.dir, "test.sweep")), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lease().Release() })
	plan := sweep.Plan{TemplateDocs: [][]byte{template(kernel, cells)}}
	plan.Name, plan.Source, plan.Recipe = "test", "..", recipe
	plan.AsOf = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	plan.Templates = []sweep.Template{{Path: "template.ipynb", Code: "c"}}
	for name, text := range bundle {
		plan.Files = append(plan.Files, pack.File{Name: name, Mode: 0o644, Data: []byte(text)})
	}
	for i := range n {
		x, err := value.Of(i)
		if err != nil {
			t.Fatal(err)
		}
		plan.Runs = append(plan.Runs, sweep.Run{ID: fmt.Sprintf("run%013d", i), Params: []value.Binding{{Name: "x", Value: x}}})
	}
	if _, err := s.Lease().Plan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	p.Sweep = s
	return p
}

func template(kernel string, cells []string) []byte {
	d := &notebook.Notebook{Minor: 5, Metadata: map[string]any{
		"kernelspec":    map[string]any{"name": kernel, "display_name": kernel, "language": "python"},
		"language_info": map[string]any{"name": "python"},
	}}
	d.Cells = append(d.Cells, &notebook.Cell{Type: "code", ID: "p", Source: "x = 0", Metadata: map[string]any{"tags": []any{"parameters"}}})
	for i, c := range cells {
		d.Cells = append(d.Cells, &notebook.Cell{Type: "code", ID: fmt.Sprint("c", i), Source: c, Metadata: map[string]any{}})
	}
	return d.Encode()
}

// notes collects what people are told.
type notes struct {
	mu  sync.Mutex
	all []sweep.Note
}

func (n *notes) take(x sweep.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, x)
}

func (n *notes) of(kind sweep.NoteKind) (texts []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.all {
		if x.Kind == kind {
			texts = append(texts, x.Text)
		}
	}
	return texts
}

func (p place) execute(t *testing.T, o local.Options, ids ...string) *notes {
	t.Helper()
	if o.Environ == nil {
		o.Environ = environ(t)
	}
	o.Environ = append(o.Environ, "JUPYTER_PATH="+p.specs)
	e := newExecutor(t, p.Sweep, o)
	if len(ids) == 0 {
		for _, st := range p.Runs() {
			ids = append(ids, st.Run.ID)
		}
	}
	n := &notes{}
	if err := e.Execute(t.Context(), sweep.Shard{ID: "1", Runs: ids}, n.take); err != nil {
		t.Fatal(err)
	}
	return n
}

// printed is what a run's cells wrote, cell by cell; the first is the
// parameters cell, the second the injected one.
func (p place) printed(t *testing.T, run int) (cells []string) {
	t.Helper()
	st := p.Runs()[run]
	b, err := p.Notebook(t.Context(), st)
	if err != nil {
		t.Fatalf("%+v: %v", st, err)
	}
	d, err := notebook.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Cells {
		var text string
		for _, o := range c.Outputs {
			text += o.Text + o.Ename
		}
		if c.Type == "code" {
			cells = append(cells, text)
		}
	}
	return cells
}

func TestWorkingDirectory(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{Keep: []string{"*.csv", "deep/*.txt"}},
		map[string]string{"data.txt": "data", "lib/used.py": "edited since", "lib/other.py": "other", "old.csv": "old", "__pycache__/x.pyc": "no"},
		map[string]string{"lib/used.py": "frozen", "gone.txt": "still here"},
		2,
		"cat data.txt", "cat lib/used.py", "cat lib/other.py", "cat gone.txt", "append new.csv row", "append new.csv row", "cat new.csv", "append notkept.txt x", "pwd")
	n := p.execute(t, local.Options{Jobs: 1})
	for run := range 2 {
		got := p.printed(t, run)[2:]
		dir := strings.TrimSpace(got[8])
		if diff := cmp.Diff([]string{"data", "frozen", "other", "still here", "", "", "row\nrow\n", ""}, got[:8]); diff != "" {
			t.Errorf("run %d: %s", run, diff)
		}
		if dir == p.dir || dir == "" {
			t.Errorf("run %d worked in %q", run, dir)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("the working directory %s is left", dir)
		}
		var kept []string
		for o, err := range p.Store().List(t.Context(), sweep.PrefixArtifacts+p.Runs()[run].Run.ID+"/") {
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, filepath.Base(o.Key))
		}
		if !slices.Equal(kept, []string{"new.csv"}) {
			t.Errorf("run %d: kept %v", run, kept)
		}
	}
	for _, name := range []string{"new.csv", "notkept.txt"} {
		if _, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
			t.Errorf("%s is in the template's folder", name)
		}
	}
	words := n.of(sweep.NoteWord)
	if len(words) != 2 || !strings.Contains(words[0], "cold") || !strings.HasSuffix(words[1], "such as notkept.txt; to keep them: keep: [\"*.txt\"]") {
		t.Errorf("people are told %q", words)
	}
}

// TestFilesToKeepAreNotWrittenThroughLinks: a file of the template's folder
// that a run overwrites is the run's own, and is kept because it changed.
func TestFilesToKeepAreNotWrittenThroughLinks(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{Keep: []string{"*.csv", "deep/er/*.txt"}},
		map[string]string{"out.csv": "by hand\n", "in.csv": "input\n", "deep/er/a.txt": "a\n", "deep/er/b.dat": "b\n", "frozen.csv": "x"},
		map[string]string{"frozen.csv": "frozen\n"}, 2,
		"append out.csv run", "append deep/er/a.txt run", "append frozen.csv run", "cat out.csv", "cat in.csv", "cat deep/er/b.dat")
	p.execute(t, local.Options{Jobs: 1})
	for run := range 2 {
		if diff := cmp.Diff([]string{"by hand\nrun\n", "input\n", "b\n"}, p.printed(t, run)[5:]); diff != "" {
			t.Errorf("run %d: %s", run, diff)
		}
		got := map[string]string{}
		prefix := sweep.PrefixArtifacts + p.Runs()[run].Run.ID + "/"
		for o, err := range p.Store().List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.Store().Get(t.Context(), o.Key)
			if err != nil {
				t.Fatal(err)
			}
			got[strings.TrimPrefix(o.Key, prefix)] = string(b)
		}
		want := map[string]string{"out.csv": "by hand\nrun\n", "deep/er/a.txt": "a\nrun\n", "frozen.csv": "frozen\nrun\n"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("run %d: %s", run, diff)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(p.dir, "out.csv")); string(b) != "by hand\n" {
		t.Errorf("the template's folder now has %q", b)
	}
}

func TestSharedWorkingDirectory(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{Workdir: "shared"}, nil, nil, 1, "append mark x", "pwd")
	p.execute(t, local.Options{})
	if b, err := os.ReadFile(filepath.Join(p.dir, "mark")); err != nil || string(b) != "x\n" {
		t.Errorf("%q %v", b, err)
	}
}

func TestEnvironment(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{Env: []string{"OWN=mine", "TZ=UTC"}}, nil, nil, 1,
		"env FANOUT_RUN_ID", "env FANOUT_ATTEMPT", "env FANOUT_AS_OF", "env FANOUT_JOBS", "env OMP_NUM_THREADS", "env MKL_NUM_THREADS",
		"env OWN", "env TZ", "env NOMAD_TOKEN", "env FANOUT_OUTPUT_DIR")
	p.execute(t, local.Options{Jobs: 1000, Environ: environ(t, "FANOUT_JOBS=7", "TZ=CET", "MKL_NUM_THREADS=3", "NOMAD_TOKEN=t")})
	got := p.printed(t, 0)[2:]
	out := got[len(got)-1]
	want := []string{"run0000000000000\n", "1\n", "2026-03-04T05:06:07Z\n", "\n", "1\n", "3\n", "mine\n", "UTC\n", "\n"}
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Error(diff)
	}
	if !filepath.IsAbs(strings.TrimSpace(out)) {
		t.Errorf("output folder %q", out)
	}
}

// Temporary files are gone with the run, unless the sweep says where they are.
func TestTemporaryFiles(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{}, nil, nil, 1, "env TMPDIR", "pwd", "append ../tmp/left x")
	p.execute(t, local.Options{Environ: environ(t, "TMPDIR=/nowhere")})
	got := p.printed(t, 0)
	temp, cwd := strings.TrimSpace(got[2]), strings.TrimSpace(got[3])
	if filepath.Dir(temp) != filepath.Dir(cwd) {
		t.Errorf("temporary files in %s, the working directory is %s", temp, cwd)
	}
	if _, err := os.Stat(temp); err == nil {
		t.Errorf("%s is still there", temp)
	}
	own := t.TempDir()
	p = settle(t, "fake", sweep.Recipe{Env: []string{"TMPDIR=" + own}}, nil, nil, 1, "env TMPDIR")
	p.execute(t, local.Options{Environ: environ(t)})
	if got := p.printed(t, 0); strings.TrimSpace(got[2]) != own {
		t.Errorf("temporary files in %s, want %s", got[2], own)
	}
}

func TestOutcome(t *testing.T) {
	t.Setenv(local.NodeVariable, "node-7")
	p := settle(t, "fake", sweep.Recipe{}, nil, nil, 1, "print a", "log outside\nsleep 20ms")
	n := p.execute(t, local.Options{Version: "v9"})
	st := p.Runs()[0]
	o := st.Last
	if o.Status != outcome.Succeeded || o.Kernel != "cold" || o.KernelStart <= 0 || o.Cell != 0 || o.Fingerprint.Code != "c" {
		t.Errorf("%+v", o)
	}
	if host, err := os.Hostname(); err != nil || o.Host != host || o.Node != "node-7" {
		t.Errorf("executed on %q, node %q, load %v; want %q, %v", o.Host, o.Node, o.Load, host, err)
	}
	if b, err := p.Object(t.Context(), o.Provenance); err != nil || !strings.Contains(string(b), `"fanout":"v9"`) {
		t.Errorf("%s %v", b, err)
	}
	if b, err := p.Store().Get(t.Context(), sweep.LogKey(st.Run.ID, 1)); err != nil || string(b) != "outside\n" {
		t.Errorf("log %q %v", b, err)
	}
	if got := n.of(sweep.NoteCell); len(got) != 4 {
		t.Errorf("%d cells are told", len(got))
	}
	if got := n.of(sweep.NoteLog); !slices.Equal(got, []string{"a\n"}) {
		t.Errorf("log %q", got)
	}
}

func TestSecrets(t *testing.T) {
	recipe := sweep.Recipe{Secrets: []sweep.Secret{{Param: "key", Env: "THE_KEY"}}}
	p := settle(t, "fake", recipe, nil, nil, 1, "env THE_KEY", "log key hunter2hunter2")
	for name, env := range map[string][]string{"missing": nil, "short": {"THE_KEY=12345"}} {
		if _, err := local.New(t.Context(), p.Sweep, local.Options{Environ: environ(t, env...)}); err == nil {
			t.Errorf("a %s secret is accepted", name)
		} else if h, ok := err.(interface{ Hint() string }); !ok || !strings.Contains(h.Hint(), "THE_KEY") {
			t.Errorf("%v has no hint", err)
		}
	}
	p.execute(t, local.Options{Environ: environ(t, "THE_KEY=hunter2hunter2")})
	if got := p.printed(t, 0)[2]; got != "[secret]\n" {
		t.Errorf("the cell says %q", got)
	}
	b, err := p.Store().Get(t.Context(), sweep.LogKey(p.Runs()[0].Run.ID, 1))
	if err != nil || string(b) != "key [secret]\n" {
		t.Errorf("the log says %q, %v", b, err)
	}
	for _, d := range []string{"attempts", "runs", "log"} {
		filepath.WalkDir(filepath.Join(p.dir, "test.sweep", d), func(file string, _ fs.DirEntry, _ error) error {
			// The fake's second cell names the value itself.
			if b, _ := os.ReadFile(file); strings.Contains(strings.ReplaceAll(string(b), "log key hunter2hunter2", ""), "hunter2") {
				t.Errorf("%s tells the secret", file)
			}
			return nil
		})
	}
}

func TestStoppedBeforeItsFirstCell(t *testing.T) {
	p := settle(t, "slow", sweep.Recipe{}, nil, nil, 1, "print a")
	if err := kerneltest.InstallSpec(p.specs, map[string]string{"FANOUT_FAKE_START": "sleep 20s"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(p.specs, "kernels", "fake"), filepath.Join(p.specs, "kernels", "slow")); err != nil {
		t.Fatal(err)
	}
	e := newExecutor(t, p.Sweep, local.Options{Environ: environ(t, "JUPYTER_PATH="+p.specs)})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := e.Execute(ctx, sweep.Shard{ID: "1", Runs: []string{p.Runs()[0].Run.ID}}, func(sweep.Note) {}); err != nil {
		t.Fatal(err)
	}
	if st := p.Runs()[0]; st.Status != outcome.Planned || st.Attempts != 0 || st.Began != nil {
		t.Errorf("%+v", st)
	}
}

func TestNoSuchKernel(t *testing.T) {
	p := settle(t, "nosuch", sweep.Recipe{}, nil, nil, 1, "print a")
	p.execute(t, local.Options{})
	if o := p.Runs()[0].Last; o == nil || o.Kind != outcome.StartFailed || !strings.Contains(o.Reason, "nosuch") {
		t.Errorf("%+v", o)
	}
}

func TestNextKernelIsStartedAhead(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{}, nil, nil, 4, "env FANOUT_RUN_ID\nenv FANOUT_ATTEMPT\npwd\npid", "sleep 600ms")
	if err := kerneltest.InstallSpec(p.specs, map[string]string{"FANOUT_FAKE_START": "sleep 500ms"}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var ids []string
	for _, st := range p.Runs() {
		ids = append(ids, st.Run.ID)
	}
	p.execute(t, local.Options{Jobs: 1, Queue: ids})
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("4 runs took %v: their kernels were not started ahead", took) // 4.4 s one after the other
	}
	seen := map[string]bool{}
	for i, id := range ids {
		got := strings.Fields(p.printed(t, i)[2])
		if len(got) != 4 || got[0] != id || got[1] != "1" || seen[got[3]] {
			t.Errorf("run %s: %v", id, got)
		}
		seen[got[3]] = true
	}
}

// TestWrongGuess: a kernel started ahead for a run that is not asked for is
// ended, and nothing of it is seen.
func TestWrongGuess(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{}, nil, nil, 3, "env FANOUT_RUN_ID", "sleep 200ms")
	runs := p.Runs()
	p.execute(t, local.Options{Jobs: 1, Queue: []string{runs[0].Run.ID, runs[1].Run.ID, runs[2].Run.ID}}, runs[0].Run.ID, runs[2].Run.ID)
	if got := p.printed(t, 2)[2]; got != runs[2].Run.ID+"\n" {
		t.Errorf("%q", got)
	}
	if st := p.Runs()[1]; st.Status != outcome.Planned || st.Attempts != 0 {
		t.Errorf("%+v", st)
	}
}

// TestRecover leaves a process behind that carries the mark of a kernel.
func TestRecover(t *testing.T) {
	p := settle(t, "fake", sweep.Recipe{}, nil, nil, 1, "print a")
	e := newExecutor(t, p.Sweep, local.Options{Environ: environ(t)})
	const mark = "left-behind-by-a-test-00000001"
	cmd := exec.Command("sleep", "1000")
	cmd.Env = append(os.Environ(), "FANOUT_KERNEL_ID="+mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	b := sweep.Began{Run: "r", Attempt: 1, Host: host, Boot: "another boot", Kernel: mark}
	if err := e.Recover(t.Context(), []sweep.Began{b}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatal("a process of another boot was killed")
	case <-time.After(50 * time.Millisecond):
	}
	b.Boot, b.Place = strings.TrimSpace(string(boot)), "1:1"
	if err := e.Recover(t.Context(), []sweep.Began{b}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatal("a process of the sweep that this is a copy of was killed")
	case <-time.After(50 * time.Millisecond):
	}
	b.Place = ""
	if err := e.Recover(t.Context(), []sweep.Began{b}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		cmd.Process.Kill()
		t.Fatal("the process is still there")
	}
}

func TestPercentOfTheMedian(t *testing.T) {
	recipe := sweep.Recipe{Settings: sweep.Settings{RunPercent: 300}}
	p := settle(t, "fake", recipe, nil, nil, 4, "when $x 3 hang")
	p.execute(t, local.Options{Jobs: 1, Grace: time.Second})
	for i, st := range p.Runs() {
		want := outcome.Succeeded
		if i == 3 {
			want = outcome.TimedOut
		}
		if st.Status != want {
			t.Errorf("run %d: %+v", i, st.Last)
		}
	}
}

// isolated is a cell that leaves a mark wherever it can, and prints what must
// be its own.
const isolated = `
import atexit, os, random, secrets, tempfile, uuid, helper
try:
    seen += 1
except NameError:
    seen = 0
assert 'MINE' not in os.environ and not os.path.exists('mark')
os.environ['MINE'] = str(x)
open('mark', 'w').write(str(x))
out = os.environ['FANOUT_OUTPUT_DIR']
os.mkdir(out + '/sub')
atexit.register(lambda: open(out + '/sub/atexit', 'w').write(str(x)))
own = [os.environ['FANOUT_RUN_ID'], os.getcwd(), os.getpid(), random.random(), uuid.uuid4(), secrets.token_hex(8), tempfile.mktemp()]
try:
    import numpy
    own += [numpy.random.rand(), numpy.random.default_rng().random()]
except ImportError:
    pass
print(seen, helper.value, *own)
`

// TestWarm: runs are forked, apart from each other in everything.
func TestWarm(t *testing.T) {
	python := kerneltest.Python(t)
	runs := 200
	if testing.Short() {
		runs = 20
	}
	p := settle(t, "python3", sweep.Recipe{Modules: []string{"json", "random", "numpy", "helper"}}, map[string]string{"helper.py": "value = 42"}, nil, runs, isolated)
	n := p.execute(t, local.Options{Jobs: 2, Environ: venvEnv(t, python)})
	all := map[string]int{}
	for i, st := range p.Runs() {
		if st.Status != outcome.Succeeded || st.Last.Kernel != "warm" {
			t.Fatalf("run %d: %+v; told %q", i, st.Last, n.of(sweep.NoteWord))
		}
		kept, err := p.Store().Get(t.Context(), sweep.PrefixArtifacts+st.Run.ID+"/sub/atexit")
		if err != nil || string(kept) != fmt.Sprint(i) {
			t.Errorf("run %d: at its exit it wrote %q, %v", i, kept, err)
		}
		got := strings.Fields(p.printed(t, i)[2])
		if len(got) < 9 || got[0] != "0" || got[1] != "42" || got[2] != st.Run.ID {
			t.Fatalf("run %d: %v", i, got)
		}
		for _, g := range got[2:] {
			all[g]++
		}
	}
	for what, times := range all {
		if times > 1 {
			t.Errorf("%d runs share %s", times, what)
		}
	}
}

// TestSharedPrefix: what is above the parameters is executed once.
func TestSharedPrefix(t *testing.T) {
	python := kerneltest.Python(t)
	p := settle(t, "python3", sweep.Recipe{SharePrefix: true}, map[string]string{"data.txt": "7"}, nil, 4)
	d, err := notebook.Decode(template("python3", []string{"print(loaded, x, len(drawn), drawn[0] != drawn[1], once)"}))
	if err != nil {
		t.Fatal(err)
	}
	d.Cells = append([]*notebook.Cell{
		{Type: "code", ID: "a", Source: "import uuid, random\nloaded = int(open('data.txt').read())\nonce = uuid.uuid4()\nprint('loading')", Metadata: map[string]any{}},
		{Type: "markdown", ID: "b", Source: "text", Metadata: map[string]any{}},
	}, d.Cells...)
	d.Cells[3].Source = "drawn = [random.random(), random.random()]\n" + d.Cells[3].Source
	plan := sweep.Plan{TemplateDocs: [][]byte{d.Encode()}}
	head, _ := p.Head()
	plan.Head = head
	plan.Templates = []sweep.Template{{Path: "template.ipynb", Code: "d"}}
	for _, st := range p.Runs() {
		plan.Runs = append(plan.Runs, st.Run)
	}
	if _, err := p.Lease().Plan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	n := p.execute(t, local.Options{Jobs: 2, Environ: venvEnv(t, python)})
	once := map[string]bool{}
	for i, st := range p.Runs() {
		if st.Status != outcome.Succeeded || st.Last.Kernel != "warm" {
			t.Fatalf("run %d: %+v; told %q", i, st.Last, n.of(sweep.NoteWord))
		}
		got := p.printed(t, i)
		f := strings.Fields(got[3])
		if got[0] != "loading\n" || len(f) != 5 || f[0] != "7" || f[1] != fmt.Sprint(i) || f[3] != "True" {
			t.Errorf("run %d: %q", i, got)
		} else {
			once[f[4]] = true
		}
	}
	if len(once) != 1 {
		t.Errorf("the prefix ran %d times", len(once))
	}
	if logs := n.of(sweep.NoteLog); len(logs) != 4 {
		t.Errorf("the runs said %q", logs)
	}
}

// TestWarmAsAsked: the sweep says how kernels start, and the command may say otherwise.
func TestWarmAsAsked(t *testing.T) {
	python := kerneltest.Python(t)
	for _, tc := range []struct{ sweep, command, want string }{
		{"", "", "warm"}, {"auto", "", "warm"}, {"zmq", "", "warm zmq"}, {"off", "", "cold"}, {"off", "zmq", "warm zmq"}, {"zmq", "off", "cold"},
	} {
		p := settle(t, "python3", sweep.Recipe{Warm: tc.sweep}, nil, nil, 2, "print(6 * 7)")
		p.execute(t, local.Options{Jobs: 1, Warm: tc.command, Environ: venvEnv(t, python)})
		for i, st := range p.Runs() {
			if st.Status != outcome.Succeeded || st.Last.Kernel != tc.want || p.printed(t, i)[2] != "42\n" {
				t.Errorf("warm: %q, --warm %q: run %d: %+v, printed %q", tc.sweep, tc.command, i, st.Last, p.printed(t, i)[2])
			}
		}
	}
}
