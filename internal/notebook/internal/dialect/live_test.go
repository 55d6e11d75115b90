package dialect

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pythontest"
	"github.com/fanout-dev/fanout/internal/value"
)

// jsonOf is a value as Python's json reads it back.
func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	switch v := v.(type) {
	case float64:
		return []byte(value.FloatJSON(v))
	case string:
		return value.AppendText(nil, v)
	case []any:
		parts := make([][]byte, len(v))
		for i, e := range v {
			parts[i] = jsonOf(t, e)
		}
		return append(append([]byte("["), bytes.Join(parts, []byte(","))...), ']')
	case map[string]any:
		var parts [][]byte
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, append(append(value.AppendText(nil, k), ':'), jsonOf(t, v[k])...))
		}
		return append(append([]byte("{"), bytes.Join(parts, []byte(","))...), '}')
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLiteralsAsPapermill compares what is written for values in Python with
// what papermill's installed version writes, without black.
func TestLiteralsAsPapermill(t *testing.T) {
	python3 := pythontest.With(t, "papermill")
	all := values(true, everyText)
	var in []byte
	var ours []string
	for i, v := range all {
		lit, err := python.Literal(v)
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, lit)
		if i > 0 {
			in = append(in, ',')
		}
		in = append(in, jsonOf(t, v)...)
	}
	var theirs []string
	pythontest.Ask(t, python3, `
import json, sys
from papermill.translators import PythonTranslator
json.dump([PythonTranslator.translate(v) for v in json.load(sys.stdin)], sys.stdout)`, []byte("["+string(in)+"]"), &theirs)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("-papermill +ours\n%s", diff)
	}
}

// TestIPythonTakesTheCellAsItIs: no value looks like a magic, a shell line or
// a question to IPython, which rewrites cells before Python sees them.
func TestIPythonTakesTheCellAsItIs(t *testing.T) {
	python3 := pythontest.With(t, "IPython")
	var args []Argument
	for i, v := range values(true, everyText) {
		args = append(args, Argument{Name: "p" + string(rune('a'+i%26)) + strings.Repeat("x", i/26), Value: v})
	}
	source, _, err := python.Source("Parameters", args, nil)
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	var same bool
	pythontest.Ask(t, python3, `
import json, sys
from IPython.core.inputtransformer2 import TransformerManager
cell = json.load(sys.stdin)
json.dump(TransformerManager().transform_cell(cell) == cell, sys.stdout)`, in, &same)
	if !same {
		t.Error("IPython rewrites the injected cell")
	}
}
