package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// lifeCell uses what could be left behind or shared: threads, a loop, shared memory,
// a pool, a temporary folder, a child process; then it answers.
const lifeCell = `
import asyncio, os, random, subprocess, tempfile, threading
from multiprocessing import shared_memory
memory = shared_memory.SharedMemory(create=True, size=64)
folder = tempfile.mkdtemp(prefix="life-")
child = subprocess.Popen(["sleep", "987"], start_new_session=True)
thread = threading.Thread(target=threading.Event().wait, daemon=True); thread.start()
await asyncio.sleep(0)
print("run", os.environ["RUN"], memory.name, folder)`

// Any number of kernels, one after the other and at once, answer for themselves, end,
// and leave nothing: no process, descriptor, goroutine, socket or shared memory, here
// or in the server.
func TestManyLives(t *testing.T) {
	rows, once := 40, 24
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		rows, once = 2000, 200
	}
	spec := pythonSpec(t)
	temp := t.TempDir()
	env := slices.Clip(append(os.Environ(), "TMPDIR="+temp))
	srv := serve(t, spec, kernel.ServerOptions{Env: env, Imports: []string{"multiprocessing.shared_memory", "asyncio", "subprocess"}})
	if srv.Mode != "P" {
		t.Fatalf("mode %s: %s", srv.Mode, srv.ZMQ)
	}
	life := func(n int) error {
		began := time.Now()
		k, err := srv.Launch(t.Context(), kernel.Options{Dir: temp, Env: append(env, fmt.Sprint("RUN=", n))})
		if err != nil {
			return err
		}
		if !k.Warm() {
			return fmt.Errorf("it started cold: %s", k.ColdReason())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got := &transcript{}
		got.reply, got.err = k.Execute(ctx, lifeCell, kernel.ExecuteOptions{}, got.on)
		x := k.Close(20 * time.Second)
		words := strings.Fields(got.output())
		switch {
		case got.err != nil:
			return got.err
		case len(words) != 4 || words[1] != fmt.Sprint(n):
			return fmt.Errorf("it printed %q", got.output())
		case x.Code != 0 || x.Signal != "":
			return fmt.Errorf("it ended with %s", x)
		case len(living(k.ID())) > 0:
			return errors.New("processes are left")
		}
		if _, err := os.Stat("/dev/shm/" + words[2]); err == nil {
			return fmt.Errorf("shared memory is left: %s", words[2])
		}
		if took := time.Since(began); took > 30*time.Second {
			return fmt.Errorf("it took %v", took)
		}
		return os.Remove(words[3])
	}
	if err := life(-1); err != nil { // what a first life keeps for all
		t.Fatal(err)
	}
	before := leavings(t, srv)
	for n := range rows {
		if err := life(n); err != nil {
			t.Fatalf("life %d: %v", n, err)
		}
	}
	left := make(chan int, once)
	for n := range once {
		left <- n
	}
	close(left)
	var wg sync.WaitGroup
	for range min(once, 8) {
		wg.Go(func() {
			for n := range left {
				if err := life(n); err != nil {
					t.Errorf("life %d of %d at once: %v", n, once, err)
				}
			}
		})
	}
	wg.Wait()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after := leavings(t, srv)
		if after == before {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("left behind: %+v, before %+v", after, before)
		}
	}
}

// A leaving is how much there is of what lives could leave.
type leaving struct{ processes, goroutines, files, serverFiles, children, sockets int }

func leavings(t *testing.T, srv *kernel.Server) leaving {
	t.Helper()
	count := func(pattern string) int { names, _ := filepath.Glob(pattern); return len(names) }
	server := fmt.Sprintf("/proc/%d", srv.Pid())
	children, err := os.ReadFile(fmt.Sprintf("%s/task/%d/children", server, srv.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	return leaving{
		len(living(kernel.Token())), runtime.NumGoroutine(), openFiles(t), count(server + "/fd/*"), len(strings.Fields(string(children))),
		len(socketDirs(kernel.Token())),
	}
}
