package grid

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/value"
)

func TestReadRows(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"csv", "r.csv", "\ufeffregion,rate\neu,0.5\n\"us, east\",\n", `{"rate":"0.5","region":"eu"} {"rate":null,"region":"us, east"}`},
		{"csv with CRLF, quotes and a blank line", "r.csv", "a\r\n\"x\r\n\"\"y\"\"\"\r\n\r\nz\r\n", `{"a":"x\n\"y\""} {"a":"z"}`},
		{"tsv", "r.tsv", "a\tb\n1\tx,y\n", `{"a":"1","b":"x,y"}`},
		{"json lines", "r.jsonl", "{\"b\": 1, \"a\": 1.0}\n\n{\"b\": [null, {\"c\": true}]}\n", `{"a":1.0,"b":1} {"b":[null,{"c":true}]}`},
		{"a list of objects", "r.json", " [{\"a\": 1}, {\"a\": 12345678901234567890}] ", `{"a":1} {"a":12345678901234567890}`},
		{"standard input that is JSON", "-", "{\"a\": 1}", `{"a":1}`},
		{"standard input that is a table", "-", "a,b\n1,2\n", `{"a":"1","b":"2"}`},
		{"standard input with tabs", "-", "a\tb\n1\t2\n", `{"a":"1","b":"2"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := ReadRows(c.file, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				got = append(got, string(Point{params: r}.canonical(nil)))
			}
			if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestReadRowsMistakes(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"empty", "r.csv", "", "r.csv: the file is empty"},
		{"empty json", "r.jsonl", "", "r.jsonl: the file has no rows"},
		{"ragged", "r.csv", "a,b\n1\n1,2\n1,2,3\n", "r.csv:2:1: 1 fields, and the first line names 2\nr.csv:4:1: 3 fields, and the first line names 2"},
		{"a bare quote", "r.csv", "a\nx\"y\n", "r.csv:2:2: bare"},
		{"a name twice", "r.csv", "a,a\n1,2\n", "two columns are called `a`"},
		{"no name", "r.csv", "a,\n1,2\n", "column 2 has no name"},
		{"not UTF-8", "r.csv", "a\n\xff\n", "r.csv:2:1: \"\\xff\" is not UTF-8"},
		{"not an object", "r.jsonl", "{\"a\":1}\n3\n", "r.jsonl:2:2: want an object, not 3"},
		{"cut off", "r.jsonl", "{\"a\":1}\n{\"a\":", "r.jsonl:2:6: unexpected EOF"},
		{"a list cut off", "r.json", "[{\"a\":1},", "r.json:1:10"},
		{"key twice", "r.jsonl", "{\"a\":1,\"a\":2}", "`a` is there twice"},
		{"no names", "r.jsonl", "{}", "at least one parameter"},
		{"too large", "r.jsonl", "{\"a\":1e999}", "`a`: 1e999 is not a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadRows(c.file, []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

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
	if d := cmp.Diff([]string{"r.csv: 2 of 4 points are there already, and are made once"}, g.Warnings()); d != "" {
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

func FuzzReadRows(f *testing.F) {
	f.Add("r.csv", []byte("a,b\n1,\"x\ny\"\n"))
	f.Add("r.jsonl", []byte("{\"a\": 1}\n{\"a\": {\"b\": [1.5, null]}}"))
	f.Add("-", []byte("[{\"a\": 1}]"))
	f.Fuzz(func(t *testing.T, file string, text []byte) {
		rows, err := ReadRows(file, text)
		if err != nil {
			return
		}
		for _, row := range rows {
			for _, b := range row {
				if again, err := value.Parse([]byte(b.Value.String())); err != nil || again != b.Value {
					t.Fatalf("%s reads back as %s, %v", b.Value, again, err)
				}
			}
		}
	})
}
