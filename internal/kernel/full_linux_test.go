package kernel_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// A disk that fills up while kernels run, such as /dev/shm, keeps no kernel from
// starting: the next ones have their sockets elsewhere.
func TestSocketsGoElsewhereWhenADiskIsFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	t.Setenv("XDG_RUNTIME_DIR", small)
	spec := fakeSpec(t, "fake", "")
	first := launch(t, spec, kernel.Options{})
	if dirs, _ := filepath.Glob(filepath.Join(small, "fanout-*")); len(dirs) != 1 {
		t.Fatalf("the first kernel has its sockets in %q", dirs)
	}
	f, err := os.Create(filepath.Join(small, "all"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, strings.NewReader(strings.Repeat("x", 1<<20))); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the file system: %v", err)
	}
	f.Close()
	for range 2 {
		k := launch(t, spec, kernel.Options{})
		if got := run(t, k, "print works"); got.output() != "works" {
			t.Errorf("output %q", got.output())
		}
		k.Close(time.Second)
	}
	if got := run(t, first, "print still"); got.output() != "still" {
		t.Errorf("output %q of the first kernel", got.output())
	}
	first.Close(time.Second)
	if dirs := socketDirs(kernel.Token()); len(dirs) > 0 {
		t.Errorf("left behind: %q", dirs)
	}
}
