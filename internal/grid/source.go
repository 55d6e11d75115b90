package grid

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A choice is what one value of an axis assigns: parameters, and a label where
// the value itself is none.
type choice struct {
	params []Binding
	label  *Binding
}

// combo is one combination, before constants, derived values and replicates.
type combo struct {
	params []Binding
	labels []Binding
}

func (c combo) with(ch choice) combo {
	out := combo{params: append(c.params[:len(c.params):len(c.params)], ch.params...), labels: c.labels}
	if ch.label != nil {
		out.labels = append(c.labels[:len(c.labels):len(c.labels)], *ch.label)
	}
	return out
}

// get finds a name among labels and parameters.
func (c combo) get(name string) (Value, bool) {
	if v, ok := lookup(c.labels, name); ok {
		return v, true
	}
	return lookup(c.params, name)
}

// A source makes combinations.
type source interface {
	// prepare reads what the source needs and reports mistakes.
	prepare(p *preparer)
	// combos yields every combination in order.
	combos() iter.Seq[combo]
	// count is how many combos yields.
	count() int
	// axes are what varies, in order.
	axes() []*axis
	// distinct reports whether no two combinations can be equal.
	distinct() bool
}

// preparer carries what sources need that is not in the file.
type preparer struct {
	*decoder
	in Inputs
}

// An axis is one name with the values it takes.
type axis struct {
	name    string
	at      *yaml.Node
	ordered bool
	label   bool // its values are labels
	choices []choice
	make    func(p *preparer, a *axis) // fills choices; nil when they are there
}

func (a *axis) value(i int) Value {
	if l := a.choices[i].label; l != nil {
		return l.Value
	}
	return a.choices[i].params[0].Value
}

func (a *axis) prepare(p *preparer) {
	if a.make != nil {
		a.make(p, a)
	}
	if len(a.choices) == 0 {
		p.errorf(a.at, "axis `%s` has no values", a.name)
	}
	seen := map[Value]bool{}
	for i := range a.choices {
		v := a.value(i)
		if seen[v] {
			p.errorf(a.at, "axis `%s` has the value %s twice", a.name, v)
		}
		seen[v] = true
	}
}

// source reads one of grid, zip, list, from and any_of.
func (d *decoder) source(f field) source {
	switch f.name {
	case "zip":
		return &zipped{at: f.key, list: d.axes(f.node)}
	case "list":
		return d.listed(f)
	case "from":
		return d.fromRows(f)
	case "any_of":
		return d.anyOf(f)
	}
	return &product{at: f.key, list: d.axes(f.node)}
}

func (d *decoder) axes(n *yaml.Node) []*axis {
	var out []*axis
	for _, f := range d.fields(n, "a map of axes to their values") {
		d.checkParam(f.key, f.name)
		out = append(out, d.axis(f))
	}
	if len(out) == 0 && d.resolve(n).Line > 0 {
		d.errorf(n, "a grid needs at least one axis")
	}
	return out
}

// axis reads the values of one axis: a list, or a map that says how to make
// them.
func (d *decoder) axis(f field) *axis {
	a := &axis{name: f.name, at: f.key}
	n := d.resolve(f.node)
	if n.Kind == yaml.SequenceNode {
		for _, e := range n.Content {
			a.choices = append(a.choices, choice{params: []Binding{{f.name, d.value(e)}}})
		}
		return a
	}
	if n.Kind == yaml.ScalarNode {
		d.hintf(n, fmt.Sprintf("write %s: [%s]", f.name, n.Value), "axis `%s` has one value, not a list", f.name)
		return a
	}
	kinds := []string{"range", "linspace", "logspace", "dates", "bundle"}
	fields := d.fields(n, "a list of values")
	if len(fields) != 1 {
		d.errorf(n, "want a list of values, or one of %s", strings.Join(kinds, ", "))
		return a
	}
	k := fields[0]
	switch k.name {
	case "range", "linspace", "logspace":
		a.ordered = true
		for _, v := range d.numbers(k) {
			a.choices = append(a.choices, choice{params: []Binding{{f.name, v}}})
		}
	case "dates":
		a.ordered = true
		a.make = d.dates(k.node)
	case "bundle":
		a.label = true
		d.bundle(k.node, a)
	default:
		d.unknown(k, kinds...)
	}
	return a
}

// bundle reads axis values that bind several parameters.
func (d *decoder) bundle(n *yaml.Node, a *axis) {
	for _, f := range d.fields(n, "a map of values to the parameters they bind") {
		name, _ := ValueOf(f.name)
		ch := choice{label: &Binding{a.name, name}}
		for _, p := range d.fields(f.node, "a map of parameters") {
			d.checkParam(p.key, p.name)
			ch.params = append(ch.params, Binding{p.name, d.value(p.node)})
		}
		a.choices = append(a.choices, ch)
	}
}

// maxValues bounds one axis that a rule makes.
const maxValues = 10_000_000

// numbers makes the values of range, linspace and logspace.
func (d *decoder) numbers(k field) []Value {
	args := map[string]Value{}
	for _, f := range d.fields(k.node, "a map with from, to and "+map[bool]string{true: "step", false: "n"}[k.name == "range"]) {
		args[f.name] = d.value(f.node)
		if !contains([]string{"from", "to", "step", "n"}, f.name) {
			d.unknown(f, "from", "to", "step", "n")
		}
	}
	if k.name == "range" {
		return d.numberRange(k, args)
	}
	from, ok1 := number(args["from"])
	to, ok2 := number(args["to"])
	n, ok3 := args["n"].Any().(int64)
	if !ok1 || !ok2 || !ok3 || n < 2 || n > maxValues {
		d.errorf(k.key, "`%s` needs numbers `from` and `to`, and `n`, how many (at least 2)", k.name)
		return nil
	}
	if k.name == "logspace" && (from <= 0 || to <= 0) {
		d.errorf(k.key, "`logspace` needs `from` and `to` above zero: they are the first and last value")
		return nil
	}
	out := make([]Value, n)
	for i := range out {
		t := float64(i) / float64(n-1)
		x := from + (to-from)*t
		if k.name == "logspace" {
			x = math.Pow(10, math.Log10(from)+(math.Log10(to)-math.Log10(from))*t)
		}
		if i == int(n)-1 {
			x = to
		} else if i == 0 {
			x = from
		}
		out[i], _ = ValueOf(rounded(x))
	}
	return out
}

func number(v Value) (float64, bool) {
	switch x := v.Any().(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// rounded drops the noise of binary fractions: 0.30000000000000004 is 0.3.
func rounded(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 14, 64), 64)
	return y
}

// numberRange counts from `from` to `to`, both included, by `step`.
func (d *decoder) numberRange(k field, args map[string]Value) []Value {
	from, ok1 := number(args["from"])
	to, ok2 := number(args["to"])
	step, ok3 := number(args["step"])
	ints := args["from"].Kind() == Int && args["to"].Kind() == Int && (args["step"].Kind() == Int || args["step"] == Value{})
	if (args["step"] == Value{}) {
		step, ok3 = 1, ok1 && ok2
		if to < from {
			step = -1
		}
	}
	if !ok1 || !ok2 || !ok3 || step == 0 || (to-from)*step < 0 {
		d.errorf(k.key, "`range` needs numbers `from` and `to`, and a `step` that leads from one to the other")
		return nil
	}
	n := math.Floor((to-from)/step+1e-9) + 1
	if n > maxValues {
		d.errorf(k.key, "the range has %.0f values, more than %d", n, maxValues)
		return nil
	}
	out := make([]Value, int(n))
	for i := range out {
		x := from + float64(i)*step
		if ints {
			out[i], _ = ValueOf(int64(math.Round(x)))
		} else {
			out[i], _ = ValueOf(rounded(x))
		}
	}
	return out
}

// product is the product of its axes; the last varies fastest.
type product struct {
	at   *yaml.Node
	list []*axis
}

func (s *product) axes() []*axis { return s.list }

func (s *product) prepare(p *preparer) {
	for _, a := range s.list {
		a.prepare(p)
	}
}

func (s *product) count() int {
	n := 1
	for _, a := range s.list {
		if len(a.choices) > 0 && n > math.MaxInt/len(a.choices) {
			return math.MaxInt
		}
		n *= len(a.choices)
	}
	return n
}

func (s *product) distinct() bool {
	for _, a := range s.list {
		if a.label {
			return false
		}
	}
	return true
}

func (s *product) combos() iter.Seq[combo] {
	return func(yield func(combo) bool) { s.walk(combo{}, s.list, yield) }
}

func (s *product) walk(c combo, rest []*axis, yield func(combo) bool) bool {
	if len(rest) == 0 {
		return yield(c)
	}
	for _, ch := range rest[0].choices {
		if !s.walk(c.with(ch), rest[1:], yield) {
			return false
		}
	}
	return true
}

// zipped walks its axes side by side.
type zipped struct {
	at   *yaml.Node
	list []*axis
}

func (s *zipped) axes() []*axis { return s.list }

func (s *zipped) prepare(p *preparer) {
	var lengths []string
	equal := true
	for _, a := range s.list {
		if a.make != nil {
			a.make(p, a)
		}
		if len(a.choices) == 0 {
			p.errorf(a.at, "axis `%s` has no values", a.name)
		}
		equal = equal && len(a.choices) == len(s.list[0].choices)
		lengths = append(lengths, fmt.Sprintf("`%s` has %d", a.name, len(a.choices)))
	}
	if !equal {
		p.errorf(s.at, "the axes of a zip must be equally long: %s", strings.Join(lengths, ", "))
	}
}

func (s *zipped) count() int {
	if len(s.list) == 0 {
		return 0
	}
	return len(s.list[0].choices)
}

func (s *zipped) distinct() bool { return false }

func (s *zipped) combos() iter.Seq[combo] {
	return func(yield func(combo) bool) {
		for i := range s.count() {
			var c combo
			for _, a := range s.list {
				c = c.with(a.choices[i])
			}
			if !yield(c) {
				return
			}
		}
	}
}

// listed is an explicit list of points, or the rows of a file.
type listed struct {
	rows [][]Binding
	at   *yaml.Node
	file string // rows are handed in under this name
}

func (d *decoder) listed(f field) source {
	s := &listed{at: f.key}
	for _, e := range d.items(f.node, "a list of points") {
		o := d.object(e)
		for _, b := range o.bindings {
			d.checkParam(o.at, b.Name)
		}
		if len(o.bindings) > 0 {
			s.rows = append(s.rows, o.bindings)
		}
	}
	if len(s.rows) == 0 {
		d.errorf(f.key, "the list has no points")
	}
	return s
}

func (d *decoder) fromRows(f field) source {
	return &listed{at: f.key, file: d.text(f.node, "a file of rows")}
}

func (s *listed) prepare(p *preparer) {
	if s.file == "" {
		return
	}
	rows, ok := p.in.Rows[s.file]
	if !ok || len(rows) == 0 {
		p.errorf(s.at, "%s has no rows", s.file)
	}
	s.rows = rows
	if len(rows) == 0 {
		return
	}
	for _, b := range rows[0] {
		p.checkParam(s.at, b.Name)
	}
}

func (s *listed) count() int     { return len(s.rows) }
func (s *listed) distinct() bool { return false }

// axes of a list are the names whose values differ.
func (s *listed) axes() []*axis {
	var out []*axis
	byName := map[string]*axis{}
	seen := map[Binding]bool{}
	for _, row := range s.rows {
		for _, b := range row {
			a := byName[b.Name]
			if a == nil {
				a = &axis{name: b.Name, at: s.at}
				byName[b.Name] = a
				out = append(out, a)
			}
			if !seen[b] {
				seen[b] = true
				a.choices = append(a.choices, choice{params: []Binding{b}})
			}
		}
	}
	return out
}

func (s *listed) combos() iter.Seq[combo] {
	return func(yield func(combo) bool) {
		for _, row := range s.rows {
			if !yield(combo{params: row}) {
				return
			}
		}
	}
}

// union is several sources one after the other.
type union struct{ parts []source }

func (d *decoder) anyOf(f field) source {
	s := &union{}
	for _, e := range d.items(f.node, "a list of {grid: …}, {zip: …}, {list: …}, {from: …}") {
		fields := d.fields(e, "one of grid, zip, list, from")
		if len(fields) != 1 || !contains(sourceKeys, fields[0].name) {
			d.errorf(e, "want one of %s", strings.Join(sourceKeys, ", "))
			continue
		}
		s.parts = append(s.parts, d.source(fields[0]))
	}
	if len(s.parts) == 0 {
		d.errorf(f.key, "`any_of` has no parts")
	}
	return s
}

func (s *union) prepare(p *preparer) {
	for _, part := range s.parts {
		part.prepare(p)
	}
}

func (s *union) count() int {
	n := 0
	for _, part := range s.parts {
		n += part.count()
	}
	return n
}

func (s *union) distinct() bool { return false }

func (s *union) combos() iter.Seq[combo] {
	return func(yield func(combo) bool) {
		for _, part := range s.parts {
			for c := range part.combos() {
				if !yield(c) {
					return
				}
			}
		}
	}
}

func (s *union) axes() []*axis {
	var out []*axis
	byName := map[string]*axis{}
	for _, part := range s.parts {
		for _, a := range part.axes() {
			if have := byName[a.name]; have != nil {
				have.addMissing(a)
				continue
			}
			own := *a
			own.choices = append([]choice(nil), a.choices...)
			byName[a.name] = &own
			out = append(out, &own)
		}
	}
	return out
}

func (a *axis) addMissing(b *axis) {
	seen := map[Value]bool{}
	for i := range a.choices {
		seen[a.value(i)] = true
	}
	for i, ch := range b.choices {
		if !seen[b.value(i)] {
			a.choices = append(a.choices, ch)
		}
	}
}
