package actions

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/store"
)

// A YAML file is a sweep file if it names a template or steps.
func TestLook(t *testing.T) {
	for text, want := range map[string]bool{
		"name: a\ntemplate: t.ipynb\n":                    true,
		"steps:\n  one: {template: t.ipynb}\n":            true,
		`{"name": "a",` + "\n" + `"template": "t.ipynb"}`: true,
		"services:\n  web: {template: a}\n":               false,
		"# template: t.ipynb\n":                           false,
	} {
		file := filepath.Join(t.TempDir(), "a.yaml")
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if k := look(roots.File{Where: file, Name: "a.yaml", Object: store.Object{Size: int64(len(text))}}); k.known != want {
			t.Errorf("%q: %v, want %v", text, k.known, want)
		}
	}
}
