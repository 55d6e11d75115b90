package collect

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// A batch ends at whichever comes first.
const (
	batchRows  = 16 << 10
	batchBytes = 16 << 20
)

// ColumnSpec names a column and says what it is.
type ColumnSpec struct {
	Name string
	Role Role
	Unit string // of a metric, as "EUR"
	Goal string // "maximize", "minimize" or ""
	Type Type   // what the column is whatever it holds; Null: as its values ask
}

// Builder gathers rows into a Table. Values are nil, bool, any integer,
// *big.Int, floats, string, json.Number, json.RawMessage, time.Time,
// DecimalText, []any and map[string]any of these.
type Builder struct {
	columns []*columnBuilder
	byName  map[string]int
	rows    int
	starts  []int // first row of each batch
	size    int   // bytes in the batch being filled
	issues  []Problem
}

type columnBuilder struct {
	spec  ColumnSpec
	shape shape
	data  []byte
	ends  []int // of the cells of rows 0…len-1; missing ones are null
}

// NewBuilder gives an empty builder.
func NewBuilder() *Builder { return &Builder{byName: map[string]int{}} }

// Build makes a table of rows, each a value for every column.
func Build(columns []ColumnSpec, rows [][]any) (*Table, error) {
	b := NewBuilder()
	for _, c := range columns {
		b.Column(c)
	}
	for _, row := range rows {
		b.Row()
		for i, v := range row {
			if i >= len(columns) {
				return nil, fmt.Errorf("build table: row %d has %d values for %d columns", b.rows-1, len(row), len(columns))
			}
			if err := b.Set(i, v); err != nil {
				return nil, err
			}
		}
	}
	return b.Table()
}

// Column gives the index of the column with that name, made when it is new. Of
// an old one only an empty unit and goal are filled in.
func (b *Builder) Column(spec ColumnSpec) int {
	spec.Name = cleanText(spec.Name)
	if i, ok := b.byName[spec.Name]; ok {
		old := &b.columns[i].spec
		if old.Unit == "" {
			old.Unit = spec.Unit
		}
		if old.Goal == "" {
			old.Goal = spec.Goal
		}
		return i
	}
	b.byName[spec.Name] = len(b.columns)
	b.columns = append(b.columns, &columnBuilder{spec: spec})
	return len(b.columns) - 1
}

// Row starts the next row.
func (b *Builder) Row() {
	if b.rows == 0 || b.rows-b.starts[len(b.starts)-1] >= batchRows || b.size >= batchBytes {
		b.starts = append(b.starts, b.rows)
		b.size = 0
	}
	b.rows++
}

// Set gives the current row its value in a column. The first value given wins.
func (b *Builder) Set(column int, x any) error {
	c := b.columns[column]
	if len(c.ends) >= b.rows || b.rows == 0 {
		return nil
	}
	v, err := valueOf(x)
	if err != nil {
		return fmt.Errorf("column %q: %w", c.spec.Name, err)
	}
	before := len(c.data)
	for len(c.ends) < b.rows-1 {
		c.ends = append(c.ends, before)
	}
	if v != nil {
		c.shape.see(v)
		c.data = appendCell(c.data, v)
	}
	c.ends = append(c.ends, len(c.data))
	b.size += len(c.data) - before
	return nil
}

// Problem adds a problem to the table.
func (b *Builder) Problem(p Problem) { b.issues = append(b.issues, p) }

// Table builds the table. The builder is spent.
func (b *Builder) Table() (*Table, error) {
	fields := make([]arrow.Field, len(b.columns))
	types := make([]dtype, len(b.columns))
	chunks := make([][]arrow.Array, len(b.columns))
	for i, c := range b.columns {
		types[i] = c.resolve()
		fields[i] = c.spec.field(types[i])
		var err error
		if chunks[i], err = c.build(types[i], b.starts, b.rows); err != nil {
			return nil, err
		}
		c.data, c.ends = nil, nil
	}
	schema := arrow.NewSchema(fields, &tableMetadata)
	t := &Table{schema: schema, problems: b.issues, rows: b.rows, starts: b.starts}
	for k := range b.starts {
		columns := make([]arrow.Array, len(b.columns))
		for i := range columns {
			columns[i] = chunks[i][k]
		}
		t.batches = append(t.batches, array.NewRecord(schema, columns, int64(b.batchLen(k))))
	}
	t.index(b.specs(), types)
	return t, nil
}

func (b *Builder) batchLen(k int) int {
	if k+1 < len(b.starts) {
		return b.starts[k+1] - b.starts[k]
	}
	return b.rows - b.starts[k]
}

func (b *Builder) specs() []ColumnSpec {
	specs := make([]ColumnSpec, len(b.columns))
	for i, c := range b.columns {
		specs[i] = c.spec
	}
	return specs
}

// field is the Arrow field of a column of that type.
func (s ColumnSpec) field(d dtype) arrow.Field {
	keys, values := []string{metaRole}, []string{s.Role.String()}
	add := func(k, v string) {
		if v != "" {
			keys, values = append(keys, k), append(values, v)
		}
	}
	add(metaUnit, s.Unit)
	add(metaDirection, s.Goal)
	if d.kind == JSON {
		add(metaEncoding, "json")
	}
	return arrow.Field{Name: s.Name, Type: d.arrow(), Nullable: true, Metadata: arrow.NewMetadata(keys, values)}
}

// resolve is the type its values ask for, or the one it was declared with when
// that one holds them.
func (c *columnBuilder) resolve() dtype {
	d := c.shape.resolve()
	switch want := c.spec.Type; {
	case want == Null || want == d.kind:
		return d
	case want == Time && d.kind == Null:
		return dtype{kind: Time, zone: "UTC"}
	case want == String && c.shape.seen&^aWords == 0:
		return dtype{kind: String}
	case want == Float && d.kind == Int && c.shape.seen&aInt64 == 0:
		return dtype{kind: Float}
	case want == JSON, d.kind == Null && want != List && want != Struct && want != Decimal:
		return dtype{kind: want}
	}
	return d
}

// build makes an array of each batch.
func (c *columnBuilder) build(d dtype, starts []int, rows int) ([]arrow.Array, error) {
	var chunks []arrow.Array
	b := array.NewBuilder(memory.DefaultAllocator, d.arrow())
	defer b.Release()
	for k, start := range starts {
		end := rows
		if k+1 < len(starts) {
			end = starts[k+1]
		}
		b.Reserve(end - start)
		for row := start; row < end; row++ {
			if err := appendValue(b, d, decodeCell(c.cell(row))); err != nil {
				return nil, fmt.Errorf("build column %q: %w", c.spec.Name, err)
			}
		}
		chunks = append(chunks, b.NewArray())
	}
	return chunks, nil
}

func (c *columnBuilder) cell(row int) []byte {
	if row >= len(c.ends) {
		return nil
	}
	start := 0
	if row > 0 {
		start = c.ends[row-1]
	}
	return c.data[start:c.ends[row]]
}

// appendValue adds v to an Arrow builder of type d. The type was resolved from
// a shape that has seen v, so that it holds it; an error is a bug of ours.
func appendValue(b array.Builder, d dtype, v any) error {
	if v == nil {
		b.AppendNull()
		return nil
	}
	switch d.kind {
	case JSON:
		b.(*array.StringBuilder).Append(string(appendJSON(nil, v)))
		return nil
	case String:
		b.(*array.StringBuilder).Append(plainText(v))
		return nil
	case List:
		return appendList(b.(*array.ListBuilder), d, v)
	case Struct:
		return appendStruct(b.(*array.StructBuilder), d, v)
	}
	if !appendScalar(b, d, v) {
		return fmt.Errorf("a %T does not fit %s", v, d)
	}
	return nil
}

func appendScalar(b array.Builder, d dtype, v any) bool {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		x, ok := v.(bool)
		b.Append(x)
		return ok
	case *array.Int64Builder:
		x, ok := v.(int64)
		b.Append(x)
		return ok
	case *array.Float64Builder:
		x, ok := v.(float64)
		if n, whole := v.(int64); whole {
			x, ok = float64(n), true
		}
		b.Append(x)
		return ok
	case *array.Date32Builder:
		x, _ := v.(string)
		t, err := time.Parse(dayLayout, x)
		b.Append(arrow.Date32FromTime(t))
		return err == nil
	case *array.TimestampBuilder:
		t, ok := moment(v)
		b.Append(arrow.Timestamp(t.UnixMicro()))
		return ok
	case *array.Decimal128Builder:
		n, ok := scaled(v, d.scale)
		b.Append(decimal128.FromBigInt(n))
		return ok
	}
	return false
}

// moment reads an instant or a local time.
func moment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case instant:
		return v.t, true
	case string:
		t, err := time.Parse(zonedLayout, v)
		if err != nil {
			t, err = time.Parse(localLayout, v)
		}
		return t, err == nil
	}
	return time.Time{}, false
}

// scaled is v × 10^scale.
func scaled(v any, scale int32) (*big.Int, bool) {
	var n *big.Int
	own := int32(0)
	switch v := v.(type) {
	case int64:
		n = big.NewInt(v)
	case *big.Int:
		n = v
	case decimalText:
		_, own = v.digits()
		var ok bool
		if n, ok = new(big.Int).SetString(strings.Replace(string(v), ".", "", 1), 10); !ok {
			return new(big.Int), false
		}
	default:
		return new(big.Int), false
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-own)), nil)
	return ten.Mul(ten, n), true
}

func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case instant:
		return v.String()
	}
	return string(appendJSON(nil, v))
}

func appendList(b *array.ListBuilder, d dtype, v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("a %T does not fit %s", v, d)
	}
	b.Append(true)
	for _, e := range list {
		if err := appendValue(b.ValueBuilder(), *d.elem, e); err != nil {
			return err
		}
	}
	return nil
}

func appendStruct(b *array.StructBuilder, d dtype, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("a %T does not fit %s", v, d)
	}
	b.Append(true)
	for i, f := range d.fields {
		if err := appendValue(b.FieldBuilder(i), f.typ, object[f.name]); err != nil {
			return err
		}
	}
	return nil
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
