package axes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

func readAxes(r *yaml.Reader, n *yaml.Node) []*Axis {
	var out []*Axis
	bad := r.Mistakes()
	for _, f := range r.Fields(n, "a map of axes to their values") {
		CheckName(r, f.Key, f.Name)
		out = append(out, readAxis(r, f))
	}
	if len(out) == 0 && r.Mistakes() == bad {
		r.Hintf(n, "add one, such as `seed: [1, 2, 3]`", "a grid needs at least one axis")
	}
	return out
}

// A rule is a map that replaces a list of values.
type rule struct {
	name, doc string
	schema    form.Schema
	read      func(r *yaml.Reader, k yaml.Field, a *Axis)
}

var rules = []rule{
	{"range", "Numbers from one to another, both included.", numbers("range", "step").Schema, readRange},
	{"linspace", "n evenly spaced numbers.", numbers("linspace", "n").Schema, readSpace},
	{"logspace", "n numbers, each as many times the one before.", numbers("logspace", "n").Schema, readSpace},
	{"dates", "Dates from one to another, both included.", dateForm.Schema, readDates},
	{"bundle", "Labels, and the parameters that each binds.", bundleSchema, readBundle},
}

func ruleNames() []string {
	var out []string
	for _, x := range rules {
		out = append(out, x.name)
	}
	return out
}

// readAxis reads the values of one axis: a list, or a rule that computes them.
func readAxis(r *yaml.Reader, f yaml.Field) *Axis {
	own := &Column{Name: f.Name, At: f.Key}
	a := &Axis{Name: f.Name, At: f.Key, Cols: []*Column{own}}
	n := r.Resolve(f.Node)
	switch {
	case r.IsList(n):
		for _, e := range n.Content {
			own.Values = append(own.Values, r.Value(e))
			own.places = append(own.places, e)
		}
		if len(own.Values) == 0 {
			r.Errorf(f.Key, "axis `%s` has no values", f.Name)
		}
		return a
	case r.IsScalar(n) && n.Value == "":
		r.Errorf(f.Key, "axis `%s` has no values", f.Name)
		return a
	case r.IsScalar(n):
		r.Hintf(n, fmt.Sprintf("write %s: [%s], or name it under `parameters`", f.Name, n.Value), "axis `%s` has one value, not a list", f.Name)
		return a
	}
	bad := r.Mistakes()
	fields := r.Fields(n, "a list of values")
	if len(fields) != 1 {
		if r.Mistakes() == bad {
			r.Errorf(n, "axis `%s`: want a list of values, or one of %s", f.Name, strings.Join(ruleNames(), ", "))
		}
		return a
	}
	if i := slices.Index(ruleNames(), fields[0].Name); i >= 0 {
		rules[i].read(r, fields[0], a)
	} else {
		r.Unknown(fields[0], ruleNames()...)
	}
	return a
}

var bundleSchema = form.Schema{"type": "object", "additionalProperties": form.Schema{"type": "object"}, "minProperties": 1}

// readBundle reads axis values that bind several parameters.
func readBundle(r *yaml.Reader, k yaml.Field, a *Axis) {
	label := a.Cols[0]
	label.Label = true
	byName := map[string]*Column{}
	bad := r.Mistakes()
	fields := r.Fields(k.Node, "a map of values to the parameters they bind")
	if len(fields) == 0 && r.Mistakes() == bad {
		r.Errorf(a.At, "axis `%s` has no values", a.Name)
	}
	for i, f := range fields {
		name, _ := value.Of(f.Name)
		label.Values, label.places = append(label.Values, name), append(label.places, f.Key)
		for _, p := range r.Fields(f.Node, "a map of parameters") {
			CheckName(r, p.Key, p.Name)
			c := byName[p.Name]
			if c == nil {
				c = newColumn(p.Name, p.Key, len(fields))
				byName[p.Name] = c
				a.Cols = append(a.Cols, c)
			}
			c.set(i, r.Value(p.Node), p.Node)
		}
	}
	for _, c := range a.Cols[1:] {
		c.seal()
	}
}

// reserved begins the names of columns that are about the run.
const reserved = "run_"

// nameRE is what all languages of notebooks allow at most.
var nameRE = regexp.MustCompile(`^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{M}\p{N}\p{Pc}.]*$`)

// identHint suggests a valid name.
func identHint(name string) string {
	better := strings.Map(func(c rune) rune {
		if nameRE.MatchString("_" + string(c)) {
			return c
		}
		return '_'
	}, name)
	if !nameRE.MatchString(better) {
		better = "_" + better
	}
	return fmt.Sprintf("for example `%s`", better)
}

// CheckName refuses names that no template or table could have.
func CheckName(r *yaml.Reader, n *yaml.Node, name string) {
	switch {
	case name == "":
		r.Errorf(n, "a parameter needs a name")
	case strings.HasPrefix(strings.ToLower(name), reserved):
		r.Errorf(n, "the name `%s` begins with %s, which is reserved for columns about the run", name, reserved)
	case !nameRE.MatchString(name):
		r.Hintf(n, identHint(name), "`%s` is not a name that a notebook can give a parameter", name)
	}
}
