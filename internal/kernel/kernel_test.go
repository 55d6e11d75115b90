package kernel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

func TestMain(m *testing.M) {
	kerneltest.Main()
	if os.Getenv("FANOUT_TEST_VICTIM") != "" {
		victim()
	}
	os.Exit(m.Run())
}

// fakeSpec returns the fake kernel, started with the given order.
func fakeSpec(t testing.TB, name, start string) kernelspec.Spec {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{}
	if start != "" {
		env["FANOUT_FAKE_START"] = start
	}
	if err := kerneltest.InstallSpec(dir, env); err != nil {
		t.Fatal(err)
	}
	s, err := kernelspec.Finder{Env: append(os.Environ(), "JUPYTER_PATH="+dir)}.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func launch(t testing.TB, s kernelspec.Spec, o kernel.Options) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Launch(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(0) })
	return k
}

// A transcript is the text of a cell's messages, a line each.
type transcript struct {
	lines []string
	reply kernel.Reply
	err   error
}

func (tr *transcript) on(m kernel.Message) {
	var c struct {
		State string `json:"execution_state"`
		Name  string `json:"name"`
		Text  string `json:"text"`
		Ename string `json:"ename"`
	}
	_ = json.Unmarshal(m.Content, &c)
	line := m.Header.MsgType
	for _, s := range []string{c.State, c.Name, strings.TrimSpace(c.Text), c.Ename} {
		if s != "" {
			line += " " + s
		}
	}
	tr.lines = append(tr.lines, line)
}

func (tr *transcript) text() string { return strings.Join(tr.lines, "\n") }

// output is what the cell printed.
func (tr *transcript) output() string {
	var out []string
	for _, l := range tr.lines {
		if s, ok := strings.CutPrefix(l, "stream stdout "); ok {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

func run(t testing.TB, k *kernel.Kernel, code string) *transcript {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return runContext(ctx, k, code)
}

func runContext(ctx context.Context, k *kernel.Kernel, code string) *transcript {
	tr := &transcript{}
	tr.reply, tr.err = k.Execute(ctx, code, kernel.ExecuteOptions{}, tr.on)
	return tr
}

// living returns the processes that belong to kernel id, or to any of this
// test's if id is "".
func living(id string) []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if strings.Contains(string(env), "\x00"+kernel.Marker+"="+id) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// socketDirs are directories for sockets that exist now.
func socketDirs(token string) []string {
	var all []string
	for _, base := range kernel.SocketBases() {
		if base != "" {
			d, _ := filepath.Glob(filepath.Join(base, "fanout-"+token+"*"))
			all = append(all, d...)
		}
	}
	return all
}

func TestExecuteOrder(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	got := run(t, k, "x = 3\nprint hello $x\nstderr careful\ndisplay text/plain d\nresult 42\n")
	want := `status busy
execute_input
stream stdout hello 3
stream stderr careful
display_data
execute_result
execute_reply
status idle`
	var order []string // reply and idle come over different sockets
	for _, l := range got.lines {
		if l != "execute_reply" {
			order = append(order, l)
		}
	}
	if d := cmp.Diff(strings.Replace(want, "execute_reply\n", "", 1), strings.Join(order, "\n")); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	if got.err != nil || got.reply.Status != "ok" || got.reply.ExecutionCount != 1 {
		t.Errorf("reply %+v, error %v", got.reply, got.err)
	}
	got = run(t, k, "error ValueError too bad\nprint never")
	if got.reply.Status != "error" || got.reply.Ename != "ValueError" || got.reply.Evalue != "too bad" || strings.Contains(got.text(), "never") {
		t.Errorf("reply %+v\n%s", got.reply, got.text())
	}
	if x := k.Close(time.Second); x.Code != 0 || x.Signal != "" || !x.Asked {
		t.Errorf("exit %+v", x)
	}
}

func TestOutputOfOtherParents(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	run(t, k, "late 20ms after the end")
	got := run(t, k, "sleep 100ms\norphan from nowhere")
	if s := got.text(); !strings.Contains(s, "after the end") || !strings.Contains(s, "from nowhere") {
		t.Errorf("messages of other parents are missing:\n%s", s)
	}
	run(t, k, "late 20ms drained")
	var tr transcript
	k.Drain(200*time.Millisecond, tr.on)
	if !strings.Contains(tr.text(), "drained") {
		t.Errorf("drained:\n%s", tr.text())
	}
}

func TestMalformedMessagesAreDroppedAndCounted(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	got := run(t, k, "malformed\nprint fine")
	if strings.Contains(got.text(), "believe") || !strings.Contains(got.text(), "fine") || got.err != nil {
		t.Errorf("error %v, messages:\n%s", got.err, got.text())
	}
	if k.Dropped() != 4 {
		t.Errorf("dropped = %d, want 4", k.Dropped())
	}
}

func TestInterrupt(t *testing.T) {
	for _, name := range []string{"fake", "fakemsg"} {
		t.Run(name, func(t *testing.T) {
			k := launch(t, fakeSpec(t, name, ""), kernel.Options{})
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if got := runContext(ctx, k, "hang"); !errors.Is(got.err, context.DeadlineExceeded) {
				t.Fatalf("error %v", got.err)
			}
			if err := k.Interrupt(); err != nil {
				t.Fatal(err)
			}
			got := run(t, k, "print again")
			if !strings.Contains(got.text(), "error KeyboardInterrupt") || got.output() != "again" {
				t.Errorf("messages:\n%s", got.text())
			}
		})
	}
}

func TestDeath(t *testing.T) {
	for _, tt := range []struct {
		code string
		want kernel.Exit
		text string
	}{
		{"print last words\nlog to the log\ndie 9", kernel.Exit{Code: -1, Signal: "killed", LogTail: "to the log\n"}, "signal: killed"},
		{"print last words\ndie 15", kernel.Exit{Code: -1, Signal: "terminated"}, "signal: terminated"},
		{"print last words\nexit 3", kernel.Exit{Code: 3}, "exit status 3"},
		{"print last words\nexit 0", kernel.Exit{}, "exit status 0"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
			got := run(t, k, tt.code)
			var dead *kernel.DeadError
			if !errors.Is(got.err, kernel.ErrDead) || !errors.As(got.err, &dead) {
				t.Fatalf("error %v", got.err)
			}
			if got.output() != "last words" {
				t.Errorf("output before the death is lost: %q", got.text())
			}
			x := dead.Exit
			if x.Code != tt.want.Code || x.Signal != tt.want.Signal || x.OOM || x.Asked || !strings.HasPrefix(x.LogTail, tt.want.LogTail) {
				t.Errorf("exit %+v, want %+v", x, tt.want)
			}
			if x.String() != tt.text || x.CPU <= 0 {
				t.Errorf("exit says %q, CPU %v", x, x.CPU)
			}
			if again := run(t, k, "print x"); !errors.Is(again.err, kernel.ErrDead) {
				t.Errorf("a cell for the dead: %v", again.err)
			}
			if d := cmp.Diff(x, k.Close(time.Second)); d != "" {
				t.Errorf("Close reports another exit:\n%s", d)
			}
		})
	}
}

func TestStartErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		start  string
		ctx    context.Context
		is     error
		reason string
		tail   string
	}{
		{start: "fail it is broken", reason: "exit status 1", tail: "it is broken\n"},
		{start: "hang", is: context.DeadlineExceeded, reason: "did not answer in time"},
		{start: "hang", ctx: canceled, is: context.Canceled, reason: "canceled"},
	} {
		t.Run(tt.start+tt.reason, func(t *testing.T) {
			if tt.ctx == nil {
				tt.ctx = context.Background()
			}
			_, err := kernel.Launch(tt.ctx, fakeSpec(t, "fake", tt.start), kernel.Options{StartTimeout: 400 * time.Millisecond})
			var se *kernel.StartError
			if !errors.As(err, &se) {
				t.Fatalf("error %v", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(se.Reason, tt.reason) || se.LogTail != tt.tail {
				t.Errorf("error %q (reason %q, log %q)", err, se.Reason, se.LogTail)
			}
		})
	}
	nobody(t)
}

// nobody checks that no kernel of ours is left, nor its files.
func nobody(t testing.TB) {
	t.Helper()
	if p := living(kernel.Token()); len(p) > 0 {
		t.Errorf("processes left: %v", p)
	}
	if d := socketDirs(kernel.Token()); len(d) > 0 {
		t.Errorf("left behind: %v", d)
	}
}

func TestTCPWhereIPCCannotBe(t *testing.T) {
	s := fakeSpec(t, "fake", "tcp-only")
	k := launch(t, s, kernel.Options{})
	name, why := k.Transport()
	if name != "tcp" || why == "" {
		t.Errorf("transport %q, why %q", name, why)
	}
	if got := run(t, k, "print over tcp"); got.output() != "over tcp" {
		t.Errorf("output %q, error %v", got.output(), got.err)
	}
}

func TestIPCInAVeryLongTMPDIR(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long-name/", 20))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	t.Setenv("XDG_RUNTIME_DIR", long)
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	if name, why := k.Transport(); name != "ipc" || why != "" {
		t.Errorf("transport %q, why %q", name, why)
	}
	if got := run(t, k, "print short"); got.output() != "short" {
		t.Errorf("output %q, error %v", got.output(), got.err)
	}
	k.Close(time.Second)
	if left, _ := os.ReadDir(long); len(left) > 0 {
		t.Errorf("left in TMPDIR: %v", left)
	}
	nobody(t)
}

func TestPrivateDirectoryThatVanishes(t *testing.T) {
	s := fakeSpec(t, "fake", "")
	first := launch(t, s, kernel.Options{})
	for _, d := range socketDirs(kernel.Token()) {
		os.RemoveAll(d)
	}
	second := launch(t, s, kernel.Options{})
	for _, k := range []*kernel.Kernel{first, second} {
		if got := run(t, k, "print here"); got.output() != "here" {
			t.Errorf("output %q, error %v", got.output(), got.err)
		}
		k.Close(time.Second)
	}
	nobody(t)
}

func TestPrivateDirectory(t *testing.T) {
	root := t.TempDir()
	long := filepath.Join(root, strings.Repeat("x", 90))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		bases []string
		want  string
		ipc   bool
	}{
		{[]string{"", filepath.Join(root, "none"), root}, root, true},
		{[]string{long, root}, root, true},
		{[]string{long}, long, false},
		{[]string{filepath.Join(root, "none")}, "", false},
	} {
		dir, ipc, err := kernel.MakePrivateDir(tt.bases)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%v: no error", tt.bases)
			}
			continue
		}
		st, statErr := os.Stat(dir)
		if err != nil || statErr != nil || filepath.Dir(dir) != tt.want || ipc != tt.ipc || st.Mode().Perm() != 0o700 {
			t.Errorf("%v: %q, sockets %v, %v %v", tt.bases, dir, ipc, err, statErr)
		}
		os.Remove(dir)
	}
	if left, _ := os.ReadDir(long); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	dir := t.TempDir()
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{Dir: dir, Env: []string{"A=1", "PATH=/nowhere"}})
	got := run(t, k, "pwd\nenv A\nenv HOME\nenv "+kernel.Marker)
	want := fmt.Sprintf("%s\n1\n\n%s", dir, k.ID())
	if d := cmp.Diff(strings.ReplaceAll(want, "\n\n", "\n"), got.output()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if wd, _ := os.Getwd(); wd == dir {
		t.Error("this process changed its directory")
	}
}

func TestCloseEscalatesAndReapsGrandchildren(t *testing.T) {
	for _, code := range []string{
		"print nothing special",
		"ignore-shutdown",
		"ignore-shutdown\nignore-term",
		"fork-grandchild",
		"fork-grandchild setsid",
		"ignore-shutdown\nignore-term\nfork-grandchild setsid\nfork-grandchild",
	} {
		t.Run(strings.ReplaceAll(code, "\n", " "), func(t *testing.T) {
			k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
			if got := run(t, k, code); got.err != nil {
				t.Fatal(got.err)
			}
			if strings.Contains(code, "fork") && len(living(k.ID())) < 2 {
				t.Fatal("no grandchild was made")
			}
			began := time.Now()
			x := k.Close(200 * time.Millisecond)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("Close took %v", took)
			}
			if strings.Contains(code, "ignore-term") && x.Signal != "killed" {
				t.Errorf("exit %v", x)
			}
			if p := living(k.ID()); len(p) > 0 {
				t.Errorf("processes left: %v", p)
			}
		})
	}
	nobody(t)
}

func TestDeathTakesGrandchildrenAlong(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	run(t, k, "fork-grandchild\nfork-grandchild setsid\ndie 9")
	<-k.Done()
	if p := living(k.ID()); len(p) > 0 {
		t.Errorf("processes left: %v", p)
	}
}

func TestNothingIsLost(t *testing.T) {
	const n = 20_000
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	var got, lastID int
	slow := func(m kernel.Message) {
		if m.Header.MsgType != "stream" {
			return
		}
		if got == 0 {
			time.Sleep(300 * time.Millisecond) // a slow reader
		}
		var c struct{ Text string }
		_ = json.Unmarshal(m.Content, &c)
		id, _, _ := strings.Cut(c.Text, " ")
		lastID, _ = strconv.Atoi(id)
		if lastID != got {
			t.Fatalf("message %d came as number %d", lastID, got)
		}
		got++
	}
	if _, err := k.Execute(context.Background(), "spam "+strconv.Itoa(n), kernel.ExecuteOptions{}, slow); err != nil {
		t.Fatal(err)
	}
	if got != n {
		t.Errorf("%d of %d messages", got, n)
	}
	var size int
	if _, err := k.Execute(context.Background(), "big 50_000_000", kernel.ExecuteOptions{}, func(m kernel.Message) {
		var c struct{ Text string }
		if m.Header.MsgType == "stream" && json.Unmarshal(m.Content, &c) == nil {
			size = len(c.Text)
		}
	}); err != nil || size != 50_000_000 {
		t.Errorf("%d of 50,000,000 bytes, error %v", size, err)
	}
}

func TestMemoryLimit(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{MemoryLimit: 100_000_000})
	got := run(t, k, "alloc 50_000_000\nprint fits\nalloc 100_000_000\nsleep 10s")
	var dead *kernel.DeadError
	if !errors.As(got.err, &dead) {
		t.Fatalf("error %v", got.err)
	}
	x := dead.Exit
	if !x.OOM || x.Signal != "killed" || x.Asked || !strings.Contains(x.Reason, "of its limit of 100 MB") || x.PeakRSS < 100_000_000 {
		t.Errorf("exit %+v", x)
	}
	if got.output() != "fits" {
		t.Errorf("output %q", got.output())
	}
}

func TestPeakMemoryAndCPU(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	run(t, k, "alloc 80_000_000\nbusy 200ms")
	x := k.Close(time.Second)
	if x.PeakRSS < 80_000_000 || x.PeakRSS > 200_000_000 || x.CPU < 100*time.Millisecond {
		t.Errorf("peak %d bytes, CPU %v", x.PeakRSS, x.CPU)
	}
}

func TestLogIsCopied(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{Log: f})
	run(t, k, "log one\nlog two")
	if x := k.Close(time.Second); x.LogTail != "one\ntwo\n" {
		t.Errorf("tail %q", x.LogTail)
	}
	if b, _ := os.ReadFile(f.Name()); string(b) != "one\ntwo\n" {
		t.Errorf("log %q", b)
	}
}

func TestCloseTwiceAndTogether(t *testing.T) {
	k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
	exits := make(chan kernel.Exit, 3)
	for range 3 {
		go func() { exits <- k.Close(time.Second) }()
	}
	first := <-exits
	for range 2 {
		if d := cmp.Diff(first, <-exits); d != "" {
			t.Errorf("exits differ:\n%s", d)
		}
	}
	if err := syscall.Kill(k.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process is there: %v", err)
	}
	nobody(t)
}

func TestCellWithoutReplyOrIdleEndsWithTheContext(t *testing.T) {
	for _, code := range []string{"no-reply", "no-idle"} {
		k := launch(t, fakeSpec(t, "fake", ""), kernel.Options{})
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if got := runContext(ctx, k, code); !errors.Is(got.err, context.DeadlineExceeded) {
			t.Errorf("%s: error %v", code, got.err)
		}
	}
}

func TestKilledParentLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := kerneltest.InstallSpec(dir, nil); err != nil {
		t.Fatal(err)
	}
	token, p := startVictim(t, "JUPYTER_PATH="+dir, "FANOUT_TEST_VICTIM=cold")
	if n := len(living(token)); n != 6 {
		t.Fatalf("%d processes, want 2 kernels and 4 grandchildren", n)
	}
	p.Kill()
	p.Wait()
	nothingWithin(t, token, 5*time.Second)
}
