package align_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/align"
)

// nbdimePairs prints, as JSON, each pair of notebooks of a folder whose names begin alike and
// whose cells nbdime aligns one by one, with the numbers of the code cells whose outputs differ.
// The numbers of executions are left out of account, as nbdime's own option has it.
const nbdimePairs = `
import glob, itertools, json, os, sys, warnings
warnings.simplefilter("ignore")
import nbformat
from nbdime.diffing.notebooks import diff_notebooks, set_notebook_diff_ignores
set_notebook_diff_ignores({"/cells/*": ["execution_count"], "/cells/*/outputs/*": ["execution_count"]})
pairs = []
for a, b in itertools.combinations(sorted(glob.glob(sys.argv[1] + "/*.ipynb")), 2):
    if os.path.basename(a).split("-")[0].split(".")[0] != os.path.basename(b).split("-")[0].split(".")[0]:
        continue
    x, y = nbformat.read(a, 4), nbformat.read(b, 4)
    code = [i for i, c in enumerate(x.cells) if c.cell_type == "code"]
    ops = [c for e in diff_notebooks(x, y) if e.key == "cells" for c in e.diff]
    if all(c.op == "patch" for c in ops) and any(c.get("execution_count") for c in x.cells) and any(c.get("execution_count") for c in y.cells):
        pairs.append({"a": a, "b": b, "cells": sorted(code.index(c.key) + 1 for c in ops if any(k.key == "outputs" for k in c.diff))})
print(json.dumps(pairs))
`

// Of nbdime's own test notebooks, in pairs whose cells match one by one, the cells that differ are
// those of nbdime. TestPlantedChanges has notebooks of ours.
func TestAsNbdime(t *testing.T) {
	python := os.Getenv("FANOUT_TEST_PYTHON")
	if python == "" || exec.Command(python, "-c", "import nbdime").Run() != nil {
		t.Skip("FANOUT_TEST_PYTHON names no Python with nbdime")
	}
	folder := ""
	for _, dir := range filepath.SplitList(os.Getenv("FANOUT_TEST_NOTEBOOKS")) {
		if at := filepath.Join(dir, "nbdime", "tests", "files"); folder == "" {
			if _, err := os.Stat(at); err == nil {
				folder = at
			}
		}
	}
	if folder == "" {
		t.Skip("FANOUT_TEST_NOTEBOOKS names no checkout of nbdime, whose test notebooks are compared")
	}
	var words strings.Builder
	cmd := exec.Command(python, "-c", nbdimePairs, folder)
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, words.String())
	}
	var pairs []struct {
		A, B  string
		Cells []int
	}
	if err := json.Unmarshal(out, &pairs); err != nil {
		t.Fatal(err)
	}
	differ := 0
	for _, p := range pairs {
		r := compared(t, align.Options{First: true, Tolerance: align.Tolerance}, align.Files([]string{p.A, p.B})...)
		var cells []int
		for _, d := range r.Differences {
			cells = append(cells, d.Cell)
		}
		slices.Sort(cells)
		if !slices.Equal(cells, p.Cells) {
			t.Errorf("%s and %s differ in cells %v, and nbdime says %v", filepath.Base(p.A), filepath.Base(p.B), cells, p.Cells)
		}
		if len(cells) > 0 {
			differ++
		}
	}
	t.Logf("%d pairs, %d of which differ", len(pairs), differ)
	if len(pairs) < 20 {
		t.Errorf("only %d pairs", len(pairs))
	}
}
