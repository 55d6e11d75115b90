package kernel_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
		dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "fanout-"+token+"*"))
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
