package grid

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/sampling"
	"github.com/fanout-dev/fanout/internal/value"
)

// Points yields every point once, in the order of the file; the last axis
// varies fastest, then the template, then the replicate. Where there are steps
// it yields those of one step after the other.
func (g *Grid) Points() iter.Seq[Point] {
	if len(g.steps) > 0 {
		return g.stepPoints(g.steps...)
	}
	return g.basePoints()
}

// basePoints yields the points of the source.
func (g *Grid) basePoints() iter.Seq[Point] {
	points := g.all(nil)
	if g.spec.Sample.N > 0 {
		points = g.sampled()
	}
	if g.structural {
		return points
	}
	return func(yield func(Point) bool) {
		seen := map[sampling.Digest]bool{}
		for p := range points {
			if d := digestOf(p.Identity(), 0); !seen[d] {
				seen[d] = true
				if !yield(p) {
					return
				}
			}
		}
	}
}

// all yields every point that excludes and where leave, of the bases that keep
// wants.
func (g *Grid) all(keep keeper) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		env := map[string]any{}
		for _, b := range g.blocks {
			if !b.Walk(axes.Matcher{}, nil, func(idx []int, _ int) bool {
				return b.Excluded(idx) || g.replicates(b, idx, env, keep, yield)
			}) {
				return
			}
		}
	}
}

// replicates yields the points of one combination, and false when no more are
// wanted.
func (g *Grid) replicates(b *axes.Block, idx []int, env map[string]any, keep keeper, yield func(Point) bool) bool {
	base, err := g.point(b, idx, env)
	if err != nil {
		g.err = err
		return false
	}
	g.place(&base, b, idx)
	if !g.reserve && base.round > 0 && g.spec.Halve.Grows() || keep != nil && !keep(b, idx, &base) {
		return true
	}
	for r := range g.spec.Repeat.N {
		p, ok, err := g.replicate(base, r, env)
		if err != nil {
			g.err = err
			return false
		}
		if ok && !yield(p) {
			return false
		}
		if !ok && !g.exprs.perReplicate {
			return true
		}
	}
	return true
}

func digestOf(identity string, seed int64) sampling.Digest {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(identity)), uint64(seed))
	sum := sha256.Sum256(append(b, identity...))
	return sampling.Digest(sum[:16])
}

// point returns the point of a combination, before replicates: constants first,
// then its own values in the types its template declares, then what includes
// add, then derived parameters that do not depend on the replicate.
func (g *Grid) point(b *axes.Block, idx []int, env map[string]any) (Point, error) {
	s := g.spec
	slot := 0
	if s.TemplateAxis != "" {
		last := len(b.Dims) - 1
		slot = slices.Index(g.slots, b.Dims[last].Cols[0].Values[idx[last]].Text())
	}
	p := Point{slot: g.slots[slot], params: make([]value.Binding, 0, len(g.names)+1)}
	p.params = append(p.params, g.constants[slot]...)
	for d, dim := range b.Dims {
		for _, c := range dim.Cols {
			switch i := idx[d]; {
			case !c.Has(i):
			case c.Label:
				p.labels = append(p.labels, value.Binding{Name: c.Name, Value: c.Values[i]})
			default:
				p.params = append(p.params, value.Binding{Name: c.Name, Value: c.Slots[slot][i]})
			}
		}
	}
	for i, m := range b.Includes {
		if m.Matches(idx) {
			g.extend(&p, b, s.include[i], idx)
		}
	}
	return p, g.derive(&p, g.exprs.base, env)
}

// extend adds to a point what an include gives besides the values that the
// combination has of its own. What an earlier include added may change.
func (g *Grid) extend(p *Point, b *axes.Block, o partial, idx []int) {
	for _, x := range o.bindings {
		if d, c := b.Column(x.Name); c != nil && c.Has(idx[d]) {
			continue
		}
		if g.names[x.Name] == isLabel {
			p.labels = value.Bind(p.labels, x.Name, x.Value)
			continue
		}
		p.params = value.Bind(p.params, x.Name, g.coerced(p.slot, x.Name, x.Value))
	}
}

// replicate returns a replicate of a base; ok is false when where drops it.
func (g *Grid) replicate(base Point, r int, env map[string]any) (p Point, ok bool, err error) {
	p = base
	p.replicate = r
	p.params = base.params[:len(base.params):len(base.params)] // replicates must not share what follows
	if as := g.spec.Repeat.As; as != "" {
		v, _ := value.Of(r)
		p.params = append(p.params, value.Binding{Name: as, Value: g.coerced(p.slot, as, v)})
	}
	if err := g.derive(&p, g.exprs.replicate, env); err != nil {
		return p, false, err
	}
	if w := g.spec.where; w != nil {
		ok, err := w.Bool(g.env(p, w.Names(), env))
		return p, ok, g.placed(w, p, err)
	}
	return p, true, nil
}

// derive computes derived parameters.
func (g *Grid) derive(p *Point, list []derived, env map[string]any) error {
	for _, x := range list {
		out, err := x.Expr.Eval(g.env(*p, x.Expr.Names(), env))
		if err != nil {
			return g.placed(x.Expr, *p, err)
		}
		v, err := value.Of(out)
		if err != nil {
			return g.placed(x.Expr, *p, fmt.Errorf("`%s`: %w", x.Name, err))
		}
		p.params = append(p.params, value.Binding{Name: x.Name, Value: g.coerced(p.slot, x.Name, v)})
	}
	return nil
}
