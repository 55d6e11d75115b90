package grid

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A file with a hundred thousand mistakes lists the first hundred, and costs no
// more than reading it.
func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "template: t.ipynb\n? %s\n: 1\n", strings.Repeat("long", 1<<18))
	for i := range 100_000 {
		fmt.Fprintf(&b, "key_%d: 1\n", i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode("s.yaml", []byte(b.String()))
	runtime.ReadMemStats(&after)
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 101 {
		t.Fatalf("%d mistakes: %.300v", len(errs), err)
	}
	if got, want := errs[100].Error(), "s.yaml:103:1: there are more than 100 mistakes; the others are not listed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 400<<20 {
		t.Errorf("allocated %d MB for %d kB", used>>20, b.Len()>>10)
	}
}
