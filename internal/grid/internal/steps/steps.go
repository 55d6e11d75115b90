// Package steps reads the notebooks of a sweep that feed each other.
//
// In goes the map of `steps:`; out come the steps, each behind those that it
// needs, or every mistake that they can be seen to have without the grid: needs
// of steps that are not there, circles, expressions over steps that are not
// needed. Which points a step has is package grid's.
package steps

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/expression"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/settings"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Step is one notebook of a sweep that has several. Its runs are the points of
// the grid, reduced to the axes that it keeps, each once.
type Step struct {
	settings.Override
	Name     string
	Template string // the notebook, relative to the sweep file
	Needs    []Need
	With     []With
	Keep     []string // patterns, besides the sweep's
	Kept     *Kept    // nil keeps all axes

	at, needsAt *yaml.Node
}

// Kept is the axes that a step keeps.
type Kept struct {
	Axes []string
	At   *yaml.Node
}

// Keeps reports whether a step keeps an axis.
func (s *Step) Keeps(axis string) bool { return s.Kept == nil || slices.Contains(s.Kept.Axes, axis) }

// A Need is a step whose runs must have succeeded first: all those that agree
// on every axis both steps have, or this share of them.
type Need struct {
	Step  string
	Share float64
}

// With passes a parameter what needed runs left, by an expression over the steps
// that are needed.
type With struct {
	Param string
	Expr  string
	Wants value.Kind // that the template declares; Null for any
	At    *yaml.Node

	expr *expression.Placed
}

// keys are the keys of a step.
var keys = slices.Concat([]form.Key[Step]{
	form.Field("template", "The notebook of the step, relative to this file.", form.Text("a notebook"), func(s *Step) *string { return &s.Template }),
	{Name: "needs", Doc: "Steps whose runs must have succeeded first: a list, or a map of them to the share that must have, such as 90%.", Form: needs()},
	{Name: "over", Doc: "The axes that the step keeps; all by default.", Form: over()},
	{Name: "with", Doc: "Parameters, and an expression over what the needed runs left for each.", Form: with()},
	form.Field("keep", "Patterns of the files that runs write and that are kept, besides the sweep's.", settings.Patterns("file patterns"), func(s *Step) *[]string { return &s.Keep }),
}, form.Within(settings.OverrideKeys, func(s *Step) *settings.Override { return &s.Override }))

// Form is a map of steps, in the order of the file.
func Form() form.Form[[]Step] {
	one := form.Map(keys...)
	one.Schema["required"] = []string{"template"}
	return form.Form[[]Step]{Read: func(r *yaml.Reader, n *yaml.Node, list *[]Step) {
		for _, f := range r.Fields(n, "a map of steps") {
			axes.CheckName(r, f.Key, f.Name)
			step := Step{Name: f.Name, at: f.Key}
			before := r.Mistakes()
			if one.Read(r, f.Node, &step); step.Template == "" && r.Mistakes() == before {
				r.Hintf(f.Key, "add `template: my.ipynb`", "step `%s` has no template", f.Name)
			}
			*list = append(*list, step)
		}
		if len(*list) == 0 && r.IsMap(n) {
			r.Errorf(n, "`steps` needs at least one step")
		}
	}, Schema: form.Schema{"type": "object", "additionalProperties": one.Schema, "minProperties": 1}}
}

func needs() form.Form[Step] {
	list := form.Texts("names of steps")
	share := form.Schema{"type": []string{"string", "number"}, "pattern": `^(all|[0-9.]+\s*%)$`}
	return form.Form[Step]{Read: func(r *yaml.Reader, n *yaml.Node, s *Step) {
		s.needsAt = r.Resolve(n)
		if !r.IsMap(n) {
			var names []string
			list.Read(r, n, &names)
			for _, name := range names {
				s.Needs = append(s.Needs, Need{name, 1})
			}
			return
		}
		for _, f := range r.Fields(n, "a map of steps to shares") {
			s.Needs = append(s.Needs, Need{f.Name, readShare(r, f.Node)})
		}
	}, Schema: form.AnyOf(list.Schema, form.Schema{"type": "object", "additionalProperties": share})}
}

// readShare reads a part of the needed runs: "90%", or all.
func readShare(r *yaml.Reader, n *yaml.Node) float64 {
	text := r.Text(n, "a percentage, or all")
	number, isPercent := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case text == "all":
		return 1
	case isPercent && err == nil && p > 0 && p <= 100:
		return p / 100
	case text != "":
		r.Errorf(n, "want a percentage such as 90%%, or all, not %q", text)
	}
	return 1
}

func over() form.Form[Step] {
	names := form.Texts("names of axes")
	return form.Form[Step]{Read: func(r *yaml.Reader, n *yaml.Node, s *Step) {
		s.Kept = &Kept{At: r.Resolve(n)}
		names.Read(r, n, &s.Kept.Axes)
	}, Schema: names.Schema}
}

func with() form.Form[Step] {
	list := expression.Map()
	return form.Form[Step]{Read: func(r *yaml.Reader, n *yaml.Node, s *Step) {
		var all []expression.Of
		list.Read(r, n, &all)
		for _, x := range all {
			s.With = append(s.With, With{Param: x.Name, Expr: x.Expr.String(), At: x.Key, expr: x.Expr})
		}
	}, Schema: list.Schema}
}

// Order checks what steps say of each other, and puts each behind those that it
// needs. It reports whether it could.
func Order(r *yaml.Reader, list []Step) bool {
	names := checkNames(r, list)
	before := r.Mistakes()
	for i := range list {
		list[i].check(r, names)
	}
	if r.Mistakes() > before {
		return false
	}
	var out []Step
	for len(out) < len(list) {
		i := slices.IndexFunc(list, func(x Step) bool {
			waits := func(n Need) bool { return find(out, n.Step) == nil }
			return find(out, x.Name) == nil && !slices.ContainsFunc(x.Needs, waits)
		})
		if i < 0 {
			reportCircle(r, list, out)
			return false
		}
		out = append(out, list[i])
	}
	copy(list, out)
	return true
}

// find finds a step by its name.
func find(list []Step, name string) *Step {
	if i := slices.IndexFunc(list, func(x Step) bool { return x.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// checkNames finds names that a file system may take for one.
func checkNames(r *yaml.Reader, list []Step) (names []string) {
	for _, x := range list {
		if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, x.Name) }); i >= 0 {
			r.Errorf(x.at, "the steps `%s` and `%s` differ only in case", names[i], x.Name)
		}
		names = append(names, x.Name)
	}
	return names
}

// check finds needs of steps that are not there, axes that are kept twice, and
// expressions over others than the steps needed.
func (x *Step) check(r *yaml.Reader, names []string) {
	seen := map[string]bool{}
	for _, n := range x.Needs {
		switch {
		case !slices.Contains(names, n.Step):
			r.Errorf(x.needsAt, "step `%s` needs `%s`, and there is no such step%s", x.Name, n.Step, diagnostic.DidYouMean(n.Step, names))
		case seen[n.Step]:
			r.Errorf(x.needsAt, "step `%s` needs `%s` twice", x.Name, n.Step)
		}
		seen[n.Step] = true
	}
	if x.Kept != nil {
		for i, name := range x.Kept.Axes {
			if slices.Index(x.Kept.Axes, name) < i {
				r.Errorf(x.Kept.At, "over: step `%s` keeps `%s` twice", x.Name, name)
			}
		}
	}
	for _, w := range x.With {
		for _, name := range w.expr.Names() {
			if !seen[name] {
				r.Hintf(w.expr.At, "add it to `needs` of the step", "expression %q: step `%s` does not need `%s`%s", w.Expr, x.Name, name, diagnostic.DidYouMean(name, slices.Sorted(maps.Keys(seen))))
			}
		}
	}
}

// CheckOver finds names of `over` that are none of the known axes. bound are the axes
// that give names their values; a name may be given one by itself.
func (x *Step) CheckOver(r *yaml.Reader, known []string, bound map[string]string) {
	if x.Kept == nil {
		return
	}
	for _, name := range x.Kept.Axes {
		switch axis, is := bound[name]; {
		case slices.Contains(known, name), is && axis == name:
		case is:
			r.Hintf(x.Kept.At, "write `"+axis+"`", "over: `%s` is bound by the axis `%s`, and is none itself", name, axis)
		default:
			r.Errorf(x.Kept.At, "over: no axis is called `%s`%s", name, diagnostic.DidYouMean(name, slices.Sorted(slices.Values(known))))
		}
	}
}

// CheckUses finds expressions that take one run for several, or several for one. one
// reports whether the axes allow no more than one run of a step that is needed.
func (x *Step) CheckUses(r *yaml.Reader, one func(step string) bool) {
	for _, w := range x.With {
		for _, n := range x.Needs {
			switch part, whole := w.expr.Uses(n.Step); {
			case whole && one(n.Step):
				r.Hintf(w.expr.At, fmt.Sprintf("write `%s.` and the name of a scrap, or `%[1]s.artifact(\"rows.csv\")`", n.Step),
					"expression %q: `%s` is one run, which has the axes that step `%s` keeps, and no list", w.Expr, n.Step, x.Name)
			case part && !one(n.Step):
				r.Hintf(w.expr.At, fmt.Sprintf("take what each has, as in `map(%s, .rows)`", n.Step),
					"expression %q: `%s` is a list of runs, which differ in axes that step `%s` does not keep", w.Expr, n.Step, x.Name)
			}
		}
	}
}

// reportCircle names the steps of a circle, in which each needs the next.
func reportCircle(r *yaml.Reader, list, placed []Step) {
	i := slices.IndexFunc(list, func(x Step) bool { return find(placed, x.Name) == nil })
	at, path := &list[i], []string{}
	for !slices.Contains(path, at.Name) {
		path = append(path, at.Name)
		j := slices.IndexFunc(at.Needs, func(n Need) bool { return find(placed, n.Step) == nil })
		at = find(list, at.Needs[j].Step)
	}
	path = append(path[slices.Index(path, at.Name):], at.Name)
	r.Hintf(at.needsAt, "take one of them out of the `needs` of another", "steps need each other in a circle: %s", strings.Join(path, " needs "))
}
