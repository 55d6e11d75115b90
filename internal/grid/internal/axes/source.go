package axes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/rows"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// Ways are the keys that define points; a file has exactly one of them.
var Ways = []string{"grid", "zip", "list", "from", "any_of"}

// A Source yields combinations.
type Source interface {
	// Prepare reads what the source needs and reports mistakes.
	Prepare(p *Preparer)
	// Blocks are the products of the combinations, in order.
	Blocks() []*Block
	// Axes are what varies, in order.
	Axes() []*Axis
	// Files are the files whose rows Preparer must hold.
	Files() []string
}

// A Preparer carries what sources need that is not in the file.
type Preparer struct {
	*yaml.Reader
	AsOf  time.Time // the logical date
	Rows  map[string][][]value.Binding
	Kinds map[string]value.Kind // that parameters are declared to have
}

// Nothing yields no combination.
func Nothing() Source { return &union{} }

// Once yields one combination that assigns nothing.
func Once(at *yaml.Node) Source { return &product{at: at} }

// Read reads one of grid, zip, list, from and any_of.
func Read(r *yaml.Reader, f yaml.Field) Source {
	switch f.Name {
	case "zip":
		return &zipped{at: f.Key, list: readAxes(r, f.Node)}
	case "list":
		return readList(r, f)
	case "from":
		return readFrom(r, f)
	case "any_of":
		return readAnyOf(r, f)
	}
	return &product{at: f.Key, list: readAxes(r, f.Node)}
}

// product is the product of its axes; the last varies fastest.
type product struct {
	at   *yaml.Node
	list []*Axis
}

func (s *product) Axes() []*Axis { return s.list }

func (s *product) Prepare(p *Preparer) {
	for _, a := range s.list {
		a.prepare(p)
	}
}

func (s *product) Blocks() []*Block {
	b := &Block{}
	for _, a := range s.list {
		b.Dims = append(b.Dims, a.Dim())
	}
	return []*Block{b}
}

// Dim is the axis as one way in which combinations differ.
func (a *Axis) Dim() *Dim { return &Dim{N: a.len(), Cols: a.Cols, Single: a, At: a.At} }

// Across is a source of which every combination takes all values of one more
// axis, which varies fastest.
func Across(s Source, a *Axis) Source { return &across{s, a} }

type across struct {
	Source
	axis *Axis
}

func (s *across) Axes() []*Axis { return append(slices.Clip(s.Source.Axes()), s.axis) }

func (s *across) Prepare(p *Preparer) {
	s.Source.Prepare(p)
	s.axis.prepare(p)
}

func (s *across) Blocks() []*Block {
	blocks := s.Source.Blocks()
	for _, b := range blocks {
		b.Dims = append(slices.Clip(b.Dims), s.axis.Dim())
	}
	return blocks
}

// zipped walks its axes side by side.
type zipped struct {
	at   *yaml.Node
	list []*Axis
}

func (s *zipped) Axes() []*Axis { return s.list }

func (s *zipped) Prepare(p *Preparer) {
	var lengths []string
	equal := true
	for _, a := range s.list {
		a.prepare(p)
		equal = equal && a.len() == s.list[0].len()
		lengths = append(lengths, fmt.Sprintf("`%s` has %d", a.Name, a.len()))
	}
	if !equal && p.Mistakes() == 0 {
		p.Errorf(s.at, "the axes of a zip must be equally long: %s", strings.Join(lengths, ", "))
	}
}

func (s *zipped) Blocks() []*Block {
	if len(s.list) == 0 {
		return []*Block{{}}
	}
	r := &Dim{N: s.list[0].len(), What: "zip", At: s.at}
	for _, a := range s.list {
		r.Cols = append(r.Cols, a.Cols...)
	}
	return []*Block{{Dims: []*Dim{r}}}
}

// listed is an explicit list of points, or the rows of a file.
type listed struct {
	rows   [][]value.Binding
	places [][]*yaml.Node // of the values, when they are in the sweep file
	at     *yaml.Node
	file   string // rows are handed in under this name
}

func readList(r *yaml.Reader, f yaml.Field) Source {
	s := &listed{at: f.Key}
	for _, e := range r.Items(f.Node, "a list of points") {
		var row []value.Binding
		var places []*yaml.Node
		for _, p := range r.Fields(e, "a map of parameters") {
			CheckName(r, p.Key, p.Name)
			row = append(row, value.Binding{Name: p.Name, Value: r.Value(p.Node)})
			places = append(places, p.Node)
		}
		s.rows, s.places = append(s.rows, row), append(s.places, places)
	}
	if len(s.rows) == 0 {
		r.Errorf(f.Key, "the list has no points")
	}
	return s
}

func readFrom(r *yaml.Reader, f yaml.Field) Source {
	return &listed{at: f.Key, file: r.Text(f.Node, "a file of rows")}
}

func (s *listed) Prepare(p *Preparer) {
	if s.file == "" {
		return
	}
	s.rows = p.Rows[s.file]
	if len(s.rows) == 0 {
		p.Errorf(s.at, "%s has no rows", s.file)
	}
	s.rows = p.typed(s.file, s.at, s.rows)
	checked := map[string]bool{}
	for _, row := range s.rows {
		for _, b := range row {
			if !checked[b.Name] {
				checked[b.Name] = true
				CheckName(p.Reader, s.at, b.Name)
			}
		}
	}
}

func (s *listed) columns() []*Column {
	var out []*Column
	byName := map[string]*Column{}
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

func (s *listed) Blocks() []*Block {
	r := &Dim{N: len(s.rows), Cols: s.columns(), What: "list", At: s.at}
	if s.file != "" {
		r.What = s.file
	}
	return []*Block{{Dims: []*Dim{r}}}
}

// Axes of a list are its names.
func (s *listed) Axes() []*Axis {
	var out []*Axis
	for _, c := range s.columns() {
		out = append(out, &Axis{Name: c.Name, At: s.at, Cols: []*Column{c}})
	}
	return out
}

// union is several sources one after the other.
type union struct{ parts []Source }

func readAnyOf(r *yaml.Reader, f yaml.Field) Source {
	s := &union{}
	for _, e := range r.Items(f.Node, "a list of {grid: …}, {zip: …}, {list: …}, {from: …}") {
		bad := r.Mistakes()
		fields := r.Fields(e, "one of "+strings.Join(Ways, ", "))
		switch {
		case r.Mistakes() > bad:
		case len(fields) == 1 && slices.Contains(Ways, fields[0].Name):
			s.parts = append(s.parts, Read(r, fields[0]))
		case len(fields) == 1:
			r.Unknown(fields[0], Ways...)
		default:
			r.Errorf(e, "a part of `any_of` is one of %s", strings.Join(Ways, ", "))
		}
	}
	if len(s.parts) == 0 {
		r.Errorf(f.Key, "`any_of` has no parts")
	}
	return s
}

func (s *union) Prepare(p *Preparer) {
	for _, part := range s.parts {
		part.Prepare(p)
	}
}

func (s *union) Blocks() []*Block {
	var out []*Block
	for _, part := range s.parts {
		out = append(out, part.Blocks()...)
	}
	return out
}

// Axes of a union are those of its parts; one that several parts have takes
// the values of all.
func (s *union) Axes() []*Axis {
	var out []*Axis
	byName := map[string]*Axis{}
	for _, part := range s.parts {
		for _, a := range part.Axes() {
			have := byName[a.Name]
			if have == nil {
				own := *a
				byName[a.Name] = &own
				out = append(out, &own)
				continue
			}
			have.Cols = append(append([]*Column(nil), have.Cols...), a.Cols...)
			have.Ordered = have.Ordered && a.Ordered
		}
	}
	return out
}

func (s *product) Files() []string { return nil }
func (s *zipped) Files() []string  { return nil }

func (s *listed) Files() []string {
	if s.file == "" {
		return nil
	}
	return []string{s.file}
}

func (s *union) Files() []string {
	var out []string
	for _, part := range s.parts {
		for _, file := range part.Files() {
			if !slices.Contains(out, file) {
				out = append(out, file)
			}
		}
	}
	return out
}

// maxRowMistakes bounds the mistakes reported for one file of rows.
const maxRowMistakes = 10

// typed gives the values of rows the types that the templates declare. A
// declared type is never guessed at: one "n/a" in a column of numbers is a
// mistake that is reported, and changes no other value.
func (p *Preparer) typed(file string, at *yaml.Node, all [][]value.Binding) [][]value.Binding {
	if len(p.Kinds) == 0 {
		return all
	}
	out := make([][]value.Binding, len(all))
	bad := 0
	for i, row := range all {
		out[i] = make([]value.Binding, len(row))
		for j, b := range row {
			v, err := rows.As(b.Value, p.Kinds[b.Name])
			if err != nil {
				v = value.Value{} // nothing else about it is reported
				if bad++; bad > maxRowMistakes {
					continue
				}
				p.Hintf(at, "leave the field empty for null", "row %d of %s: `%s` %v", i+1, file, b.Name, err)
			}
			out[i][j] = value.Binding{Name: b.Name, Value: v}
		}
	}
	return out
}
