package explore

import (
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/unit"
)

var sample = Data{[]string{"name", "n", "x"}, [][]any{
	{"ada", int64(3), 1.5}, {"bob", int64(1), nil}, {"Ada", int64(2), math.NaN()}, {nil, int64(10), -4.0}, {"eve", int64(7), 1e308}, {"eve", int64(8), -1e308},
}}

func answer(t *testing.T, query string) *View {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(values)
	if err != nil {
		t.Fatal(err)
	}
	if back, _ := Parse(q.Values()); back.Values().Encode() != q.Values().Encode() {
		t.Errorf("%s: the URL of its question asks something else: %s", query, back.Values().Encode())
	}
	v, err := Answer(sample, q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFiltersAndOrder(t *testing.T) {
	for query, want := range map[string]string{
		"": "3 1 2 10 7 8", "f.name=ad": "3 2", "f.name=%3Dada": "3", "f.name=!eve": "3 1 2 10", "f.n=%3E2": "3 10 7 8", "f.n=%3E%3D2&f.name=a": "3 2", "f.n=1..3": "3 1 2",
		"f.n=%3C%3D1": "1", "sort=n": "1 2 3 7 8 10", "sort=-n": "10 8 7 3 2 1", "sort=x": "8 10 3 7 1 2", "sort=-x": "7 3 10 8 1 2", "sort=name": "2 3 1 7 8 10", "f.x=%3C0": "10 8",
	} {
		var got []string
		for _, row := range answer(t, query).Rows {
			got = append(got, row[1].Text)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", query, text, want)
		}
	}
	for _, query := range []string{"f.n=%3Ex", "f.nosuch=1", "sort=nosuch", "page=0"} {
		values, _ := url.ParseQuery(query)
		q, err := Parse(values)
		if err == nil {
			_, err = Answer(sample, q, nil)
		}
		if !unit.IsMistake(err) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestSummaries(t *testing.T) {
	v := answer(t, "")
	name, n, x := v.Columns[0], v.Columns[1], v.Columns[2]
	if name.Type != "text" || name.Nulls != 1 || name.Distinct != 4 || name.Common[0] != (Common{"eve", 2}) {
		t.Errorf("name: %+v", name)
	}
	if n.Type != "number" || *n.Min != 1 || *n.Max != 10 || *n.Median != 5 || n.Range != "1 … 10" {
		t.Errorf("n: %+v", n)
	}
	total := 0
	for _, b := range n.Bins {
		total += b
	}
	if total != 6 || len(n.Bins) != 20 {
		t.Errorf("bins: %v", n.Bins)
	}
	if x.Type != "number" || x.Nulls != 1 || *x.Min != -1e308 || *x.Max != 1e308 || len(x.Bins) != 20 {
		t.Errorf("x: %+v", x)
	}
	if v := answer(t, "f.n=%3E99"); v.Total != 0 || v.Pages != 1 || v.Columns[1].Type != "empty" {
		t.Errorf("nothing: %+v", v)
	}
}

// Two columns are drawn against each other: the rows that the filters leave and
// that have both values, a run's with the way to its page. What cannot be drawn
// is said.
func TestPlot(t *testing.T) {
	d := Data{Names: []string{"run", "n", "kind", "same", "free <b>"}, Rows: [][]any{
		{"aaaaaaaaaaaaaaaa", int64(1), "a", 1.0, "w"}, {"bbbbbbbbbbbbbbbb", int64(2), "b", 1.0, "x"}, {"no run", int64(3), "a", 1.0, "y"}, {"cccccccccccccccc", nil, "a", 1.0, "z"},
	}}
	link := func(run string) string { return "/runs/" + run }
	ask := func(query string) (*View, error) {
		values, _ := url.ParseQuery(query)
		q, err := Parse(values)
		if err != nil {
			t.Fatal(err)
		}
		return Answer(d, q, link)
	}
	v, err := ask("")
	if err != nil || v.Plot.Picture != "" || strings.Join(v.Plot.Axes, " ") != "run n kind free <b>" {
		t.Errorf("without a question: %v, %q, %q", err, v.Plot.Axes, v.Plot.Picture)
	}
	for query, want := range map[string]struct {
		x, y string
		dots int
		has  []string
	}{
		"x=n&y=free+<b>": {"n", "free <b>", 3, []string{`href="/runs/aaaaaaaaaaaaaaaa"`, "<title>row 3</title>", "free &lt;b&gt;"}},
		"y=n":            {"run", "n", 3, nil}, "x=kind": {"kind", "n", 3, nil},
		"x=n&y=kind&color=kind&f.kind=a": {"n", "kind", 0, nil},
		"x=n&y=kind&color=n&f.n=1..2":    {"n", "kind", 2, []string{`class="q0"`}},
	} {
		v, err := ask(query)
		if want.dots == 0 {
			if !unit.IsMistake(err) {
				t.Errorf("%s: %v", query, err)
			}
			continue
		}
		if err != nil || v.Plot.X != want.x || v.Plot.Y != want.y {
			t.Errorf("%s: %s over %s: %v", query, v.Plot.Y, v.Plot.X, err)
			continue
		}
		picture := string(v.Plot.Picture)
		if n := strings.Count(picture, "<circle"); n != want.dots {
			t.Errorf("%s: %d dots", query, n)
		}
		for _, text := range want.has {
			if !strings.Contains(picture, text) {
				t.Errorf("%s: no %s in %s", query, text, picture)
			}
		}
	}
	for _, bad := range []string{"x=nosuch", "x=n&y=same", "x=n&y=kind&color=nosuch"} {
		if _, err := ask(bad); !unit.IsMistake(err) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
