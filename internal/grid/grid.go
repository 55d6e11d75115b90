package grid

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/value"
)

// A Param is a parameter that a template declares.
type Param struct {
	Name       string
	Type       string // as annotated or inferred; empty when unknown
	HasDefault bool   // the default is a literal
	Default    value.Value
	Kind       value.Kind // of the default
	Choices    []value.Value
}

// Rows are points read from a file, in its order.
type Rows = [][]value.Binding

// Inputs is what expanding needs besides the file.
type Inputs struct {
	AsOf     time.Time          // the logical date
	Declared map[string][]Param // template slot → what it declares; a slot that is missing is not checked
	Rows     map[string]Rows    // by the name `from:` gives
	Ident    func(string) error // what the kernel's language says of a name; nil asks nothing more
}

// An Axis is something that varies over the grid.
type Axis struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`              // param, label, template or replicate
	Ordered bool          `json:"ordered,omitempty"` // its values have an order: numbers or dates
	Values  []value.Value `json:"values,omitempty"`  // at most maxAxisValues of them
}

const maxAxisValues = 1000

// Settings are the limits of one point.
type Settings struct {
	Timeout   Timeout
	Retries   Retries
	Resources Resources
	Kernel    string
}

// A Grid is a checked sweep file, ready to yield its points.
type Grid struct {
	spec       *Spec
	declared   map[string]map[string]Param
	axes       []*axis
	slots      []string          // of the templates; one empty slot when there is one
	constants  [][]value.Binding // by slot, as its template takes them
	blocks     []*block
	structural bool // no two combinations can be the same point
	names      map[string]nameKind
	exprs      expressions
	count      int // of points; -1 when nobody counted
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

// A Point is one assignment of every parameter.
type Point struct {
	params, labels []value.Binding
	replicate      int
	slot           string
}

// Params are the parameters passed to the template: constants, then axes, then
// derived ones.
func (p Point) Params() []value.Binding { return p.params }

// Labels are axis values that are not parameters.
func (p Point) Labels() []value.Binding { return p.labels }

// Replicate counts from 0.
func (p Point) Replicate() int { return p.replicate }

// Template is the slot of the template axis, empty when there is none.
func (p Point) Template() string { return p.slot }

// Identity is the canonical text of what is computed: parameters by name,
// replicate and template slot. The order of axes does not change it.
func (p Point) Identity() string {
	b := append(p.canonical(make([]byte, 0, 128)), ' ')
	b = append(strconv.AppendInt(b, int64(p.replicate), 10), ' ')
	return string(appendQuoted(b, p.slot))
}

// canonical writes the parameters by name, as JSON.
func (p Point) canonical(b []byte) []byte {
	params := p.params
	if !slices.IsSortedFunc(params, byName) {
		params = slices.Clone(params)
		slices.SortFunc(params, byName)
	}
	b = append(b, '{')
	for i, x := range params {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, x.Name), ':')
		b = append(b, x.Value.String()...)
	}
	return append(b, '}')
}

func appendQuoted(b []byte, s string) []byte {
	if value.PlainText(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	v, _ := value.Of(s)
	return append(b, v.String()...)
}

func byName(a, b value.Binding) int { return strings.Compare(a.Name, b.Name) }

// get finds a name among labels and parameters.
func (p Point) get(name string) (value.Value, bool) {
	if v, ok := value.Lookup(p.labels, name); ok {
		return v, true
	}
	return value.Lookup(p.params, name)
}

// matches reports whether a point has every value of a partial point.
func (p Point) matches(partial []value.Binding) bool {
	for _, b := range partial {
		if v, ok := p.get(b.Name); !ok || !value.Equal(v, b.Value) {
			return false
		}
	}
	return true
}

// Sources are the files whose rows Inputs must hold.
func (s *Spec) Sources() []string {
	var out []string
	var walk func(source)
	walk = func(x source) {
		switch x := x.(type) {
		case *listed:
			if x.file != "" && !contains(out, x.file) {
				out = append(out, x.file)
			}
		case *union:
			for _, part := range x.parts {
				walk(part)
			}
		}
	}
	walk(s.source)
	return out
}

// Names are the parameters the file names, in order of the alphabet. Those of
// a file of rows are not known yet.
func (s *Spec) Names() []string {
	var out []string
	for _, n := range s.passed(s.source.axes()) {
		out = append(out, n.text)
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// Grid checks the file against its templates. The error is Errors: every
// mistake, with its place.
func (s *Spec) Grid(in Inputs) (*Grid, error) {
	p := &preparer{decoder: &decoder{file: s.file, origin: s.origin, errs: slices.Clone(s.errs)}, in: in}
	s.source.prepare(p)
	g := &Grid{spec: s, axes: s.source.axes(), declared: map[string]map[string]Param{}, names: map[string]nameKind{}, count: -1}
	for slot, params := range in.Declared {
		g.declared[slot] = map[string]Param{}
		for _, x := range params {
			g.declared[slot][x.Name] = x
		}
	}
	for _, t := range s.Templates {
		g.slots = append(g.slots, t.Slot)
		g.constants = append(g.constants, g.coercedAll(t.Slot, s.Parameters))
	}
	g.learnNames()
	if len(p.errs) == 0 {
		g.build(p.decoder)
	}
	g.check(p.decoder, in.Ident)
	if err := p.errs.orNil(); err != nil {
		return nil, err
	}
	return g, nil
}

// learnNames records what every name of the grid is.
func (g *Grid) learnNames() {
	s := g.spec
	for _, b := range s.Parameters {
		g.names[b.Name] = isConstant
	}
	for _, x := range s.Secrets {
		g.names[x.Param] = isSecret
	}
	for _, a := range g.axes {
		for _, c := range a.cols {
			if g.names[c.name] = isOriginal; c.label {
				g.names[c.name] = isLabel
			}
		}
	}
	if s.TemplateAxis != "" {
		g.names[s.TemplateAxis] = isTemplate
	}
	for _, x := range s.derive {
		g.names[x.name] = isDerived
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
func (g *Grid) build(d *decoder) {
	s := g.spec
	g.blocks = s.source.blocks()
	g.structural = len(g.blocks) < 2
	for _, b := range g.blocks {
		b.coerce(g)
		for _, r := range b.dims {
			g.structural = g.checkDistinct(d, r) && g.structural
		}
		if s.TemplateAxis != "" {
			b.dims = append(b.dims, g.templateDim())
		}
		for _, o := range s.exclude {
			b.excludes = append(b.excludes, b.matcher(o.bindings, false))
		}
		for _, o := range s.include {
			b.includes = append(b.includes, b.matcher(o.bindings, true))
			g.structural = g.structural && !b.fillsGap(o)
		}
	}
	g.exprs = g.collectExpressions()
	for i, o := range s.include {
		if !g.fitsSomewhere(i) {
			g.addOwn(d, o)
		}
	}
}

func (g *Grid) fitsSomewhere(include int) bool {
	for _, b := range g.blocks {
		if !b.own && b.fits(b.includes[include]) {
			return true
		}
	}
	return false
}

func (g *Grid) templateDim() *dim {
	c := &column{name: g.spec.TemplateAxis, label: true, at: g.spec.nodes["template"]}
	for _, slot := range g.slots {
		v, _ := value.Of(slot)
		c.values = append(c.values, v)
	}
	return &dim{n: len(c.values), cols: []*column{c}}
}

// addOwn makes an include that fits nowhere a combination of its own. A value
// of a bundle stands for what it binds; a value of the template axis chooses
// the template, and without one there is a combination for each.
func (g *Grid) addOwn(d *decoder, o object) {
	var c Point
	slot := -1
	for _, x := range o.bindings {
		switch g.names[x.Name] {
		case isTemplate:
			if slot = slices.Index(g.slots, text(x.Value)); slot < 0 {
				d.errorf(o.at, "include: `%s` is no template; want one of %s", text(x.Value), strings.Join(g.slots, ", "))
				return
			}
		case isLabel:
			c.labels = value.Bind(c.labels, x.Name, x.Value)
			for _, y := range g.bundled(x) {
				c.params = value.Bind(c.params, y.Name, y.Value)
			}
		default:
			c.params = value.Bind(c.params, x.Name, x.Value)
		}
	}
	r := &dim{n: 1}
	for _, x := range c.params {
		r.cols = append(r.cols, &column{name: x.Name, values: []value.Value{x.Value}, at: o.at})
	}
	for _, x := range c.labels {
		r.cols = append(r.cols, &column{name: x.Name, label: true, values: []value.Value{x.Value}, at: o.at})
	}
	b := &block{dims: []*dim{r}, own: true}
	b.coerce(g)
	if g.spec.TemplateAxis != "" {
		b.dims = append(b.dims, g.templateDim())
	}
	for s := range g.slots {
		if slot >= 0 && s != slot {
			continue
		}
		one := *b
		if g.spec.TemplateAxis != "" {
			only := *g.templateDim()
			one.dims = []*dim{r, only.only(s)}
		}
		if g.structural && g.contains(&one) {
			g.warnf("include: %s is there already, and is made once", words(o.bindings))
			continue
		}
		g.blocks = append(g.blocks, &one)
	}
}

// only is the dim with one of its choices.
func (r dim) only(i int) *dim {
	c := *r.cols[0]
	c.values = c.values[i : i+1]
	r.n, r.cols = 1, []*column{&c}
	return &r
}

// bundled is what a value of a bundle binds.
func (g *Grid) bundled(b value.Binding) []value.Binding {
	for _, a := range g.axes {
		if a.name != b.Name || !a.label() {
			continue
		}
		for i, v := range a.cols[0].values {
			if v != b.Value {
				continue
			}
			var out []value.Binding
			for _, c := range a.cols[1:] {
				if i < len(c.values) && c.has(i) {
					out = append(out, value.Binding{Name: c.name, Value: c.values[i]})
				}
			}
			return out
		}
	}
	return nil
}

// contains reports whether other blocks make the point of a block of one. Only
// choices that agree with it are tried.
func (g *Grid) contains(one *block) bool {
	p, err := g.point(one, make([]int, len(one.dims)), nil)
	if err != nil {
		return false // told when expressions are checked
	}
	want := p.Identity()
	for _, b := range g.blocks {
		m := matcher{allow: make([][]bool, len(b.dims))}
		for d, r := range b.dims {
			for _, c := range r.cols {
				m.restrict(b, d, func(i int) bool { return c.agrees(i, p, g.slots) })
			}
		}
		found := false
		b.walk(m, nil, func(idx []int, _ int) bool {
			if !b.excluded(idx) {
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
func (c *column) agrees(i int, p Point, slots []string) bool {
	if c.label || !c.has(i) {
		return true
	}
	v, ok := value.Lookup(p.params, c.name)
	return ok && c.slots[slices.Index(slots, p.slot)][i] == v
}

// Len is how many points there are; exact is false when only Count can tell,
// n then being the most there can be.
func (g *Grid) Len() (n int, exact bool) {
	if g.count >= 0 {
		return g.count, true
	}
	for _, b := range g.blocks {
		n = plus(n, b.size())
	}
	if s := g.spec.Sample.N; s > 0 {
		n = min(n, times(s, len(g.slots)))
	}
	return times(n, g.spec.Repeat.N), false
}

// Count counts the points.
func (g *Grid) Count(ctx context.Context) (int, error) {
	if g.count >= 0 {
		return g.count, nil
	}
	if g.structural && g.spec.Sample.N == 0 {
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
// for a point which no check came to.
func (g *Grid) Err() error { return g.err }

// Points yields every point once, in the order of the file; the last axis
// varies fastest, then the template, then the replicate.
func (g *Grid) Points() iter.Seq[Point] {
	points := g.all(nil)
	if g.spec.Sample.N > 0 {
		points = g.sampled()
	}
	if g.structural {
		return points
	}
	return func(yield func(Point) bool) {
		seen := map[digest]bool{}
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
func (g *Grid) all(keep func(base Point) bool) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		env := map[string]any{}
		for _, b := range g.blocks {
			if !b.walk(matcher{}, nil, func(idx []int, _ int) bool {
				return b.excluded(idx) || g.replicates(b, idx, env, keep, yield)
			}) {
				return
			}
		}
	}
}

// replicates yields the points of one combination, and false when no more are
// wanted.
func (g *Grid) replicates(b *block, idx []int, env map[string]any, keep func(Point) bool, yield func(Point) bool) bool {
	base, err := g.point(b, idx, env)
	if err != nil {
		g.err = err
		return false
	}
	if keep != nil && !keep(base) {
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

// digest tells points apart in 16 bytes.
type digest [16]byte

func digestOf(identity string, seed int64) digest {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(identity)), uint64(seed))
	sum := sha256.Sum256(append(b, identity...))
	return digest(sum[:16])
}

func compareDigests(a, b digest) int { return slices.Compare(a[:], b[:]) }

// sampled keeps the N points with the smallest digests, in their order: the
// choice depends on the points and the seed, not on how the axes are written,
// and a larger sample holds the smaller one. Templates and replicates of a
// point stay together.
func (g *Grid) sampled() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		chosen := g.choose()
		for p := range g.all(func(base Point) bool { return chosen[g.sampleDigest(base)] }) {
			if !yield(p) {
				return
			}
		}
	}
}

func (g *Grid) sampleDigest(base Point) digest {
	p := Point{params: base.params}
	if base.slot != g.slots[0] {
		p.params = g.coercedAll(g.slots[0], base.params)
	}
	return digestOf(string(p.canonical(nil)), g.spec.Sample.Seed)
}

// choose finds the smallest digests with a heap as large as the sample.
func (g *Grid) choose() map[digest]bool {
	chosen := map[digest]bool{}
	var largest digestHeap
	var d digest
	for range g.all(func(base Point) bool { d = g.sampleDigest(base); return true }) {
		if chosen[d] {
			continue
		}
		if len(largest) == g.spec.Sample.N {
			if compareDigests(d, largest[0]) >= 0 {
				continue
			}
			delete(chosen, heap.Pop(&largest).(digest))
		}
		chosen[d] = true
		heap.Push(&largest, d)
	}
	return chosen
}

// digestHeap has the largest digest on top.
type digestHeap []digest

func (h digestHeap) Len() int           { return len(h) }
func (h digestHeap) Less(i, j int) bool { return compareDigests(h[i], h[j]) > 0 }
func (h digestHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *digestHeap) Push(x any)        { *h = append(*h, x.(digest)) }
func (h *digestHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}

// point makes the point of a combination, before replicates: constants first,
// then its own values in the types its template declares, then what includes
// add, then derived parameters that do not depend on the replicate.
func (g *Grid) point(b *block, idx []int, env map[string]any) (Point, error) {
	s := g.spec
	slot := 0
	if s.TemplateAxis != "" {
		last := len(b.dims) - 1
		slot = slices.Index(g.slots, text(b.dims[last].cols[0].values[idx[last]]))
	}
	p := Point{slot: g.slots[slot], params: make([]value.Binding, 0, len(g.names)+1)}
	p.params = append(p.params, g.constants[slot]...)
	for d, r := range b.dims {
		for _, c := range r.cols {
			switch i := idx[d]; {
			case !c.has(i):
			case c.label:
				p.labels = append(p.labels, value.Binding{Name: c.name, Value: c.values[i]})
			default:
				p.params = append(p.params, value.Binding{Name: c.name, Value: c.slots[slot][i]})
			}
		}
	}
	for i, m := range b.includes {
		if m.matches(idx) {
			g.extend(&p, b, s.include[i], idx)
		}
	}
	return p, g.derive(&p, g.exprs.base, env)
}

// extend adds to a point what an include gives besides the values that the
// combination has of its own. What an earlier include added may change.
func (g *Grid) extend(p *Point, b *block, o object, idx []int) {
	for _, x := range o.bindings {
		if d, c := b.column(x.Name); c != nil && c.has(idx[d]) {
			continue
		}
		if g.names[x.Name] == isLabel {
			p.labels = value.Bind(p.labels, x.Name, x.Value)
			continue
		}
		p.params = value.Bind(p.params, x.Name, g.coerced(p.slot, x.Name, x.Value))
	}
}

// replicate makes a replicate of a base; ok is false when where drops it.
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
		out, err := x.expr.Eval(g.env(*p, x.expr.Names(), env))
		if err != nil {
			return g.placed(x.expr, *p, err)
		}
		v, err := value.Of(out)
		if err != nil {
			return g.placed(x.expr, *p, fmt.Errorf("`%s`: %w", x.name, err))
		}
		p.params = append(p.params, value.Binding{Name: x.name, Value: g.coerced(p.slot, x.name, v)})
	}
	return nil
}

// coerced gives a value the type its parameter declares, where that loses
// nothing: an int becomes a float where the template's default is one.
func (g *Grid) coerced(slot, name string, v value.Value) value.Value {
	p, ok := g.declared[slot][name]
	if !ok || v.Kind() != value.Int || p.wants() != value.Float {
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

// wants is the kind a parameter declares; Null when anything goes.
func (p Param) wants() value.Kind {
	base, _, _ := strings.Cut(strings.TrimSpace(p.Type), "[")
	switch base {
	case "int":
		return value.Int
	case "float":
		return value.Float
	case "str":
		return value.String
	case "bool":
		return value.Bool
	case "list", "List":
		return value.List
	case "dict", "Dict":
		return value.Map
	case "", "None":
		if p.HasDefault {
			return p.Default.Kind()
		}
	}
	return value.Null
}

// Axes are what varies, in the order of the file.
func (g *Grid) Axes() []Axis {
	var out []Axis
	for _, a := range g.axes {
		x := Axis{Name: a.name, Kind: "param", Ordered: a.ordered}
		if a.label() {
			x.Kind = "label"
		}
		seen := map[value.Value]bool{}
		var include []*column
		for _, b := range g.blocks {
			if _, c := b.column(a.name); b.own && c != nil {
				include = append(include, c)
			}
		}
		for _, c := range append(a.named(), include...) {
			for i, v := range c.values {
				if v = g.coerced(g.slots[0], a.name, v); c.has(i) && !seen[v] && len(x.Values) < maxAxisValues {
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
		x.Values = append(x.Values, g.templateDim().cols[0].values...)
		out = append(out, x)
	}
	if s := g.spec; s.Repeat.N > 1 {
		name := s.Repeat.As
		if name == "" {
			name = "run_replicate"
		}
		out = append(out, Axis{Name: name, Kind: "replicate"})
	}
	return out
}

// named are the columns of an axis that bear its name; a union has several.
func (a *axis) named() []*column {
	var out []*column
	for _, c := range a.cols {
		if c.name == a.name {
			out = append(out, c)
		}
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
			if v := g.coerced(g.slots[0], b.Name, b.Value); !slices.Contains(out[i].Values, v) {
				out[i].Values = append(out[i].Values, v)
			}
		}
	}
	return slices.DeleteFunc(out, func(x Axis) bool { return len(x.Values) < 2 })
}

// Warnings are about a grid that can be expanded but may not be meant so.
func (g *Grid) Warnings() []string { return g.warnings }

func (g *Grid) warnf(format string, args ...any) {
	g.warnings = append(g.warnings, fmt.Sprintf(format, args...))
}

// Defaults are the settings of points that no override matches.
func (g *Grid) Defaults() Settings {
	s := g.spec
	return Settings{Timeout: s.Timeout, Retries: s.Retries, Resources: s.Resources, Kernel: s.Kernel}
}

// Settings are the settings of one point: the defaults, changed by every
// override that matches, in their order.
func (g *Grid) Settings(p Point) Settings {
	out := g.Defaults()
	for _, o := range g.spec.overrides {
		if !p.matches(o.match.bindings) {
			continue
		}
		if o.timeout != nil {
			out.Timeout = o.timeout.over(out.Timeout)
		}
		if o.retries != nil {
			out.Retries = *o.retries
		}
		if o.resources != nil {
			out.Resources = o.resources.over(out.Resources)
		}
		if o.kernel != "" {
			out.Kernel = o.kernel
		}
	}
	return out
}

func (t Timeout) over(base Timeout) Timeout {
	for _, x := range []struct{ to, from *Limit }{{&base.Start, &t.Start}, {&base.Cell, &t.Cell}, {&base.Run, &t.Run}} {
		if *x.from != (Limit{}) {
			*x.to = *x.from
		}
	}
	return base
}

func (r Resources) over(base Resources) Resources {
	if r.CPU != 0 {
		base.CPU = r.CPU
	}
	if r.Memory != 0 {
		base.Memory = r.Memory
	}
	return base
}
