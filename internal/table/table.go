package table

import (
	"sort"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// layout is the version of the layout of the files; see docs/files.md.
const layout = "1"

var tableMetadata = arrow.NewMetadata([]string{"fanout"}, []string{layout})

// Role says what a column holds.
type Role uint8

const (
	RoleRun       Role = iota // how a run went
	RoleParameter             // what was passed to the template
	RoleLabel                 // an axis value that is not a parameter
	RoleScrap                 // what the notebook recorded
	RoleFrame                 // a column of a recorded frame
)

var roleNames = [...]string{"run", "parameter", "label", "scrap", "frame"}

func (r Role) String() string { return roleNames[r] }

// Keys of the field metadata in the files, besides cell's.
const (
	metaRole      = "role"
	metaUnit      = "unit"
	metaDirection = "direction"
)

// Problem is something a reader of the tables should know.
type Problem struct {
	Run    string // run id, or path of the file; "" for the table as a whole
	Kind   string // a word: "duplicate", "missing", "unreadable", "promoted", …
	Name   string // of the scrap, column or table it is about; may be empty
	Detail string // a sentence
	Cell   int    // number of the code cell among code cells, from 1; 0 when none
}

// Table is a typed table that does not change. It may be read from several
// goroutines.
type Table struct {
	schema   *arrow.Schema
	batches  []arrow.Record
	starts   []int // first row of each batch
	rows     int
	columns  []Column
	byName   map[string]int
	problems []Problem
}

// Column is one column of a table.
type Column struct {
	spec   ColumnSpec
	typ    cell.Type
	chunks []arrow.Array
	starts []int
}

func (t *Table) index(specs []ColumnSpec, types []cell.Type) {
	t.byName = make(map[string]int, len(specs))
	for i, s := range specs {
		c := Column{spec: s, typ: types[i], starts: t.starts}
		for _, b := range t.batches {
			c.chunks = append(c.chunks, b.Column(i))
		}
		t.columns = append(t.columns, c)
		t.byName[s.Name] = i
	}
}

// Len is the number of rows.
func (t *Table) Len() int { return t.rows }

// Columns are in the order of the files.
func (t *Table) Columns() []Column { return t.columns }

// Column finds a column by its exact name.
func (t *Table) Column(name string) (Column, bool) {
	i, ok := t.byName[name]
	if !ok {
		return Column{}, false
	}
	return t.columns[i], true
}

// Problems are those met while the table was made.
func (t *Table) Problems() []Problem { return t.problems }

// AddProblems adds problems that were met later. It must not run while others
// read the table.
func (t *Table) AddProblems(ps []Problem) { t.problems = append(t.problems, ps...) }

// Name, Role, Unit and Goal are as declared; Unit and Goal may be empty.
func (c Column) Name() string { return c.spec.Name }
func (c Column) Role() Role   { return c.spec.Role }
func (c Column) Unit() string { return c.spec.Unit }
func (c Column) Goal() string { return c.spec.Goal }

// Type is the kind of all its values that are not null.
func (c Column) Type() Type { return c.typ.Kind }

// at finds the chunk of a row and the row in it.
func (c Column) at(row int) (arrow.Array, int) {
	k := 0
	if len(c.starts) > 1 {
		k = sort.SearchInts(c.starts, row+1) - 1
	}
	return c.chunks[k], row - c.starts[k]
}

// Null reports whether a row has no value.
func (c Column) Null(row int) bool {
	a, i := c.at(row)
	return cell.IsNull(a, i)
}

// Float is the value as a number: integers, doubles and decimals, and booleans
// as 0 and 1. It reports whether there is one; a NaN is one.
func (c Column) Float(row int) (float64, bool) {
	a, i := c.at(row)
	if cell.IsNull(a, i) {
		return 0, false
	}
	switch a := a.(type) {
	case *array.Float64:
		return a.Value(i), true
	case *array.Int64:
		return float64(a.Value(i)), true
	case *array.Boolean:
		if a.Value(i) {
			return 1, true
		}
		return 0, true
	case *array.Decimal128:
		return a.Value(i).ToFloat64(c.typ.Scale), true
	}
	return 0, false
}

// Instant is the value of a Date (midnight UTC), LocalTime (as if UTC) or Time
// column as a point in time.
func (c Column) Instant(row int) (time.Time, bool) {
	a, i := c.at(row)
	if cell.IsNull(a, i) {
		return time.Time{}, false
	}
	switch a := a.(type) {
	case *array.Date32:
		return a.Value(i).ToTime(), true
	case *array.Timestamp:
		return c.typ.Instant(a.Value(i)), true
	}
	return time.Time{}, false
}

// Text is the value as people write it: strings as they are, times in ISO 8601,
// lists and structs as JSON. A null is the empty string.
func (c Column) Text(row int) string {
	a, i := c.at(row)
	return cell.Text(a, i, c.typ)
}

// Value is the value as JSON, to be compared with others. A decimal is a number;
// dates, times, bytes, and what JSON has no number for, are texts. A null is the
// zero Value.
func (c Column) Value(row int) value.Value {
	x := c.Any(row)
	v, err := value.Of(x)
	if err != nil {
		v, err = value.Parse(cell.AppendJSON(nil, x))
	}
	if err != nil { // a number too long to be one
		v, _ = value.Of(c.Text(row))
	}
	return v
}

// Any is nil, bool, int64, *big.Int, float64 or string; dates, times and
// decimals as text; lists, structs and JSON text decoded to []any and
// map[string]any; []byte.
func (c Column) Any(row int) any {
	a, i := c.at(row)
	return cell.At(a, i, c.typ)
}
