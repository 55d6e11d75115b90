package grid

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check finds what decoding one key at a time cannot see.
func (g *Grid) check(d *decoder) {
	g.checkNames(d)
	g.checkValues(d)
	g.checkPartial(d, "exclude", g.spec.exclude, true)
	g.checkPartial(d, "overrides", overrideMatches(g.spec.overrides), false)
	g.checkIncludes(d)
	g.checkExpressions(d)
	g.checkBaseline(d)
	g.checkLimits(d)
}

func overrideMatches(os []override) []object {
	var out []object
	for _, o := range os {
		out = append(out, o.match)
	}
	return out
}

// checkNames finds names given twice, or differing in case only, and names
// that a template does not declare.
func (g *Grid) checkNames(d *decoder) {
	s := g.spec
	owners := map[string]string{} // folded name → name
	at := map[string]*yaml.Node{}
	use := func(n *yaml.Node, name, what string) {
		folded := strings.ToLower(name)
		switch other, taken := owners[folded]; {
		case taken && other != name:
			d.errorf(n, "`%s` and `%s` differ in case only, and tables cannot tell them apart", other, name)
		case taken:
			d.errorf(n, "`%s` is %s here and is set on line %d already", name, what, at[name].Line)
		}
		owners[folded], at[name] = name, n
	}
	for _, b := range s.Parameters {
		use(s.nodes["parameters"], b.Name, "a constant")
	}
	for _, x := range s.Secrets {
		use(s.nodes["parameters"], x.Param, "a secret")
	}
	for _, a := range g.axes {
		use(a.at, a.name, "an axis")
		bound := map[string]bool{a.name: true}
		for _, ch := range a.choices {
			for _, b := range ch.params {
				if !bound[b.Name] {
					bound[b.Name] = true
					use(a.at, b.Name, "bound by `"+a.name+"`")
				}
			}
		}
	}
	for _, x := range s.derive {
		use(x.expr.at, x.name, "derived")
	}
	if s.Repeat.As != "" {
		use(s.nodes["repeat"], s.Repeat.As, "the replicate")
	}
	if s.TemplateAxis != "" {
		use(s.nodes["template"], s.TemplateAxis, "the template axis")
	}
	g.checkDeclared(d)
}

// checkDeclared finds parameters that a template does not declare: a typo
// there would burn the whole grid.
func (g *Grid) checkDeclared(d *decoder) {
	s := g.spec
	for _, t := range s.Templates {
		declared, known := g.declared[t.Slot]
		if !known {
			continue
		}
		var names []string
		for n := range declared {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, name := range s.passed() {
			if _, ok := declared[name.text]; !ok {
				d.hintf(name.at, declaredHint(t.Path, names), "template %s declares no parameter `%s`%s", t.Path, name.text, didYouMean(name.text, names))
			}
		}
	}
}

func declaredHint(template string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("the parameters cell of %s declares nothing", template)
	}
	return fmt.Sprintf("%s declares %s", template, strings.Join(names, ", "))
}

// placedName is a parameter with the place that names it.
type placedName struct {
	text string
	at   *yaml.Node
}

// passed lists every parameter some point passes.
func (s *Spec) passed() []placedName {
	var out []placedName
	add := func(name string, at *yaml.Node) {
		if !slices.ContainsFunc(out, func(n placedName) bool { return n.text == name }) {
			out = append(out, placedName{name, at})
		}
	}
	for _, b := range s.Parameters {
		add(b.Name, s.keyIn("parameters", b.Name))
	}
	for _, x := range s.Secrets {
		add(x.Param, s.keyIn("parameters", x.Param))
	}
	labels := map[string]bool{}
	for _, a := range s.source.axes() {
		labels[a.name] = a.label
		for _, ch := range a.choices {
			for _, b := range ch.params {
				add(b.Name, a.at)
			}
		}
	}
	for _, o := range s.include {
		for _, b := range o.bindings {
			if !labels[b.Name] {
				add(b.Name, o.at)
			}
		}
	}
	for _, x := range s.derive {
		add(x.name, x.expr.at)
	}
	if s.Repeat.As != "" {
		add(s.Repeat.As, s.nodes["repeat"])
	}
	return out
}

// keyIn is the place of a key within a top-level map.
func (s *Spec) keyIn(top, key string) *yaml.Node {
	root, err := parseYAML(s.text)
	if err != nil || root == nil {
		return s.nodes[top]
	}
	if i := keyIndex(root, top); i >= 0 && root.Content[i+1].Kind == yaml.MappingNode {
		if j := keyIndex(root.Content[i+1], key); j >= 0 {
			return root.Content[i+1].Content[j]
		}
	}
	return s.nodes[top]
}

// checkValues finds values whose kind the template does not expect.
func (g *Grid) checkValues(d *decoder) {
	s := g.spec
	for _, b := range s.Parameters {
		g.checkValue(d, s.keyIn("parameters", b.Name), b)
	}
	for _, a := range g.axes {
		bad := 0
		for _, ch := range a.choices {
			for _, b := range ch.params {
				if bad < 3 && g.checkValue(d, a.at, b) {
					bad++
				}
			}
		}
	}
	for _, o := range s.include {
		for _, b := range o.bindings {
			g.checkValue(d, o.at, b)
		}
	}
}

func (g *Grid) checkValue(d *decoder, at *yaml.Node, b Binding) (bad bool) {
	for _, t := range g.spec.Templates {
		p, ok := g.declared[t.Slot][b.Name]
		if !ok {
			continue
		}
		want, is := p.wants(), b.Value.Kind()
		if want != Null && is != Null && is != want && !(want == Float && is == Int) {
			d.hintf(at, kindHint(want, b.Value), "`%s` is %s, and %s is %s", b.Name, b.Value, describeParam(p, t.Path), want)
			return true
		}
		if len(p.Choices) > 0 && !slices.Contains(p.Choices, g.coerced(t.Slot, b.Name, b.Value)) {
			d.errorf(at, "`%s` is %s, and template %s allows %v", b.Name, b.Value, t.Path, p.Choices)
			return true
		}
	}
	return false
}

func describeParam(p Param, template string) string {
	if p.HasDefault {
		return fmt.Sprintf("the default in %s, %s,", template, p.Default)
	}
	return "its type in " + template
}

func kindHint(want Kind, v Value) string {
	switch {
	case want == String:
		return fmt.Sprintf("quote it: %q", v.String())
	case want == Int && v.Kind() == Float:
		return "give the template a float default, such as 1.0, if fractions are meant"
	}
	return ""
}

// checkPartial finds partial points that name or match nothing.
func (g *Grid) checkPartial(d *decoder, key string, objects []object, mustMatch bool) {
	used := make([]bool, len(objects))
	for i, o := range objects {
		for _, b := range o.bindings {
			if !g.varies(b.Name) {
				d.errorf(o.at, "%s: nothing in the grid is called `%s`%s", key, b.Name, didYouMean(b.Name, g.names()))
				used[i] = true
			}
		}
	}
	if !mustMatch || len(objects) == 0 || len(d.errs) > 0 {
		return
	}
	missing := len(objects)
	for c := range g.spec.source.combos() {
		for i, o := range objects {
			if !used[i] && matches(c, o) {
				used[i] = true
				missing--
			}
		}
		if missing == 0 {
			return
		}
	}
	for i, o := range objects {
		if !used[i] {
			d.errorf(o.at, "%s: no point is %s", key, words(o.bindings))
		}
	}
}

func words(bs []Binding) string {
	var parts []string
	for _, b := range bs {
		parts = append(parts, b.Name+" = "+b.Value.String())
	}
	return strings.Join(parts, ", ")
}

// varies reports whether points can differ in a name, or an include adds it.
func (g *Grid) varies(name string) bool {
	if g.original[name] || g.derived[name] || name == g.spec.Repeat.As || name == g.spec.TemplateAxis {
		return name != ""
	}
	return slices.ContainsFunc(g.spec.include, func(o object) bool { _, ok := lookup(o.bindings, name); return ok })
}

func (g *Grid) names() []string {
	var out []string
	for n := range g.original {
		out = append(out, n)
	}
	for n := range g.derived {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func (g *Grid) checkIncludes(d *decoder) {
	for _, o := range g.spec.include {
		for _, b := range o.bindings {
			if _, ok := lookup(g.spec.Parameters, b.Name); ok {
				d.errorf(o.at, "include: `%s` is a constant", b.Name)
			}
			d.checkParam(o.at, b.Name)
		}
	}
}

// checkExpressions tries where and derive on the first points, so that a
// wrong name is told before anything runs.
func (g *Grid) checkExpressions(d *decoder) {
	if len(d.errs) > 0 {
		return
	}
	for c := range g.included() {
		p, err := g.point(c)
		if err != nil {
			d.errorf(g.spec.derive[0].expr.at, "%v", err)
			return
		}
		if w := g.spec.where; w != nil {
			if _, err := w.Bool(p.env()); err != nil {
				d.errorf(w.at, "%v", err)
				return
			}
		}
		if g.spec.where == nil && len(g.spec.derive) == 0 {
			return
		}
	}
}

// checkBaseline wants a partial point over what varies that some point has.
func (g *Grid) checkBaseline(d *decoder) {
	at := g.spec.nodes["baseline"]
	for _, b := range g.spec.Baseline {
		if !g.varies(b.Name) {
			d.errorf(at, "baseline: nothing the grid varies is called `%s`%s", b.Name, didYouMean(b.Name, g.names()))
			return
		}
	}
	if len(g.spec.Baseline) == 0 || len(d.errs) > 0 {
		return
	}
	for p := range g.Points() {
		if matches(combo{params: p.params, labels: p.labels}, object{bindings: g.coercedAll(g.spec.Baseline)}) {
			return
		}
	}
	d.errorf(at, "baseline: no point is %s", words(g.spec.Baseline))
}

func (g *Grid) coercedAll(bs []Binding) []Binding {
	var out []Binding
	for _, b := range bs {
		out = append(out, Binding{b.Name, g.coerced(g.spec.Templates[0].Slot, b.Name, b.Value)})
	}
	return out
}

func (g *Grid) checkLimits(d *decoder) {
	for _, l := range g.spec.Limits {
		if !g.varies(l.Axis) {
			d.errorf(g.spec.nodes["limits"], "limits: nothing in the grid is called `%s`%s", l.Axis, didYouMean(l.Axis, g.names()))
		}
	}
}
