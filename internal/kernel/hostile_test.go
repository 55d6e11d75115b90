package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// spoil finds the socket of the kernel's channels and writes to it as only code
// that means harm does.
const spoil = `
import os, socket, stat, struct, time
fd = get_ipython().kernel.iopub_thread.sock.fileno()
os.set_blocking(fd, True)
time.sleep(0.05) # what the cell itself puts out has been sent
def head(*sizes): return b"fNoT" + bytes([1]) + struct.pack("<%%dI" %% (len(sizes) + 1), len(sizes), *sizes)
%s
time.sleep(60)`

// A kernel that breaks its socket fails with a sentence; its server lives, and the
// next kernel is right.
func TestKernelThatBreaksItsSocket(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	for name, c := range map[string]struct{ code, says string }{
		"garbage":      {`os.write(fd, b"\xff" * 100)`, "no message begins with"},
		"text":         {`os.write(fd, b"hello\n" * 10)`, "no message begins with"},
		"2 GB":         {`os.write(fd, head(2_000_000_000))`, "a message of 2000000000 bytes is announced"},
		"many":         {`os.write(fd, head(*[1 << 20] * 2000))`, "bytes is announced"},
		"half a frame": {`os.write(fd, head(1000) + b"half"); socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_WR)`, "in the middle of a message"},
		"half, dies":   {`os.write(fd, head(1000) + b"half"); os._exit(3)`, "exit status 3"},
		"closes":       {`os.close(fd)`, ""},
		"shuts":        {`socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR)`, ""},
		"exits":        {`os._exit(3)`, "exit status 3"},
		"is killed":    {`os.kill(os.getpid(), 9)`, "signal: killed"},
		"segfaults":    {`import ctypes; ctypes.string_at(0)`, "segmentation fault"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := launchWarm(t, srv, kernel.Options{})
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			_, err := k.Execute(ctx, fmt.Sprintf(spoil, c.code), kernel.ExecuteOptions{}, func(kernel.Message) {})
			var dead *kernel.DeadError
			if !errors.As(err, &dead) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v", err)
			}
			if k.Close(0); len(living(k.ID())) > 0 {
				t.Error("processes are left")
			}
			next := launchWarm(t, srv, kernel.Options{})
			if got := run(t, next, "print(6 * 7)"); got.output() != "42" {
				t.Errorf("the next kernel printed %q", got.text())
			}
		})
	}
}

// Messages for another cell, or for none, end neither the cell nor the kernel, and
// messages that are none are dropped.
func TestForgedMessages(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	k := launchWarm(t, srv, kernel.Options{})
	got := run(t, k, `
k = get_ipython().kernel
other = {"msg_id": "of another", "session": "s", "msg_type": "execute_request", "username": "u", "date": "2024-01-01T00:00:00Z", "version": "5.3"}
k.session.send(k.shell_stream, "execute_reply", {"status": "ok", "execution_count": 1}, parent=other)
k.session.send(k.iopub_socket, "status", {"execution_state": "idle"}, parent=other)
k.session.send(k.iopub_socket, "status", {"execution_state": "idle"}, parent={})
for frames in ([], [b"junk"], [b"<IDS|MSG>", b"", b"{", b"{}", b"{}", b"{}"], [b"<IDS|MSG>", b"", b'{"msg_type": "stream"}', b"{}", b"{}", b"[NaN"]):
    k.iopub_socket.send_multipart(frames)
print("still here")`)
	if got.err != nil || got.output() != "still here" || got.reply.Status != "ok" {
		t.Errorf("%v:\n%s", got.err, got.text())
	}
	if n := k.Dropped(); n != 4 {
		t.Errorf("%d messages dropped, want 4", n)
	}
	if got := run(t, k, "print('next')"); got.output() != "next" {
		t.Errorf("next:\n%s", got.text())
	}
}

// A process that a cell forks dies while it writes: the kernel's messages stay whole.
func TestForkThatDiesInTheMiddleOfAMessage(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	k := launchWarm(t, srv, kernel.Options{})
	got := run(t, k, `
import os, time, signal
for i in range(20):
    pid = os.fork()
    if pid == 0:
        while True: print("y" * 3_000_000)
    time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print("still here")`)
	if got.err != nil || !strings.HasSuffix(got.output(), "still here") || k.Dropped() != 0 {
		t.Errorf("%v, %d dropped", got.err, k.Dropped())
	}
}

// An exception that a signal raises anywhere in printing neither tears a message nor
// loses the ones that follow.
func TestSignalsBetweenPrints(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	k := launchWarm(t, srv, kernel.Options{})
	got := run(t, k, `
import signal, time
from IPython.display import display
class Alarm(BaseException): pass
def f(n, s): raise Alarm()
signal.signal(signal.SIGALRM, f)
hits = 0
for i in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0003 + i * 0.000003)
        while True:
            print("line", flush=i % 2 == 0); display({"text/plain": "d"}, raw=True)
    except Alarm:
        hits += 1
signal.setitimer(signal.ITIMER_REAL, 0)
time.sleep(0.3)
print("\nhits", hits)`)
	if got.err != nil || got.reply.Status != "ok" || !strings.Contains(got.output(), "hits 300") || k.Dropped() != 0 {
		t.Errorf("%v, %s %s, %d dropped, ends %.300q", got.err, got.reply.Status, got.reply.Evalue, k.Dropped(), got.output()[max(0, len(got.output())-300):])
	}
	if got := run(t, k, "print('next')"); got.output() != "next" {
		t.Errorf("next:\n%s", got.text())
	}
}

// A server that is killed takes its kernels along, at whatever they are.
func TestServerKilledAtEveryStep(t *testing.T) {
	for name, code := range map[string]string{
		"after a cell": "1", "in a cell": "import time; time.sleep(60)", "while it prints": "while True: print('x' * 100000)",
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
			k := launchWarm(t, srv, kernel.Options{})
			go k.Execute(context.Background(), code, kernel.ExecuteOptions{}, func(kernel.Message) {})
			time.Sleep(200 * time.Millisecond)
			if err := syscall.Kill(srv.Pid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			select {
			case <-k.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the kernel outlived its server")
			}
			next, err := srv.Launch(context.Background(), kernel.Options{Dir: os.TempDir()})
			if err != nil {
				t.Fatalf("a kernel after the server's end: %v", err)
			}
			next.Close(0)
			nobody(t)
		})
	}
}
