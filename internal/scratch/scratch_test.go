package scratch_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/scratch"
)

// With OWNER this program makes a folder there and waits to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("OWNER")
	if dir == "" {
		os.Exit(m.Run())
	}
	f, err := scratch.Make(dir, "fanout-")
	if err != nil {
		panic(err)
	}
	fmt.Println(f.Path)
	time.Sleep(time.Hour)
	f.Remove()
}

func owner(t *testing.T, dir string) (folder string, kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "OWNER="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { cmd.Process.Kill(); cmd.Wait() }
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

func TestFoldersOfTheDeadAreRemoved(t *testing.T) {
	dir := t.TempDir()
	alive, _ := owner(t, dir)
	dead, kill := owner(t, dir)
	if err := os.MkdirAll(filepath.Join(dead, "run-1", "work"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "run-1", "work", "big"), []byte("x"), 0o444); err != nil {
		t.Fatal(err)
	}
	// What only looks like ours: no lock, or a link to a folder that has one.
	foreign := filepath.Join(dir, "fanout-of-another")
	elsewhere, killElsewhere := owner(t, t.TempDir())
	killElsewhere()
	link := filepath.Join(dir, "fanout-link")
	for _, err := range []error{os.Mkdir(foreign, 0o777), os.Symlink(elsewhere, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	kill()
	own, err := scratch.Make(dir, "fanout-")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{alive, foreign, elsewhere, link, own.Path} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone", path)
		}
	}
	if _, err := os.Stat(dead); err == nil {
		t.Errorf("%s is still there", dead)
	}
	if err := own.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(own.Path); err == nil {
		t.Errorf("%s was not removed", own.Path)
	}
}
