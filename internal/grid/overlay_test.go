package grid

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/grid/internal/settings"
)

// overlaid expands a sweep file with others laid over it: those that begin
// with "--set " are set, the rest are files.
func overlaid(t *testing.T, base string, over ...string) (*Spec, []string, error) {
	t.Helper()
	var sources []Source
	for _, o := range over {
		if pair, ok := strings.CutPrefix(o, "--set "); ok {
			s, err := SetOverlay(pair)
			if err != nil {
				return nil, nil, err
			}
			sources = append(sources, s)
			continue
		}
		sources = append(sources, Source{File: "over.yaml", Text: []byte(o)})
	}
	s, err := Decode("sweep.yaml", []byte(base), sources...)
	if err != nil {
		return s, nil, err
	}
	g, err := s.Grid(Inputs{AsOf: asOf})
	if err != nil {
		return s, nil, err
	}
	return s, shownPoints(g), nil
}

func shownPoints(g *Grid) []string {
	var out []string
	for p := range g.Points() {
		out = append(out, showPoint(p, g.spec))
	}
	return out
}

func TestOverlays(t *testing.T) {
	const base = "template: t.ipynb\nparameters: {y: 1}\n"
	for _, c := range []struct {
		name, base string
		over       []string
		want       string
	}{
		{"a file replaces an axis", base + "grid: {x: [1, 2], z: [1]}", []string{"grid: {x: [3]}"}, "y=1 x=3 z=1"},
		{"a file adds an axis", base + "grid: {x: [1]}", []string{"grid: {z: [1, 2]}"}, "y=1 x=1 z=1; y=1 x=1 z=2"},
		{"zip takes the place of grid", base + "grid: {x: [1, 2]}", []string{"zip: {x: [5]}"}, "y=1 x=5"},
		{"an empty file changes nothing", base + "grid: {x: [1]}", []string{"# nothing\n"}, "y=1 x=1"},
		{"the last of several wins", base + "grid: {x: [1]}", []string{"parameters: {y: 2}", "parameters: {y: 3}"}, "y=3 x=1"},
		{"lists are replaced", base + "grid: {x: [1, 2]}\nexclude: [{x: 1}]", []string{"exclude: [{x: 2}]"}, "y=1 x=1"},
		{"set fixes an axis", base + "grid: {x: [1, 2], z: [3]}", []string{"--set x=7"}, "y=1 x=7 z=3"},
		{"set changes a constant", base + "grid: {x: [1]}", []string{"--set y=0.5"}, "y=0.5 x=1"},
		{"set fixes the only axis", base + "grid: {x: [1, 2]}", []string{"--set x=7"}, "y=1 x=7"},
		{"set fixes one of a zip", base + "zip: {x: [1, 2], z: [3, 4]}", []string{"--set x=7"}, "y=1 x=7 z=3; y=1 x=7 z=4"},
		{"set fixes one of a list", base + "list: [{x: 1, z: 3}, {x: 2, z: 3}]", []string{"--set x=7"}, "y=1 x=7 z=3"},
		{"set fixes within any_of", base + "any_of: [{grid: {x: [1, 2], z: [1]}}, {list: [{x: 1, z: 2}]}]", []string{"--set x=7"}, "y=1 x=7 z=1; y=1 x=7 z=2"},
		{"set fixes a derived", base + "grid: {x: [1]}\nderive: {z: x + 1}", []string{"--set z=9"}, "y=1 z=9 x=1"},
		{"set fixes the replicate", base + "grid: {x: [1]}\nrepeat: {n: 2, as: s}", []string{"--set s=4"}, "y=1 s=4 x=1 (replicate 0); y=1 s=4 x=1 (replicate 1)"},
		{"set chooses of a bundle", base + "grid: {v: {bundle: {a: {p: 1}, b: {p: 2}}}}", []string{"--set v=b"}, "[v=b] y=1 p=2"},
		{"set chooses a template", "template: {axis: v, of: {a: a.ipynb, b: b.ipynb}}\ngrid: {x: [1]}", []string{"--set v=b"}, "[v=b] x=1"},
		{"set is YAML", base + "grid: {x: [1]}", []string{"--set y={a: [1, no]}"}, `y={"a":[1,"no"]} x=1`},
		{"set of what is no YAML", base + "grid: {x: [1]}", []string{"--set y=a: b: c"}, "y=a: b: c x=1"},
		{"set of text that looks like more", base + "grid: {x: [1]}", []string{"--set y='007'"}, "y=007 x=1"},
		{"set to nothing", base + "grid: {x: [1]}", []string{"--set y="}, "y= x=1"},
		{"exclude that agrees with set", base + "grid: {x: [1, 2], z: [1, 2]}\nexclude: [{x: 2, z: 1}, {x: 1, z: 2}]", []string{"--set x=2"}, "y=1 x=2 z=2"},
		{"include that does not", base + "grid: {x: [1, 2], z: [1]}\ninclude: [{x: 1, w: 5}, {x: 2, w: 6}]", []string{"--set x=2"}, "y=1 x=2 z=1 w=6"},
		{"the rest that names it", base + "grid: {x: [1, 2], z: [1]}\nbaseline: {x: 1}\nlimits: {x: 1}\noverrides: [{match: {x: 1}, timeout: 1h}]", []string{"--set x=2"}, "y=1 x=2 z=1"},
		{"aliases survive", base + "env: &e {A: 1}\ngrid: {x: [*e, 2]}", []string{"--set y=2"}, `y=2 x={"A":1}; y=2 x=2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, got, err := overlaid(t, c.base, c.over...)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, strings.Join(got, "; ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			// What is frozen with a sweep says the same without the overlays.
			_, again, err := overlaid(t, string(s.Text()))
			if err != nil {
				t.Fatalf("%v in\n%s", err, s.Text())
			}
			if d := cmp.Diff(got, again); d != "" {
				t.Errorf("frozen as\n%s(-before +after):\n%s", s.Text(), d)
			}
		})
	}
}

// Settings that are maps are merged: what an overlay does not name stays as the file
// below it says.
func TestOverlaysMergeSettings(t *testing.T) {
	const base = "template: t.ipynb\ngrid: {x: [1]}\n" +
		"html: {code: false, name: 'a{x}.html'}\npublish: {to: site, when: nothing unusual, code: false}\nretries: 3\n"
	for _, c := range []struct {
		over string
		html *settings.HTML
		pub  *settings.Publish
	}{
		{"html: {name: '{x}.html'}", &settings.HTML{NoCode: true, Name: "{x}.html"}, &settings.Publish{To: "site", When: "nothing unusual", NoCode: true}},
		{"html: {code: true}\npublish: {to: other}", &settings.HTML{Name: "a{x}.html"}, &settings.Publish{To: "other", When: "nothing unusual", NoCode: true}},
		{"publish: {when: always, code: true}", &settings.HTML{NoCode: true, Name: "a{x}.html"}, &settings.Publish{To: "site", When: "always"}},
		{"html: {}\npublish: {}", &settings.HTML{NoCode: true, Name: "a{x}.html"}, &settings.Publish{To: "site", When: "nothing unusual", NoCode: true}},
	} {
		s, _, err := overlaid(t, base, c.over)
		if err != nil {
			t.Fatalf("%s: %v", c.over, err)
		}
		if d := cmp.Diff(c.html, s.HTML); d != "" {
			t.Errorf("%s: html (-want +got):\n%s", c.over, d)
		}
		if d := cmp.Diff(c.pub, s.Publish); d != "" {
			t.Errorf("%s: publish (-want +got):\n%s", c.over, d)
		}
	}
}

// A mistake names the file it is in.
func TestOverlayMistakes(t *testing.T) {
	const base = "template: t.ipynb\ngrid: {x: [1, 2], v: {bundle: {a: {p: 1}}}}\nnotify: {command: [say, it]}\n"
	for _, c := range []struct{ over, want string }{
		{"\nrepeat: many", "over.yaml:2:9: want a whole number"},
		{"grid: {x: [1, 1]}", "over.yaml:1:15: axis `x` has the value 1 twice"},
		{"\nnotify: {on: failure, mail: {to: a@b.c, from: d@e.f, server: 'g:25'}}", "sweep.yaml:3:9: a notice is either a `command` or a `webhook` or a `mail`; over.yaml:2:10: laid over it: `on`, `mail`"},
		{"notify: {as: slack}", "sweep.yaml:3:9: `as` is the form of what a `webhook` gets; over.yaml:1:10: laid over it: `as`"},
		{"where: y > 1", "over.yaml:1:8: expression"},
		{"a: [", "over.yaml:"},
		{"[1]", "over.yaml:1:1: want a map"},
		{"--set x", "--set x: want name=value"},
		{"--set =1", "--set =1: want name=value"},
		{"--set x=.nan", "--set x=.nan: .nan is not a value"},
		{"--set v=z", "--set v=z: `v` has no value \"z\""},
		{"--set p=3", "sweep.yaml:2:36: `p` is bound by `v` here, and is a constant by --set p=3 already"},
		{"--set run_x=3", "--set run_x=3: the name `run_x` begins with run_"},
	} {
		t.Run(c.over, func(t *testing.T) {
			_, _, err := overlaid(t, base, c.over)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is\n%v\nwant %q", err, c.want)
			}
		})
	}
}
