package collect

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"sort"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// Version is that of the layout of the files, as docs/files.md tells it.
const Version = "1"

var tableMetadata = arrow.NewMetadata([]string{"fanout"}, []string{Version})

// Problem is something a reader of the tables should know: what was met where.
type Problem struct {
	Run    string // run id, or path of the file; "" for the table as a whole
	Kind   string // a word: "duplicate", "missing", "unreadable", "promoted", …
	Name   string // of the scrap, column or table it is about; may be empty
	Detail string // a sentence
	Cell   int    // index of the cell in the notebook, -1 when none
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
	typ    dtype
	chunks []arrow.Array
	starts []int
}

func (t *Table) index(specs []ColumnSpec, types []dtype) {
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

// Name, Role, Unit and Goal are as declared; Unit and Goal may be empty.
func (c Column) Name() string { return c.spec.Name }
func (c Column) Role() Role   { return c.spec.Role }
func (c Column) Unit() string { return c.spec.Unit }
func (c Column) Goal() string { return c.spec.Goal }

// Type is the kind of all its values that are not null.
func (c Column) Type() Type { return c.typ.kind }

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
	return isNull(a, i)
}

// Float is the value as a number: integers, doubles and decimals, and booleans
// as 0 and 1. It reports whether there is one; a NaN is one.
func (c Column) Float(row int) (float64, bool) {
	a, i := c.at(row)
	if isNull(a, i) {
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
		return a.Value(i).ToFloat64(c.typ.scale), true
	}
	return 0, false
}

// Instant is the value of a Date (midnight UTC), LocalTime (as if UTC) or Time
// column as a point in time.
func (c Column) Instant(row int) (time.Time, bool) {
	a, i := c.at(row)
	if isNull(a, i) {
		return time.Time{}, false
	}
	switch a := a.(type) {
	case *array.Date32:
		return a.Value(i).ToTime(), true
	case *array.Timestamp:
		return c.typ.instant(a.Value(i)), true
	}
	return time.Time{}, false
}

// Text is the value as people write it: strings as they are, times in ISO 8601,
// lists and structs as JSON. A null is the empty string.
func (c Column) Text(row int) string {
	a, i := c.at(row)
	return valueText(a, i, c.typ)
}

// Any is nil, bool, int64, *big.Int, float64 or string; dates, times and
// decimals as text; lists, structs and JSON text decoded to []any and
// map[string]any; []byte.
func (c Column) Any(row int) any {
	a, i := c.at(row)
	return valueAt(a, i, c.typ)
}

func (d dtype) instant(v arrow.Timestamp) time.Time {
	t := time.UnixMicro(int64(v))
	if d.nano {
		t = time.Unix(0, int64(v))
	}
	return t.In(location(d.zone))
}

func valueText(a arrow.Array, i int, d dtype) string {
	switch v := valueAt(a, i, d).(type) {
	case nil:
		return ""
	case string:
		if d.kind == JSON {
			return a.(*array.String).Value(i)
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	default:
		if d.kind == JSON {
			return a.(*array.String).Value(i)
		}
		return string(appendJSON(nil, v))
	}
}

// valueAt is the value of row i of an array of type d.
func valueAt(a arrow.Array, i int, d dtype) any {
	if isNull(a, i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.String:
		return textAt(a.Value(i), d)
	case *array.Binary:
		return a.Value(i)
	case *array.Date32:
		return a.Value(i).ToTime().Format(dayLayout)
	case *array.Timestamp:
		if d.kind == LocalTime {
			return d.instant(a.Value(i)).Format(localLayout)
		}
		return d.instant(a.Value(i)).Format(zonedLayout)
	case *array.Time64:
		return time.Unix(0, int64(a.Value(i))*d.tick()).UTC().Format("15:04:05.999999999")
	case *array.Duration:
		return time.Duration(int64(a.Value(i)) * d.tick()).String()
	case *array.Decimal128:
		return decimalAt(a.Value(i).BigInt(), d.scale)
	case *array.List:
		return listAt(a, i, d)
	case *array.Struct:
		object := make(map[string]any, len(d.fields))
		for k, f := range d.fields {
			object[f.name] = valueAt(a.Field(k), i, f.typ)
		}
		return object
	}
	return nil
}

// tick is the nanoseconds of one unit.
func (d dtype) tick() int64 {
	if d.nano {
		return 1
	}
	return 1000
}

func textAt(s string, d dtype) any {
	if d.kind != JSON {
		return s
	}
	v, err := ParseJSON([]byte(s))
	if err != nil {
		return s
	}
	return v
}

func decimalAt(n *big.Int, scale int32) any {
	if scale == 0 {
		return n
	}
	s := new(big.Int).Abs(n).String()
	for len(s) <= int(scale) {
		s = "0" + s
	}
	point := len(s) - int(scale)
	s = s[:point] + "." + s[point:]
	if n.Sign() < 0 {
		s = "-" + s
	}
	return decimalText(s)
}

func listAt(a *array.List, i int, d dtype) any {
	start, end := a.ValueOffsets(i)
	list := make([]any, 0, end-start)
	for k := start; k < end; k++ {
		list = append(list, valueAt(a.ListValues(), int(k), *d.elem))
	}
	return list
}

// ReadTable reads a table from a file this package wrote in the Arrow IPC file
// format (runs.arrow). It is read whole; r may be closed afterwards.
func ReadTable(r interface {
	io.ReaderAt
	io.ReadSeeker
}) (t *Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read table: %v", p)
		}
	}()
	f, err := ipc.NewFileReader(r)
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	defer f.Close()
	schema := f.Schema()
	meta := schema.Metadata()
	if v, ok := meta.GetValue("fanout"); !ok || v != Version {
		return nil, errors.New("read table: not a table of this version of fanout")
	}
	t = &Table{schema: schema}
	for k := range f.NumRecords() {
		b, err := f.RecordAt(k)
		if err != nil {
			return nil, fmt.Errorf("read table: %w", err)
		}
		t.starts = append(t.starts, t.rows)
		t.rows += int(b.NumRows())
		t.batches = append(t.batches, b)
	}
	specs, types := specsOf(schema)
	t.index(specs, types)
	return t, nil
}

func specsOf(schema *arrow.Schema) ([]ColumnSpec, []dtype) {
	var specs []ColumnSpec
	var types []dtype
	for _, f := range schema.Fields() {
		get := func(key string) string {
			v, _ := f.Metadata.GetValue(key)
			return v
		}
		specs = append(specs, ColumnSpec{Name: f.Name, Role: roleNamed(get(metaRole)), Unit: get(metaUnit), Goal: get(metaDirection)})
		types = append(types, dtypeOf(f.Type, f.Metadata))
	}
	return specs, types
}

// isNull knows what Arrow's own IsNull forgets: a null array has no bitmap.
func isNull(a arrow.Array, i int) bool {
	return a.DataType().ID() == arrow.NULL || a.IsNull(i)
}
