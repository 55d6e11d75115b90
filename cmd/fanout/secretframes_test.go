package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// A frame that holds a secret somewhere among its values, where a page that was
// compressed would hide it, is not kept, and its problem says why. Other frames are.
func TestFramesWithSecrets(t *testing.T) {
	interpreter := kerneltest.Python(t)
	const key = "Zk9paQqXwVk7tokenOfMine"
	dir := t.TempDir()
	t.Setenv("FRAME_KEY", key)
	template := notebookOf("python3", "python", []string{"key = ''\nn = 1", `import pandas as pd
from fanout_glue import glue
words = ["a line of text that says the same"] * 500 + ["b Vk7token Qq"] + [f"d {i}" for i in range(999)] + ["~"]
glue("clean", pd.DataFrame({"t": words}))
glue("held", pd.DataFrame({"t": words[:501] + ["c, then " + key] + words[501:]}))
glue("nested", pd.DataFrame({"t": [{"x": [w]} for w in words[:501] + ["c, then " + key] + words[501:]]}))
glue("score", 0.5)`})
	for name, content := range map[string][]byte{
		"t.ipynb": template,
		"s.yaml":  fmt.Appendf(nil, "name: frames\ntemplate: t.ipynb\npython: %s\nparameters: {key: {secret: FRAME_KEY}}\ngrid: {n: [1]}\n", interpreter),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := fanout(t, "run", filepath.Join(dir, "s.yaml"), "--no-progress")
	if code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	s := filepath.Join(dir, "frames.sweep")
	frames, err := filepath.Glob(filepath.Join(s, "results", "tables", "*"))
	if err != nil || len(frames) != 1 || !strings.HasPrefix(filepath.Base(frames[0]), "clean") {
		t.Errorf("kept: %q, %v", frames, err)
	}
	if n := strings.Count(read(t, filepath.Join(s, "summary.md")), "it held a secret and was not kept"); n != 2 {
		t.Errorf("%d problems, want 2", n)
	}
}
