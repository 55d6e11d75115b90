package nomad

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/jobspec"
)

// A placement is laid over what the settings say, field by field.
func TestPlacement(t *testing.T) {
	e := &Executor{prefix: "fanout-s-1", o: Options{Region: "eu", Priority: 40, Datacenters: []string{"a"}}}
	usual := classKey{100, 1 << 20, ""}
	c, err := e.newClass(usual, usual)
	if err != nil || c.id != "fanout-s-1" || c.place != (place{"eu", ""}) {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = e.newClass(classKey{100, 1 << 20, `{"constraints":["${attr.kernel.name} = linux",{"attribute":"${meta.zone}","operator":"!=","value":"x y"}],"datacenters":"b","priority":80,"region":"us"}`}, usual)
	if err != nil {
		t.Fatal(err)
	}
	job := &api.Job{Region: ptr("here"), Priority: ptr(1), NodePool: ptr("mine")}
	c.Put(job)
	want := &api.Job{
		Region: ptr("us"), Priority: ptr(80), NodePool: ptr("mine"), Datacenters: []string{"b"},
		Constraints: []*api.Constraint{{LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "linux"}, {LTarget: "${meta.zone}", Operand: "!=", RTarget: "x y"}},
	}
	if d := cmp.Diff(want, job); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(c.id, "fanout-s-1-") || c.place != (place{"us", ""}) {
		t.Errorf("%+v", c)
	}
}

// What cannot be a placement is refused with what was wrong about it.
func TestPlacementsThatCannotBe(t *testing.T) {
	e := &Executor{prefix: "p"}
	for text, want := range map[string]string{
		`{"priority":101}`:             "from 1 to 100",
		`{"priority":"high"}`:          "priority",
		`{"region":7}`:                 "region",
		`{"constraints":["linux"]}`:    "want an attribute, an operator and a value",
		`{"constraints":["a like b"]}`: "want an attribute, an operator and a value",
		`{"datacenters":{"a":"b"}}`:    "placement",
	} {
		if _, err := e.newClass(classKey{placement: text}, classKey{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Names of sweeps may be anything; ids of jobs may not.
func TestJobID(t *testing.T) {
	for _, name := range []string{"a b/c", "ü{}?#%:", "漢字", strings.Repeat("x", 300), "$(rm -rf)", "../../etc"} {
		id := jobspec.ID(name, "abcdefghijkl")
		if len(id) > 60 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" || !strings.HasSuffix(id, "-abcdefgh") {
			t.Errorf("%q becomes %q", name, id)
		}
	}
}
