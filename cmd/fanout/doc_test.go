package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// TestManual runs every "$ fanout …" of the manual, in order, and compares
// what it prints.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var spec string
	for _, block := range codeBlocks(string(text)) {
		if strings.HasPrefix(block, "name: ") {
			spec = block
		}
	}
	cells := []string{"drift = 0.0\nseed = 0", "print walked\nscrap farthest $seed"}
	for name, data := range map[string][]byte{"sweep.yaml": []byte(spec), "walk.ipynb": notebookOf("fake", "python", cells)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := kerneltest.InstallSpec(filepath.Join(dir, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, block := range codeBlocks(string(text)) {
		line, want, _ := strings.Cut(block, "\n")
		args, isCommand := strings.CutPrefix(line, "$ fanout ")
		if !isCommand {
			continue
		}
		commands++
		cmd := exec.Command(os.Args[0], strings.Fields(args)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asFanout+"=1", "JUPYTER_PATH="+filepath.Join(dir, "jupyter"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if d := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(string(out))); d != "" {
			t.Errorf("%s (-manual +command):\n%s", line, d)
		}
	}
	if commands < 4 {
		t.Errorf("only %d commands found", commands)
	}
}

// codeBlocks are the indented parts of a comment, without the indent.
func codeBlocks(text string) []string {
	var blocks []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "\t"); ok {
			b.WriteString(code)
			continue
		}
		if b.Len() > 0 {
			blocks = append(blocks, b.String())
			b.Reset()
		}
	}
	return blocks
}
