package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// moments is how many moments of a life somebody is killed at: they pass through all
// that fanout, a server and a kernel say to each other.
func moments() int {
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		return 100
	}
	return 8
}

// oneLife starts a kernel, executes two cells and ends it. The error is nil, or that
// of a kernel that is gone.
func oneLife(srv *kernel.Server) error {
	k, err := srv.Launch(context.Background(), kernel.Options{Dir: os.TempDir()})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer k.Close(10 * time.Second)
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		got := runContext(ctx, k, "print(6 * 7)")
		cancel()
		if got.err != nil {
			return got.err
		}
		if got.output() != "42" || got.reply.Status != "ok" {
			return fmt.Errorf("wrong: %s %q", got.reply.Status, got.text())
		}
	}
	return nil
}

// acceptable reports whether a life that somebody's death may have ended failed in
// the way it should.
func acceptable(err error) bool {
	var dead *kernel.DeadError
	var start *kernel.StartError
	return err == nil || errors.As(err, &dead) || errors.As(err, &start)
}

// killAt lives one life, during which kill is called after that time, and at its end
// at the latest.
func killAt(srv *kernel.Server, after time.Duration, kill func()) error {
	t := time.AfterFunc(after, kill)
	defer t.Stop()
	return oneLife(srv)
}

// A kernel that is killed at any moment of its life is a kernel that died, or did not
// start; the server and the next kernel are not concerned.
func TestKernelKilledAtAnyMoment(t *testing.T) {
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{})
	began := time.Now()
	if err := oneLife(srv); err != nil {
		t.Fatal(err)
	}
	took, n := time.Since(began), moments()
	for i := range n {
		err := killAt(srv, took*time.Duration(i)/time.Duration(n), func() {
			for _, pid := range childrenOf(srv.Pid()) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		if !acceptable(err) {
			t.Errorf("moment %d: %v", i, err)
		}
		if err := oneLife(srv); err != nil {
			t.Fatalf("after moment %d: %v", i, err)
		}
		if left := childrenOf(srv.Pid()); len(left) > 0 {
			t.Errorf("moment %d: processes are left: %v", i, left)
		}
	}
}

// childrenOf are the processes that a process has started and not reaped.
func childrenOf(pid int) (pids []int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// A server that is killed at any moment of a kernel's life takes it along; the next
// kernel starts without it, and nothing is left.
func TestServerKilledAtAnyMoment(t *testing.T) {
	spec := pythonSpec(t)
	n := moments() / 2
	for i := range n {
		srv := serve(t, spec, kernel.ServerOptions{})
		began := time.Now()
		if err := oneLife(srv); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		err := killAt(srv, took*time.Duration(i)/time.Duration(n), func() { _ = syscall.Kill(srv.Pid(), syscall.SIGKILL) })
		if !acceptable(err) {
			t.Errorf("moment %d: %v", i, err)
		}
		_ = syscall.Kill(srv.Pid(), syscall.SIGKILL)
		if err := oneLife(srv); err != nil {
			t.Errorf("after moment %d: %v", i, err)
		}
		srv.Close()
		nobody(t)
	}
}

// This program, killed while it starts a server and lives with kernels, leaves nothing.
func TestProgramKilledAtAnyMoment(t *testing.T) {
	python, n := kerneltest.Python(t), moments()
	for i := range n {
		token, p := startVictim(t, "FANOUT_TEST_VICTIM=lives", "FANOUT_TEST_PYTHON="+python)
		time.Sleep(time.Duration(i) * 2 * time.Second / time.Duration(n))
		p.Kill()
		p.Wait()
		nothingWithin(t, token, 30*time.Second)
	}
}
