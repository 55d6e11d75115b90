package along

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A series that never had a value is not new, and one that had a few and has
// none now is named.
func TestHoldNamesWhatComesAndGoes(t *testing.T) {
	nan := math.NaN()
	n := Night{Dates: []string{"2026-01-05", "2026-01-06", "2026-01-07"}}
	n.Hold([]*Series{
		{Name: "never", Values: []float64{nan, nan, nan}},
		{Name: "new", Values: []float64{nan, nan, 1}},
		{Name: "young and gone", Values: []float64{1, 2, nan}},
		{Name: "young", Values: []float64{1, 2, 3}},
	})
	if diff := cmp.Diff([]string{"new"}, n.New); diff != "" {
		t.Errorf("new: %s", diff)
	}
	if diff := cmp.Diff([]string{"young and gone"}, n.Gone); diff != "" {
		t.Errorf("gone: %s", diff)
	}
	if n.Short != 1 || n.Series != 0 {
		t.Errorf("%d are short and %d held, want 1 and 0", n.Short, n.Series)
	}
}
