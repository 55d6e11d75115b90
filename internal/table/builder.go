package table

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

const batchBytes = 16 << 20 // a batch ends here or after cell.BatchRows, whichever comes first

// ColumnSpec names a column and says what it is.
type ColumnSpec struct {
	Name string
	Role Role
	Unit string // of a metric, as "EUR"
	Goal string // "maximize", "minimize" or ""
	Type Type   // of the column even if all its values are null; Null: the type that its values need
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
	total   int   // bytes of all values
}

type columnBuilder struct {
	spec  ColumnSpec
	shape cell.Shape
	data  []byte
	ends  []uint32 // of the cells of rows 0…len-1; missing ones are null
}

// NewBuilder gives an empty builder.
func NewBuilder() *Builder { return &Builder{byName: map[string]int{}} }

// Build makes a table of rows, each a value for every column.
func Build(columns []ColumnSpec, rows [][]any) (*Table, error) {
	b := newBuilder(columns)
	for _, row := range rows {
		if err := b.add(row); err != nil {
			return nil, err
		}
	}
	return b.Table()
}

func newBuilder(columns []ColumnSpec) *Builder {
	b := NewBuilder()
	for _, c := range columns {
		b.Column(c)
	}
	return b
}

// add adds a row; values that it lacks at the end are null.
func (b *Builder) add(row []any) error {
	if len(row) > len(b.columns) {
		return fmt.Errorf("build table: row %d has %d values for %d columns", b.rows, len(row), len(b.columns))
	}
	b.Row()
	for i, v := range row {
		if err := b.Set(i, v); err != nil {
			return err
		}
	}
	return nil
}

// Column gives the index of the column with that name, made when it is new. Of
// an old one only an empty unit and goal are filled in.
func (b *Builder) Column(spec ColumnSpec) int {
	spec.Name = value.ToUTF8(spec.Name)
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

// Declare sets the type of a column that was declared without one.
func (b *Builder) Declare(column int, t Type) {
	if spec := &b.columns[column].spec; spec.Type == Null {
		spec.Type = t
	}
}

// Width is the number of columns.
func (b *Builder) Width() int { return len(b.columns) }

// Size is how many bytes the values take.
func (b *Builder) Size() int { return b.total }

// ByRole puts the columns in the order of the files: how the run went, its
// parameters and labels, its scraps. No value may be set afterwards.
func (b *Builder) ByRole() {
	slices.SortStableFunc(b.columns, func(x, y *columnBuilder) int { return cmp.Compare(x.spec.Role, y.spec.Role) })
}

// Row starts the next row.
func (b *Builder) Row() {
	if b.rows == 0 || b.full() {
		b.starts = append(b.starts, b.rows)
		b.size = 0
	}
	b.rows++
}

// full reports whether the batch being filled is as large as batches get.
func (b *Builder) full() bool {
	return b.rows > 0 && (b.rows-b.starts[len(b.starts)-1] >= cell.BatchRows || b.size >= batchBytes)
}

// Set gives the current row its value in a column. The first value given wins.
func (b *Builder) Set(column int, x any) error {
	c := b.columns[column]
	if len(c.ends) >= b.rows || b.rows == 0 {
		return nil
	}
	v, err := cell.Of(x)
	if err != nil {
		return fmt.Errorf("column %q: %w", c.spec.Name, err)
	}
	before := len(c.data)
	for len(c.ends) < b.rows-1 {
		c.ends = append(c.ends, uint32(before))
	}
	if v != nil {
		c.data = cell.Append(c.data, v)
	}
	if len(c.data) > math.MaxUint32 {
		c.data = c.data[:before]
		return fmt.Errorf("column %q: its values have more than 4 GB", c.spec.Name)
	}
	if v != nil {
		c.shape.See(v)
	}
	c.ends = append(c.ends, uint32(len(c.data)))
	b.size += len(c.data) - before
	b.total += len(c.data) - before
	return nil
}

// Table builds the table. The builder is spent.
func (b *Builder) Table() (*Table, error) {
	fields := make([]arrow.Field, len(b.columns))
	types := make([]cell.Type, len(b.columns))
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
	t := &Table{schema: schema, rows: b.rows, starts: b.starts}
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
func (s ColumnSpec) field(d cell.Type) arrow.Field {
	keys, values := []string{metaRole}, []string{s.Role.String()}
	add := func(k, v string) {
		if v != "" {
			keys, values = append(keys, k), append(values, v)
		}
	}
	add(metaUnit, s.Unit)
	add(metaDirection, s.Goal)
	if d.Kind == JSON {
		add(cell.MetaEncoding, "json")
	}
	return arrow.Field{Name: s.Name, Type: d.Arrow(), Nullable: true, Metadata: arrow.NewMetadata(keys, values)}
}

// resolve is the type its values ask for, or the one it was declared with when
// that one holds them.
func (c *columnBuilder) resolve() cell.Type {
	d := c.shape.Resolve()
	switch want := c.spec.Type; {
	case want == Null || want == d.Kind:
		return d
	case want == Time && d.Kind == Null:
		return cell.Type{Kind: Time, Zone: "UTC"}
	case want == String && c.shape.Seen&^cell.SawWords == 0:
		return cell.Type{Kind: String}
	case want == Float && d.Kind == Int && c.shape.Seen&cell.SawInt64 == 0:
		return cell.Type{Kind: Float}
	case want == JSON, d.Kind == Null && want != List && want != Struct && want != Decimal:
		return cell.Type{Kind: want}
	}
	return d
}

// build makes an array of each batch.
func (c *columnBuilder) build(d cell.Type, starts []int, rows int) ([]arrow.Array, error) {
	var chunks []arrow.Array
	b := array.NewBuilder(memory.DefaultAllocator, d.Arrow())
	defer b.Release()
	for k, start := range starts {
		end := rows
		if k+1 < len(starts) {
			end = starts[k+1]
		}
		b.Reserve(end - start)
		for row := start; row < end; row++ {
			if err := cell.AppendTo(b, d, cell.Decode(c.cell(row))); err != nil {
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
	start := uint32(0)
	if row > 0 {
		start = c.ends[row-1]
	}
	return c.data[start:c.ends[row]]
}
