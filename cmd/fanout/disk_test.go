package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// smallDisk mounts a file system of so many kilobytes, where the test may.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("this test may not mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// onDisk runs a sweep of twenty talkative runs whose directory is on disk.
func onDisk(t *testing.T, disk string, source string) (int, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--no-progress", "--no-canary", filepath.Join(source, "sweep.yaml"), "-o", filepath.Join(disk, "s.sweep"))
	cmd.Env = append(os.Environ(), asFanout+"=1", "JUPYTER_PATH="+filepath.Join(source, "jupyter"), "FANOUT_JOBS=2")
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

func talkative(t *testing.T) string {
	t.Helper()
	source := t.TempDir()
	cells := []string{"x = 0", "big 60000", "scrap y $x"}
	for name, data := range map[string][]byte{
		"t.ipynb":    notebookOf("fake", "python", cells),
		"sweep.yaml": []byte("name: s\ntemplate: t.ipynb\ngrid: {x: {range: {from: 1, to: 20}}}\n"),
	} {
		if err := os.WriteFile(filepath.Join(source, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := kerneltest.InstallSpec(filepath.Join(source, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	return source
}

// A full disk stops the sweep with a message; with room, the same command
// finishes it.
func TestFullDisk(t *testing.T) {
	disk, source := smallDisk(t, "400k"), talkative(t)
	code, out := onDisk(t, disk, source)
	if code != exitFailed || !strings.Contains(out, "no space left on device") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=50m"); err != nil {
		t.Fatal(err)
	}
	code, out = onDisk(t, disk, source)
	if code != exitOK || !strings.Contains(out, "20 runs: 20 succeeded") {
		t.Errorf("with room: exit %d\n%s", code, out)
	}
	left, err := filepath.Glob(filepath.Join(disk, "s.sweep", "*", ".writing-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("half-written files are left: %v, %v", left, err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	disk, source := smallDisk(t, "1m"), talkative(t)
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	code, out := onDisk(t, disk, source)
	if code != exitFailed || !strings.Contains(out, "read-only file system") || !strings.Contains(out, "hint: ") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
