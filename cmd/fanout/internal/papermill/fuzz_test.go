package papermill

import (
	"slices"
	"strings"
	"testing"
)

// However exec is typed, no word is lost or changes its place: what is taken together
// is a flag, a name and a value.
func FuzzSplitPairs(f *testing.F) {
	f.Add("exec\nin.ipynb\n-p\nx\n-1\nout.ipynb")
	f.Add("--config\nexec\nexec\n--\n-p\na\nb")
	f.Add("exec\n-p\nx")
	f.Add("exec\n-r\n-p\n--\n-y\n--secret\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, Separator) {
			t.Skip("no argument of a process holds it")
		}
		args := strings.Split(text, "\n")
		var back []string
		for _, word := range SplitPairs(slices.Clone(args)) {
			name, value, pair := strings.Cut(word, Separator)
			if !pair {
				back = append(back, word)
				continue
			}
			flag, name, _ := strings.Cut(name, "=")
			back = append(back, flag, name, value)
		}
		for i, word := range args {
			if i < len(back) && back[i] != word && back[i] != longName(word) {
				t.Fatalf("%q became %q", args, back)
			}
		}
		if len(back) != len(args) {
			t.Fatalf("%q became %q", args, back)
		}
	})
}
