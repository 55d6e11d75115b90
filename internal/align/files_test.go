package align_test

import (
	"os"
	"path/filepath"
	"strings"
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
