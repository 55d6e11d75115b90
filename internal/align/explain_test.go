package align

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fanout-dev/fanout/internal/value"
)

// TestExplainingManyAxes: not all triples of thousands of axes are tried where no
// axes explain the groups; one that does is found, wherever it stands.
func TestExplainingManyAxes(t *testing.T) {
	m := members{class: []int{0, 1, 0, 1}, n: 2}
	for i := range 4 {
		var r Run
		for a := range 3000 {
			r.Values = append(r.Values, value.Binding{Name: fmt.Sprint("a", a), Value: value.Ints(int64(i/2), 1, 1)[0]})
		}
		m.runs = append(m.runs, r)
	}
	if axes, _ := m.explaining(); axes != nil {
		t.Errorf("explained by %v", axes)
	}
	for i := range m.runs {
		m.runs[i].Values = append(m.runs[i].Values, value.Binding{Name: "class", Value: value.Ints(int64(m.class[i]), 1, 1)[0]})
	}
	if axes, n := m.explaining(); n != 2 || !slices.Equal(axes, []string{"class"}) {
		t.Errorf("explained by %v, %d combinations", axes, n)
	}
}
