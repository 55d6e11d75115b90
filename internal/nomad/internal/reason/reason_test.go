package reason

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

// The last error of a worker is passed on with its hint, not the hint alone.
func TestComplaint(t *testing.T) {
	for text, want := range map[string]string{
		"":          "",
		"a library": "",
		"fanout: kernels start cold\nfanout: open s3://b: no credentials\nfanout: hint: does this machine\n see it?\n": "open s3://b: no credentials (does this machine see it?)",
		"fanout: read payload:\n  no such file\n": "read payload: no such file",
	} {
		if got := LastError(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Why there is no node is what rules nodes out, though Nomad says so only the first
// time it looks.
func TestObstacles(t *testing.T) {
	for name, c := range map[string]struct {
		looks []*api.AllocationMetric
		want  string
	}{
		"never looked": {nil, ""},
		"no node":      {[]*api.AllocationMetric{{}}, "none in its datacenters and node pool is ready: they are drained, ineligible or down, or there are none"},
		"a driver": {[]*api.AllocationMetric{{NodesEvaluated: 3, ConstraintFiltered: map[string]int{"missing drivers": 1, ineligible: 2}}},
			"driver docker is missing on 3 nodes"},
		"a constraint, and a second look": {[]*api.AllocationMetric{
			{NodesEvaluated: 1, ConstraintFiltered: map[string]int{"${attr.kernel.name} = windows": 1}},
			{NodesEvaluated: 1, ConstraintFiltered: map[string]int{ineligible: 1}},
		}, "${attr.kernel.name} = windows does not hold on 1 node"},
		"only the second look": {[]*api.AllocationMetric{{NodesEvaluated: 2, ConstraintFiltered: map[string]int{ineligible: 2}}},
			"a constraint or the driver of the job is not met on 2 nodes"},
		"memory": {[]*api.AllocationMetric{{NodesEvaluated: 3, DimensionExhausted: map[string]int{"memory": 2}, ConstraintFiltered: map[string]int{"missing drivers": 1}}},
			"memory exhausted on 2 of 3 nodes, driver docker is missing on 1 node"},
		"nothing is said": {[]*api.AllocationMetric{{NodesEvaluated: 2}}, "2 nodes evaluated"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Obstacles(c.looks, "docker"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
