package grid

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/settings"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// check finds what decoding one key at a time cannot see.
func (g *Grid) check(r *yaml.Reader, ident func(string) error) {
	g.checkNames(r)
	g.checkDeclared(r, ident)
	g.checkValues(r)
	if g.spec.reader.Mistakes() == 0 {
		g.checkPartials(r)
	}
	if r.Mistakes() > 0 {
		return // what follows would only repeat it
	}
	g.checkUsed(r)
	if r.Mistakes() > 0 {
		return
	}
	g.checkExpressions(r)
	if r.Mistakes() == 0 {
		g.checkBaseline(r)
		g.checkQuestion(r)
		settings.CheckWithin(r, g.spec.nodes["metrics"], g.spec.Metrics, g.variedNames(), g.spec.Baseline, g.spec.Repeat.As)
		g.warn()
	}
}

// checkNames finds names given twice, or differing only in case.
func (g *Grid) checkNames(r *yaml.Reader) {
	s := g.spec
	owners := map[string]string{} // folded name → name
	at := map[string]*yaml.Node{}
	what := map[string]string{}
	use := func(n *yaml.Node, name, as string) {
		folded := strings.ToLower(name)
		switch other, taken := owners[folded]; {
		case taken && other != name:
			r.Errorf(n, "`%s` and `%s` differ only in case, which tables do not distinguish", other, name)
		case taken:
			r.Errorf(n, "`%s` is %s here, and is %s %s already", name, as, what[folded], s.otherPlace(at[folded]))
		default:
			owners[folded], at[folded], what[folded] = name, n, as
		}
	}
	for _, b := range s.Parameters {
		use(s.paramNodes[b.Name], b.Name, "a constant")
	}
	for _, x := range s.Secrets {
		use(s.paramNodes[x.Param], x.Param, "a secret")
	}
	for _, a := range g.axes {
		use(a.At, a.Name, "an axis")
		bound := map[string]bool{a.Name: true}
		for _, c := range a.Cols[1:] {
			if !bound[c.Name] {
				bound[c.Name] = true
				use(c.At, c.Name, "bound by `"+a.Name+"`")
			}
		}
	}
	for _, x := range s.derive {
		use(x.Key, x.Name, "derived")
	}
	if s.Repeat.As != "" {
		use(s.nodes["repeat"], s.Repeat.As, "the replicate")
	}
	if s.TemplateAxis != "" {
		use(s.nodes["template"], s.TemplateAxis, "the template axis")
	}
	included := map[string]bool{}
	for _, o := range s.include {
		for i, b := range o.bindings {
			switch kind := g.names[b.Name]; {
			case kind == isConstant, kind == isSecret, kind == isDerived, kind == isReplicate:
				r.Errorf(o.keys[i], "include: `%s` is %s and cannot be set here", b.Name, what[strings.ToLower(b.Name)])
			case kind == isIncluded && !included[b.Name]:
				included[b.Name] = true
				use(o.keys[i], b.Name, "added by include")
			}
			axes.CheckName(r, o.keys[i], b.Name)
		}
	}
}

// otherPlace is the short form of where the other of two is.
func (s *Spec) otherPlace(n *yaml.Node) string {
	here, there := s.reader.At(nil), s.reader.At(n)
	switch {
	case here.File == there.File:
		return fmt.Sprintf("on line %d", there.Line)
	case there.Line == 0:
		return "by " + there.File
	}
	return fmt.Sprintf("in %s on line %d", there.File, there.Line)
}

// checkDeclared finds parameters that a template does not declare: a typo
// there would burn the whole grid.
func (g *Grid) checkDeclared(r *yaml.Reader, ident func(string) error) {
	passed := g.spec.passed(g.axes)
	templates := g.spec.Templates
	if len(g.steps) > 0 {
		g.checkSteps(r)
		templates = nil
	}
	for _, t := range templates {
		declared, known := g.declared[t.Slot]
		if !known {
			continue
		}
		names := sortedKeys(declared)
		for _, name := range passed {
			if _, ok := declared[name.text]; !ok {
				r.Hintf(name.at, declaredHint(t.Path, names), "template %s declares no parameter `%s`%s", t.Path, name.text, diagnostic.DidYouMean(name.text, names))
			}
		}
	}
	if ident == nil {
		return
	}
	for _, name := range passed {
		if err := ident(name.text); err != nil {
			r.Errorf(name.at, "`%s` is not a name for a parameter: %v", name.text, err)
		}
	}
}

func declaredHint(template string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("the parameters cell of %s declares nothing", template)
	}
	return fmt.Sprintf("%s declares %s", template, strings.Join(names, ", "))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// placedName is a parameter with the place that names it.
type placedName struct {
	text string
	at   *yaml.Node
}

// passed lists every parameter some point passes.
func (s *Spec) passed(list []*axes.Axis) []placedName {
	var out []placedName
	seen := map[string]bool{}
	add := func(name string, at *yaml.Node) {
		if !seen[name] {
			seen[name] = true
			out = append(out, placedName{name, at})
		}
	}
	for _, b := range s.Parameters {
		add(b.Name, s.paramNodes[b.Name])
	}
	for _, x := range s.Secrets {
		add(x.Param, s.paramNodes[x.Param])
	}
	labels := map[string]bool{s.TemplateAxis: true}
	for _, a := range list {
		for _, c := range a.Cols {
			if c.Label {
				labels[c.Name] = true
			} else {
				add(c.Name, c.At)
			}
		}
	}
	for _, o := range s.include {
		for i, b := range o.bindings {
			if !labels[b.Name] {
				add(b.Name, o.keys[i])
			}
		}
	}
	for _, x := range s.derive {
		add(x.Name, x.Key)
	}
	if s.Repeat.As != "" {
		add(s.Repeat.As, s.nodes["repeat"])
	}
	return out
}

// checkValues finds values whose kind the template does not expect.
func (g *Grid) checkValues(r *yaml.Reader) {
	s := g.spec
	for _, b := range s.Parameters {
		g.checkValue(r, s.paramNodes[b.Name], b)
	}
	for _, a := range g.axes {
		for _, c := range a.Cols {
			g.checkColumn(r, c)
		}
	}
	for _, o := range s.include {
		for i, b := range o.bindings {
			g.checkValue(r, o.nodes[i], b)
		}
	}
	if as := s.Repeat.As; as != "" {
		zero, _ := value.Of(0)
		g.checkValue(r, s.nodes["repeat"], value.Binding{Name: as, Value: zero})
	}
}

// checkColumn reports the first of the values in a place that are wrong.
func (g *Grid) checkColumn(r *yaml.Reader, c *axes.Column) {
	reported := map[*yaml.Node]bool{}
	for i, v := range c.Values {
		if at := c.Place(i); !reported[at] && !c.Label && c.Has(i) {
			reported[at] = g.checkValue(r, at, value.Binding{Name: c.Name, Value: v})
		}
	}
}

func (g *Grid) checkValue(r *yaml.Reader, at *yaml.Node, b value.Binding) (bad bool) {
	for _, t := range g.spec.Templates {
		if hint, err := g.valueError(t, b); err != nil {
			if other := g.taker(b); other != "" {
				hint = fmt.Sprintf("%s takes it: declare `%s` alike in both", other, b.Name)
			}
			r.Hintf(at, hint, "%v", err)
			return true
		}
	}
	return false
}

// taker is a template that declares a type which a value has.
func (g *Grid) taker(b value.Binding) string {
	for _, t := range g.spec.Templates {
		if _, err := g.valueError(t, b); err == nil && g.declared[t.Slot][b.Name].Wants() == b.Value.Kind() {
			return t.Path
		}
	}
	return ""
}

func (g *Grid) valueError(t TemplateRef, b value.Binding) (hint string, err error) {
	p, ok := g.declared[t.Slot][b.Name]
	if !ok {
		return "", nil
	}
	return p.Check(t.Path, b.Value)
}

// checkPartials finds partial points that name nothing the grid has.
func (g *Grid) checkPartials(r *yaml.Reader) {
	s := g.spec
	original := func(name string) bool {
		k := g.names[name]
		return k == isOriginal || k == isLabel || k == isTemplate
	}
	for _, o := range s.exclude {
		for i, b := range o.bindings {
			switch {
			case original(b.Name):
			case g.names[b.Name] != 0:
				r.Hintf(o.keys[i], "use `where` instead", "exclude: `%s` is not an axis, and excludes are applied first", b.Name)
			default:
				g.unknownName(r, o.keys[i], "exclude", b.Name)
			}
		}
	}
	for _, o := range s.overrides {
		for i, b := range o.match.bindings {
			if !g.varies(b.Name) {
				g.unknownName(r, o.match.keys[i], "overrides", b.Name)
			}
		}
	}
	for _, l := range s.Limits {
		if !g.varies(l.Axis) {
			g.unknownName(r, s.limitNodes[l.Axis], "limits", l.Axis)
		}
	}
	for i, b := range s.baseline.bindings {
		if !g.varies(b.Name) {
			r.Errorf(s.baseline.keys[i], "baseline: nothing the grid varies is called `%s`%s", b.Name, diagnostic.DidYouMean(b.Name, g.variedNames()))
		}
	}
}

func (g *Grid) unknownName(r *yaml.Reader, at *yaml.Node, key, name string) {
	r.Errorf(at, "%s: nothing in the grid is called `%s`%s", key, name, diagnostic.DidYouMean(name, g.variedNames()))
}

// varies reports whether points can differ in a name.
func (g *Grid) varies(name string) bool {
	k := g.names[name]
	return k >= isOriginal
}

func (g *Grid) variedNames() []string {
	var out []string
	for _, n := range sortedKeys(g.names) {
		if g.varies(n) {
			out = append(out, n)
		}
	}
	return out
}

// checkUsed finds excludes that match nothing.
func (g *Grid) checkUsed(r *yaml.Reader) {
	for i, o := range g.spec.exclude {
		used := slices.ContainsFunc(g.blocks, func(b *axes.Block) bool { return !b.Own && !b.Excludes[i].Never })
		if !used {
			r.Errorf(o.at, "exclude: no point matches %s", words(o.bindings))
		}
	}
	for _, o := range g.spec.overrides {
		if !g.mayMatch(o.match.bindings) {
			g.warnf("overrides: no point matches %s", words(o.match.bindings))
		}
	}
}

// mayMatch is false when no choice of any dim has the values of a partial
// point. Names that are not the source's may take any.
func (g *Grid) mayMatch(partial []value.Binding) bool {
	for _, b := range g.blocks {
		if m := b.Match(partial, true); !m.Never {
			return true
		}
	}
	return false
}

func words(bs []value.Binding) string {
	var parts []string
	for _, b := range bs {
		parts = append(parts, b.Name+" = "+b.Value.String())
	}
	return strings.Join(parts, ", ")
}

// maxSurvey bounds how many combinations checking looks at. What expressions
// and excludes do not look at is not counted among them.
const maxSurvey = 100_000

// checkExpressions computes every expression for every point it can
// distinguish, so that no mistake is found after work began, and counts the
// points on the way.
func (g *Grid) checkExpressions(r *yaml.Reader) {
	s := g.spec
	var all []*placedExpr
	if s.where != nil {
		all = append(all, s.where)
	}
	for _, x := range s.derive {
		all = append(all, x.Expr)
	}
	all = append(all, slices.DeleteFunc(slices.Clone(s.placement), func(e *placedExpr) bool { return e == nil })...)
	for _, e := range all {
		for _, n := range e.Names() {
			switch k := g.names[n]; {
			case k == isSecret:
				r.Errorf(e.At, "expression %q: `%s` is a secret, which only the run itself reads", e.String(), n)
			case k == 0 && n != replicateName:
				r.Errorf(e.At, "expression %q: nothing is called `%s`%s", e.String(), n, diagnostic.DidYouMean(n, sortedKeys(g.names)))
			}
		}
	}
	if r.Mistakes() > 0 {
		return
	}
	n, complete, err := g.survey(context.Background(), all, maxSurvey)
	if err != nil {
		r.Add(err)
		return
	}
	if complete && g.structural && s.Sample.N == 0 && !s.Halve.Grows() && (len(g.steps) == 0 || n == 0) {
		g.count = n
	}
}

// filter are the expressions that decide which points there are.
func (x expressions) filter(where *placedExpr) []*placedExpr {
	if where == nil {
		return nil
	}
	return []*placedExpr{where}
}

// survey computes the expressions for the combinations that they and the
// excludes can distinguish, and counts the points these represent, up to the
// limit; 0 is no limit.
func (g *Grid) survey(ctx context.Context, exprs []*placedExpr, limit int) (n int, complete bool, err error) {
	names := g.readNames(exprs...)
	compute := len(exprs) > 0
	env := map[string]any{}
	steps := 0
	for _, b := range g.blocks {
		done := b.Walk(axes.Matcher{}, g.look(b, names), func(idx []int, weight int) bool {
			if steps++; limit > 0 && steps > limit {
				return false
			}
			if steps%1024 == 0 && ctx.Err() != nil {
				err = ctx.Err()
				return false
			}
			if b.Excluded(idx) {
				return true
			}
			pass := g.spec.Repeat.N
			if compute {
				var cost int
				if pass, cost, err = g.surveyPoint(b, idx, env); err != nil {
					return false
				}
				steps += cost
			}
			n = axes.Plus(n, axes.Times(weight, pass))
			return true
		})
		if !done {
			return n, false, err
		}
	}
	return n, true, nil
}

// surveyPoint computes the expressions for one combination and counts the
// replicates that where leaves. Cost is how many it had to look at.
func (g *Grid) surveyPoint(b *axes.Block, idx []int, env map[string]any) (pass, cost int, err error) {
	base, err := g.point(b, idx, env)
	if err != nil {
		return 0, 0, err
	}
	each := g.exprs.perReplicate || len(g.exprs.replicate) > 0 || len(g.spec.Placement) > 0
	for r := range g.spec.Repeat.N {
		p, ok, err := g.replicate(base, r, env)
		if err != nil {
			return 0, r, err
		}
		if err := g.checkDerived(p); err != nil {
			return 0, r, err
		}
		if _, err := g.placement(p, env); err != nil {
			return 0, r, err
		}
		if !each {
			if ok {
				return g.spec.Repeat.N, 0, nil
			}
			return 0, 0, nil
		}
		if ok {
			pass++
		}
	}
	return pass, g.spec.Repeat.N, nil
}

// checkDerived compares derived values with what the template declares.
func (g *Grid) checkDerived(p Point) error {
	for _, x := range g.spec.derive {
		v, _ := value.Lookup(p.params, x.Name)
		for _, t := range g.spec.Templates {
			if t.Slot != p.slot && len(g.steps) == 0 {
				continue
			}
			if _, err := g.valueError(t, value.Binding{Name: x.Name, Value: v}); err != nil {
				return g.placed(x.Expr, p, err)
			}
		}
	}
	return nil
}

// look are the dims of a block that excludes or a set of names depend on.
func (g *Grid) look(b *axes.Block, names map[string]bool) []bool {
	look := make([]bool, len(b.Dims))
	b.Constrained(look, b.Excludes)
	for d, dim := range b.Dims {
		for _, c := range dim.Cols {
			look[d] = look[d] || names[c.Name]
		}
	}
	for i, o := range g.spec.include {
		if i >= len(b.Includes) {
			break
		}
		if slices.ContainsFunc(o.bindings, func(x value.Binding) bool { return names[x.Name] }) {
			b.Constrained(look, b.Includes[i:i+1])
		}
	}
	if g.spec.TemplateAxis != "" && len(names) > 0 {
		look[len(look)-1] = true // defaults and types are a template's own
	}
	return look
}

// checkBaseline reports a baseline that matches no point.
func (g *Grid) checkBaseline(r *yaml.Reader) {
	s := g.spec
	if len(s.Baseline) == 0 {
		return
	}
	if s.Sample.N > 0 {
		for p := range g.basePoints() {
			if p.matches(s.Baseline) {
				return
			}
		}
		r.Hintf(s.baseline.at, "take a larger sample, or leave `sample` out", "baseline: no point of the sample matches %s", words(s.Baseline))
		return
	}
	names := g.readNames(append(g.exprs.filter(s.where), g.derivations()...)...)
	for _, b := range s.Baseline {
		names[b.Name] = true
	}
	env := map[string]any{}
	found := false
	for _, b := range g.blocks {
		m := b.Match(s.Baseline, true)
		b.Walk(m, g.look(b, names), func(idx []int, _ int) bool {
			if !b.Excluded(idx) {
				g.replicates(b, idx, env, nil, func(p Point) bool { found = p.matches(s.Baseline); return !found })
			}
			return !found
		})
		if found {
			return
		}
	}
	r.Errorf(s.baseline.at, "baseline: no point matches %s", words(s.Baseline))
}

func (g *Grid) derivations() []*placedExpr {
	var out []*placedExpr
	for _, x := range g.spec.derive {
		out = append(out, x.Expr)
	}
	return out
}

// warn reports what can be expanded but may be unintended.
func (g *Grid) warn() {
	if g.count == 0 {
		g.warnf("no point is left: exclude and where drop them all")
	}
	if s := g.spec.Sample; s.N > 0 {
		if n := g.sampleFrom(); n >= 0 && n <= s.N {
			g.warnf("sample: only %s to take %d from", unit.Plural(n, "point"), s.N)
		}
	}
}

// sampleFrom counts what a sample is taken from where that is known without
// expanding points, else it is -1.
func (g *Grid) sampleFrom() int {
	if !g.structural || g.spec.where != nil || len(g.spec.exclude) > 0 {
		return -1
	}
	if g.spec.Sample.Grows() {
		return axes.Units(g.blocks, g.open)
	}
	return axes.Size(g.blocks) / len(g.slots) / max(1, len(g.spec.Halve.Values))
}
