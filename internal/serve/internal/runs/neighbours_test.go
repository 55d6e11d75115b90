package runs

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// The price follows from the variant, as the parameters of a bundle do: runs of
// two variants differ in one axis.
func TestRunsOfTwoBundlesAreNeighbours(t *testing.T) {
	axes := []grid.Axis{{Name: "variant"}, {Name: "market"}}
	run := func(variant, market, price string) sweep.Run {
		bind := func(name, text string) value.Binding {
			v, err := value.Of(text)
			if err != nil {
				t.Fatal(err)
			}
			return value.Binding{Name: name, Value: v}
		}
		return sweep.Run{Labels: []value.Binding{bind("variant", variant)}, Params: []value.Binding{bind("market", market), bind("price", price)}}
	}
	control := valuesOf(run("control", "DE", "9.99"), axes, false)
	for _, c := range []struct {
		name string
		run  sweep.Run
		axis string
	}{
		{"another variant", run("treatment", "DE", "8.99"), "variant"},
		{"another market", run("control", "FR", "9.99"), "market"},
		{"another of both", run("treatment", "FR", "8.99"), ""},
	} {
		axis, _, ok := differsIn(control, valuesOf(c.run, axes, false))
		if ok != (c.axis != "") || ok && axis != c.axis {
			t.Errorf("%s: differs in %q, %v; want %q", c.name, axis, ok, c.axis)
		}
	}
}
