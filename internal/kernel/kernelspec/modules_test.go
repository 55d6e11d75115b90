package kernelspec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWithModules(t *testing.T) {
	python := Spec{Argv: []string{"python", "-m", "ipykernel_launcher", "-f", "{connection_file}"}}
	got := python.WithModules(`/tmp/it's "here"`)
	last := got.Argv[len(got.Argv)-1]
	if len(python.Argv) != 5 || !strings.Contains(last, `sys.path.append("/tmp/it's \"here\"")`) {
		t.Errorf("argv is %q", got.Argv)
	}
	other := Spec{Argv: []string{"R", "--slave"}}
	if got := other.WithModules("/tmp"); len(got.Argv) != 2 {
		t.Errorf("another kernel's argv is %q", got.Argv)
	}
}

// A folder's name is no pattern.
func TestHasModule(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "env [1] {a,b} *")
	if err := os.MkdirAll(filepath.Join(prefix, "lib", "python3.11", "site-packages", "ipykernel"), 0o777); err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(prefix, "bin", "python") // which cannot be asked
	if !(Finder{}).has(python, "ipykernel") || (Finder{}).has(python, "xeus") {
		t.Error("modules of an environment whose folder has a bracket in its name are not seen")
	}
}
