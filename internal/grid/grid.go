package grid

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"time"
)

// A Param is a parameter that a template declares.
type Param struct {
	Name       string
	Type       string // as annotated or inferred; empty when unknown
	HasDefault bool   // the default is a literal
	Default    Value
	Kind       Kind // of the default
	Choices    []Value
}

// Rows are points read from a file, in its order.
type Rows = [][]Binding

// Inputs is what expanding needs besides the file.
type Inputs struct {
	AsOf     time.Time          // the logical date
	Declared map[string][]Param // template slot → what it declares; a slot that is missing is not checked
	Rows     map[string]Rows    // by the name `from:` gives
}

// An Axis is something that varies over the grid.
type Axis struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`              // param, label, template or replicate
	Ordered bool    `json:"ordered,omitempty"` // its values have an order: numbers or dates
	Values  []Value `json:"values,omitempty"`  // at most maxAxisValues of them
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
	spec     *Spec
	declared map[string]map[string]Param
	axes     []*axis
	original map[string]bool // names that the source assigns
	derived  map[string]bool
	warnings []string
}

// A Point is one assignment of every parameter.
type Point struct {
	params, labels []Binding
	replicate      int
	slot           string
}

// Params are the parameters passed to the template: constants, then axes, then
// derived ones.
func (p Point) Params() []Binding { return p.params }

// Labels are axis values that are not parameters.
func (p Point) Labels() []Binding { return p.labels }

// Replicate counts from 0.
func (p Point) Replicate() int { return p.replicate }

// Template is the slot of the template axis, empty when there is none.
func (p Point) Template() string { return p.slot }

// Identity is the canonical text of what is computed: parameters by name,
// replicate and template slot. The order of axes does not change it.
func (p Point) Identity() string {
	params := slices.Clone(p.params)
	sort.Slice(params, func(i, j int) bool { return params[i].Name < params[j].Name })
	var b strings.Builder
	b.WriteByte('{')
	for i, x := range params {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := ValueOf(x.Name)
		b.WriteString(name.String())
		b.WriteByte(':')
		b.WriteString(x.Value.String())
	}
	slot, _ := ValueOf(p.slot)
	fmt.Fprintf(&b, "} %d %s", p.replicate, slot)
	return b.String()
}

func (p Point) env() map[string]any {
	env := map[string]any{"replicate": p.replicate}
	for _, b := range p.labels {
		env[b.Name] = b.Value.Any()
	}
	for _, b := range p.params {
		env[b.Name] = b.Value.Any()
	}
	return env
}

// Sources are the files whose rows Inputs must hold.
func (s *Spec) Sources() []string {
	var out []string
	var walk func(source)
	walk = func(x source) {
		switch x := x.(type) {
		case *listed:
			if x.file != "" {
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

// Names are the parameters the file names, in order of the alphabet.
func (s *Spec) Names() []string {
	names := map[string]bool{}
	for _, b := range s.Parameters {
		names[b.Name] = true
	}
	for _, x := range s.Secrets {
		names[x.Param] = true
	}
	for _, a := range s.source.axes() {
		for _, ch := range a.choices {
			for _, b := range ch.params {
				names[b.Name] = true
			}
		}
		if !a.label {
			names[a.name] = true
		}
	}
	for _, x := range s.derive {
		names[x.name] = true
	}
	if s.Repeat.As != "" {
		names[s.Repeat.As] = true
	}
	var out []string
	for n := range names {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Grid checks the file against its templates. The error is Errors: every
// mistake, with its place.
func (s *Spec) Grid(in Inputs) (*Grid, error) {
	p := &preparer{decoder: &decoder{file: s.file}, in: in}
	s.source.prepare(p)
	g := &Grid{spec: s, axes: s.source.axes(), declared: map[string]map[string]Param{}, original: map[string]bool{}, derived: map[string]bool{}}
	for slot, params := range in.Declared {
		g.declared[slot] = map[string]Param{}
		for _, x := range params {
			g.declared[slot][x.Name] = x
		}
	}
	for _, x := range s.derive {
		g.derived[x.name] = true
	}
	for _, a := range g.axes {
		g.original[a.name] = true
		for _, ch := range a.choices {
			for _, b := range ch.params {
				g.original[b.Name] = true
			}
		}
	}
	g.check(p.decoder)
	if err := p.errs.orNil(); err != nil {
		return nil, err
	}
	return g, nil
}

// Len is how many points there are; exact is false when only Count can tell,
// n then being the most there can be.
func (g *Grid) Len() (n int, exact bool) {
	s := g.spec
	n = s.source.count()
	exact = s.source.distinct() && len(s.include)+len(s.exclude) == 0 && s.where == nil
	n += len(s.include)
	if s.Sample.N > 0 {
		exact = exact && s.Sample.N >= n
		n = min(n, s.Sample.N)
	}
	n *= s.Repeat.N * max(1, len(s.Templates))
	return n, exact && len(g.derived) == 0
}

// Count counts the points.
func (g *Grid) Count(ctx context.Context) (int, error) {
	if n, exact := g.Len(); exact {
		return n, nil
	}
	n := 0
	for range g.bases() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
	}
	return n * g.spec.Repeat.N * max(1, len(g.spec.Templates)), nil
}

// Points yields every point once, in the order of the file; the last axis
// varies fastest, then the template, then the replicate.
func (g *Grid) Points() iter.Seq[Point] {
	s := g.spec
	slots := s.Templates
	return func(yield func(Point) bool) {
		for base := range g.bases() {
			for _, t := range slots {
				for r := range s.Repeat.N {
					if !yield(g.replicate(base, t.Slot, r)) {
						return
					}
				}
			}
		}
	}
}

func (g *Grid) replicate(base Point, slot string, r int) Point {
	p := base
	p.slot, p.replicate = slot, r
	if as := g.spec.Repeat.As; as != "" {
		v, _ := ValueOf(r)
		p.params = bind(slices.Clone(base.params), as, g.coerced(slot, as, v))
	}
	if g.spec.TemplateAxis != "" {
		v, _ := ValueOf(slot)
		p.labels = append(slices.Clone(base.labels), Binding{g.spec.TemplateAxis, v})
	}
	return p
}

// bases are the distinct points before templates and replicates, sampled.
func (g *Grid) bases() iter.Seq[Point] {
	if g.spec.Sample.N == 0 {
		return g.distinct()
	}
	return g.sampled()
}

// digest tells points apart in 16 bytes.
type digest [16]byte

func digestOf(p Point, seed int64) digest {
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, seed)
	h.Write([]byte(p.Identity()))
	return digest(h.Sum(nil)[:16])
}

// distinct drops points that another way to write them made already. Where
// the source cannot make one twice nothing has to be remembered.
func (g *Grid) distinct() iter.Seq[Point] {
	if g.spec.source.distinct() && len(g.spec.include) == 0 && len(g.derived) == 0 {
		return g.all()
	}
	return func(yield func(Point) bool) {
		seen := map[digest]bool{}
		for p := range g.all() {
			d := digestOf(p, 0)
			if seen[d] {
				continue
			}
			seen[d] = true
			if !yield(p) {
				return
			}
		}
	}
}

// sampled keeps the points with the smallest digests, in their order: the
// choice depends on the points and the seed, not on how the axes are written.
func (g *Grid) sampled() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		n := g.spec.Sample.N
		var digests []digest
		for p := range g.distinct() {
			digests = append(digests, digestOf(p, g.spec.Sample.Seed))
		}
		if len(digests) > n {
			slices.SortFunc(digests, compareDigests)
			limit := digests[n-1]
			for p := range g.distinct() {
				if compareDigests(digestOf(p, g.spec.Sample.Seed), limit) <= 0 && !yield(p) {
					return
				}
			}
			return
		}
		for p := range g.distinct() {
			if !yield(p) {
				return
			}
		}
	}
}

func compareDigests(a, b digest) int { return slices.Compare(a[:], b[:]) }

// all yields every point that include, exclude and where leave, with repeats.
func (g *Grid) all() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		for c := range g.included() {
			p, err := g.point(c)
			if err != nil {
				continue // check found it
			}
			if g.spec.where != nil {
				if ok, err := g.spec.where.Bool(p.env()); err != nil || !ok {
					continue
				}
			}
			if !yield(p) {
				return
			}
		}
	}
}

// included applies exclude, then include, as GitHub Actions does: an include
// adds its names to every combination whose original values it would not
// change, and is a combination of its own when there is none.
func (g *Grid) included() iter.Seq[combo] {
	s := g.spec
	return func(yield func(combo) bool) {
		used := make([]bool, len(s.include))
		for c := range s.source.combos() {
			if slices.ContainsFunc(s.exclude, func(o object) bool { return matches(c, o) }) {
				continue
			}
			if !yield(g.extend(c, used)) {
				return
			}
		}
		for i, o := range s.include {
			if !used[i] && !yield(g.own(o)) {
				return
			}
		}
	}
}

// matches reports whether a combination has every value of a partial point.
func matches(c combo, o object) bool {
	for _, b := range o.bindings {
		if v, ok := c.get(b.Name); !ok || v != b.Value {
			return false
		}
	}
	return true
}

func (g *Grid) extend(c combo, used []bool) combo {
	out := c
	for i, o := range g.spec.include {
		if g.changes(c, o) {
			continue
		}
		used[i] = true
		for _, b := range o.bindings {
			if !g.original[b.Name] {
				out.params = bind(slices.Clone(out.params), b.Name, b.Value)
			}
		}
	}
	return out
}

// changes reports whether an include would change an original value.
func (g *Grid) changes(c combo, o object) bool {
	for _, b := range o.bindings {
		if v, ok := c.get(b.Name); g.original[b.Name] && (!ok || v != b.Value) {
			return true
		}
	}
	return false
}

// own is the combination that an include makes by itself. A value of a bundle
// stands for what it binds.
func (g *Grid) own(o object) combo {
	var c combo
	for _, b := range o.bindings {
		if ch, ok := g.bundled(b); ok {
			c = c.with(ch)
			continue
		}
		c.params = bind(c.params, b.Name, b.Value)
	}
	return c
}

func (g *Grid) bundled(b Binding) (choice, bool) {
	for _, a := range g.axes {
		if a.name != b.Name || !a.label {
			continue
		}
		for i, ch := range a.choices {
			if a.value(i) == b.Value {
				return ch, true
			}
		}
	}
	return choice{}, false
}

// point completes a combination: constants first, then its own values in the
// types the template declares, then derived ones.
func (g *Grid) point(c combo) (Point, error) {
	s := g.spec
	p := Point{labels: c.labels, params: make([]Binding, 0, len(s.Parameters)+len(c.params)+len(s.derive)+1)}
	slot := s.Templates[0].Slot
	for _, b := range s.Parameters {
		p.params = append(p.params, Binding{b.Name, g.coerced(slot, b.Name, b.Value)})
	}
	for _, b := range c.params {
		p.params = bind(p.params, b.Name, g.coerced(slot, b.Name, b.Value))
	}
	for _, x := range s.derive {
		out, err := x.expr.Eval(p.env())
		if err != nil {
			return p, err
		}
		v, err := ValueOf(out)
		if err != nil {
			return p, fmt.Errorf("derive `%s`: %w", x.name, err)
		}
		p.params = bind(p.params, x.name, g.coerced(slot, x.name, v))
	}
	return p, nil
}

// coerced gives a value the type its parameter declares, where that loses
// nothing: an int becomes a float where the template's default is one.
func (g *Grid) coerced(slot, name string, v Value) Value {
	p, ok := g.declared[slot][name]
	if !ok || v.Kind() != Int || p.wants() != Float {
		return v
	}
	if x, ok := number(v); ok {
		v, _ = ValueOf(x)
	}
	return v
}

// wants is the kind a parameter declares; Null when anything goes.
func (p Param) wants() Kind {
	switch strings.TrimSpace(p.Type) {
	case "int":
		return Int
	case "float":
		return Float
	case "str":
		return String
	case "bool":
		return Bool
	case "list":
		return List
	case "dict":
		return Map
	case "", "None":
		if p.HasDefault {
			return p.Default.Kind()
		}
	}
	return Null
}

// Axes are what varies, in the order of the file.
func (g *Grid) Axes() []Axis {
	var out []Axis
	for _, a := range g.axes {
		if len(a.choices) < 2 && len(g.spec.include) == 0 {
			continue
		}
		x := Axis{Name: a.name, Kind: "param", Ordered: a.ordered}
		if a.label {
			x.Kind = "label"
		}
		for i := range min(len(a.choices), maxAxisValues) {
			x.Values = append(x.Values, g.coerced(g.spec.Templates[0].Slot, a.name, a.value(i)))
		}
		out = append(out, x)
	}
	if s := g.spec; s.TemplateAxis != "" {
		x := Axis{Name: s.TemplateAxis, Kind: "template"}
		for _, t := range s.Templates {
			v, _ := ValueOf(t.Slot)
			x.Values = append(x.Values, v)
		}
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

// Warnings are about a grid that can be expanded but may not be meant so.
func (g *Grid) Warnings() []string { return g.warnings }

// Defaults are the settings of points that no override matches.
func (g *Grid) Defaults() Settings {
	s := g.spec
	return Settings{Timeout: s.Timeout, Retries: s.Retries, Resources: s.Resources, Kernel: s.Kernel}
}

// Settings are the settings of one point: the defaults, changed by every
// override that matches, in their order.
func (g *Grid) Settings(p Point) Settings {
	out := g.Defaults()
	c := combo{params: p.params, labels: p.labels}
	for _, o := range g.spec.overrides {
		if !matches(c, o.match) {
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
