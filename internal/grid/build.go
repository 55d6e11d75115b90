package grid

import (
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// learnNames records the kind of every name of the grid.
func (g *Grid) learnNames() {
	s := g.spec
	for _, b := range s.Parameters {
		g.names[b.Name] = isConstant
	}
	for _, x := range s.Secrets {
		g.names[x.Param] = isSecret
	}
	for _, a := range g.axes {
		for _, c := range a.Cols {
			if g.names[c.Name] = isOriginal; c.Label {
				g.names[c.Name] = isLabel
			}
		}
	}
	if s.TemplateAxis != "" {
		g.names[s.TemplateAxis] = isTemplate
	}
	for _, x := range s.derive {
		g.names[x.Name] = isDerived
	}
	if s.Repeat.As != "" {
		g.names[s.Repeat.As] = isReplicate
	}
	for _, o := range s.include {
		for _, b := range o.bindings {
			if g.names[b.Name] == 0 {
				g.names[b.Name] = isIncluded
			}
		}
	}
}

// build makes the blocks, the templates being the last dim of each.
func (g *Grid) build(r *yaml.Reader) {
	s := g.spec
	g.blocks = s.source.Blocks()
	g.structural = len(g.blocks) < 2
	for _, b := range g.blocks {
		g.coerce(b)
		for _, dim := range b.Dims {
			g.structural = g.checkDistinct(r, dim) && g.structural
		}
		if s.TemplateAxis != "" {
			b.Dims = append(b.Dims, g.templateDim())
		}
		for _, o := range s.exclude {
			b.Excludes = append(b.Excludes, b.Match(o.bindings, false))
		}
		for _, o := range s.include {
			b.Includes = append(b.Includes, b.Match(o.bindings, true))
			g.structural = g.structural && !slices.ContainsFunc(o.bindings, func(x value.Binding) bool { return b.HasGap(x.Name) })
		}
	}
	g.exprs = g.collectExpressions()
	for i, o := range s.include {
		if !g.fitsSomewhere(i) {
			g.addOwn(r, o)
		}
	}
}

func (g *Grid) fitsSomewhere(include int) bool {
	for _, b := range g.blocks {
		if !b.Own && b.Fits(b.Includes[include]) {
			return true
		}
	}
	return false
}

func (g *Grid) templateDim() *axes.Dim {
	c := &axes.Column{Name: g.spec.TemplateAxis, Label: true, At: g.spec.nodes["template"]}
	for _, slot := range g.slots {
		v, _ := value.Of(slot)
		c.Values = append(c.Values, v)
	}
	return &axes.Dim{N: len(c.Values), Cols: []*axes.Column{c}}
}

// addOwn turns an include that fits nowhere into a separate combination. A value
// of a bundle stands for what it binds; a value of the template axis chooses
// the template, and without one there is a combination for each.
func (g *Grid) addOwn(r *yaml.Reader, o partial) {
	var c Point
	slot := -1
	for _, x := range o.bindings {
		switch g.names[x.Name] {
		case isTemplate:
			if slot = slices.Index(g.slots, x.Value.Text()); slot < 0 {
				r.Errorf(o.at, "include: `%s` is not a template; want one of %s", x.Value.Text(), strings.Join(g.slots, ", "))
				return
			}
		case isLabel:
			c.labels = value.Bind(c.labels, x.Name, x.Value)
			for _, y := range axes.Bound(g.axes, x) {
				c.params = value.Bind(c.params, y.Name, y.Value)
			}
		default:
			c.params = value.Bind(c.params, x.Name, x.Value)
		}
	}
	dim := &axes.Dim{N: 1}
	for _, x := range c.params {
		dim.Cols = append(dim.Cols, &axes.Column{Name: x.Name, Values: []value.Value{x.Value}, At: o.at})
	}
	for _, x := range c.labels {
		dim.Cols = append(dim.Cols, &axes.Column{Name: x.Name, Label: true, Values: []value.Value{x.Value}, At: o.at})
	}
	b := &axes.Block{Dims: []*axes.Dim{dim}, Own: true}
	if h := g.spec.Halve; h.Grows() {
		b.Dims = append(b.Dims, h.Axis().Dim())
	}
	g.coerce(b)
	if g.spec.TemplateAxis != "" {
		b.Dims = append(b.Dims, g.templateDim())
	}
	for s := range g.slots {
		if slot >= 0 && s != slot {
			continue
		}
		one := *b
		if g.spec.TemplateAxis != "" {
			one.Dims = append(b.Dims[:len(b.Dims)-1:len(b.Dims)-1], g.templateDim().Only(s))
		}
		if g.structural && g.contains(&one) {
			g.warnf("include: %s repeats another point and counts once", words(o.bindings))
			continue
		}
		g.blocks = append(g.blocks, &one)
	}
}

// contains reports whether other blocks yield the point of a block of one. Only
// choices that agree with it are tried.
func (g *Grid) contains(one *axes.Block) bool {
	p, err := g.point(one, make([]int, len(one.Dims)), nil)
	if err != nil {
		return false // reported when expressions are checked
	}
	want := p.Identity()
	for _, b := range g.blocks {
		m := b.MatchFunc(func(c *axes.Column, i int) bool { return g.agrees(c, i, p) })
		found := false
		b.Walk(m, nil, func(idx []int, _ int) bool {
			if !b.Excluded(idx) {
				q, err := g.point(b, idx, nil)
				found = err == nil && q.Identity() == want
			}
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

// agrees reports whether a choice gives a parameter the value that a point has.
func (g *Grid) agrees(c *axes.Column, i int, p Point) bool {
	if c.Label || !c.Has(i) {
		return true
	}
	v, ok := value.Lookup(p.params, c.Name)
	return ok && c.Slots[slices.Index(g.slots, p.slot)][i] == v
}

// coerce fills in every column's values as each template takes them.
func (g *Grid) coerce(b *axes.Block) {
	for _, dim := range b.Dims {
		for _, c := range dim.Cols {
			c.Slots = make([][]value.Value, len(g.slots))
			for s, slot := range g.slots {
				c.Slots[s] = g.coercedColumn(slot, c)
			}
		}
	}
}

func (g *Grid) coercedColumn(slot string, c *axes.Column) []value.Value {
	p, ok := g.declared[slot][c.Name]
	if !ok || c.Label || p.Wants() != value.Float {
		return c.Values
	}
	out := slices.Clone(c.Values)
	for i, v := range out {
		out[i] = g.coerced(slot, c.Name, v)
	}
	return out
}

// checkDistinct finds choices that assign the same. Values of an axis must
// differ; rows of a zip or list that do not count once. It reports whether
// the choices that are left differ for every template.
func (g *Grid) checkDistinct(r *yaml.Reader, dim *axes.Dim) bool {
	if a := dim.Single; a != nil && len(a.Cols) == 1 && !a.IsLabel() {
		return g.checkAxisValues(r, dim)
	}
	label := g.readLabel(dim)
	first := map[string]int{}
	distinct := true
	var keep []int
	for i := range dim.N {
		everywhere := ""
		for s := range g.slots {
			everywhere += dim.RowKey(s, i) + "\x01"
		}
		j, repeated := first[everywhere]
		switch {
		case !repeated:
			first[everywhere] = i
			keep = append(keep, i)
		case label != nil:
			// An expression reads the label and may distinguish the two.
			distinct = false
			keep = append(keep, i)
		case dim.Single != nil:
			r.Hintf(dim.Single.Cols[0].Place(i), "give one of them a parameter that distinguishes them",
				"`%s` and `%s` of `%s` bind the same parameters: they would be one run", dim.Cols[0].Values[j].Text(), dim.Cols[0].Values[i].Text(), dim.Single.Name)
		}
	}
	if gone := dim.N - len(keep); gone > 0 && dim.Single == nil {
		g.warnf("%s: %d of %d points repeat others and count once", dim.What, gone, dim.N)
		dim.Keep(keep)
		g.coerce(&axes.Block{Dims: []*axes.Dim{dim}})
	}
	return distinct && g.distinctPerSlot(dim)
}

// distinctPerSlot reports whether rows that differ also differ once they have
// the types that a template declares.
func (g *Grid) distinctPerSlot(dim *axes.Dim) bool {
	for s := range g.slots {
		seen := make(map[string]bool, dim.N)
		for i := range dim.N {
			k := dim.RowKey(s, i)
			if seen[k] {
				return false
			}
			seen[k] = true
		}
	}
	return true
}

// readLabel is a label column of the dim that derive reads.
func (g *Grid) readLabel(dim *axes.Dim) *axes.Column {
	for _, c := range dim.Cols {
		if c.Label && slices.ContainsFunc(g.spec.derive, func(x derived) bool { return slices.Contains(x.Expr.Names(), c.Name) }) {
			return c
		}
	}
	return nil
}

// checkAxisValues finds values of an axis that are there twice.
func (g *Grid) checkAxisValues(r *yaml.Reader, dim *axes.Dim) bool {
	c := dim.Cols[0]
	if dim.Single.Increases() {
		return true // made by a rule, each larger than the one before
	}
	for s, slot := range g.slots {
		seen := make(map[value.Value]bool, dim.N)
		for i, v := range c.Slots[s] {
			if !seen[v] {
				seen[v] = true
				continue
			}
			as := ""
			if v != c.Values[i] {
				as = ", which " + g.templatePath(slot) + " takes as " + v.String()
			}
			r.Errorf(c.Place(i), "axis `%s` has the value %s twice%s", c.Name, c.Values[i], as)
			return false
		}
	}
	return true
}

func (g *Grid) templatePath(slot string) string {
	for _, t := range g.spec.Templates {
		if t.Slot == slot {
			return t.Path
		}
	}
	return slot
}

// coerced gives a value the type its parameter declares, where that loses
// nothing: an int becomes a float where the template's default is one.
func (g *Grid) coerced(slot, name string, v value.Value) value.Value {
	p, ok := g.declared[slot][name]
	if !ok || v.Kind() != value.Int || p.Wants() != value.Float {
		return v
	}
	if x, ok := v.Float(); ok {
		v, _ = value.Of(x)
	}
	return v
}

func (g *Grid) coercedAll(slot string, bs []value.Binding) []value.Binding {
	out := make([]value.Binding, len(bs))
	for i, b := range bs {
		out[i] = value.Binding{Name: b.Name, Value: g.coerced(slot, b.Name, b.Value)}
	}
	return out
}
