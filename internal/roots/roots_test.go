package roots

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fanout-dev/fanout/internal/store"
)

// Files of one name in two roots of one name have paths of their own, by which they are
// found; with one root its name is no part of them.
func TestFilesOfTwoRoots(t *testing.T) {
	var places []string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "team")
		if err := os.MkdirAll(filepath.Join(dir, "deep"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "deep", "t.ipynb"), []byte("{}"), 0o666); err != nil {
			t.Fatal(err)
		}
		places = append(places, dir)
	}
	for n, want := range [][]string{{"deep/t.ipynb"}, {"team/deep/t.ipynb", "team-2/deep/t.ipynb"}} {
		r, err := New(t.Context(), places[:n+1], store.Open)
		if err != nil {
			t.Fatal(err)
		}
		files, err := r.Files(t.Context())
		if err != nil || len(files) != len(want) {
			t.Fatalf("%+v %v", files, err)
		}
		for i, f := range files {
			if _, o, err := r.File(t.Context(), f.Path); f.Path != want[i] || err != nil || o.Size != 2 || filepath.Dir(filepath.Dir(f.Where)) != places[i] {
				t.Errorf("%+v is found as %+v, %v; want %s", f, o, err, want[i])
			}
		}
	}
}
