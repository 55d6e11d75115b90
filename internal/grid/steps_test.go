package grid

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
)

// stepMistakes are steps that are wrong, each by itself, and all that is said.
var stepMistakes = []struct{ name, spec, want string }{
	{"no such step", "steps:\n  a: {template: a.ipynb, needs: extrakt}\n  extract: {template: b.ipynb}\ngrid: {x: [1]}",
		"sweep.yaml:2:33: step `a` needs `extrakt`, and there is no such step, did you mean `extract`?"},
	{"needed twice", "steps:\n  a: {template: a.ipynb, needs: [b, b]}\n  b: {template: b.ipynb}\ngrid: {x: [1]}",
		"sweep.yaml:2:33: step `a` needs `b` twice"},
	{"circle of three behind one that is none", "steps:\n  d: {template: d.ipynb, needs: a}\n  c: {template: c.ipynb, needs: a}\n  b: {template: b.ipynb, needs: c}\n  a: {template: a.ipynb, needs: b}\ngrid: {x: [1]}",
		"sweep.yaml:5:33: steps need each other in a circle: a needs b needs c needs a"},
	{"circle of one", "steps:\n  a: {template: a.ipynb, needs: a}\ngrid: {x: [1]}",
		"sweep.yaml:2:33: steps need each other in a circle: a needs a"},
	{"share above all", "steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, needs: {a: 101%}}\ngrid: {x: [1]}",
		"sweep.yaml:3:37: want a percentage such as 90%, or all, not \"101%\""},
	{"no template", "steps:\n  a: {over: x}\ngrid: {x: [1]}",
		"sweep.yaml:2:3: step `a` has no template"},
	{"fed by what is not needed", "steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, with: {n: a.n}}\ngrid: {x: [1]}",
		"sweep.yaml:3:36: expression \"a.n\": step `b` does not need `a`"},
	{"fed what the grid gives", "steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, needs: a, with: {x: a.n}}\ngrid: {x: [1]}",
		"sweep.yaml:3:43: with: `x` has a value already, from the grid or `parameters`"},
	{"over no axis", "steps:\n  a: {template: a.ipynb, over: [dya]}\ngrid: {day: [1]}",
		"sweep.yaml:2:32: over: no axis is called `dya`, did you mean `day`?"},
	{"over what an axis binds", "steps:\n  a: {template: a.ipynb, over: p}\ngrid: {v: {bundle: {one: {p: 1}, two: {p: 2}}}}",
		"sweep.yaml:2:32: over: `p` is bound by the axis `v`, and is none itself"},
	{"over an axis and what it binds", "steps:\n  a: {template: a.ipynb, over: [v, q]}\ngrid: {v: {bundle: {one: {q: 1}}}}",
		"sweep.yaml:2:32: over: `q` is bound by the axis `v`, and is none itself"},
	{"over a value of a label", "steps:\n  a: {template: a.ipynb, over: one}\ngrid: {v: {bundle: {one: {p: 1}}}}",
		"sweep.yaml:2:32: over: no axis is called `one`"},
	{"over a label that binds nothing", "steps:\n  a: {template: a.ipynb, over: v}\ngrid: {v: {bundle: {one: {}, two: {}}}}",
		"sweep.yaml:3:8: `one` and `two` of `v` bind the same parameters: they would be one run"},
	{"over an axis twice", "steps:\n  a: {template: a.ipynb, over: [x, x]}\ngrid: {x: [1]}",
		"sweep.yaml:2:32: over: step `a` keeps `x` twice"},
	{"over an axis twice, in two steps", "steps:\n  a: {template: a.ipynb, over: [x, x]}\n  b: {template: b.ipynb, over: [x, x]}\ngrid: {x: [1]}",
		"sweep.yaml:2:32: over: step `a` keeps `x` twice\nsweep.yaml:3:32: over: step `b` keeps `x` twice"},
	{"over no axis, in two steps", "steps:\n  a: {template: a.ipynb, over: dya}\n  b: {template: b.ipynb, over: dya}\ngrid: {day: [1]}",
		"sweep.yaml:2:32: over: no axis is called `dya`, did you mean `day`?\nsweep.yaml:3:32: over: no axis is called `dya`, did you mean `day`?"},
	{"over nothing", "steps:\n  a: {template: a.ipynb, over: \"\"}\ngrid: {x: [1]}",
		"sweep.yaml:2:32: want names of axes, not nothing"},
	{"needs nothing", "steps:\n  a: {template: a.ipynb, needs: \"\"}\ngrid: {x: [1]}",
		"sweep.yaml:2:33: want names of steps, not nothing"},
	{"needs null", "steps:\n  a: {template: a.ipynb, needs: }\ngrid: {x: [1]}",
		"sweep.yaml:2:33: want names of steps, not nothing"},
	{"needs nothing among others", "steps:\n  a: {template: a.ipynb, needs: [\"\", b]}\n  b: {template: b.ipynb}\ngrid: {x: [1]}",
		"sweep.yaml:2:34: want names of steps, not nothing"},
	{"needs a share of nothing", "steps:\n  a: {template: a.ipynb, needs: {\"\": 90%}}\ngrid: {x: [1]}",
		"sweep.yaml:2:34: a key must be a word, not nothing"},
	{"template of nothing", "steps:\n  a: {template: ''}\ngrid: {x: [1]}",
		"sweep.yaml:2:17: want a notebook, not nothing"},
	{"a step of nothing", "steps:\n  a:\ngrid: {x: [1]}",
		"sweep.yaml:2:5: want a map with template, needs, over, with, keep, timeout, retries, resources, kernel, not nothing"},
	{"a step that is a name", "steps:\n  a: a.ipynb\ngrid: {x: [1]}",
		"sweep.yaml:2:6: want a map with template, needs, over, with, keep, timeout, retries, resources, kernel, not \"a.ipynb\""},
	{"a list of steps", "steps: [a, b]\ngrid: {x: [1]}",
		"sweep.yaml:1:8: want a map of steps, not a list"},
	{"axes of its own", "steps:\n  a: {template: a.ipynb, grid: {x: [1]}}\ngrid: {x: [1]}",
		"sweep.yaml:2:26: unknown key `grid`; want template, needs, over, with, keep, timeout, retries, resources, kernel"},
	{"one run for several", "steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, needs: a, with: {n: len(a)}}\ngrid: {x: [1]}",
		"sweep.yaml:3:46: expression \"len(a)\": `a` is one run, which has the axes that step `b` keeps, and no list"},
	{"several runs for one", "steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, over: [], needs: a, with: {n: a.n, f: 'a?.n', g: 'a.artifact(\"x\")', h: 'a[0].n'}}\ngrid: {x: [1]}",
		"sweep.yaml:3:56: expression \"a.n\": `a` is a list of runs, which differ in axes that step `b` does not keep\n" +
			"sweep.yaml:3:64: expression \"a?.n\": `a` is a list of runs, which differ in axes that step `b` does not keep\n" +
			"sweep.yaml:3:75: expression \"a.artifact(\\\"x\\\")\": `a` is a list of runs, which differ in axes that step `b` does not keep"},
	{"names differing in case", "steps:\n  a: {template: a.ipynb}\n  A: {template: b.ipynb}\ngrid: {x: [1]}",
		"sweep.yaml:3:3: the steps `a` and `A` differ only in case"},
	{"a sweep that grows", "steps:\n  a: {template: a.ipynb}\ngrid: {x: [1]}\nrepeat: {n: 2, max: 8, until: decided}",
		"sweep.yaml:4:1: repeat: a sweep with steps cannot grow"},
	{"none", "steps: {}\ngrid: {x: [1]}",
		"sweep.yaml:1:8: `steps` needs at least one step"},
}

// Mistakes of steps have their place, and are said once.
func TestStepMistakes(t *testing.T) {
	for _, c := range stepMistakes {
		t.Run(c.name, func(t *testing.T) {
			err := mistakes(c.spec)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			said, _, _ := strings.Cut(err.Error(), "\nhint: ")
			if diff := cmp.Diff(c.want, said); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Steps come behind those they need; each has the points of the grid on the axes
// that it keeps, once, and Count knows how many without expanding them.
func TestStepPoints(t *testing.T) {
	const steps = `
steps:
  end: {template: end.ipynb, needs: {day: 90%}, over: []}
  day: {template: day.ipynb, needs: [report], over: day}
  report: {template: report.ipynb, needs: extract, over: [region, day], with: {rows: 'map(extract, .rows)'}}
  extract: {template: extract.ipynb}
grid: {region: [us, eu], day: [1, 2], seed: [7, 8]}
`
	for _, c := range []struct {
		name, more string
		want       []string
	}{
		{"product", "", []string{
			"extract region=us day=1 seed=7", "extract region=us day=1 seed=8", "extract region=us day=2 seed=7", "extract region=us day=2 seed=8",
			"extract region=eu day=1 seed=7", "extract region=eu day=1 seed=8", "extract region=eu day=2 seed=7", "extract region=eu day=2 seed=8",
			"report region=us day=1", "report region=us day=2", "report region=eu day=1", "report region=eu day=2",
			"day day=1", "day day=2", "end",
		}},
		{"dropped points", "where: region == \"us\" && seed == 7\nexclude: [{region: us, day: 2}]", []string{
			"extract region=us day=1 seed=7", "report region=us day=1", "day day=1", "end",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := mustGrid(t, steps+c.more, nil)
			var got []string
			for p := range g.Points() {
				got = append(got, strings.TrimSpace(p.Template()+" "+showPoint(p, g.spec)))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if n, err := g.Count(context.Background()); n != len(c.want) || err != nil {
				t.Errorf("Count is %d, %v; there are %d points", n, err, len(c.want))
			}
		})
	}
}

// A label is an axis as any other: a step over it has a run for each.
func TestStepOverLabel(t *testing.T) {
	g := mustGrid(t, `
steps:
  each: {template: each.ipynb, over: v}
  rest: {template: rest.ipynb, needs: each, over: x}
grid: {v: {bundle: {one: {p: 1}, two: {p: 2}}}, x: [1, 2]}
`, nil)
	var got []string
	for p := range g.Points() {
		got = append(got, p.Template()+" "+showPoint(p, g.spec))
	}
	if diff := cmp.Diff([]string{"each [v=one] p=1", "each [v=two] p=2", "rest x=1", "rest x=2"}, got); diff != "" {
		t.Error(diff)
	}
}

// Points of steps are counted as they are listed, whatever `where` and `exclude` leave
// of the grid, and where an expression has no value, counting says so, too.
func TestStepsAreCounted(t *testing.T) {
	terms := []string{`a != 2`, `a + b > 3`, `not (a == 1 and c == "x")`, `a == 1 or b == 2`, `c != "y"`, `twice < 5`, `(p ?? 1) == 1`, `replicate == 0`, `(a + b) % 2 == 0 && a > 0`, `[1, 2][a] == 1 and a < 2`}
	rapid.Check(t, func(t *rapid.T) {
		spec := "steps:\n"
		for i, over := range []string{"", ", over: a", ", over: [b, c]", ", over: v", ", over: []", ", over: [a, replicate]"} {
			if i == 0 || rapid.Bool().Draw(t, over) {
				spec += fmt.Sprintf("  s%d: {template: s.ipynb%s}\n", i, over)
			}
		}
		spec += "grid: {a: [0, 1, 2], b: [1, 2], c: [x, y], v: {bundle: {one: {p: 1}, two: {p: 2, q: 3}, three: {q: 3}}}}\nrepeat: 2\nderive: {twice: 2 * a}\n"
		if where := rapid.SliceOfN(rapid.SampledFrom(terms), 0, 3).Draw(t, "where"); len(where) > 0 {
			spec += "where: '" + strings.Join(where, " and ") + "'\n"
		}
		if rapid.Bool().Draw(t, "exclude") {
			spec += "exclude: [{a: 1, c: x}, {b: 2, p: 1}]\n"
		}
		spec += rapid.SampledFrom([]string{"", "", "", "include: [{a: 9, b: 1, c: x}]\n", "sample: 5\n"}).Draw(t, "more")
		s, err := Decode("sweep.yaml", []byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Grid(Inputs{AsOf: asOf})
		if err != nil {
			return // it is a mistake, and nothing is counted
		}
		n := 0
		for range g.Points() {
			n++
		}
		if got, err := g.Count(context.Background()); got != n || (err == nil) != (g.Err() == nil) {
			t.Fatalf("%d are counted, %d listed; %v, %v\n%s", got, n, err, g.Err(), spec)
		}
	})
}

// Where the templates of two steps declare a parameter differently, what is said does
// not lead from one mistake to the other.
func TestStepsOfOtherTypes(t *testing.T) {
	s, err := Decode("sweep.yaml", []byte("steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, needs: a}\ngrid: {x: [1]}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Grid(Inputs{AsOf: asOf, Declared: map[string][]Param{"a": {{Name: "x", Type: "int"}}, "b": {{Name: "x", Type: "str"}}}})
	var all diagnostic.Errors
	if !errors.As(err, &all) || len(all) != 1 || all[0].Error() != "sweep.yaml:4:8: `x` is 1, and its type in b.ipynb is a string" ||
		all[0].Hint() != "a.ipynb takes it: declare `x` alike in both" {
		t.Errorf("%v", err)
	}
}

// Where no point is left, there is no run of any step, and a warning says so.
func TestStepsOfNoPoint(t *testing.T) {
	g := mustGrid(t, "steps:\n  a: {template: a.ipynb}\n  b: {template: b.ipynb, needs: a, over: []}\ngrid: {x: [1, 2]}\nwhere: x > 2", nil)
	if n, err := g.Count(context.Background()); n != 0 || err != nil || !strings.Contains(fmt.Sprint(g.Warnings()), "no point is left") {
		t.Errorf("%d, %v, %v", n, err, g.Warnings())
	}
}
