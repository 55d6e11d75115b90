package compare

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestNaturalOrder(t *testing.T) {
	want := []string{"-5", "0.5", "2", "10", "1e3", "2x", "2026-03-09", "2026-03-10", "a", "v1.9", "v1.10", "variant 2", "variant 10", "variant 010", "variant 10b", "漢字"}
	got := slices.Clone(want)
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		r.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, compareText)
		// 10 and 010 are as large; the text decides.
		if a, b := strings.Join(got, "|"), strings.Replace(strings.Join(want, "|"), "variant 10|variant 010", "variant 010|variant 10", 1); a != b {
			t.Fatalf("%s\n%s", a, b)
		}
	}
}
