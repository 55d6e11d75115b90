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

// Nodes that are not ready are named, with why; those that are, and too many, are not.
func TestNodes(t *testing.T) {
	node := func(name, status, eligibility string, drain bool, last *api.DrainMetadata) *api.NodeListStub {
		return &api.NodeListStub{Name: name, Status: status, SchedulingEligibility: eligibility, Drain: drain, LastDrain: last}
	}
	const is, not = api.NodeSchedulingEligible, api.NodeSchedulingIneligible
	complete := &api.DrainMetadata{Status: api.DrainStatusComplete}
	all := []*api.NodeListStub{
		node("e", "down", is, false, nil), node("b", "ready", not, true, nil), node("c", "ready", not, false, complete),
		node("d", "ready", not, false, &api.DrainMetadata{Status: api.DrainStatusCanceled}), node("a", "ready", is, false, complete),
	}
	if got, want := Nodes(all), noneReady+"node b is drained, node c is drained, node d is ineligible, node e is down"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, name := range []string{"f", "g", "h"} {
		all = append(all, node(name, "initializing", is, false, nil))
	}
	if got, want := Nodes(all), noneReady+"node b is drained, node c is drained, node d is ineligible, node e is down, node f is initializing, 2 more are not ready"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Nodes(all[4:5]); got != NoneReady {
		t.Errorf("%q, want %q", got, NoneReady)
	}
}
