package opened

import (
	"strings"
	"testing"
)

// What panics while it is computed is an error to whoever asked, and is computed again
// for the next.
func TestMemoOfPanic(t *testing.T) {
	s := &Sweep{memo: map[string]*memo{}}
	var none []int
	if _, err := Memo(s, "k", func() (int, error) { return none[0], nil }); err == nil || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("got %v", err)
	}
	if v, err := Memo(s, "k", func() (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}
