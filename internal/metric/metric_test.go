package metric

import (
	"slices"
	"testing"
)

// TestDecisive: what is declared primary decides alone; else all with a goal do.
func TestDecisive(t *testing.T) {
	goal, primary, plain := Metric{Goal: "maximize"}, Metric{Primary: true}, Metric{}
	for _, c := range []struct {
		all  []Metric
		want []bool
	}{
		{[]Metric{goal, plain, goal}, []bool{true, false, true}},
		{[]Metric{goal, primary, plain}, []bool{false, true, false}},
		{[]Metric{plain}, []bool{false}},
	} {
		if got := Decisive(c.all); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.all, got, c.want)
		}
	}
}
