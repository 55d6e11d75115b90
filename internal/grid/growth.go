package grid

import (
	"fmt"
	"iter"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/sampling"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Round is the number of a point in a sample that grows, or that of the value that
// halving gives it, from 0.
func (p Point) Round() int { return p.round }

// Unit names what the points of one candidate, or of all variants at one sampled
// point, have in common; empty where a sweep does not grow like that.
func (p Point) Unit() string { return p.unit }

// checkQuestion finds a sweep that grows and whose question has no answer.
func (g *Grid) checkQuestion(r *yaml.Reader) {
	s := g.spec
	until, key := s.Repeat.Until, "repeat"
	if s.Sample.Grows() {
		until, key = s.Sample.Until, "sample"
	}
	if w := until.Check(r, s.nodes[key], key, len(s.Baseline) > 0, s.Metrics); w != "" {
		g.warnf("%s", w)
	}
	s.Halve.Check(r, s.nodes["halve"], len(s.Baseline) > 0, s.Metrics)
	switch n := g.sampleFrom(); {
	case n >= 0 && n < s.Sample.Max:
		r.Hintf(s.nodes["sample"], "lower `max`, or let `baseline` name fewer axes", "`max` is %d, and the grid has %s to take", s.Sample.Max, unit.Plural(n, "point"))
	case s.Sample.By != sampling.Halton:
	case len(g.blocks) != 1:
		r.Hintf(s.nodes["sample"], "leave `by` out, or put the points into one `grid`", "sample: `by: halton` fills one grid evenly, and here are %d parts", len(g.blocks))
	case g.spreadsRows(g.blocks[0]):
		r.Hintf(s.nodes["sample"], "leave `by` out, or make the names of `baseline` axes of a `grid`", "sample: `by: halton` takes whole rows, and the rows here are of one variant each")
	}
}

// spreadsRows reports whether a variant is a part of a row.
func (g *Grid) spreadsRows(b *axes.Block) bool {
	return g.spec.Sample.Grows() && slices.ContainsFunc(b.Dims, func(d *axes.Dim) bool {
		return d.Single == nil && slices.ContainsFunc(d.Cols, g.varyVariants) && !slices.ContainsFunc(d.Cols, g.isTemplate)
	})
}

func (g *Grid) isTemplate(c *axes.Column) bool { return c.Name == g.spec.TemplateAxis }

// varyVariants reports whether the values of a column make the variants.
func (g *Grid) varyVariants(c *axes.Column) bool {
	_, named := value.Lookup(g.spec.Baseline, c.Name)
	return named
}

// open reports whether the points of one unit differ in a column.
func (g *Grid) open(c *axes.Column) bool {
	s := g.spec
	return g.isTemplate(c) && !s.Halve.Grows() || c.Name == s.Halve.Parameter || s.Sample.Grows() && g.varyVariants(c)
}

// place notes the round and the unit of a point where a sweep grows by points.
func (g *Grid) place(p *Point, b *axes.Block, idx []int) {
	if g.spec.Halve.Grows() || g.spec.Sample.Grows() {
		p.unit = g.unit(b, idx)
	}
	if d, _ := b.Column(g.spec.Halve.Parameter); d >= 0 {
		p.round = idx[d]
	}
}

// unit is the canonical text of what the points of one unit share.
func (g *Grid) unit(b *axes.Block, idx []int) string {
	return string(Point{params: b.Shared(idx, g.open)}.canonical(nil))
}

// A keeper says whether points of a combination are wanted, and may number them.
type keeper func(b *axes.Block, idx []int, base *Point) bool

// sampled keeps the N points with the smallest digests, in their order: the choice
// depends on the points and the seed, not on how the axes are written, and a larger
// sample holds the smaller one. Templates and replicates of a point stay together,
// and so do the variants of a sample that grows.
func (g *Grid) sampled() iter.Seq[Point] {
	if g.spec.Sample.By == sampling.Halton {
		return g.spread()
	}
	return func(yield func(Point) bool) {
		chosen := g.choose()
		for p := range g.all(func(b *axes.Block, idx []int, base *Point) bool {
			rank, ok := chosen[g.sampleDigest(b, idx, base)]
			g.number(base, rank)
			return ok
		}) {
			if !yield(p) {
				return
			}
		}
	}
}

// number gives a point of a sample that grows its number in it.
func (g *Grid) number(p *Point, rank int) {
	if g.spec.Sample.Grows() {
		p.round = rank
	}
}

func (g *Grid) sampleDigest(b *axes.Block, idx []int, base *Point) sampling.Digest {
	if g.spec.Halve.Grows() || g.spec.Sample.Grows() {
		return digestOf(g.withoutTemplate(b, idx), int64(g.spec.Sample.Seed))
	}
	p := Point{params: base.params}
	if base.slot != g.slots[0] {
		p.params = g.coercedAll(g.slots[0], base.params)
	}
	return digestOf(string(p.canonical(nil)), int64(g.spec.Sample.Seed))
}

// withoutTemplate is the unit of a candidate, whatever its template.
func (g *Grid) withoutTemplate(b *axes.Block, idx []int) string {
	one := *b
	one.Dims = slices.DeleteFunc(slices.Clone(b.Dims), func(d *axes.Dim) bool { return slices.ContainsFunc(d.Cols, g.isTemplate) })
	return g.unit(&one, idx) // the template is the last dim
}

// choose ranks the points with the smallest digests.
func (g *Grid) choose() map[sampling.Digest]int {
	s := sampling.NewSmallest(g.spec.Sample.N)
	var d sampling.Digest
	for range g.all(func(b *axes.Block, idx []int, base *Point) bool { d = g.sampleDigest(b, idx, base); return true }) {
		s.Add(d)
	}
	return s.Ranks()
}

// spread yields the points of a sample that fills the grid evenly, one after the
// other. What exclude and where drop is passed over.
func (g *Grid) spread() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		b, n := g.blocks[0], g.spec.Sample.N
		dims, sizes := b.Without(g.open)
		rank, drawn, tries, env := 0, 0, 100_000+100*n, map[string]any{}
		for at := range sampling.Spread(g.spec.Sample.Seed, sizes, tries) {
			drawn++
			wanted, found := true, false
			b.At(dims, at, func(idx []int) bool {
				wanted = b.Excluded(idx) || g.replicates(b, idx, env, func(_ *axes.Block, _ []int, base *Point) bool { g.number(base, rank); return true },
					func(p Point) bool { found = true; return yield(p) })
				return wanted
			})
			if found {
				rank++
			}
			if !wanted || rank == n {
				return
			}
		}
		if drawn < axes.Product(sizes) && g.err == nil {
			e := g.spec.reader.At(g.spec.nodes["sample"])
			e.Msg = fmt.Sprintf("sample: %d points of the sequence held %d that `exclude` and `where` leave, and %d are wanted; leave `by` out", tries, rank, n)
			g.err = &e
		}
	}
}
