package grid

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/halve"
	"github.com/fanout-dev/fanout/internal/grid/internal/sampling"
	"github.com/fanout-dev/fanout/internal/grid/internal/steps"
	"github.com/fanout-dev/fanout/internal/grid/internal/tally"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Step is one notebook of a sweep that has several.
type Step = steps.Step

// stepsForm reads the steps, and makes their notebooks the templates.
func stepsForm() form.Form[Spec] {
	list := steps.Form()
	return form.Form[Spec]{Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		list.Read(r, n, &s.Steps)
		if !steps.Order(r, s.Steps) {
			return
		}
		for _, x := range s.Steps {
			s.Templates = append(s.Templates, TemplateRef{x.Name, x.Template})
		}
	}, Schema: list.Schema}
}

// step finds a step by its name.
func (s *Spec) step(name string) *Step {
	for i := range s.Steps {
		if s.Steps[i].Name == name {
			return &s.Steps[i]
		}
	}
	return nil
}

// A stepGrid is a step with the names that its points have.
type stepGrid struct {
	*Step
	names map[string]bool // axes, what they bind, parameters that are passed
	axes  []string
}

// learnSteps finds what the points of each step have.
func (g *Grid) learnSteps(r *yaml.Reader) {
	if g.spec.Workdir == "shared" && slices.ContainsFunc(g.spec.Steps, func(st Step) bool { return len(st.Needs) > 0 }) {
		r.Errorf(g.spec.nodes["workdir"], "workdir: steps that need others find what those left in a folder of their own, which `shared` does not give them")
	}
	for i := range g.spec.Steps {
		st := &stepGrid{Step: &g.spec.Steps[i], names: map[string]bool{}}
		g.steps = append(g.steps, st)
		g.checkOver(r, st)
		g.keepAxes(st)
		declared, known := g.declared[st.Name]
		takes := func(name string) bool { _, has := declared[name]; return has || !known }
		for name, kind := range g.names {
			if (kind == isConstant || kind == isSecret) && takes(name) {
				st.names[name] = true
			}
		}
		for _, x := range g.spec.derive {
			if takes(x.Name) && g.keepsAllOf(st, x.Expr) {
				st.names[x.Name] = true
			}
		}
		for i := range st.With {
			w := &st.With[i]
			w.Wants = declared[w.Param].Wants()
			if other := g.names[w.Param]; other != 0 && other != isDerived {
				r.Errorf(w.At, "with: `%s` has a value already, from the grid or `parameters`", w.Param)
			} else if !takes(w.Param) {
				r.Hintf(w.At, declaredHint(st.Template, sortedKeys(declared)), "with: template %s declares no parameter `%s`%s", st.Template, w.Param, diagnostic.DidYouMean(w.Param, sortedKeys(declared)))
			}
		}
		st.CheckUses(r, func(step string) bool {
			return !slices.ContainsFunc(g.StepAxes(step), func(axis string) bool { return !slices.Contains(st.axes, axis) })
		})
	}
}

// keepAxes notes what a step keeps of the axes, and of what they bind.
func (g *Grid) keepAxes(st *stepGrid) {
	for _, name := range g.allAxes() {
		if st.Keeps(name) {
			st.names[name], st.axes = true, append(st.axes, name)
		}
	}
	for _, a := range g.axes {
		for _, c := range a.Cols {
			st.names[c.Name] = st.Keeps(a.Name)
		}
	}
}

// allAxes are the names of the axes, of what includes add, and of replicates.
func (g *Grid) allAxes() (names []string) {
	for _, a := range g.axes {
		names = append(names, a.Name)
	}
	for _, name := range sortedKeys(g.names) {
		if g.names[name] == isIncluded {
			names = append(names, name)
		}
	}
	if g.spec.Repeat.N > 1 {
		names = append(names, g.replicateAxis())
	}
	return names
}

// replicateAxis is the name of the axis of replicates.
func (g *Grid) replicateAxis() string {
	return cmp.Or(g.spec.Repeat.As, replicateName)
}

// keepsAllOf reports whether a step has all that an expression reads.
func (g *Grid) keepsAllOf(st *stepGrid, e *placedExpr) bool {
	for name := range g.readNames(e) {
		kind := g.names[name]
		fixed := kind == isConstant || kind == isDerived // what a derived one reads is among the names, too
		if !fixed && !st.names[name] {
			return false
		}
	}
	return true
}

// checkOver finds names of `over` that are no axis.
func (g *Grid) checkOver(r *yaml.Reader, st *stepGrid) {
	bound := map[string]string{}
	for _, x := range g.spec.Parameters {
		bound[x.Name] = x.Name
	}
	for _, a := range g.axes {
		for _, c := range a.Cols {
			bound[c.Name] = a.Name
		}
	}
	st.CheckOver(r, g.allAxes(), bound)
}

// checkSteps finds parameters that a step's template does not declare, and those
// that no step takes.
func (g *Grid) checkSteps(r *yaml.Reader) {
	for _, name := range g.spec.passed(g.axes) {
		used := false
		for _, st := range g.steps {
			declared, known := g.declared[st.Name]
			_, takes := declared[name.text]
			used = used || takes && st.names[name.text] || !known
			axis := g.names[name.text] == isOriginal || g.names[name.text] == isIncluded || g.names[name.text] == isReplicate
			if known && !takes && axis && st.names[name.text] {
				r.Hintf(name.at, "declare it there, or leave it out of the step with `over`", "step `%s`: template %s declares no parameter `%s`%s",
					st.Name, st.Template, name.text, diagnostic.DidYouMean(name.text, sortedKeys(declared)))
				used = true
			}
		}
		if !used {
			r.Errorf(name.at, "no step takes the parameter `%s`", name.text)
		}
	}
}

// StepAxes are the axes that the runs of a step differ in.
func (g *Grid) StepAxes(step string) []string {
	for _, st := range g.steps {
		if st.Name == step {
			return st.axes
		}
	}
	return nil
}

// Takes reports whether the runs of a step are passed a parameter. Without
// steps all are.
func (g *Grid) Takes(step, param string) bool {
	for _, st := range g.steps {
		if st.Name == step {
			return st.names[param]
		}
	}
	return true
}

// stepPoint reduces a point to what a step keeps.
func (g *Grid) stepPoint(st *stepGrid, base Point) Point {
	p := Point{slot: st.Name}
	if st.names[g.replicateAxis()] {
		p.replicate = base.replicate
	}
	for _, b := range base.labels {
		if st.names[b.Name] {
			p.labels = append(p.labels, b)
		}
	}
	for _, b := range base.params {
		if st.names[b.Name] {
			p.params = append(p.params, value.Binding{Name: b.Name, Value: g.coerced(st.Name, b.Name, b.Value)})
		}
	}
	return p
}

// stepPoints yields the points of steps, each once, those of one step after those
// of the steps it needs.
func (g *Grid) stepPoints(steps ...*stepGrid) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		for _, st := range steps {
			seen := map[sampling.Digest]bool{}
			for base := range g.basePoints() {
				p := g.stepPoint(st, base)
				if d := digestOf(p.Identity(), 0); !seen[d] {
					seen[d] = true
					if !yield(p) {
						return
					}
				}
			}
		}
	}
}

// CountSteps counts the points of each step, in the order of Spec.Steps. Of a product
// of axes it looks only at the combinations that `where` and `exclude` tell apart.
func (g *Grid) CountSteps(ctx context.Context) (counts []int, err error) {
	s := g.spec
	var tests []*tally.Test
	product := len(g.blocks) == 1 && len(s.include) == 0 && s.Sample.N == 0 && !s.Halve.Grows() && !g.exprs.perReplicate
	if product {
		tests = g.tests(g.blocks[0])
	}
	for _, st := range g.steps {
		n, fits := 0, false
		if product {
			n, fits, err = g.tally(ctx, st, tests)
		}
		if !fits && err == nil {
			n, err = g.list(ctx, st)
		}
		if counts = append(counts, n); err != nil {
			return counts, err
		}
	}
	return counts, nil
}

// list counts the points of a step one by one.
func (g *Grid) list(ctx context.Context, st *stepGrid) (n int, err error) {
	for range g.stepPoints(st) {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
	}
	return n, g.err
}

// tally counts the points of a step of one product of axes.
func (g *Grid) tally(ctx context.Context, st *stepGrid, tests []*tally.Test) (n int, fits bool, err error) {
	b, kept := g.blocks[0], make([]tally.Kept, len(g.blocks[0].Dims))
	for d, dim := range b.Dims {
		kept[d] = tally.Classes(dim, st.names, func(c *axes.Column, choice int) string { return g.coerced(st.Name, c.Name, c.Values[choice]).String() })
	}
	n, fits, err = tally.Count(ctx, b, kept, g.look(b, g.readNames(g.exprs.filter(g.spec.where)...)), func(idx []int) (bool, error) {
		if b.Excluded(idx) {
			return false, nil
		}
		for _, t := range tests {
			if ok, err := t.Pass(idx); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if g.spec.Repeat.N > 1 && st.names[g.replicateAxis()] {
		n = axes.Times(n, g.spec.Repeat.N)
	}
	return n, fits, err
}

// tests are the terms of `where`, each of which depends on few axes. One that has no
// value is for the whole expression to report.
func (g *Grid) tests(b *axes.Block) (tests []*tally.Test) {
	where := g.spec.where
	if where == nil {
		return nil
	}
	env := map[string]any{}
	for _, term := range where.Terms() {
		placed := &placedExpr{At: where.At, Expr: term}
		tests = append(tests, tally.NewTest(b, g.look(b, g.readNames(placed)), func(idx []int) (bool, error) {
			p, err := g.point(b, idx, env)
			if err != nil {
				return false, err
			}
			ok, err := term.Bool(g.env(p, term.Names(), env))
			if err != nil {
				_, ok, err = g.replicate(p, 0, env)
			}
			return ok, err
		}))
	}
	return tests
}

// typed gives a value the type of the first step that declares its parameter.
func (g *Grid) typed(name string, v value.Value) value.Value {
	for _, t := range g.spec.Templates {
		if _, declares := g.declared[t.Slot][name]; declares {
			return g.coerced(t.Slot, name, v)
		}
	}
	return v
}

// NamesFor are the parameters that the template of a slot is passed for certain,
// in order of the alphabet: those of its step, where there are steps.
func (s *Spec) NamesFor(slot string) []string {
	st := s.step(slot)
	if st == nil {
		return s.Names()
	}
	var out []string
	for _, w := range st.With {
		out = append(out, w.Param)
	}
	for _, a := range s.source.Axes() {
		if !st.Keeps(a.Name) {
			continue
		}
		for _, c := range a.Cols {
			if !c.Label {
				out = append(out, c.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkStepsOrTemplate refuses a file with both, or neither.
func (s *Spec) checkStepsOrTemplate(r *yaml.Reader, root *yaml.Node) {
	steps, template := s.nodes["steps"], s.nodes["template"]
	switch {
	case steps != nil && template != nil:
		r.Hintf(steps, "make the template a step", "`template` and `steps` exclude each other%s", fmt.Sprintf(": `template` is %s", s.otherPlace(template)))
	case steps == nil && template == nil && len(s.Templates) == 0:
		r.Hintf(root, "add `template: my.ipynb`", "`template` is missing")
	}
	halve.CheckWays(r, s.nodes, s.Repeat, s.Sample, s.Halve)
}
