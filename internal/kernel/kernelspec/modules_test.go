package kernelspec

import (
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
