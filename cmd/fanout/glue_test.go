package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// gluing is a notebook that records one of everything.
var gluing = []string{
	"n = 0",
	"from fanout_glue import glue\nimport datetime, decimal\nimport numpy as np, pandas as pd",
	`glue("int", 7); glue("float", 0.5); glue("text", "naïve 漢字"); glue("truth", True)
glue("list", [1, "a", None]); glue("map", {"a": 1, 2: (True,)}); glue("big", 2**63)
glue("nan", float("nan")); glue("inf", np.float64("inf")); glue("none", None)
glue("numpy_int", np.int64(3)); glue("numpy_float", np.float32(0.25)); glue("array", np.array([1.0, 2.0]))
glue("date", datetime.date(2026, 3, 31)); glue("decimal", decimal.Decimal("1.10"))`,
	`glue("frame", pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))`,
	`import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
fig, ax = plt.subplots(); ax.plot([1, 2])
glue("figure", fig, display=True); plt.close(fig)`,
	"%%capture cap\nglue('captured', 8); print('hidden')",
	`assert cap.stdout == "hidden\n" and not cap.outputs
from IPython.utils.capture import capture_output
with capture_output(): glue("captured_too", 9)`,
	`import multiprocessing, os
with multiprocessing.get_context("fork").Pool(1) as pool:
    try:
        pool.apply(glue, ("elsewhere", 1))
    except RuntimeError as error:
        assert "elsewhere" in str(error)
    else:
        raise AssertionError("another process recorded")`,
	`try:
    glue("odd", object(), encoder="json")
except TypeError as error:
    assert "odd" in str(error)
else:
    raise AssertionError("an object was recorded as JSON")`,
}

// What notebooks glue, scrapbook reads; the module needs no installation, and
// stands in for scrapbook's own.
func TestGlue(t *testing.T) {
	interpreter := kerneltest.Python(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.ipynb"), filepath.Join(dir, "out.ipynb")
	if err := os.WriteFile(in, notebookOf("python3", "python", gluing), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := fanout(t, "exec", in, out, "--python", interpreter); code != exitOK {
		t.Fatalf("exec: exit %d\n%s", code, stderr)
	}
	if words, err := exec.Command(interpreter, "testdata/check_glue.py", out).CombinedOutput(); err != nil {
		t.Errorf("scrapbook: %v\n%s", err, words)
	}
}
