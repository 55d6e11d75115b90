package grid

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/param"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Param is a parameter that a template declares.
type Param = param.Param

// Inputs is what expanding needs besides the file.
type Inputs struct {
	AsOf     time.Time          // the logical date
	Declared map[string][]Param // template slot → what it declares; a slot that is missing is not checked
	Rows     map[string]Rows    // by the name that `from:` gives
	Ident    func(string) error // whether the kernel's language allows a name; nil allows any
}

// An Axis is something that varies over the grid.
type Axis struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`              // param, label, template or replicate
	Ordered bool          `json:"ordered,omitempty"` // its values have an order: numbers or dates
	Values  []value.Value `json:"values,omitempty"`  // at most maxAxisValues of them
}

const maxAxisValues = 1000

// A Grid is a checked sweep file, ready to yield its points.
type Grid struct {
	spec       *Spec
	declared   map[string]map[string]Param
	axes       []*axes.Axis
	slots      []string          // of the templates; one empty slot when there is one
	constants  [][]value.Binding // by slot, as its template takes them
	steps      []*stepGrid
	blocks     []*axes.Block
	structural bool // no two combinations can be the same point
	names      map[string]nameKind
	exprs      expressions
	count      int  // of points; -1 when not counted
	reserve    bool // points that a sweep that grows may come to have are yielded, too
	warnings   []string
	err        error
}

// nameKind is what a name of a grid is.
type nameKind uint8

const (
	isConstant nameKind = iota + 1
	isSecret
	isOriginal // the source assigns it
	isLabel
	isTemplate
	isIncluded // an include adds it
	isDerived
	isReplicate
)

// Sources are the files whose rows Inputs must hold.
func (s *Spec) Sources() []string { return s.source.Files() }

// Names are the parameters the file names, by alphabet, without those of rows.
func (s *Spec) Names() []string {
	var out []string
	for _, n := range s.passed(s.source.Axes()) {
		out = append(out, n.text)
	}
	for _, st := range s.Steps {
		for _, w := range st.With {
			out = append(out, w.Param)
		}
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// Grid checks the file against its templates. The error is Errors: every
// mistake, with its place.
func (s *Spec) Grid(in Inputs) (*Grid, error) {
	p := &axes.Preparer{Reader: s.reader.Continue(), AsOf: in.AsOf, Rows: in.Rows, Kinds: param.Kinds(in.Declared)}
	s.source.Prepare(p)
	g := &Grid{spec: s, axes: s.source.Axes(), declared: map[string]map[string]Param{}, names: map[string]nameKind{}, count: -1}
	for slot, params := range in.Declared {
		g.declared[slot] = map[string]Param{}
		for _, x := range params {
			g.declared[slot][x.Name] = x
		}
	}
	for _, slot := range s.slots() {
		g.slots = append(g.slots, slot)
		g.constants = append(g.constants, g.coercedAll(slot, s.Parameters))
	}
	g.learnNames()
	g.learnSteps(p.Reader)
	if p.Mistakes() == 0 {
		g.build(p.Reader)
	}
	g.check(p.Reader, in.Ident)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return g, nil
}

// slots are those that a point of the source can be of. Steps are none: their
// points are made of points without one.
func (s *Spec) slots() []string {
	if len(s.Steps) > 0 {
		return []string{""}
	}
	var out []string
	for _, t := range s.Templates {
		out = append(out, t.Slot)
	}
	return out
}

// Len is how many points there are; exact is false when only Count can tell,
// n then being the most there can be.
func (g *Grid) Len() (n int, exact bool) {
	if g.count >= 0 {
		return g.count, true
	}
	n = axes.Size(g.blocks)
	if s := g.spec.Sample; s.N > 0 && !s.Grows() { // which grows by points that all variants have
		n = min(n, axes.Times(s.N, len(g.slots)))
	}
	return axes.Times(axes.Times(n, g.spec.Repeat.N), max(1, len(g.steps))), false
}

// Count counts the points.
func (g *Grid) Count(ctx context.Context) (int, error) {
	if g.count >= 0 {
		return g.count, nil
	}
	if len(g.steps) > 0 {
		counts, err := g.CountSteps(ctx)
		n := 0
		for _, of := range counts {
			n = axes.Plus(n, of)
		}
		return n, err
	}
	if g.structural && g.spec.Sample.N == 0 && !g.spec.Halve.Grows() {
		n, _, err := g.survey(ctx, g.exprs.filter(g.spec.where), 0)
		return n, err
	}
	n := 0
	for range g.Points() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
	}
	return n, g.err
}

// Err is why Points or Count stopped early: an expression that has no value
// for a point that no check reached.
func (g *Grid) Err() error { return g.err }

// Axes are what varies, in the order of the file.
func (g *Grid) Axes() []Axis {
	var out []Axis
	for _, a := range g.axes {
		x := Axis{Name: a.Name, Kind: "param", Ordered: a.Ordered}
		if a.IsLabel() {
			x.Kind = "label"
		}
		seen := map[value.Value]bool{}
		var include []*axes.Column
		for _, b := range g.blocks {
			if _, c := b.Column(a.Name); b.Own && c != nil {
				include = append(include, c)
			}
		}
		for _, c := range append(a.Named(), include...) {
			for i, v := range c.Values {
				if v = g.typed(a.Name, v); c.Has(i) && !seen[v] && len(x.Values) < maxAxisValues {
					seen[v] = true
					x.Values = append(x.Values, v)
				}
			}
		}
		if len(x.Values) > 1 {
			out = append(out, x)
		}
	}
	out = append(out, g.includedAxes()...)
	if s := g.spec; s.TemplateAxis != "" {
		x := Axis{Name: s.TemplateAxis, Kind: "template"}
		x.Values = append(x.Values, g.templateDim().Cols[0].Values...)
		out = append(out, x)
	}
	if s := g.spec; max(s.Repeat.N, s.Repeat.Max) > 1 {
		name := s.Repeat.As
		if name == "" {
			name = "run_replicate"
		}
		out = append(out, Axis{Name: name, Kind: "replicate"})
	}
	return out
}

// includedAxes are the parameters that includes give different values.
func (g *Grid) includedAxes() []Axis {
	var out []Axis
	for _, o := range g.spec.include {
		for _, b := range o.bindings {
			if g.names[b.Name] != isIncluded {
				continue
			}
			i := slices.IndexFunc(out, func(x Axis) bool { return x.Name == b.Name })
			if i < 0 {
				i = len(out)
				out = append(out, Axis{Name: b.Name, Kind: "param"})
			}
			if v := g.typed(b.Name, b.Value); !slices.Contains(out[i].Values, v) {
				out[i].Values = append(out[i].Values, v)
			}
		}
	}
	return slices.DeleteFunc(out, func(x Axis) bool { return len(x.Values) < 2 })
}

// Warnings are about a grid that can be expanded but may be unintended.
func (g *Grid) Warnings() []string { return g.warnings }

func (g *Grid) warnf(format string, args ...any) {
	g.warnings = append(g.warnings, fmt.Sprintf(format, args...))
}

// Defaults are the settings of points that no override matches.
func (g *Grid) Defaults() Settings { return g.spec.PerPoint() }

// Settings are the defaults, changed by every override that matches, in order.
func (g *Grid) Settings(p Point) Settings {
	out := g.Defaults()
	if st := g.spec.step(p.slot); st != nil {
		out = st.Over(out)
	}
	for _, o := range g.spec.overrides {
		if p.matches(o.match.bindings) {
			out = o.Over(out)
		}
	}
	return out
}
