package kernel_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// holders is a package with generators in every place where one can be. Each line
// draws one number.
const holders = `
import collections, functools, itertools, random, time, os, types, _random
from random import seed, setstate, getstate
from os import urandom
import numpy as np

class Own(random.Random):
    pass

class Held:
    shared = random.Random()
    numbers = np.random.default_rng()
    def __init__(self):
        self.deep = {"list": [collections.deque([random.Random()])]}

class Slots:
    __slots__ = ("rng",)
    def __init__(self):
        self.rng = random.Random()

def closure():
    rng = random.Random()
    return lambda: rng.random()

def running():
    rng = np.random.default_rng()
    while True:
        yield rng.random()

@functools.lru_cache
def cached():
    return random.Random()

def default(rng=random.Random()):
    return rng.random()

def thrown(bits):
    return bits.random_raw() / 2**64

cached()
module, held, slots, close, frame, own = random.Random(), Held(), Slots(), closure(), running(), Own()
next(frame)
method, part, plain = random.Random().random, functools.partial(random.Random.random, random.Random()), _random.Random()
legacy, bits, mapped = np.random.RandomState(), np.random.PCG64(), map(lambda rng: rng.random(), itertools.repeat(random.Random()))
timed, system, spawned = random.Random(time.time()), random.Random(os.urandom(8)), np.random.default_rng().spawn(1)[0]
copied = random.Random(); copied.setstate(module.getstate())
pair = random.Random(); pair.gauss(0, 1)
twins = np.random.RandomState(); twins.standard_normal()
later = np.random.default_rng()

UNSEEDED = {
    "module": module.random, "class": Held.shared.random, "numpy in a class": Held.numbers.random, "slots": slots.rng.random,
    "deep": lambda: held.deep["list"][0][0].random(), "closure": close, "frame": lambda: next(frame), "cache": lambda: cached().random(),
    "default": default, "method": method, "partial": part, "plain": plain.random, "subclass": own.random, "legacy": legacy.random_sample,
    "bits": lambda: thrown(bits), "map": lambda: next(mapped), "time": timed.random, "system": system.random, "spawned": spawned.random,
    "copied": copied.random, "gauss": lambda: pair.gauss(0, 1), "normal": twins.standard_normal, "spawn": lambda: later.spawn(1)[0].random(),
    "global": random.random, "numpy": np.random.rand,
}

seven, named, exact = random.Random(7), random.Random("name"), np.random.default_rng(0x8c3c010cb4754c905776bdac5ee7501)
third, old, drawn = np.random.default_rng(7), np.random.RandomState(7), random.Random(7)
drawn.random()

def kept():
    seed(5)
    setstate(getstate())
    urandom(1)
    return random.random()

SEEDED = {"int": seven.random, "text": named.random, "128 bits": exact.random, "numpy": third.random, "legacy": old.random_sample, "drawn from": drawn.random, "kept": kept}
`

// Every generator that nobody seeded is the run's own, wherever it is; one with a seed
// draws what it draws in a cold kernel. So it is whether a module of the template holds
// it, or a cell that is executed once for all runs.
func TestGeneratorsAreTheRunsOwn(t *testing.T) {
	spec, site := pythonSpec(t), t.TempDir()
	write(t, filepath.Join(site, "holders.py"), holders)
	env := append(os.Environ(), "PYTHONPATH="+site)
	draw := "from holders import *\nprint(*(f'{k}={v()}' for k, v in UNSEEDED.items()), sep='\\n')\nprint(*(f'seeded {k}={v()}' for k, v in SEEDED.items()), sep='\\n')"
	cold := strings.Split(run(t, launch(t, spec, kernel.Options{Env: env}), draw).output(), "\n")
	if len(cold) != 32 {
		t.Fatalf("a cold kernel draws %q", cold)
	}
	for name, o := range map[string]kernel.ServerOptions{
		"imported":  {Env: env, Imports: []string{"holders"}},
		"ZeroMQ":    {Env: env, Imports: []string{"holders"}, ZMQ: true},
		"in a cell": {Env: env, Prefix: []string{"from holders import *"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, spec, o)
			if srv.Refused != "" || len(srv.Dropped) > 0 {
				t.Fatalf("refused %q, dropped %q", srv.Refused, srv.Dropped)
			}
			var runs [2][]string
			for i := range runs {
				runs[i] = strings.Split(run(t, launchWarm(t, srv, kernel.Options{Env: env}), draw).output(), "\n")
			}
			for i, line := range cold {
				switch a, b := runs[0][i], runs[1][i]; {
				case strings.HasPrefix(line, "seeded "):
					if a != line || b != line {
						t.Errorf("warm runs draw %s and %s, a cold one %s", a, b, line)
					}
				case a == b:
					t.Errorf("two runs draw the same: %s", a)
				}
			}
		})
	}
}

// What cannot be started anew is left to the kernels: its module, or the warm start.
func TestGeneratorsThatCannotBeStartedAnew(t *testing.T) {
	spec, site := pythonSpec(t), t.TempDir()
	write(t, filepath.Join(site, "congruent.py"), `
import os
class Generator:
    def __init__(self): self.seed(int.from_bytes(os.urandom(8), "big"))
    def seed(self, n): self.n = n
    def random(self):
        self.n = (6364136223846793005 * self.n + 1442695040888963407) % 2**64
        return self.n / 2**64
rng = Generator()
`)
	write(t, filepath.Join(site, "frozen.py"), `
import random
class Stuck(random.Random):
    def seed(self, *a):
        if "once" not in vars(self):
            self.once = super().seed(*a)
stuck = Stuck()
`)
	write(t, filepath.Join(site, "around.py"), "from congruent import rng\n")
	write(t, filepath.Join(site, "wrapper.py"), `
import random
class Wrapper:
    def __init__(self): self.inner = [random.Random()]
    def seed(self, n): self.inner[0].seed(n)
    def random(self): return self.inner[0].random()
rng = Wrapper()
`)
	env := append(os.Environ(), "PYTHONPATH="+site)
	differ := func(t *testing.T, srv *kernel.Server, draw string) {
		t.Helper()
		var drawn []string
		for range 2 {
			drawn = append(drawn, run(t, launchWarm(t, srv, kernel.Options{Env: env}), draw).output())
		}
		if drawn[0] == "" || drawn[0] == drawn[1] {
			t.Errorf("two runs draw %q", drawn)
		}
	}
	for _, tt := range []struct{ module, name, kind string }{{"congruent", "rng", "Generator"}, {"frozen", "stuck", "Stuck"}} {
		srv := serve(t, spec, kernel.ServerOptions{Env: env, Imports: []string{"json", tt.module}})
		want := fmt.Sprintf("%s: %[1]s.%s is a generator of random numbers that cannot be started anew for each run", tt.module, tt.kind)
		if !slices.Equal(srv.Dropped, []string{want}) {
			t.Errorf("dropped %q, want %q", srv.Dropped, want)
		}
		differ(t, srv, fmt.Sprintf("from %s import %s as rng; print(rng.random())", tt.module, tt.name))
	}
	srv := serve(t, spec, kernel.ServerOptions{Env: env, Imports: []string{"wrapper"}})
	if len(srv.Dropped) > 0 {
		t.Errorf("dropped %q", srv.Dropped)
	}
	differ(t, srv, "from wrapper import rng; print(rng.random())")

	if _, err := kernel.Serve(t.Context(), spec, kernel.ServerOptions{Env: env, Imports: []string{"around"}}); !errors.As(err, new(*kernel.RefusedError)) || !strings.Contains(err.Error(), "congruent.Generator") {
		t.Errorf("a module that imports one: %v", err)
	}
	srv = serve(t, spec, kernel.ServerOptions{Env: env, Prefix: []string{"from congruent import rng"}})
	if len(srv.Prefix) > 0 || !strings.Contains(srv.Refused, "congruent.Generator") {
		t.Errorf("%d cells shared, refused %q", len(srv.Prefix), srv.Refused)
	}
}

// startCell has a child of each kind import a module of the working directory.
const startCell = `
import multiprocessing as mp, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from joblib import Parallel, delayed
from helpers import rate, place
import nested, latching
seen = {"kernel": [rate(0), place(0)]}
for method in ("spawn", "forkserver", "fork"):
    with mp.get_context(method).Pool(1) as p:
        seen[method] = [p.map(rate, [0])[0], p.map(place, [0])[0]]
    with ProcessPoolExecutor(1, mp_context=mp.get_context(method)) as p:
        seen["executor " + method] = list(p.map(rate, [0])) + list(p.map(place, [0]))
seen["loky"] = Parallel(n_jobs=2)(delayed(f)(0) for f in (rate, place))
seen["subprocess"] = subprocess.run([sys.executable, "-c", "import helpers; print(helpers.rate(0))"], capture_output=True, text=True).stdout
with open("written.py", "w") as f: f.write("def cube(x): return x**3\n")
from written import cube
with mp.get_context("spawn").Pool(1) as p: seen["written"] = p.map(cube, [2])
import os
os.mkdir("sub"); os.chdir("sub")
with mp.get_context("spawn").Pool(1) as p: seen["moved"] = p.map(rate, [0]) + p.map(place, [0])
print(seen, nested.__file__, mp.process.ORIGINAL_DIR)
print(latching.HERE, latching.PATH, latching.TEMP)`

// Children of a warm kernel import from the run's own directory, as those of a cold one.
func TestChildrenImportFromTheRunsDirectory(t *testing.T) {
	spec, site, source := pythonSpec(t), t.TempDir(), t.TempDir()
	folder := func(dir string, rate int) string {
		write(t, filepath.Join(dir, "helpers.py"), fmt.Sprintf("import os\ndef rate(_): return %d\ndef place(_): return os.getcwd()\n", rate))
		if err := os.Mkdir(filepath.Join(dir, "lib"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "lib", "nested.py"), "")
		return dir
	}
	folder(source, 1000)
	write(t, filepath.Join(site, "latching.py"), "import os, pathlib, tempfile\nHERE, PATH, TEMP = os.getcwd(), pathlib.Path.cwd(), tempfile.gettempdir()\n")
	env := func(temp string) []string {
		return append(os.Environ(), "PYTHONPATH=lib:"+site, "TMPDIR="+temp)
	}
	modules := []string{"multiprocessing.pool", "concurrent.futures", "joblib", "nested", "latching"}
	look := func(k *kernel.Kernel, dir, temp string) string {
		out := run(t, k, startCell)
		k.Close(10 * time.Second)
		return strings.NewReplacer(dir, "DIR", temp, "TEMP").Replace(out.output())
	}
	dir, temp := folder(t.TempDir(), 1), t.TempDir()
	want := look(launch(t, spec, kernel.Options{Dir: dir, Env: env(temp)}), dir, temp)
	if strings.Count(want, "[1, 'DIR']") != 8 || !strings.Contains(want, "[1, 'DIR/sub']") || !strings.Contains(want, "DIR DIR TEMP") {
		t.Fatalf("a cold kernel says %s", want)
	}
	for name, o := range map[string]kernel.ServerOptions{
		"imported":  {Dir: source, Env: env(t.TempDir()), Imports: modules},
		"ZeroMQ":    {Dir: source, Env: env(t.TempDir()), Imports: modules, ZMQ: true},
		"in a cell": {Dir: source, Env: env(t.TempDir()), Prefix: []string{"import multiprocessing.pool, concurrent.futures, joblib, latching"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, spec, o)
			if srv.Refused != "" || len(srv.Dropped) > 0 {
				t.Fatalf("refused %q, dropped %q", srv.Refused, srv.Dropped)
			}
			dir, temp := folder(t.TempDir(), 1), t.TempDir()
			if got := look(launchWarm(t, srv, kernel.Options{Dir: dir, Env: env(temp)}), dir, temp); got != want {
				t.Errorf("warm: %s\ncold: %s", got, want)
			}
		})
	}
}

// A module that starts a process when it is imported is left to the kernels: they
// would share that process.
func TestModulesThatStartProcesses(t *testing.T) {
	spec, site := pythonSpec(t), t.TempDir()
	write(t, filepath.Join(site, "tracked.py"), `
from multiprocessing import resource_tracker
resource_tracker.ensure_running()
tracker = resource_tracker._resource_tracker._pid
`)
	env := append(os.Environ(), "PYTHONPATH="+site)
	srv := serve(t, spec, kernel.ServerOptions{Env: env, Imports: []string{"tracked"}})
	if want := []string{"tracked: it starts threads or processes when it is imported"}; !slices.Equal(srv.Dropped, want) {
		t.Errorf("dropped %q, want %q", srv.Dropped, want)
	}
	var trackers []string
	for range 2 {
		trackers = append(trackers, run(t, launchWarm(t, srv, kernel.Options{Env: env}), "import tracked; print(tracked.tracker)").output())
	}
	if trackers[0] == trackers[1] {
		t.Errorf("two runs share the process %s", trackers[0])
	}
}
