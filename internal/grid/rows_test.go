package grid

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fromRows expands a sweep whose points are the rows of a file.
func fromRows(t *testing.T, file, text string, params ...Param) (*Grid, error) {
	t.Helper()
	s, err := Decode("sweep.yaml", []byte("template: t.ipynb\nfrom: "+file))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{file}, s.Sources()); d != "" {
		t.Fatal(d)
	}
	rows, err := ReadRows(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Grid(Inputs{Rows: map[string]Rows{file: rows}, Declared: map[string][]Param{"": params}})
}

// A column takes the type the template declares, never one guessed from what
// it happens to hold.
func TestRowsTakeDeclaredTypes(t *testing.T) {
	params := []Param{
		{Name: "id", Type: "str"}, {Name: "n", Type: "int"}, {Name: "rate", HasDefault: true, Default: mustValue(0.5)},
		{Name: "on", Type: "bool"}, {Name: "xs", Type: "list"}, {Name: "free"},
	}
	g, err := fromRows(t, "r.csv", "id,n,rate,on,xs,free\n007,007,1,True,\"[1, 2]\",1\n8,,1e3,false,[],n/a\n", params...)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"id=007 n=7 rate=1.0 on=true xs=[1,2] free=1", "id=8 n=null rate=1000.0 on=false xs=[] free=n/a"}
	if d := cmp.Diff(want, pointsOf(g)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// The same rows as JSON lines are the same points.
	j, err := fromRows(t, "r.jsonl", `{"id":"007","n":7.0,"rate":1,"on":true,"xs":[1,2],"free":"1"}
{"id":8,"n":null,"rate":1000,"on":false,"xs":[],"free":"n/a"}`, params...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, pointsOf(j)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	_, err = fromRows(t, "r.csv", "rate,n\n0.5,1\nn/a,0.5\n", params...)
	for _, want := range []string{"row 2 of r.csv: `rate` is \"n/a\", and the template wants a float", "row 2 of r.csv: `n` is \"0.5\", and the template wants an int"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func TestRowsThatRepeat(t *testing.T) {
	g, err := fromRows(t, "r.csv", "a,b\n1,x\n1,x\n2,x\n1.0,x\n", Param{Name: "a", Type: "float"}, Param{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a=1.0 b=x", "a=2.0 b=x"}, pointsOf(g)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"r.csv: 2 of 4 points repeat others and count once"}, g.Warnings()); d != "" {
		t.Error(d)
	}
}

// One bad field changes no other value.
func TestOneFieldChangesNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9./-]{1,6}`), 2, 8, rapid.ID[string]).Draw(t, "cells")
		ids := func(cells []string) map[string]bool {
			rows, err := ReadRows("r.csv", []byte("a\n"+strings.Join(cells, "\n")+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			s, _ := Decode("s.yaml", []byte("template: t.ipynb\nfrom: r.csv"))
			g, err := s.Grid(Inputs{Rows: map[string]Rows{"r.csv": rows}})
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]bool{}
			for p := range g.Points() {
				out[p.Identity()] = true
			}
			return out
		}
		more := ids(append([]string{"n/a"}, cells...))
		for id := range ids(cells) {
			if !more[id] {
				t.Fatalf("%s is gone", id)
			}
		}
	})
}
