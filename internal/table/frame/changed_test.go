package frame

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stand_ins.parquet and twice.parquet were written by pyarrow 26: numbers that
// stand for periods, decimals of 256 bits, durations within lists and structs,
// and two columns of one name.
func TestChanged(t *testing.T) {
	for _, c := range []struct {
		file    string
		types   map[string]string
		changed []string
	}{
		{"stand_ins", map[string]string{"month": "int", "narrow": "decimal", "wide": "json", "spans": "list of duration", "parts": "struct of t duration, z time", "bits": "int", "id": "string"},
			[]string{`"month" holds numbers that stand for values of the type pandas.period`, `"bits" holds numbers that stand for values of the type arrow.bool8`}},
		{"twice", map[string]string{"a": "int"}, []string{`of several columns "a" only the last`}},
	} {
		b, err := os.ReadFile("testdata/" + c.file + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Check(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		types := map[string]string{}
		for name, shape := range s.Shapes {
			types[name] = shape.Resolve().String()
		}
		if d := cmp.Diff(c.types, types); d != "" {
			t.Errorf("%s: %s", c.file, d)
		}
		if len(s.Changed) != len(c.changed) {
			t.Errorf("%s: %q", c.file, s.Changed)
		}
		for i, want := range c.changed {
			if i < len(s.Changed) && !strings.Contains(s.Changed[i], want) {
				t.Errorf("%s: %q, want %q", c.file, s.Changed[i], want)
			}
		}
		if _, _, err := ReadRows(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), "column") {
			t.Errorf("%s gives rows of a sweep: %v", c.file, err)
		}
	}
}
