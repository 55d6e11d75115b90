package expr

import (
	"strings"
	"testing"
)

// TestTerms: an expression is cut only where it is true exactly when its terms are.
func TestTerms(t *testing.T) {
	for src, want := range map[string]string{
		`a == 1`:                             "a == 1",
		`a == 1 and b > 2 && "and" != c`:     `a == 1| b > 2 | "and" != c`,
		`(a and b) and c`:                    "(a and b) and c",
		`not (a and b) and not c`:            "not (a and b)| not c",
		`a and b or c`:                       "a and b or c",
		`a or b and c`:                       "a or b and c",
		`a and b ? c : d`:                    "a and b ? c : d",
		`let x = a and b; x`:                 "",
		`all([1, 2], # > a and # < b) and c`: "all([1, 2], # > a and # < b) | c",
		`"ü and ö" == a and b`:               `"ü and ö" == a | b`,
		`a > 99999999999999999999 and b`:     "a > 99999999999999999999 and b",
		`a and b /* and */ and c`:            "a | b /* and */ | c",
	} {
		e, err := Compile(src)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", src, err)
			}
			continue
		}
		var terms []string
		for _, x := range e.Terms() {
			terms = append(terms, strings.TrimSpace(x.String()))
		}
		var parts []string
		for _, p := range strings.Split(want, "|") {
			parts = append(parts, strings.TrimSpace(p))
		}
		if got := strings.Join(terms, "|"); got != strings.Join(parts, "|") {
			t.Errorf("%s is cut into %s, want %s", src, got, strings.Join(parts, "|"))
		}
	}
}
