package runner

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/secret"
)

func fakeSpec(t *testing.T, env map[string]string) kernelspec.Spec {
	t.Helper()
	dir := t.TempDir()
	if err := kerneltest.InstallSpec(dir, env); err != nil {
		t.Fatal(err)
	}
	spec, err := kernelspec.Finder{Env: append(os.Environ(), "JUPYTER_PATH="+dir)}.Find("fake")
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// onFake runs cells on a fake kernel over the real wire.
func onFake(t *testing.T, task Task, o kernel.Options, cells ...string) (Result, *sheet) {
	t.Helper()
	spec, s := fakeSpec(t, nil), &sheet{}
	task.Doc = doc(cells...)
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	task.Launch = func(ctx context.Context) (*kernel.Kernel, error) { return kernel.Launch(ctx, spec, o) }
	r, err := Run(t.Context(), task, s)
	if err != nil {
		t.Fatal(err)
	}
	if b := s.doc.Encode(); len(b) > 0 {
		if _, err := notebook.Decode(b); err != nil {
			t.Errorf("the document is not valid: %v", err)
		}
	}
	return r, s
}

func TestEndings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		task   Task
		memory int64
		cells  []string
		status outcome.Status
		kind   outcome.Kind
		cell   int
		reason string // part of it
		text   string // of all outputs
	}{
		{name: "success", cells: []string{"print a", "stderr b", "result c"}, status: outcome.Succeeded, text: "a\nb\n"},
		{name: "raises", cells: []string{"print a", "error ValueError no good", "print never"}, status: outcome.Failed, kind: outcome.Exception, cell: 2,
			reason: "cell 2 raised ValueError: no good", text: "a\n"},
		{name: "fails without a word", cells: []string{"print a", "fail-silently", "print never"}, status: outcome.Failed, kind: outcome.Exception, cell: 2,
			reason: "UsageError: no such magic", text: "a\n"},
		{name: "exits early", cells: []string{"print a", "exit-cell", "error E e"}, status: outcome.Succeeded, kind: outcome.EarlyExit, cell: 2, text: "a\n"},
		{name: "dies", cells: []string{"print a", "print b\ndie 9", "print never"}, status: outcome.Failed, kind: outcome.KernelDied, cell: 2, reason: "signal: killed", text: "a\nb\n"},
		{name: "is terminated", cells: []string{"die 15"}, status: outcome.Failed, kind: outcome.KernelDied, cell: 1, reason: "signal: terminated"},
		{name: "exits the process", cells: []string{"print a\nexit 3"}, status: outcome.Failed, kind: outcome.KernelDied, cell: 1, reason: "exit status 3", text: "a\n"},
		{name: "asks for input", cells: []string{"input name?"}, status: outcome.Failed, kind: outcome.InputAsked, cell: 1, reason: "asked for input"},
		{name: "hangs", task: Task{Timeout: Timeouts{Cell: time.Second}}, cells: []string{"print a", "print b\nhang"}, status: outcome.TimedOut,
			kind: outcome.CellTimeout, cell: 2, reason: "longer than 1s", text: "a\nb\n"},
		{name: "hangs and is deaf", task: Task{Timeout: Timeouts{Cell: 100 * time.Millisecond}, Grace: 400 * time.Millisecond},
			cells: []string{"ignore-interrupt\nignore-term\nignore-shutdown\nhang"}, status: outcome.TimedOut, kind: outcome.CellTimeout, cell: 1},
		{name: "run timeout", task: Task{Timeout: Timeouts{Run: 2 * time.Second}}, cells: []string{"print a", "hang"}, status: outcome.TimedOut, kind: outcome.RunTimeout, cell: 2, text: "a\n"},
		{name: "no reply", task: Task{Timeout: Timeouts{Cell: time.Second}, Grace: 400 * time.Millisecond}, cells: []string{"print a\nno-reply"},
			status: outcome.TimedOut, kind: outcome.CellTimeout, cell: 1, text: "a\n"},
		{name: "out of memory", memory: 100 << 20, cells: []string{"print a\nalloc 400_000_000\nsleep 10s"}, status: outcome.Failed, kind: outcome.OutOfMemory, cell: 1, reason: "memory", text: "a\n"},
		{name: "lies", cells: []string{"malformed\nprint true"}, status: outcome.Succeeded, text: "true\n"},
		{name: "closes its output", cells: []string{"close-stdout\nprint a"}, status: outcome.Succeeded, text: "a\n"},
		{name: "leaves a grandchild", cells: []string{"fork-grandchild setsid\nprint a"}, status: outcome.Succeeded},
		{name: "speaks late", cells: []string{"late 30ms a", "sleep 200ms\nprint b"}, status: outcome.Succeeded, text: "a\nb\n"},
		{name: "prints for ever", task: Task{MaxCellOutput: 1 << 16, Timeout: Timeouts{Cell: 10 * time.Second}}, cells: []string{"spam 20000 xxxxxxxxxx"}, status: outcome.Succeeded},
		{name: "cut on purpose", task: Task{MaxOutput: 1 << 10}, cells: []string{"big 5000", "print b"}, status: outcome.Succeeded},
		{name: "unicode", cells: []string{"print naïve Ω 漢字 😀"}, status: outcome.Succeeded, text: "naïve Ω 漢字 😀\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.task.Grace == 0 {
				tc.task.Grace = 3 * time.Second
			}
			r, s := onFake(t, tc.task, kernel.Options{MemoryLimit: tc.memory}, tc.cells...)
			if r.Status != tc.status || r.Kind != tc.kind || r.Cell != tc.cell || !strings.Contains(r.Reason, tc.reason) {
				t.Errorf("%s %s in cell %d (%s); want %s %s in cell %d (%s)", r.Status, r.Kind, r.Cell, r.Reason, tc.status, tc.kind, tc.cell, tc.reason)
			}
			var text string
			for _, c := range s.doc.Cells {
				text += textOf(c)
			}
			if tc.text != "" && text != tc.text {
				t.Errorf("the cells say %q, want %q", text, tc.text)
			}
			if len(text) > 1<<17 {
				t.Errorf("%d bytes of output are kept", len(text))
			}
			f, failed := s.doc.Failure()
			if failed != (tc.status != outcome.Succeeded) {
				t.Errorf("the document's own failure is %v, %+v", failed, f)
			}
			if r.KernelStart <= 0 || !r.End.After(r.Start) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestNothingIsLeft(t *testing.T) {
	_, s := onFake(t, Task{Grace: time.Second}, kernel.Options{}, "pid\nfork-grandchild\nfork-grandchild setsid\nignore-shutdown\nignore-term")
	pids := strings.Fields(textOf(s.doc.Cells[0]))
	if len(pids) != 3 {
		t.Fatalf("processes %v", pids)
	}
	for _, pid := range pids {
		// Killed it is; the kernel takes its time to tear it down.
		deadline := time.Now().Add(5 * time.Second)
		for alive(pid) && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		if alive(pid) {
			t.Errorf("process %s is left", pid)
		}
	}
}

// alive reports whether a process runs. A zombie has ended; whoever adopted it
// will ask how.
func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestSecretsOverTheWire(t *testing.T) {
	const password = "correct-horse"
	mask, err := secret.New([]string{password})
	if err != nil {
		t.Fatal(err)
	}
	r, s := onFake(t, Task{Mask: mask, SaveEvery: 300 * time.Millisecond}, kernel.Options{},
		"print the "+password, "display text/html <b>"+password+"</b>\nsleep 700ms", "error E "+password)
	for _, c := range s.doc.Cells {
		c.Source = "" // the fake's cells name what they print
		c.Touch()
	}
	saved, err := notebook.Decode(s.last)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range saved.Cells {
		c.Source = ""
		c.Touch()
	}
	all := string(s.doc.Encode()) + string(saved.Encode()) + s.log.String() + r.Reason + r.Evalue
	if strings.Contains(all, "horse") || !strings.Contains(all, secret.Mark) {
		t.Error(all)
	}
}

func TestNoKernel(t *testing.T) {
	spec, s := fakeSpec(t, map[string]string{"FANOUT_FAKE_START": "fail no module named anything"}), &sheet{}
	tries := 0
	r, err := Run(t.Context(), Task{Doc: doc("x"), Launch: func(ctx context.Context) (*kernel.Kernel, error) {
		tries++
		return kernel.Launch(ctx, spec, kernel.Options{StartTimeout: 5 * time.Second})
	}}, s)
	if err != nil || r.Kind != outcome.StartFailed || !strings.Contains(r.Reason, "no module named anything") || tries != startTries {
		t.Errorf("%+v %v after %d tries", r, err, tries)
	}
}

func TestCancelOverTheWire(t *testing.T) {
	spec, s := fakeSpec(t, nil), &sheet{}
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	r, err := Run(ctx, Task{
		Doc: doc("print a", "hang", "print never"), Grace: 4 * time.Second,
		Launch: func(ctx context.Context) (*kernel.Kernel, error) { return kernel.Launch(ctx, spec, kernel.Options{}) },
		On: func(e Event) {
			if e.Cell == 2 {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
		},
	}, s)
	if err != nil || r.Status != outcome.Canceled || r.Cell != 2 || time.Since(began) > 6*time.Second {
		t.Errorf("%+v %v after %v", r, err, time.Since(began))
	}
	if textOf(s.doc.Cells[0]) != "a\n" {
		t.Errorf("the partial notebook says %q", textOf(s.doc.Cells[0]))
	}
}
