package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPackagesIn(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "env [1] {a,b} *")
	for _, dir := range []string{"site-packages/numpy-2.4.6.dist-info", "site-packages/Send2Trash-2.2.0.dist-info", "site-packages/numpy", "dist-packages/numpy-2.4.6.dist-info", "site-packages/odd.dist-info"} {
		if err := os.MkdirAll(filepath.Join(prefix, "lib", "python3.11", dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"Send2Trash 2.2.0", "numpy 2.4.6"}, packagesIn(prefix)); d != "" {
		t.Error(d)
	}
	if got := packagesIn(filepath.Join(prefix, "nothing")); got != nil {
		t.Errorf("%q", got)
	}
}
