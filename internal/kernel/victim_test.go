package kernel_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

// victim is a process that starts kernels and is killed.
func victim() {
	name, code := "fake", "ignore-term\nfork-grandchild\nfork-grandchild setsid"
	start := kernel.Launch
	var find kernelspec.Finder
	if kind := os.Getenv("FANOUT_TEST_VICTIM"); kind == "leaves" {
		find.Python = os.Getenv("FANOUT_TEST_PYTHON")
		name, code = "python3", leaveCell
	} else if kind == "lives" {
		find.Python = os.Getenv("FANOUT_TEST_PYTHON")
		name = "python3"
	} else if kind == "warm" {
		find.Python = os.Getenv("FANOUT_TEST_PYTHON")
		name, code = "python3", `
import subprocess, os, time
a = subprocess.Popen(["sleep", "300"])
b = subprocess.Popen(["sleep", "300"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(300)`
	}
	spec, err := find.Find(name)
	if err != nil {
		panic(err)
	}
	if name == "python3" {
		if os.Getenv("FANOUT_TEST_VICTIM") == "lives" {
			fmt.Println(kernel.Token()) // it is killed at any moment from here on
		}
		srv, err := kernel.Serve(context.Background(), spec, kernel.ServerOptions{})
		if err != nil {
			panic(err)
		}
		for os.Getenv("FANOUT_TEST_VICTIM") == "lives" {
			if err := oneLife(srv); err != nil {
				panic(err)
			}
		}
		start = func(ctx context.Context, _ kernelspec.Spec, o kernel.Options) (*kernel.Kernel, error) {
			return srv.Launch(ctx, o)
		}
	}
	for i := range 2 {
		if i == 1 && code == leaveCell {
			break
		}
		k, err := start(context.Background(), spec, kernel.Options{})
		if err != nil {
			panic(err)
		}
		k.Execute(context.Background(), code, kernel.ExecuteOptions{}, func(kernel.Message) {})
	}
	time.Sleep(50 * time.Millisecond) // until the forked have written their marks
	fmt.Println(kernel.Token())
	select {}
}

// startVictim runs this test's program as a process that starts kernels, and
// returns its token once they are up.
func startVictim(t *testing.T, env ...string) (token string, p *os.Process) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the victim did not start: %v", err)
	}
	return strings.TrimSpace(line), cmd.Process
}

// nothingWithin waits until no process and no directory of token is left.
func nothingWithin(t *testing.T, token string, d time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		dirs := socketDirs(token)
		p := living(token)
		if len(p) == 0 && len(dirs) == 0 {
			t.Logf("all gone after %v", time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Since(began) > d {
			t.Fatalf("left after %v: processes %v, directories %v", d, p, dirs)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
