package kernel_test

import (
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"

	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

func serve(t testing.TB, s kernelspec.Spec, o kernel.ServerOptions) *kernel.Server {
	t.Helper()
	srv, err := kernel.Serve(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

func launchWarm(t testing.TB, srv *kernel.Server, o kernel.Options) *kernel.Kernel {
	t.Helper()
	k, err := srv.Launch(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(0) })
	if !k.Warm() {
		t.Fatalf("started cold: %s", k.ColdReason())
	}
	return k
}

// stateCell prints what a notebook could see of how its kernel was started.
const stateCell = `
import sys, os, json, signal, threading, locale, random, getpass, asyncio, logging
print(json.dumps({
  "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv[:2] + sys.argv[3:], "flags": str(sys.flags), "name": __name__,
  "main": sys.modules["__main__"].__dict__ is globals(), "dh": [str(d) for d in _dh], "starting": str(get_ipython().starting_dir),
  "env": {k: v for k, v in os.environ.items() if k != "FANOUT_KERNEL_ID"}, "umask": os.umask(0o22), "nice": os.nice(0),
  "signals": {s.name: str(signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP)},
  "threads": sorted(__import__("re").sub("Thread-[0-9]+", "Thread", t.name) for t in threading.enumerate()), "session": os.getsid(0) == os.getpid(), "group": os.getpgrp() == os.getpid(),
  "stdin": os.readlink("/proc/self/fd/0"), "globals": sorted(globals()), "count": get_ipython().execution_count,
  "loop": type(asyncio.get_event_loop()).__name__, "running": asyncio.get_event_loop().is_running(),
  "shell": type(get_ipython()).__name__, "kernel": type(get_ipython().kernel).__name__, "locale": locale.getlocale(), "hooks": [sys.excepthook.__name__],
  "root": [type(h).__name__ for h in logging.getLogger().handlers], "recursion": sys.getrecursionlimit(), "stdout": type(sys.stdout).__name__,
  "magics": sorted(get_ipython().magics_manager.magics["line"]), "comm": type(get_ipython().kernel.comm_manager).__name__,
  "limits": str(__import__("resource").getrlimit(__import__("resource").RLIMIT_NOFILE)), "gc": __import__("gc").isenabled(), "threshold": __import__("gc").get_threshold(),
  "debugpy": "debugpy" in sys.modules and sys.modules["debugpy"] is None,
}, default=str))`

func stateOf(t *testing.T, k *kernel.Kernel) map[string]any {
	t.Helper()
	got := run(t, k, stateCell)
	var m map[string]any
	if err := json.Unmarshal([]byte(got.output()), &m); err != nil {
		t.Fatalf("%v:\n%s", err, got.text())
	}
	return m
}

func TestWarmStateEqualsCold(t *testing.T) {
	spec := pythonSpec(t)
	o := kernel.Options{Dir: t.TempDir(), Env: append(os.Environ(), "OWN=1", "TZ=Asia/Tokyo")}
	want := stateOf(t, launch(t, spec, o))
	for _, mode := range []string{"P", "K", "S", "W", "A"} {
		t.Run(mode, func(t *testing.T) {
			srv, err := kernel.ServeMode(mode, spec, kernel.ServerOptions{Imports: []string{"json", "decimal"}})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			if srv.Mode != mode || len(srv.Dropped) > 0 {
				t.Errorf("mode %s, dropped %v", srv.Mode, srv.Dropped)
			}
			k := launchWarm(t, srv, o)
			got := stateOf(t, k)
			if mode == "P" {
				if d := cmp.Diff([]any{"IOPub", "MainThread"}, got["threads"]); d != "" {
					t.Errorf("threads (-want +got):\n%s", d)
				}
				got["threads"] = want["threads"]
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-cold +warm):\n%s", d)
			}
			if x := k.Close(5 * time.Second); x.Code != 0 || x.Signal != "" {
				t.Errorf("exit %v", x)
			}
		})
	}
}

// What 200 runs can do to each other: nothing.
func TestWarmIsolation(t *testing.T) {
	const runs = 200
	marks := t.TempDir()
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{Imports: []string{"numpy", "random", "uuid", "tempfile", "secrets"}})
	cell := fmt.Sprintf(`
import os, random, uuid, tempfile, secrets, atexit, json, hashlib
import numpy as np
seen = ["mine" in globals(), os.path.exists("same-name"), os.environ.get("CHANGED"), os.environ["RUN"], os.getcwd()]
mine = os.environ["RUN"]
os.environ["CHANGED"] = mine
open("same-name", "w").write(mine)
atexit.register(lambda: open(os.path.join(%q, mine), "w").write(open("same-name").read()))
print(json.dumps(seen + [os.getpid()]))
print(json.dumps([random.random(), np.random.rand(), np.random.default_rng().random(), str(uuid.uuid4()), str(uuid.uuid1()),
                  os.path.basename(tempfile.mktemp()), secrets.token_hex(), get_ipython().kernel.session.session, get_ipython().kernel.ident]))`, marks)
	var mu sync.Mutex
	var values [9]map[any]bool
	for i := range values {
		values[i] = map[any]bool{}
	}
	pids := map[any]bool{}
	next := make(chan int)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for n := range next {
				dir := filepath.Join(marks, fmt.Sprint("dir", n))
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Error(err)
					continue
				}
				k, err := srv.Launch(context.Background(), kernel.Options{Dir: dir, Env: append(os.Environ(), fmt.Sprint("RUN=", n))})
				if err != nil || !k.Warm() {
					t.Errorf("run %d: %v", n, err)
					continue
				}
				got := run(t, k, cell)
				if x := k.Close(10 * time.Second); x.Code != 0 || x.Signal != "" {
					t.Errorf("run %d: exit %v", n, x)
				}
				var state, drawn []any
				lines := strings.Split(got.output()+"\n", "\n")
				if err := errors.Join(json.Unmarshal([]byte(lines[0]), &state), json.Unmarshal([]byte(lines[1]), &drawn)); err != nil {
					t.Errorf("run %d: %v:\n%s", n, err, got.text())
					continue
				}
				mu.Lock()
				if d := cmp.Diff([]any{false, false, nil, fmt.Sprint(n), dir}, state[:5]); d != "" {
					t.Errorf("run %d sees another (-want +got):\n%s", n, d)
				}
				pids[state[5]] = true
				for i, v := range drawn {
					values[i][v] = true
				}
				mu.Unlock()
			}
		})
	}
	for n := range runs {
		next <- n
	}
	close(next)
	wg.Wait()
	if len(pids) != runs {
		t.Errorf("%d distinct processes", len(pids))
	}
	for i, v := range values {
		if len(v) != runs {
			t.Errorf("value %d: only %d of %d are distinct", i, len(v), runs)
		}
	}
	for n := range runs {
		if b, err := os.ReadFile(filepath.Join(marks, fmt.Sprint(n))); err != nil || string(b) != fmt.Sprint(n) {
			t.Errorf("mark of the exit of run %d: %q, %v", n, b, err)
		}
	}
}

func TestWarmDeaths(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	for _, tt := range []struct{ code, want, tail string }{
		{"print('last words', flush=True); import os, time; time.sleep(0.1); os._exit(3)", "exit status 3", ""},
		{"print('last words', flush=True); import os, time; time.sleep(0.1); os.kill(os.getpid(), 9)", "signal: killed", ""},
		{"print('last words', flush=True); import ctypes, time; time.sleep(0.1); ctypes.string_at(0)", "signal: segmentation fault", "Segmentation fault"},
	} {
		k := launchWarm(t, srv, kernel.Options{})
		got := run(t, k, tt.code)
		var dead *kernel.DeadError
		if !errors.As(got.err, &dead) || dead.Exit.String() != tt.want || !strings.Contains(dead.Exit.LogTail, tt.tail) {
			t.Errorf("%s: error %v, exit %+v", tt.code, got.err, dead)
		}
		if got.output() != "last words" {
			t.Errorf("%s: output %q", tt.code, got.output())
		}
	}
	k := launchWarm(t, srv, kernel.Options{})
	if got := run(t, k, "exit"); got.err != nil {
		t.Errorf("exit in a cell: %v", got.err)
	}
	select {
	case <-k.Done():
		if x := k.Exit(); x.Code != 0 || x.Signal != "" || x.CPU <= 0 {
			t.Errorf("exit %+v", x)
		}
	case <-time.After(10 * time.Second):
		t.Error("the kernel stays after exit in a cell")
	}
}

func TestWarmInterruptAndGrandchildren(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	k := launchWarm(t, srv, kernel.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if got := runContext(ctx, k, "import time; time.sleep(60)"); !errors.Is(got.err, context.DeadlineExceeded) {
		t.Fatal(got.err)
	}
	k.Interrupt()
	got := run(t, k, `
import subprocess, os, sys
a = subprocess.Popen(["sleep", "300"])
b = subprocess.Popen(["sleep", "300"], start_new_session=True)
if os.fork() == 0:  # neither exec nor the session gives it away
    os.setsid()
    time.sleep(300)
    os._exit(0)
print("alive")`)
	if !strings.Contains(got.text(), "KeyboardInterrupt") || got.output() != "alive" {
		t.Errorf("after an interrupt:\n%s", got.text())
	}
	time.Sleep(50 * time.Millisecond)
	if n := len(living(k.ID())); n != 4 {
		t.Errorf("%d processes carry the mark, want the kernel and its 3 children", n)
	}
	k.Close(300 * time.Millisecond)
	if p := living(k.ID()); len(p) > 0 {
		t.Errorf("processes left: %v", p)
	}
}

func TestWarmMemory(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{Imports: []string{"numpy"}})
	k := launchWarm(t, srv, kernel.Options{MemoryLimit: 300_000_000})
	if got := run(t, k, "x = bytearray(b'1') * 100_000_000"); got.err != nil {
		t.Fatal(got.err)
	}
	got := run(t, k, "y = bytearray(b'1') * 400_000_000; import time; time.sleep(20)")
	var dead *kernel.DeadError
	if !errors.As(got.err, &dead) || !dead.Exit.OOM || dead.Exit.Asked {
		t.Fatalf("error %v", got.err)
	}
	k = launchWarm(t, srv, kernel.Options{})
	run(t, k, "x = bytearray(b'1') * 100_000_000; del x")
	if x := k.Close(5 * time.Second); x.PeakRSS < 100_000_000 || x.PeakRSS > 160_000_000 {
		t.Errorf("peak %d bytes", x.PeakRSS)
	}
	k = launchWarm(t, srv, kernel.Options{})
	run(t, k, "1")
	if x := k.Close(5 * time.Second); x.PeakRSS < 1_000_000 || x.PeakRSS > 40_000_000 {
		t.Errorf("peak of next to nothing: %d bytes", x.PeakRSS)
	}
}

func TestWarmImports(t *testing.T) {
	lib, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(lib, "goodmod.py"), "import os; os.environ['SET_BY_GOODMOD'] = 'yes'; value = 1\n")
	write(t, filepath.Join(lib, "noisymod.py"), "print('hello from an import')\n")
	write(t, filepath.Join(lib, "threadmod.py"), "import threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n")
	write(t, filepath.Join(lib, "badmod.py"), "raise RuntimeError('not here')\n")
	// ipykernel's environment has one, too; the template's comes first.
	write(t, filepath.Join(dir, "pexpect.py"), "where = 'template'\n")
	env := append(os.Environ(), "PYTHONPATH="+lib)
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{
		Imports: []string{"goodmod", "noisymod", "threadmod", "badmod", "pexpect", "nosuchmod"}, Env: env, Dir: dir})
	dropped := strings.Join(srv.Dropped, "\n")
	for _, want := range []string{"noisymod: it writes", "threadmod: it starts threads", "badmod: RuntimeError: not here", "nosuchmod: ModuleNotFoundError"} {
		if !strings.Contains(dropped, want) {
			t.Errorf("no %q in %q", want, dropped)
		}
	}
	k := launchWarm(t, srv, kernel.Options{Env: env, Dir: dir})
	got := run(t, k, `
import sys, os
print([m in sys.modules for m in ("goodmod", "noisymod", "threadmod", "badmod", "pexpect")], os.environ.get("SET_BY_GOODMOD"))
import noisymod, threadmod, pexpect
print(pexpect.where)`)
	if want := "[True, False, False, False, False] yes\nhello from an import\ntemplate"; strings.TrimSpace(got.output()) != want {
		t.Errorf("output %q\n%s", got.output(), got.text())
	}
}

func TestWarmRefusals(t *testing.T) {
	spec := pythonSpec(t)
	fake := fakeSpec(t, "fake", "")
	odd := spec
	odd.Argv = append([]string{spec.Argv[0], "wrapper.py"}, spec.Argv[1:]...)
	broken := spec
	broken.Argv = append([]string{write(t, filepath.Join(t.TempDir(), "python3"), "#!/bin/sh\necho it is broken >&2\nexit 1\n")}, spec.Argv[1:]...)
	for _, tt := range []struct {
		spec kernelspec.Spec
		want string
	}{
		{fake, "not a plain ipykernel"},
		{odd, "unusual way"},
		{broken, "it is broken"},
	} {
		_, err := kernel.Serve(context.Background(), tt.spec, kernel.ServerOptions{})
		var refused *kernel.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, want %q", err, tt.want)
		}
	}
}

func TestWarmFallsBackToCold(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	k, err := srv.Launch(context.Background(), kernel.Options{Env: append(os.Environ(), "OMP_NUM_THREADS=7")})
	if err != nil {
		t.Fatal(err)
	}
	if k.Warm() || !strings.Contains(k.ColdReason(), "OMP_NUM_THREADS differs") {
		t.Errorf("warm %v, reason %q", k.Warm(), k.ColdReason())
	}
	k.Close(time.Second)
	// A server that is killed takes its kernels along, and is replaced by cold starts.
	k = launchWarm(t, srv, kernel.Options{})
	syscall.Kill(srv.Pid(), syscall.SIGKILL)
	select {
	case <-k.Done():
		if x := k.Exit(); x.Signal != "killed" {
			t.Errorf("exit %v", x)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the kernel outlives its server")
	}
	k, err = srv.Launch(context.Background(), kernel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if k.Warm() || !strings.Contains(k.ColdReason(), "the server has ended") {
		t.Errorf("warm %v, reason %q", k.Warm(), k.ColdReason())
	}
	if got := run(t, k, "print(1)"); got.output() != "1" {
		t.Errorf("output %q", got.output())
	}
	k.Close(5 * time.Second)
}

func TestStuckServerHoldsNobodyUp(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	k := launchWarm(t, srv, kernel.Options{})
	syscall.Kill(srv.Pid(), syscall.SIGSTOP)
	began := time.Now()
	if x := k.Close(100 * time.Millisecond); x.Signal != "killed" {
		t.Errorf("exit %v", x)
	}
	srv.Close()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	nobody(t)
}

func TestWarmLeavesNothing(t *testing.T) {
	spec := pythonSpec(t)
	before := runtime.NumGoroutine()
	files := openFiles(t)
	srv := serve(t, spec, kernel.ServerOptions{})
	var kernels []*kernel.Kernel
	for range 3 {
		k := launchWarm(t, srv, kernel.Options{})
		run(t, k, "print(1)")
		kernels = append(kernels, k)
	}
	kernels[0].Close(5 * time.Second)
	srv.Close() // kernels still run
	for _, k := range kernels[1:] {
		if x := k.Close(5 * time.Second); x.Signal != "killed" {
			t.Errorf("exit %v", x)
		}
	}
	srv.Close()
	nobody(t)
	for end := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, buf[:runtime.Stack(buf, true)])
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d open files, %d before", n, files)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(d)
}

func TestKilledParentLeavesNothingWarm(t *testing.T) {
	token, p := startVictim(t, "FANOUT_TEST_VICTIM=warm", "FANOUT_TEST_PYTHON="+kerneltest.Python(t))
	if n := len(living(token)); n != 9 {
		t.Fatalf("%d processes, want a server, 2 kernels and 6 grandchildren", n)
	}
	p.Kill()
	p.Wait()
	nothingWithin(t, token, 5*time.Second)
}
