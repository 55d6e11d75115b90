package grid

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// A column is what the choices of a dim assign to one name.
type column struct {
	name   string
	label  bool // a label of the table, no parameter
	values []value.Value
	absent []bool          // choices that do not assign the name; nil is none
	at     *yaml.Node      // the name
	places []*yaml.Node    // of the values, where each is written
	slots  [][]value.Value // the values as each template takes them
}

func (c *column) has(i int) bool { return c.absent == nil || !c.absent[i] }

// place is where a value is written; on the line of its name, the name.
func (c *column) place(i int) *yaml.Node {
	if i < len(c.places) && c.places[i] != nil && c.places[i].Line != c.at.Line {
		return c.places[i]
	}
	return c.at
}

// An axis is one name with the values it takes, and the parameters that its
// values bind when they are labels.
type axis struct {
	name    string
	at      *yaml.Node
	ordered bool
	cols    []*column // the first is the axis itself
	make    func(p *preparer, a *axis)
}

func (a *axis) label() bool { return a.cols[0].label }
func (a *axis) len() int    { return len(a.cols[0].values) }

func (a *axis) prepare(p *preparer) {
	if a.make != nil {
		a.cols[0].values, a.cols[0].places = nil, nil
		a.make(p, a)
	}
	if a.len() == 0 && len(p.errs) == 0 {
		p.errorf(a.at, "axis `%s` has no values", a.name)
	}
}

// A dim is one way in which combinations differ: an axis of a product, the
// rows of a zip or a list, the templates. It makes one of n choices.
type dim struct {
	n      int
	cols   []*column
	single *axis // the axis, when it is one: its values must differ
	what   string
	at     *yaml.Node
}

// A source makes combinations.
type source interface {
	// prepare reads what the source needs and reports mistakes.
	prepare(p *preparer)
	// blocks are the products that make the combinations, in order.
	blocks() []*block
	// axes are what varies, in order.
	axes() []*axis
}

// preparer carries what sources need that is not in the file.
type preparer struct {
	*decoder
	in Inputs
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
	bad := len(d.errs)
	for _, f := range d.fields(n, "a map of axes to their values") {
		d.checkParam(f.key, f.name)
		out = append(out, d.axis(f))
	}
	if len(out) == 0 && len(d.errs) == bad {
		d.hintf(n, "add one, such as `seed: [1, 2, 3]`", "a grid needs at least one axis")
	}
	return out
}

// axisRules are what may stand in place of a list of values.
var axisRules = []string{"range", "linspace", "logspace", "dates", "bundle"}

// axis reads the values of one axis: a list, or a map that says how to make
// them.
func (d *decoder) axis(f field) *axis {
	own := &column{name: f.name, at: f.key}
	a := &axis{name: f.name, at: f.key, cols: []*column{own}}
	n := d.resolve(f.node)
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, e := range n.Content {
			own.values = append(own.values, d.value(e))
			own.places = append(own.places, e)
		}
		if len(own.values) == 0 {
			d.errorf(f.key, "axis `%s` has no values", f.name)
		}
		return a
	case n.Kind == yaml.ScalarNode && n.Value == "":
		d.errorf(f.key, "axis `%s` has no values", f.name)
		return a
	case n.Kind == yaml.ScalarNode:
		d.hintf(n, fmt.Sprintf("write %s: [%s], or name it under `parameters`", f.name, n.Value), "axis `%s` has one value, not a list", f.name)
		return a
	}
	bad := len(d.errs)
	fields := d.fields(n, "a list of values")
	if len(fields) != 1 {
		if len(d.errs) == bad {
			d.errorf(n, "axis `%s`: want a list of values, or one of %s", f.name, strings.Join(axisRules, ", "))
		}
		return a
	}
	d.axisRule(fields[0], a)
	return a
}

func (d *decoder) axisRule(k field, a *axis) {
	switch k.name {
	case "range", "linspace", "logspace":
		a.ordered = true
		a.cols[0].values = d.numbers(k)
	case "dates":
		a.ordered = true
		a.make = d.dates(k.node)
	case "bundle":
		a.cols[0].label = true
		d.bundle(k.node, a)
	default:
		d.unknown(k, axisRules...)
	}
}

// bundle reads axis values that bind several parameters.
func (d *decoder) bundle(n *yaml.Node, a *axis) {
	label := a.cols[0]
	byName := map[string]*column{}
	bad := len(d.errs)
	fields := d.fields(n, "a map of values to the parameters they bind")
	if len(fields) == 0 && len(d.errs) == bad {
		d.errorf(a.at, "axis `%s` has no values", a.name)
	}
	for i, f := range fields {
		name, _ := value.Of(f.name)
		label.values, label.places = append(label.values, name), append(label.places, f.key)
		for _, p := range d.fields(f.node, "a map of parameters") {
			d.checkParam(p.key, p.name)
			c := byName[p.name]
			if c == nil {
				c = newColumn(p.name, p.key, len(fields))
				byName[p.name] = c
				a.cols = append(a.cols, c)
			}
			c.set(i, d.value(p.node), p.node)
		}
	}
	for _, c := range a.cols[1:] {
		c.seal()
	}
}

// newColumn makes a column of n choices, all absent until they are set.
func newColumn(name string, at *yaml.Node, n int) *column {
	c := &column{name: name, at: at, values: make([]value.Value, n), absent: make([]bool, n)}
	for i := range c.absent {
		c.absent[i] = true
	}
	return c
}

func (c *column) set(i int, v value.Value, place *yaml.Node) {
	c.values[i], c.absent[i] = v, false
	if place != nil {
		if c.places == nil {
			c.places = make([]*yaml.Node, len(c.values))
		}
		c.places[i] = place
	}
}

// seal forgets which choices lack the name when none does.
func (c *column) seal() {
	for _, a := range c.absent {
		if a {
			return
		}
	}
	c.absent = nil
}

// maxValues bounds one axis that a rule makes.
const maxValues = 1_000_000

// numbers makes the values of range, linspace and logspace.
func (d *decoder) numbers(k field) []value.Value {
	words := []string{"from", "to", "n"}
	if k.name == "range" {
		words[2] = "step"
	}
	args := map[string]value.Value{}
	bad := len(d.errs)
	for _, f := range d.fields(k.node, "a map with "+strings.Join(words, ", ")) {
		if !contains(words, f.name) {
			d.unknown(f, words...)
			continue
		}
		args[f.name] = d.value(f.node)
		if _, ok := args[f.name].Float(); !ok && len(d.errs) == bad {
			d.errorf(f.node, "`%s` of a %s must be a number, not %s", f.name, k.name, args[f.name])
		}
	}
	for _, w := range words {
		if _, ok := args[w]; !ok && w != "step" && len(d.errs) == bad {
			d.errorf(k.key, "`%s` needs `%s`", k.name, w)
		}
	}
	if len(d.errs) > bad {
		return nil
	}
	if k.name == "range" {
		return d.numberRange(k, args)
	}
	return d.numberSpace(k, args)
}

// numberSpace makes n numbers, evenly far apart or evenly often as large.
func (d *decoder) numberSpace(k field, args map[string]value.Value) []value.Value {
	from, _ := args["from"].Float()
	to, _ := args["to"].Float()
	n, ok := args["n"].Any().(int64)
	switch {
	case !ok || n < 2 || n > maxValues:
		d.errorf(k.key, "`n` of a %s says how many values: a whole number from 2 to %d", k.name, maxValues)
		return nil
	case k.name == "logspace" && (from <= 0 || to <= 0):
		d.errorf(k.key, "`logspace` needs `from` and `to` above zero: they are the first and last value, not exponents")
		return nil
	case from == to:
		d.errorf(k.key, "`from` and `to` are the same")
		return nil
	}
	xs := make([]float64, n)
	first, last := exact(args["from"]), exact(args["to"])
	span := new(big.Rat).Sub(last, first)
	for i := range xs {
		switch {
		case i == 0:
			xs[i] = from
		case i == int(n)-1:
			xs[i] = to
		case k.name == "logspace":
			t := float64(i) / float64(n-1)
			xs[i] = rounded(math.Pow(10, math.Log10(from)+(math.Log10(to)-math.Log10(from))*t))
		default:
			part := new(big.Rat).Mul(span, big.NewRat(int64(i), n-1))
			xs[i], _ = part.Add(part, first).Float64()
		}
	}
	return d.floats(k, xs)
}

// exact is the decimal number as it was written: 0.1 is a tenth, which no
// binary fraction is, so that 0.1 + 2 × 0.1 is 0.3.
func exact(v value.Value) *big.Rat {
	r, ok := new(big.Rat).SetString(v.String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

// floats makes values that must differ: rules too fine for a float do not.
func (d *decoder) floats(k field, xs []float64) []value.Value {
	out := make([]value.Value, len(xs))
	for i, x := range xs {
		v, err := value.Of(x)
		if err != nil {
			d.errorf(k.key, "%v", err)
			return nil
		}
		if i > 0 && v == out[i-1] {
			d.errorf(k.key, "the values of this %s are closer together than numbers can be", k.name)
			return nil
		}
		out[i] = v
	}
	return out
}

// rounded drops the noise of powers and logarithms: 0.09999999999999999 is 0.1.
func rounded(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 14, 64), 64)
	return y
}

// numberRange counts from `from` to `to`, both included, by `step`.
func (d *decoder) numberRange(k field, args map[string]value.Value) []value.Value {
	from, _ := args["from"].Float()
	to, _ := args["to"].Float()
	step, given := args["step"].Float()
	if !given {
		step = math.Copysign(1, to-from)
	}
	if step == 0 || (to-from)*step < 0 {
		d.errorf(k.key, "a step of %s does not lead from %s to %s", args["step"], args["from"], args["to"])
		return nil
	}
	if about := (to - from) / step; !(about < maxValues) {
		d.errorf(k.key, "the range has about %.0f values, more than %d", about, maxValues)
		return nil
	}
	first, by := exact(args["from"]), new(big.Rat).SetFloat64(step)
	if given {
		by = exact(args["step"])
	}
	span := new(big.Rat).Sub(exact(args["to"]), first)
	steps := span.Quo(span, by)
	n := int(new(big.Int).Quo(steps.Num(), steps.Denom()).Int64()) + 1
	if whole(args["from"]) && whole(args["to"]) && (!given || whole(args["step"])) {
		return value.Ints(int64(from), int64(step), n)
	}
	xs := make([]float64, n)
	for i := range xs {
		x := new(big.Rat).Mul(by, big.NewRat(int64(i), 1))
		xs[i], _ = x.Add(x, first).Float64()
	}
	return d.floats(k, xs)
}

// whole reports whether a value is an int that a float holds exactly.
func whole(v value.Value) bool {
	x, ok := v.Float()
	return ok && v.Kind() == value.Int && math.Abs(x) < 1<<53
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

func (s *product) blocks() []*block {
	b := &block{}
	for _, a := range s.list {
		b.dims = append(b.dims, &dim{n: a.len(), cols: a.cols, single: a, at: a.at})
	}
	return []*block{b}
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
		a.prepare(p)
		equal = equal && a.len() == s.list[0].len()
		lengths = append(lengths, fmt.Sprintf("`%s` has %d", a.name, a.len()))
	}
	if !equal && len(p.errs) == 0 {
		p.errorf(s.at, "the axes of a zip must be equally long: %s", strings.Join(lengths, ", "))
	}
}

func (s *zipped) blocks() []*block {
	if len(s.list) == 0 {
		return []*block{{}}
	}
	r := &dim{n: s.list[0].len(), what: "zip", at: s.at}
	for _, a := range s.list {
		r.cols = append(r.cols, a.cols...)
	}
	return []*block{{dims: []*dim{r}}}
}

// listed is an explicit list of points, or the rows of a file.
type listed struct {
	rows   [][]value.Binding
	places [][]*yaml.Node // of the values, when they are in the sweep file
	at     *yaml.Node
	file   string // rows are handed in under this name
}

func (d *decoder) listed(f field) source {
	s := &listed{at: f.key}
	for _, e := range d.items(f.node, "a list of points") {
		var row []value.Binding
		var places []*yaml.Node
		for _, p := range d.fields(e, "a map of parameters") {
			d.checkParam(p.key, p.name)
			row = append(row, value.Binding{Name: p.name, Value: d.value(p.node)})
			places = append(places, p.node)
		}
		s.rows, s.places = append(s.rows, row), append(s.places, places)
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
	s.rows = p.in.Rows[s.file]
	if len(s.rows) == 0 {
		p.errorf(s.at, "%s has no rows", s.file)
	}
	s.rows = p.typed(s.file, s.at, s.rows)
	checked := map[string]bool{}
	for _, row := range s.rows {
		for _, b := range row {
			if !checked[b.Name] {
				checked[b.Name] = true
				p.checkParam(s.at, b.Name)
			}
		}
	}
}

func (s *listed) columns() []*column {
	var out []*column
	byName := map[string]*column{}
	for i, row := range s.rows {
		for j, b := range row {
			c := byName[b.Name]
			if c == nil {
				c = newColumn(b.Name, s.at, len(s.rows))
				byName[b.Name] = c
				out = append(out, c)
			}
			var place *yaml.Node
			if s.places != nil {
				place = s.places[i][j]
			}
			c.set(i, b.Value, place)
		}
	}
	for _, c := range out {
		c.seal()
	}
	return out
}

func (s *listed) blocks() []*block {
	r := &dim{n: len(s.rows), cols: s.columns(), what: "list", at: s.at}
	if s.file != "" {
		r.what = s.file
	}
	return []*block{{dims: []*dim{r}}}
}

// axes of a list are its names.
func (s *listed) axes() []*axis {
	var out []*axis
	for _, c := range s.columns() {
		out = append(out, &axis{name: c.name, at: s.at, cols: []*column{c}})
	}
	return out
}

// union is several sources one after the other.
type union struct{ parts []source }

func (d *decoder) anyOf(f field) source {
	s := &union{}
	for _, e := range d.items(f.node, "a list of {grid: …}, {zip: …}, {list: …}, {from: …}") {
		bad := len(d.errs)
		fields := d.fields(e, "one of "+strings.Join(sourceKeys, ", "))
		switch {
		case len(d.errs) > bad:
		case len(fields) == 1 && contains(sourceKeys, fields[0].name):
			s.parts = append(s.parts, d.source(fields[0]))
		case len(fields) == 1:
			d.unknown(fields[0], sourceKeys...)
		default:
			d.errorf(e, "a part of `any_of` is one of %s", strings.Join(sourceKeys, ", "))
		}
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

func (s *union) blocks() []*block {
	var out []*block
	for _, part := range s.parts {
		out = append(out, part.blocks()...)
	}
	return out
}

// axes of a union are those of its parts; one that several parts have takes
// the values of all.
func (s *union) axes() []*axis {
	var out []*axis
	byName := map[string]*axis{}
	for _, part := range s.parts {
		for _, a := range part.axes() {
			have := byName[a.name]
			if have == nil {
				own := *a
				byName[a.name] = &own
				out = append(out, &own)
				continue
			}
			have.cols = append(append([]*column(nil), have.cols...), a.cols...)
			have.ordered = have.ordered && a.ordered
		}
	}
	return out
}
