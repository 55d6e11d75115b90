// Package axes reads what a sweep file varies and builds its combinations.
//
// In go the nodes of grid:, zip:, list:, from: and any_of:, out come axes with
// their values, and blocks: products of choices that are walked one by one, in an
// order the file fixes, without ever being listed. What a choice assigns to the
// parameters of a template is the business of package grid.
package axes

import (
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Column is what the choices of a dim assign to one name.
type Column struct {
	Name   string
	Label  bool // a label of the table, no parameter
	Values []value.Value
	At     *yaml.Node      // the name
	Slots  [][]value.Value // the values as each template takes them
	absent []bool          // choices that do not assign the name; nil is none
	places []*yaml.Node    // of the values, where each is written
}

// Has reports whether choice i assigns the name.
func (c *Column) Has(i int) bool { return c.absent == nil || !c.absent[i] }

// Place is where a value is written; on the line of its name, the name.
func (c *Column) Place(i int) *yaml.Node {
	if i < len(c.places) && c.places[i] != nil && c.places[i].Line != c.At.Line {
		return c.places[i]
	}
	return c.At
}

// An Axis is one name with the values it takes, and the parameters that its
// values bind when they are labels.
type Axis struct {
	Name    string
	At      *yaml.Node
	Ordered bool
	Cols    []*Column // the first is the axis itself
	fill    func(p *Preparer, a *Axis)
}

// IsLabel reports whether the values are not a parameter.
func (a *Axis) IsLabel() bool { return a.Cols[0].Label }
func (a *Axis) len() int      { return len(a.Cols[0].Values) }

// Increases reports whether the values come from a rule, each larger than the
// one before.
func (a *Axis) Increases() bool {
	return a.Cols[0].places == nil && a.Ordered && a.fill == nil
}

func (a *Axis) prepare(p *Preparer) {
	if a.fill != nil {
		a.Cols[0].Values, a.Cols[0].places = nil, nil
		a.fill(p, a)
	}
	if a.len() == 0 && p.Mistakes() == 0 {
		p.Errorf(a.At, "axis `%s` has no values", a.Name)
	}
}

// A Dim is one way in which combinations differ: an axis of a product, the
// rows of a zip or a list, the templates. It has n choices.
type Dim struct {
	N      int
	Cols   []*Column
	Single *Axis  // the axis, when it is one: its values must differ
	What   string // in messages
	At     *yaml.Node
}

// Named are the columns of an axis that bear its name; a union has several.
func (a *Axis) Named() []*Column {
	var out []*Column
	for _, c := range a.Cols {
		if c.Name == a.Name {
			out = append(out, c)
		}
	}
	return out
}

// newColumn returns a column of n choices, all absent until they are set.
func newColumn(name string, at *yaml.Node, n int) *Column {
	c := &Column{Name: name, At: at, Values: make([]value.Value, n), absent: make([]bool, n)}
	for i := range c.absent {
		c.absent[i] = true
	}
	return c
}

func (c *Column) set(i int, v value.Value, place *yaml.Node) {
	c.Values[i], c.absent[i] = v, false
	if place != nil {
		if c.places == nil {
			c.places = make([]*yaml.Node, len(c.Values))
		}
		c.places[i] = place
	}
}

// seal forgets which choices lack the name when none does.
func (c *Column) seal() {
	for _, a := range c.absent {
		if a {
			return
		}
	}
	c.absent = nil
}

// RowKey identifies the parameters of a choice of a dim, as a template takes
// them.
func (d *Dim) RowKey(slot, i int) string {
	var key []byte
	for _, c := range d.Cols {
		if c.Label || !c.Has(i) {
			key = append(key, 0)
			continue
		}
		key = append(key, c.Slots[slot][i].String()...)
		key = append(key, 0)
	}
	return string(key)
}

// Keep drops all choices but these.
func (d *Dim) Keep(which []int) {
	for k, old := range d.Cols {
		c := newColumn(old.Name, old.At, len(which))
		c.Label = old.Label
		for to, from := range which {
			if old.Has(from) {
				c.set(to, old.Values[from], old.Place(from))
			}
		}
		c.seal()
		d.Cols[k] = c
	}
	d.N = len(which)
}

// Only is the dim with one of its choices.
func (d Dim) Only(i int) *Dim {
	c := *d.Cols[0]
	c.Values = c.Values[i : i+1]
	d.N, d.Cols = 1, []*Column{&c}
	return &d
}

// Bound is what a value of a bundle binds.
func Bound(all []*Axis, b value.Binding) []value.Binding {
	for _, a := range all {
		if a.Name != b.Name || !a.IsLabel() {
			continue
		}
		for i, v := range a.Cols[0].Values {
			if !value.Equal(v, b.Value) {
				continue
			}
			var out []value.Binding
			for _, c := range a.Cols[1:] {
				if i < len(c.Values) && c.Has(i) {
					out = append(out, value.Binding{Name: c.Name, Value: c.Values[i]})
				}
			}
			return out
		}
	}
	return nil
}
