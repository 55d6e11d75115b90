package grid

import (
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/value"
)

// A block is a product of dims; its last dim varies fastest. A grid is one
// block or several, one after the other.
type block struct {
	dims     []*dim
	own      bool // made by an include: excludes and includes pass it by
	excludes []matcher
	includes []matcher // where each include fits
}

// size is how many combinations the block makes before anything is excluded.
func (b *block) size() int {
	n := 1
	for _, r := range b.dims {
		n = times(n, r.n)
	}
	return n
}

// times and plus stop at the largest int.
func times(a, b int) int {
	if a != 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

func plus(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// column finds a name in the block: the number of its dim, and the column.
func (b *block) column(name string) (int, *column) {
	for i, r := range b.dims {
		for _, c := range r.cols {
			if c.name == name {
				return i, c
			}
		}
	}
	return -1, nil
}

// A matcher says which choices of each dim a partial point is content with.
type matcher struct {
	never bool     // no combination matches
	allow [][]bool // by dim; nil is any choice
}

func (m *matcher) matches(idx []int) bool {
	if m.never {
		return false
	}
	for d, allow := range m.allow {
		if allow != nil && !allow[idx[d]] {
			return false
		}
	}
	return true
}

// matcher compiles a partial point. A name that a choice does not assign
// matches when gaps is set: that is how an include fits, and not how an
// exclude or a baseline matches.
func (b *block) matcher(bindings []value.Binding, gaps bool) matcher {
	m := matcher{allow: make([][]bool, len(b.dims))}
	for _, x := range bindings {
		d, c := b.column(x.Name)
		if c == nil {
			m.never = m.never || !gaps
			continue
		}
		m.restrict(b, d, func(i int) bool {
			if !c.has(i) {
				return gaps
			}
			return value.Equal(c.values[i], x.Value)
		})
	}
	return m
}

// fillsGap reports whether an include may give a name to some choices of a dim
// that others have of their own: then these may become the same.
func (b *block) fillsGap(o object) bool {
	return slices.ContainsFunc(o.bindings, func(x value.Binding) bool {
		_, c := b.column(x.Name)
		return c != nil && c.absent != nil
	})
}

func (m *matcher) restrict(b *block, d int, ok func(i int) bool) {
	if m.allow[d] == nil {
		m.allow[d] = make([]bool, b.dims[d].n)
		for i := range m.allow[d] {
			m.allow[d][i] = true
		}
	}
	for i := range m.allow[d] {
		m.allow[d][i] = m.allow[d][i] && ok(i)
	}
	m.never = m.never || !slices.Contains(m.allow[d], true)
}

// excluded reports whether an exclude matches a combination.
func (b *block) excluded(idx []int) bool {
	for i := range b.excludes {
		if b.excludes[i].matches(idx) {
			return true
		}
	}
	return false
}

// constrained are the dims that some of the matchers look at.
func (b *block) constrained(into []bool, ms []matcher) {
	for _, m := range ms {
		if m.never {
			continue
		}
		for d, allow := range m.allow {
			into[d] = into[d] || allow != nil
		}
	}
}

// walk yields the combinations that m allows, in order, and reports whether
// yield wanted them all. The choices are an index per dim, valid until yield
// returns. Where look is given, dims that it leaves out stand still, and
// weight says how many combinations each call stands for.
func (b *block) walk(m matcher, look []bool, yield func(idx []int, weight int) bool) bool {
	if m.never {
		return true
	}
	idx := make([]int, len(b.dims))
	allowed := func(d, i int) bool { return m.allow == nil || m.allow[d] == nil || m.allow[d][i] }
	var at func(d, weight int) bool
	at = func(d, weight int) bool {
		if d == len(b.dims) {
			return yield(idx, weight)
		}
		n := b.dims[d].n
		if look != nil && !look[d] {
			first, count := -1, 0
			for i := range n {
				if allowed(d, i) {
					if count++; first < 0 {
						first = i
					}
				}
			}
			if first < 0 {
				return true
			}
			idx[d] = first
			return at(d+1, times(weight, count))
		}
		for i := range n {
			if !allowed(d, i) {
				continue
			}
			idx[d] = i
			if !at(d+1, weight) {
				return false
			}
		}
		return true
	}
	return at(0, 1)
}

// fits reports whether a partial point matches some combination that is not
// excluded.
func (b *block) fits(m matcher) bool {
	look := make([]bool, len(b.dims))
	b.constrained(look, b.excludes)
	found := false
	b.walk(m, look, func(idx []int, _ int) bool {
		found = !b.excluded(idx)
		return !found
	})
	return found
}

// coerce fills in every column's values as each template takes them.
func (b *block) coerce(g *Grid) {
	for _, r := range b.dims {
		for _, c := range r.cols {
			c.slots = make([][]value.Value, len(g.slots))
			for s, slot := range g.slots {
				c.slots[s] = g.coercedColumn(slot, c)
			}
		}
	}
}

func (g *Grid) coercedColumn(slot string, c *column) []value.Value {
	p, ok := g.declared[slot][c.name]
	if !ok || c.label || p.wants() != value.Float {
		return c.values
	}
	out := slices.Clone(c.values)
	for i, v := range out {
		out[i] = g.coerced(slot, c.name, v)
	}
	return out
}

// rowKey tells the parameters of two choices of a dim apart, as a template
// takes them.
func (r *dim) rowKey(slot, i int) string {
	var key []byte
	for _, c := range r.cols {
		if c.label || !c.has(i) {
			key = append(key, 0)
			continue
		}
		key = append(key, c.slots[slot][i].String()...)
		key = append(key, 0)
	}
	return string(key)
}

// checkDistinct finds choices that assign the same. Values of an axis must
// differ; rows of a zip or list that do not are made once. It reports whether
// the choices that are left differ for every template.
func (g *Grid) checkDistinct(d *decoder, r *dim) bool {
	if a := r.single; a != nil && len(a.cols) == 1 && !a.label() {
		return g.checkAxisValues(d, r)
	}
	label := g.readLabel(r)
	first := map[string]int{}
	distinct := true
	var keep []int
	for i := range r.n {
		everywhere := ""
		for s := range g.slots {
			everywhere += r.rowKey(s, i) + "\x01"
		}
		j, repeated := first[everywhere]
		switch {
		case !repeated:
			first[everywhere] = i
			keep = append(keep, i)
		case label != nil:
			// An expression reads the label and may tell the two apart.
			distinct = false
			keep = append(keep, i)
		case r.single != nil:
			d.hintf(r.single.cols[0].place(i), "give one of them a parameter that tells them apart",
				"`%s` and `%s` of `%s` bind the same parameters: they would be one run", text(r.cols[0].values[j]), text(r.cols[0].values[i]), r.single.name)
		}
	}
	if gone := r.n - len(keep); gone > 0 && r.single == nil {
		g.warnf("%s: %d of %d points are there already, and are made once", r.what, gone, r.n)
		r.keep(keep)
		for _, c := range r.cols {
			c.slots = nil
		}
		(&block{dims: []*dim{r}}).coerce(g)
	}
	return distinct && g.distinctPerSlot(r)
}

// distinctPerSlot reports whether rows that differ also differ once they have
// the types that a template declares.
func (g *Grid) distinctPerSlot(r *dim) bool {
	for s := range g.slots {
		seen := make(map[string]bool, r.n)
		for i := range r.n {
			k := r.rowKey(s, i)
			if seen[k] {
				return false
			}
			seen[k] = true
		}
	}
	return true
}

// keep drops all choices but these.
func (r *dim) keep(which []int) {
	for k, old := range r.cols {
		c := newColumn(old.name, old.at, len(which))
		c.label = old.label
		for to, from := range which {
			if old.has(from) {
				c.set(to, old.values[from], old.place(from))
			}
		}
		c.seal()
		r.cols[k] = c
	}
	r.n = len(which)
}

// readLabel is a label column of the dim that derive reads.
func (g *Grid) readLabel(r *dim) *column {
	for _, c := range r.cols {
		if c.label && slices.ContainsFunc(g.spec.derive, func(x derived) bool { return contains(x.expr.Names(), c.name) }) {
			return c
		}
	}
	return nil
}

// checkAxisValues finds values of an axis that are there twice.
func (g *Grid) checkAxisValues(d *decoder, r *dim) bool {
	c := r.cols[0]
	if c.places == nil && r.single.ordered && r.single.make == nil {
		return true // made by a rule, each larger than the one before
	}
	for s, slot := range g.slots {
		seen := make(map[value.Value]bool, r.n)
		for i, v := range c.slots[s] {
			if !seen[v] {
				seen[v] = true
				continue
			}
			as := ""
			if v != c.values[i] {
				as = ", which " + g.templatePath(slot) + " takes as " + v.String()
			}
			d.errorf(c.place(i), "axis `%s` has the value %s twice%s", c.name, c.values[i], as)
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

// text is a value without the quotes of a string.
func text(v value.Value) string {
	if s, ok := v.Any().(string); ok {
		return s
	}
	return v.String()
}
