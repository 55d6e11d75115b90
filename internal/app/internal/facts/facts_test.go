package facts

import (
	"fmt"
	"testing"
)

// Of many packages a few are named; of several sets those that differ.
func TestPackages(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("p%02d 1.0", i))
	}
	other := append([]string{"numpy 2.4.1"}, many[1:]...)
	for want, sets := range map[string][][]string{
		"2: a 1, b 2": {{"b 2", "a 1"}},
		"100: p00 1.0, p01 1.0, p02 1.0, p03 1.0, p04 1.0, p05 1.0, p06 1.0, p07 1.0 and 92 more": {many},
		"2 sets of them; 2 versions are not in all: numpy 2.4.1, p00 1.0":                         {many, other},
	} {
		if got := packagesOf(sets); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
