package local_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

func TestMain(m *testing.M) {
	kerneltest.Main()
	os.Exit(m.Run())
}

// executor fits a local.Executor to the seam, as the command does.
type executor struct{ *local.Executor }

func (e executor) Limits() fan.Limits { return fan.Limits{Parallel: e.Jobs(), PerShard: 1} }

var _ fan.Recoverer = executor{}

// marker is in the environment of everything a test's kernels start.
const marker = "LOCAL_TEST_MARK"

func environ(t testing.TB, more ...string) []string {
	env := append(os.Environ(), marker+"="+t.Name())
	return append(env, more...)
}

func newExecutor(t *testing.T, s *sweep.Sweep, o local.Options) executor {
	t.Helper()
	e, err := local.New(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if left := survivors(t); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
	})
	return executor{e}
}

// survivors finds processes by their environment, whatever they call
// themselves. Servers of kernels may still be there; they have no attempt.
func survivors(t *testing.T) (pids []int) {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		b, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(b, []byte(marker+"="+t.Name()+"\x00")) || !bytes.Contains(b, []byte("FANOUT_RUN_ID=")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		pids = append(pids, pid)
	}
	return pids
}

// eventually gives what was killed a moment to be reaped by its adopter.
func eventually(t *testing.T, find func(*testing.T) []int) []int {
	for range 100 {
		if len(find(t)) == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return find(t)
}

func fakeMachine(t *testing.T) fantest.Machine {
	specs := t.TempDir()
	if err := kerneltest.InstallSpec(specs, nil); err != nil {
		t.Fatal(err)
	}
	return fantest.Machine{
		Name: "local, fake kernel", Kernelspec: "fake", Language: "python", Grace: 2 * time.Second,
		New: func(t *testing.T, s *sweep.Sweep) fan.Executor {
			return newExecutor(t, s, local.Options{Jobs: 2, Grace: 2 * time.Second, Environ: environ(t, "JUPYTER_PATH="+specs)})
		},
		Survivors: func(t *testing.T) []int { return eventually(t, survivors) },
		Cells:     fantest.FakeKernel(),
	}
}

func TestContractWithFakeKernel(t *testing.T) { fantest.Run(t, fakeMachine(t)) }

// venvEnv is an environment in which python is the active one.
func venvEnv(t testing.TB, python string) []string {
	bin := filepath.Dir(python)
	return environ(t, "VIRTUAL_ENV="+filepath.Dir(bin), "PATH="+bin+":"+os.Getenv("PATH"))
}

func pythonMachine(t *testing.T, warm string) fantest.Machine {
	python := kerneltest.Python(t)
	scrap, _ := json.Marshal("application/scrapbook.scrap.json+json")
	return fantest.Machine{
		Name: "local, ipykernel", Kernelspec: "python3", Language: "python", Grace: 4 * time.Second,
		New: func(t *testing.T, s *sweep.Sweep) fan.Executor {
			return newExecutor(t, s, local.Options{Jobs: 2, Warm: warm, Grace: 4 * time.Second, Environ: venvEnv(t, python)})
		},
		Survivors: func(t *testing.T) []int { return eventually(t, survivors) },
		Cells: map[fantest.Deed]string{
			fantest.Succeed: "print('hello')",
			fantest.Glue: "from IPython.display import publish_display_data as p\n" +
				"p({" + string(scrap) + ": {'name': 'y', 'data': x, 'encoder': 'json', 'version': 1}}, {'scrapbook': {'name': 'y', 'data': True, 'display': False}})",
			fantest.Raise:      "raise ValueError('no good')",
			fantest.Die:        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
			fantest.Hang:       "import time; time.sleep(1000)",
			fantest.HangHard:   "import time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n    try: time.sleep(1000)\n    except BaseException: pass",
			fantest.ExitZero:   "import sys; sys.exit(0)",
			fantest.WriteFile:  "import os\nassert not os.path.exists('mark')\nopen('mark', 'w').write('x')",
			fantest.Overwrite:  "for name in 'beside.txt', 'frozen.txt':\n    with open(name, 'a') as f: f.write('mine\\n')\n    print(open(name).read(), end='')",
			fantest.Grandchild: "import subprocess\nsubprocess.Popen(['sleep', '1000'])\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)",
			fantest.Unicode:    "print('" + fantest.UnicodeText + "')",
			fantest.Large:      "print('x' * 5_000_000)",
		},
	}
}

func TestContractCold(t *testing.T) { fantest.Run(t, pythonMachine(t, "off")) }
func TestContractWarm(t *testing.T) { fantest.Run(t, pythonMachine(t, "")) }

// The packages that are recorded are those of the interpreter that was asked for, and
// PATH's is not even started to find them.
func TestPackagesOfTheNamedPython(t *testing.T) {
	env := t.TempDir()
	for _, dir := range []string{"bin", "lib/python3.11/site-packages/ipykernel", "lib/python3.11/site-packages/asked_for-1.2.dist-info"} {
		if err := os.MkdirAll(filepath.Join(env, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	path, touched := t.TempDir(), filepath.Join(env, "touched")
	for name, text := range map[string]string{
		filepath.Join(env, "bin/python"): "#!/bin/sh\n",
		filepath.Join(path, "python3"):   "#!/bin/sh\ntouch " + touched + "\nexit 1\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	s := fantest.NewSweep(t, store.Dir(dir), fantest.Machine{Kernelspec: "python3", Language: "python", Cells: fantest.FakeKernel()}, sweep.Settings{}, 1)
	newExecutor(t, s, local.Options{Python: env, Environ: environ(t, "VIRTUAL_ENV=", "CONDA_PREFIX=", "PATH="+path+":"+os.Getenv("PATH"))})
	frozen, err := filepath.Glob(filepath.Join(dir, "frozen", "*.json"))
	if err != nil || len(frozen) != 1 {
		t.Fatal(frozen, err)
	}
	b, err := os.ReadFile(frozen[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"packages":["asked_for 1.2"]`)) {
		t.Errorf("%s", b)
	}
	if _, err := os.Stat(touched); err == nil {
		t.Error("python3 of PATH was started")
	}
}
