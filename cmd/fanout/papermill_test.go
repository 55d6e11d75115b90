package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/papermill"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// fanout exec knows every flag of papermill's command.
func TestExecTakesEveryFlag(t *testing.T) {
	help, err := exec.Command(kerneltest.Python(t), "-m", "papermill", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, help)
	}
	flags := regexp.MustCompile(`--[a-z][a-z0-9_-]+`).FindAllString(string(help), -1)
	if len(flags) < 20 {
		t.Fatalf("the help names only %v", flags)
	}
	cmd := (&cli{}).execCommand()
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	for _, f := range flags {
		if cmd.Flags().Lookup(strings.TrimPrefix(f, "--")) == nil {
			t.Errorf("%s is not known", f)
		}
	}
}

// fanout exec makes what papermill's command makes.
func TestExecIsPapermill(t *testing.T) {
	interpreter := kerneltest.Python(t)
	for _, c := range []struct {
		name  string
		cells []string
		args  []string // of both: name, JSON value
		flags []string // of ours
		code  int
	}{
		{"no parameters", []string{"x = 1", "print(x)", "x + 1"}, nil, nil, exitOK},
		{"parameters", []string{"x = 1\nname = 'a'", "print(x, name)", ""}, []string{"x", "2.5", "name", `"na\"ïve\n"`}, []string{"-p", "x", "2.5", "-r", "name", "na\"ïve\n"}, exitOK},
		{"structures", []string{"x = {}", "x"}, []string{"x", `{"a": [1, null, true]}`}, []string{"-y", `{"x": {"a": [1, null, true]}}`}, exitOK},
		{"an error", []string{"x = 1", "print('before')", "1 / 0", "print('never')"}, nil, nil, exitIncomplete},
		{"streams and displays", []string{"x = 1", "import sys\nprint('out')\nprint('err', file=sys.stderr)", "from IPython.display import HTML, display\ndisplay(HTML('<b>b</b>'))\nHTML('<i>i</i>')"}, nil, nil, exitOK},
		{"an update of a display", []string{"x = 1", "from IPython.display import display\nh = display('first', display_id=True)", "h.update('second')"}, nil, nil, exitOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in.ipynb"), filepath.Join(dir, "out.ipynb")
			if err := os.WriteFile(in, notebookOf("python3", "python", c.cells), 0o666); err != nil {
				t.Fatal(err)
			}
			args := papermill.SplitPairs(append([]string{"exec", in, out, "--python", interpreter}, c.flags...))
			if code, _, stderr := fanout(t, args...); code != c.code {
				t.Fatalf("exit %d, want %d\n%s", code, c.code, stderr)
			}
			cmd := exec.Command(interpreter, append([]string{"testdata/compare_exec.py", in, out}, c.args...)...)
			if words, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, words)
			}
		})
	}
}
