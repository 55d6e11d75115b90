package kernel_test

import (
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"

	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

func pythonSpec(t testing.TB) kernelspec.Spec {
	t.Helper()
	s, err := kernelspec.Finder{Python: kerneltest.Python(t)}.Find("python3")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIPykernel(t *testing.T) {
	k := launch(t, pythonSpec(t), kernel.Options{Dir: t.TempDir()})
	if k.Info().Implementation != "ipython" || !json.Valid(k.Info().LanguageInfo) {
		t.Errorf("info %+v", k.Info())
	}
	if name, why := k.Transport(); name != "ipc" {
		t.Errorf("transport %s: %s", name, why)
	}
	got := run(t, k, "import os, sys\nprint('hello')\nos.system('echo from a child')\nprint('bad', file=sys.stderr)\n1+1")
	for _, want := range []string{"stream stdout hello", "from a child", "stream stderr bad", "execute_result", "status idle"} {
		if !strings.Contains(got.text(), want) {
			t.Errorf("no %q in:\n%s", want, got.text())
		}
	}
	if got = run(t, k, "1/0"); got.reply.Ename != "ZeroDivisionError" || len(got.reply.Traceback) == 0 {
		t.Errorf("reply %+v", got.reply)
	}
	if got = run(t, k, "input('name?')"); got.reply.Ename != "StdinNotImplementedError" {
		t.Errorf("input: %+v", got.reply)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if got = runContext(ctx, k, "import time; time.sleep(60)"); !errors.Is(got.err, context.DeadlineExceeded) {
		t.Errorf("error %v", got.err)
	}
	k.Interrupt()
	if got = run(t, k, "print('alive')"); !strings.Contains(got.text(), "KeyboardInterrupt") || got.output() != "alive" {
		t.Errorf("after an interrupt:\n%s", got.text())
	}
	run(t, k, "import subprocess; p = subprocess.Popen(['sleep', '300'], start_new_session=True)")
	k.Close(3 * time.Second)
	if p := living(k.ID()); len(p) > 0 {
		t.Errorf("processes left: %v", p)
	}
}

// A kernel drops output when its queue of a thousand messages is full.
func TestIPykernelLosesNothing(t *testing.T) {
	k := launch(t, pythonSpec(t), kernel.Options{})
	warm := launchWarm(t, serve(t, pythonSpec(t), kernel.ServerOptions{}), kernel.Options{})
	for _, k := range []*kernel.Kernel{k, warm} {
		if got := run(t, k, "import zmq; print(get_ipython().kernel.iopub_thread.socket.getsockopt(zmq.SNDHWM), len(In))"); got.output() != "0 2" {
			t.Errorf("bound of the queue and cells so far: %q", got.output())
		}
	}
	const n = 10_000
	var got int
	_, err := k.Execute(context.Background(), `
k = get_ipython().kernel
message = k.session.msg('display_data', {'data': {'text/plain': 'x'}, 'metadata': {}}, parent=k.get_parent())
frames = k.session.serialize(message)
for i in range(10_000):  # as fast as can be
    k.iopub_thread.send_multipart(frames)`, kernel.ExecuteOptions{}, func(m kernel.Message) {
		if m.Header.MsgType != "display_data" {
			return
		}
		if got == 0 {
			time.Sleep(500 * time.Millisecond)
		}
		got++
	})
	if err != nil || got != n {
		t.Errorf("%d of %d displays, error %v", got, n, err)
	}
	var size int
	_, err = k.Execute(context.Background(), `from IPython.display import publish_display_data; publish_display_data({'text/plain': 'x' * 50_000_000})`, kernel.ExecuteOptions{}, func(m kernel.Message) {
		if m.Header.MsgType == "display_data" {
			size = len(m.Content)
		}
	})
	if err != nil || size < 50_000_000 {
		t.Errorf("%d bytes, error %v", size, err)
	}
}
