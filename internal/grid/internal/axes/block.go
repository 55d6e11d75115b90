package axes

import (
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/value"
)

// A Block is a product of dims; its last dim varies fastest. A grid is one
// block or several, one after the other.
type Block struct {
	Dims     []*Dim
	Own      bool // from an include: other excludes and includes ignore it
	Excludes []Matcher
	Includes []Matcher // where each include fits
}

// Size is how many combinations the block has before anything is excluded.
func (b *Block) Size() int {
	n := 1
	for _, r := range b.Dims {
		n = Times(n, r.N)
	}
	return n
}

// Size is how many combinations blocks have together.
func Size(blocks []*Block) int {
	n := 0
	for _, b := range blocks {
		n = Plus(n, b.Size())
	}
	return n
}

// Units is how many combinations of blocks differ in more than the open columns, at
// most: rows that hold an open column and others may share those.
func Units(blocks []*Block, open func(*Column) bool) int {
	n := 0
	for _, b := range blocks {
		units := 1
		for _, d := range b.Dims {
			if slices.ContainsFunc(d.Cols, func(c *Column) bool { return !open(c) }) {
				units = Times(units, d.N)
			}
		}
		n = Plus(n, units)
	}
	return n
}

// Product is the product of many sizes.
func Product(sizes []int) int {
	n := 1
	for _, size := range sizes {
		n = Times(n, size)
	}
	return n
}

// Times and Plus stop at the largest int.
func Times(a, b int) int {
	if a != 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

func Plus(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// Column finds a name in the block: the number of its dim, and the column.
func (b *Block) Column(name string) (int, *Column) {
	for i, r := range b.Dims {
		for _, c := range r.Cols {
			if c.Name == name {
				return i, c
			}
		}
	}
	return -1, nil
}

// A Matcher holds which choices of each dim a partial point matches.
type Matcher struct {
	Never bool     // no combination matches
	allow [][]bool // by dim; nil is any choice
}

// Matches reports whether a combination matches.
func (m *Matcher) Matches(idx []int) bool {
	if m.Never {
		return false
	}
	for d, allow := range m.allow {
		if allow != nil && !allow[idx[d]] {
			return false
		}
	}
	return true
}

// Match compiles a partial point. A name that a choice does not assign
// matches when gaps is set: that is how an include fits, and not how an
// exclude or a baseline matches.
func (b *Block) Match(bindings []value.Binding, gaps bool) Matcher {
	m := Matcher{allow: make([][]bool, len(b.Dims))}
	for _, x := range bindings {
		d, c := b.Column(x.Name)
		if c == nil {
			m.Never = m.Never || !gaps
			continue
		}
		m.restrict(b, d, func(i int) bool {
			if !c.Has(i) {
				return gaps
			}
			return value.Equal(c.Values[i], x.Value)
		})
	}
	return m
}

// At yields the combinations with one choice of each of these dims and any of the
// others, in order, and reports whether yield wanted them all.
func (b *Block) At(dims, choices []int, yield func(idx []int) bool) bool {
	idx := make([]int, len(b.Dims))
	var at func(d int) bool
	at = func(d int) bool {
		if d == len(b.Dims) {
			return yield(idx)
		}
		if i := slices.Index(dims, d); i >= 0 {
			idx[d] = choices[i]
			return at(d + 1)
		}
		for idx[d] = 0; idx[d] < b.Dims[d].N; idx[d]++ {
			if !at(d + 1) {
				return false
			}
		}
		return true
	}
	return at(0)
}

// MatchFunc compiles what each choice must be for every column it assigns.
func (b *Block) MatchFunc(ok func(c *Column, i int) bool) Matcher {
	m := Matcher{allow: make([][]bool, len(b.Dims))}
	for d, r := range b.Dims {
		for _, c := range r.Cols {
			m.restrict(b, d, func(i int) bool { return ok(c, i) })
		}
	}
	return m
}

// HasGap reports whether some choices of a dim assign a name and others do
// not.
func (b *Block) HasGap(name string) bool {
	_, c := b.Column(name)
	return c != nil && c.absent != nil
}

func (m *Matcher) restrict(b *Block, d int, ok func(i int) bool) {
	if m.allow[d] == nil {
		m.allow[d] = make([]bool, b.Dims[d].N)
		for i := range m.allow[d] {
			m.allow[d][i] = true
		}
	}
	for i := range m.allow[d] {
		m.allow[d][i] = m.allow[d][i] && ok(i)
	}
	m.Never = m.Never || !slices.Contains(m.allow[d], true)
}

// Excluded reports whether an exclude matches a combination.
func (b *Block) Excluded(idx []int) bool {
	for i := range b.Excludes {
		if b.Excludes[i].Matches(idx) {
			return true
		}
	}
	return false
}

// Constrained are the dims that some of the matchers look at.
func (b *Block) Constrained(into []bool, ms []Matcher) {
	for _, m := range ms {
		if m.Never {
			continue
		}
		for d, allow := range m.allow {
			into[d] = into[d] || allow != nil
		}
	}
}

// Walk yields the combinations that m allows, in order, and reports whether
// yield wanted them all. The choices are an index per dim, valid until yield
// returns. Where look is given, dims that it leaves out do not vary, and
// weight is how many combinations each call represents.
func (b *Block) Walk(m Matcher, look []bool, yield func(idx []int, weight int) bool) bool {
	if m.Never {
		return true
	}
	idx := make([]int, len(b.Dims))
	allowed := func(d, i int) bool { return m.allow == nil || m.allow[d] == nil || m.allow[d][i] }
	var at func(d, weight int) bool
	at = func(d, weight int) bool {
		if d == len(b.Dims) {
			return yield(idx, weight)
		}
		n := b.Dims[d].N
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
			return at(d+1, Times(weight, count))
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

// Fits reports whether a partial point matches some combination that is not
// excluded.
func (b *Block) Fits(m Matcher) bool {
	look := make([]bool, len(b.Dims))
	b.Constrained(look, b.Excludes)
	found := false
	b.Walk(m, look, func(idx []int, _ int) bool {
		found = !b.Excluded(idx)
		return !found
	})
	return found
}

// Shared are the values of a combination in the columns that are not open. Of an
// axis with an open column all that it binds is.
func (b *Block) Shared(idx []int, open func(*Column) bool) []value.Binding {
	var out []value.Binding
	for d, dim := range b.Dims {
		if dim.Single != nil && slices.ContainsFunc(dim.Cols, open) {
			continue
		}
		for _, c := range dim.Cols {
			i := idx[d]
			switch {
			case !c.Has(i) || open(c):
			case c.Label:
				out = value.Bind(out, c.Name, c.Values[i])
			default:
				out = value.Bind(out, c.Name, c.Slots[0][i])
			}
		}
	}
	return out
}

// Without are the dims that have no open column, by name, and their sizes.
func (b *Block) Without(open func(*Column) bool) (dims, sizes []int) {
	for d, dim := range b.Dims {
		if !slices.ContainsFunc(dim.Cols, open) {
			dims = append(dims, d)
		}
	}
	name := func(d int) string { return b.Dims[d].Cols[0].Name }
	slices.SortFunc(dims, func(x, y int) int { return strings.Compare(name(x), name(y)) })
	for _, d := range dims {
		sizes = append(sizes, b.Dims[d].N)
	}
	return dims, sizes
}
