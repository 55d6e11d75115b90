package kernel_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// leaveCell leaves shared memory, a semaphore, a folder of joblib's and two processes,
// one without the environment, session and parent it began with; it writes where they
// are to the file named LEFT.
const leaveCell = `
import multiprocessing as mp, os, subprocess, sys, time, glob
from multiprocessing import shared_memory
import numpy as np
from joblib import Parallel, delayed
segment = shared_memory.SharedMemory(create=True, size=100000)
semaphore = mp.get_context("spawn").Semaphore()
sums = Parallel(n_jobs=2, max_nbytes=10)(delayed(np.sum)(np.ones(1000)) for _ in range(2))
note = os.environ["LEFT"]
subprocess.run(["sh", "-c", "setsid env -i sh -c 'echo $$ > %s.pid; exec sleep 987' < /dev/null > /dev/null 2>&1 &" % note])
child = subprocess.Popen(["sleep", "987"], start_new_session=True)
while not os.path.exists(note + ".pid") or not open(note + ".pid").read().strip(): time.sleep(0.01)
left = ["/dev/shm/" + segment.name, "/dev/shm/sem." + semaphore._semlock.name.lstrip("/"),
        "/proc/%s/cmdline" % open(note + ".pid").read().strip(), "/proc/%d/cmdline" % child.pid]
for process in left[2:4]: # one that is becoming another program has no command for a moment
    while not open(process).read().startswith("sleep"): time.sleep(0.01)
left += glob.glob("/dev/shm/joblib_memmapping_folder_%d_*" % os.getpid())
with open(note, "w") as f: f.write("\n".join(left))
`

// leftBehind returns what of the things in the file is still there.
func leftBehind(t *testing.T, note string) (left []string) {
	t.Helper()
	b, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(string(b), "\n")
	if len(names) < 5 {
		t.Fatalf("the run made only %q", names)
	}
	for _, name := range names {
		command, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || strings.HasPrefix(name, "/proc/") && len(command) == 0 { // the dead have none
			continue
		}
		left = append(left, name)
	}
	return left
}

// What a run leaves is gone however it ends, and nothing of anybody else's.
func TestNothingIsLeftBehind(t *testing.T) {
	spec := pythonSpec(t)
	imports := []string{"numpy", "joblib", "multiprocessing.shared_memory"}
	srv := serve(t, spec, kernel.ServerOptions{Imports: imports})
	zmq := serve(t, spec, kernel.ServerOptions{Imports: imports, ZMQ: true})
	other := filepath.Join("/dev/shm", "psm_of_another_"+kernel.Token())
	write(t, other, "")
	t.Cleanup(func() { os.Remove(other) })
	for how, cell := range map[string]string{
		"success": "", "exception": "1/0", "exit": "os._exit(1)", "killed": "os.kill(os.getpid(), 9)", "terminated": "os.kill(os.getpid(), 15); time.sleep(30)",
		"stopped": "-", "group": "os.killpg(0, 15); time.sleep(30)",
	} {
		for _, warm := range []string{"warm", "cold", "ZeroMQ"} {
			if warm == "ZeroMQ" && how != "success" && how != "killed" {
				continue // the same as warm
			}
			t.Run(how+" "+warm, func(t *testing.T) {
				note := filepath.Join(t.TempDir(), "left")
				o := kernel.Options{Env: append(os.Environ(), "LEFT="+note), Dir: t.TempDir()}
				var k *kernel.Kernel
				switch warm {
				case "warm":
					k = launchWarm(t, srv, o)
				case "ZeroMQ":
					k = launchWarm(t, zmq, o)
				default:
					k = launch(t, spec, o)
				}
				if _, err := k.Execute(t.Context(), leaveCell, kernel.ExecuteOptions{}, func(kernel.Message) {}); err != nil {
					t.Fatal(err)
				}
				if left := leftBehind(t, note); len(left) < 5 {
					t.Fatalf("there is only %q while the kernel runs", left)
				}
				grace := 10 * time.Second
				if cell == "-" {
					grace = 0
				} else {
					k.Execute(t.Context(), cell, kernel.ExecuteOptions{}, func(kernel.Message) {})
				}
				k.Close(grace)
				if left := leftBehind(t, note); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
				if _, err := os.Stat(other); err != nil {
					t.Error("what belongs to another is gone, too")
				}
			})
		}
	}
}

// So it is when this program is killed.
func TestNothingIsLeftBehindByAKilledProgram(t *testing.T) {
	pythonSpec(t)
	note := filepath.Join(t.TempDir(), "left")
	token, p := startVictim(t, "FANOUT_TEST_VICTIM=leaves", "LEFT="+note)
	if left := leftBehind(t, note); len(left) < 5 {
		t.Fatalf("there is only %q while the kernel runs", left)
	}
	p.Kill()
	nothingWithin(t, token, 20*time.Second)
	for end := time.Now().Add(10 * time.Second); len(leftBehind(t, note)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("left behind: %q", leftBehind(t, note))
		}
	}
}
