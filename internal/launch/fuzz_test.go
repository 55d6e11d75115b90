package launch

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/value"
)

// Whatever is filled in is the value that is passed, or a mistake: it adds no key to the
// sweep file, and is never a map, which could mean something there.
func FuzzOrder(f *testing.F) {
	for _, text := range []string{"", "5", "-0", "1e999", "2026-02-30", `[1, ["a"]]`, `[{"secret": "A"}]`, `{"secret": "A"}`, "x\r\ny", `"},"on":"nomad`, "${{ x }}", "00012", "\xff", "NaN"} {
		f.Add(text, text)
	}
	kinds := []string{Text, Integer, Number, Truth, Date, List}
	f.Fuzz(func(t *testing.T, text, other string) {
		for _, kind := range kinds {
			form := Form{path: "/d/t.ipynb", name: "t", Fields: []Field{{Name: "a", Kind: kind}, {Name: "b", Kind: Text}}}
			o, err := form.Order(Filled{Values: map[string]string{"a": text}, Axis: "b", Along: []string{other}}, time.Unix(1_790_000_000, 0))
			if err != nil {
				continue
			}
			form.Sweep = true
			if _, err := form.Order(Filled{Values: map[string]string{"a": text}}, time.Unix(1_790_000_000, 0)); err != nil {
				t.Errorf("%s %q: as a sweep file's: %v", kind, text, err)
			}
			var spec map[string]json.RawMessage
			if err := json.Unmarshal([]byte(o.Stdin), &spec); err != nil {
				t.Fatalf("%s %q: %v", kind, text, err)
			}
			for key := range spec {
				if key != "name" && key != "template" && key != "grid" && key != "parameters" {
					t.Errorf("%s %q: it sets %s", kind, text, key)
				}
			}
			var constants map[string]json.RawMessage
			if spec["parameters"] != nil && json.Unmarshal(spec["parameters"], &constants) != nil || len(constants) > 1 {
				t.Errorf("%s %q: %s", kind, text, spec["parameters"])
			}
			v, err := value.Parse(constants["a"])
			if len(constants) == 1 && (err != nil || v.Kind() == value.Map) {
				t.Errorf("%s %q: %s, %v", kind, text, constants["a"], err)
			}
		}
	})
}
