package notebook

import "testing"

// The numbers of all cells at once are those of each.
func TestCodeNumbers(t *testing.T) {
	banner := &Cell{Type: "code", Metadata: map[string]any{"tags": []any{"papermill-error-cell-tag"}}}
	n := &Notebook{Cells: []*Cell{{Type: "markdown"}, {Type: "code"}, banner, {Type: "code"}, {Type: "raw"}}}
	got := n.CodeNumbers()
	for i, want := range []int{1, 1, 2, 2, 3} {
		if got[i] != want || n.CodeCell(i) != want {
			t.Errorf("cell %d: %d and %d, want %d", i, got[i], n.CodeCell(i), want)
		}
	}
}
