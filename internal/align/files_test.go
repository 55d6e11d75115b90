package align_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fanout-dev/fanout/internal/align"
)

// A file that is too large is refused before it is read.
func TestLargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.ipynb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 30); err != nil { // takes no room
		t.Fatal(err)
	}
	runs := align.Files([]string{path, path})
	for i := range runs {
		runs[i].Read = func() ([]byte, error) {
			t.Error("it is read")
			return nil, nil
		}
	}
	if _, err := align.Notebooks(t.Context(), runs, align.Options{}); err == nil || !strings.Contains(err.Error(), "it has 1.1 GB, and 537 MB is the most that is compared") {
		t.Errorf("error %v", err)
	}
}

// A pipe may never say anything, and a device never end.
func TestNoRegularFile(t *testing.T) {
	pipe, device := filepath.Join(t.TempDir(), "pipe.ipynb"), filepath.Join(t.TempDir(), "zero.ipynb")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", device)); err != nil {
		t.Fatal(err)
	}
	for _, run := range align.Files([]string{pipe, device}) {
		if _, err := run.Read(); err == nil || err.Error() != "it is no regular file" {
			t.Errorf("%s: error %v", run.ID, err)
		}
	}
}
