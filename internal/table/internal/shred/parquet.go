package shred

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"slices"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
)

// A row group ends at whichever comes first.
const (
	groupRows  = 32 << 10
	groupBytes = 64 << 20
)

// pageBytes are the most that a page and a dictionary have before they are compressed.
const pageBytes = 1 << 20

// Writer writes record batches of one schema as a Parquet file: zstd,
// dictionaries for what repeats, statistics, logical types, and the Arrow schema
// so that Arrow readers restore zones and field metadata. The bytes depend on
// the rows and on how they are batched, on nothing else.
type Writer struct {
	file   *parquet.GenericWriter[any]
	fields []cell.Type
	group  *Group // that Write fills
}

// Group is a part of the file. Several may be filled at the same time; they
// are committed one after the other.
type Group struct {
	into   *parquet.ConcurrentRowGroupWriter
	fields []cell.Type
	leaves []*leaf
	rows   int64
}

// leaf is a physical column and the values about to be written to it.
type leaf struct {
	column *parquet.ColumnWriter
	index  int
	values []parquet.Value
	bytes  int
}

func New(w io.Writer, schema *arrow.Schema) (*Writer, error) {
	arrowSchema, err := encodeSchema(schema)
	if err != nil {
		return nil, err
	}
	version, _ := schema.Metadata().GetValue("fanout")
	p := &Writer{}
	root := groupNode{}
	for _, f := range schema.Fields() {
		d := cell.TypeOf(f.Type, f.Metadata)
		p.fields = append(p.fields, d)
		root.fields = append(root.fields, namedNode{parquet.Optional(nodeOf(d)), f.Name})
	}
	physical := parquet.NewSchema("schema", root)
	p.file = parquet.NewGenericWriter[any](w, append(withoutBounds(physical), physical,
		parquet.Compression(codec),
		parquet.CreatedBy("fanout", version, ""),
		parquet.KeyValueMetadata("ARROW:schema", arrowSchema),
		parquet.KeyValueMetadata("fanout", version),
		parquet.DataPageStatistics(false), // the index of a column has them, cut short
		parquet.DictionaryMaxBytes(pageBytes),
		parquet.PageBufferSize(pageBytes),
		parquet.MaxRowsPerRowGroup(1<<62),
	)...)
	p.group = p.Group()
	return p, nil
}

// withoutBounds keeps the largest and the smallest text of a column out of the footer: as
// one may be as long as the file, that is several times the file.
func withoutBounds(s *parquet.Schema) (o []parquet.WriterOption) {
	for _, path := range s.Columns() {
		if c, ok := s.Lookup(path...); ok && c.Node.Type().Kind() == parquet.ByteArray {
			o = append(o, parquet.SkipPageBounds(path...))
		}
	}
	return o
}

func (p *Writer) Group() *Group {
	g := &Group{into: p.file.BeginRowGroup(), fields: p.fields}
	for i, c := range g.into.ColumnWriters() {
		g.leaves = append(g.leaves, &leaf{column: c, index: i})
	}
	return g
}

// Write adds the rows of a batch.
func (p *Writer) Write(b arrow.Record) error {
	if err := p.group.Write(0, b.Columns()); err != nil {
		return err
	}
	p.group.Done(int(b.NumRows()))
	if p.group.Full() {
		return p.group.Commit()
	}
	return nil
}

// Close ends the file. The writer beneath stays open.
func (p *Writer) Close() error {
	if err := p.group.Commit(); err != nil {
		return err
	}
	return p.file.Close()
}

// Write adds rows, an array for each column from the given one on.
func (g *Group) Write(from int, columns []arrow.Array) error {
	for i, a := range columns {
		s := g.shredder(from + i)
		s.column(a, g.fields[from+i])
		if err := s.flush(); err != nil {
			return fmt.Errorf("write column %d: %w", from+i, err)
		}
	}
	return nil
}

// WriteValues adds rows to a column that has one value a row, at its definition level.
func (g *Group) WriteValues(column int, values []parquet.Value) error {
	l := g.shredder(column).leaves[0]
	for i := range values {
		if l.bytes += 8; values[i].Kind() == parquet.ByteArray {
			l.bytes += len(values[i].ByteArray())
		}
	}
	if _, err := l.column.WriteRowValues(values); err != nil {
		return fmt.Errorf("write column %d: %w", column, err)
	}
	return nil
}

// Repeat adds value i of an array to a column, as many times as there are rows.
func (g *Group) Repeat(column int, a arrow.Array, i, rows int) error {
	s, d := g.shredder(column), g.fields[column]
	s.optional(a, d, i, 0, 0, 0)
	for _, l := range s.leaves {
		once := l.values
		for range rows - 1 {
			l.values = append(l.values, once...)
		}
		l.bytes += 8 * len(l.values)
	}
	if err := s.flush(); err != nil {
		return fmt.Errorf("write column %d: %w", column, err)
	}
	return nil
}

// shredder writes to the leaves of a column.
func (g *Group) shredder(column int) shredder {
	first := 0
	for _, d := range g.fields[:column] {
		first += leafCount(d)
	}
	return shredder{g.leaves[first : first+leafCount(g.fields[column])]}
}

func (s shredder) flush() error {
	for _, l := range s.leaves {
		if err := l.flush(); err != nil {
			return err
		}
	}
	return nil
}

// Done says that rows have been added to every column.
func (g *Group) Done(rows int) { g.rows += int64(rows) }

// Full reports whether the group is as large as groups get.
func (g *Group) Full() bool {
	n := 0
	for _, l := range g.leaves {
		n += l.bytes
	}
	return g.rows >= groupRows || n >= groupBytes
}

// Commit writes the group to the file and empties it.
func (g *Group) Commit() error {
	if g.rows == 0 {
		return nil
	}
	g.rows = 0
	for _, l := range g.leaves {
		l.bytes = 0
	}
	_, err := g.into.Commit()
	return err
}

func (l *leaf) flush() error {
	_, err := l.column.WriteRowValues(l.values)
	clear(l.values)
	l.values = l.values[:0]
	return err
}

func (l *leaf) add(v parquet.Value, rep, def int) {
	l.values = append(l.values, v.Level(rep, def, l.index))
	l.bytes += 8
	if v.Kind() == parquet.ByteArray {
		l.bytes += len(v.ByteArray())
	}
}

// shredder turns Arrow arrays into leaf values with repetition and definition
// levels.
type shredder struct{ leaves []*leaf }

func (s shredder) column(a arrow.Array, d cell.Type) {
	if d.Kind != cell.List && d.Kind != cell.Struct {
		s.leaves[0].flat(a, d)
		return
	}
	for i := range a.Len() {
		s.optional(a, d, i, 0, 0, 0)
	}
}

// flat adds a column of one value a row.
func (l *leaf) flat(a arrow.Array, d cell.Type) {
	switch a := a.(type) {
	case *array.Int64:
		addAll(l, a, 8, a.Int64Values(), parquet.Int64Value)
	case *array.Float64:
		addAll(l, a, 8, a.Float64Values(), parquet.DoubleValue)
	case *array.Timestamp:
		addAll(l, a, 8, a.TimestampValues(), func(t arrow.Timestamp) parquet.Value { return parquet.Int64Value(int64(t)) })
	case *array.Date32:
		addAll(l, a, 4, a.Date32Values(), func(t arrow.Date32) parquet.Value { return parquet.Int32Value(int32(t)) })
	default:
		for i := range a.Len() {
			if cell.IsNull(a, i) {
				l.add(parquet.NullValue(), 0, 0)
			} else {
				l.add(leafValue(a, i, d), 0, 1)
			}
		}
	}
}

// addAll is flat for values that lie side by side.
func addAll[T any](l *leaf, a arrow.Array, width int, values []T, of func(T) parquet.Value) {
	l.values = slices.Grow(l.values, len(values))
	nulls := a.NullN() > 0
	for i, v := range values {
		if nulls && a.IsNull(i) {
			l.values = append(l.values, parquet.NullValue().Level(0, 0, l.index))
		} else {
			l.values = append(l.values, of(v).Level(0, 1, l.index))
		}
	}
	l.bytes += width * len(values)
}

// optional writes value i, which is at repetition level rep, below def defined
// groups and in lists nested depth deep.
func (s shredder) optional(a arrow.Array, d cell.Type, i, rep, def, depth int) {
	if cell.IsNull(a, i) {
		s.nulls(rep, def)
		return
	}
	def++
	switch d.Kind {
	case cell.List:
		s.list(a.(*array.List), d, i, rep, def, depth)
	case cell.Struct:
		s.fields(a.(*array.Struct), d, i, rep, def, depth)
	default:
		s.leaves[0].add(leafValue(a, i, d), rep, def)
	}
}

func (s shredder) nulls(rep, def int) {
	for _, l := range s.leaves {
		l.add(parquet.NullValue(), rep, def)
	}
}

func (s shredder) list(a *array.List, d cell.Type, i, rep, def, depth int) {
	start, end := a.ValueOffsets(i)
	if start == end {
		s.nulls(rep, def)
		return
	}
	for k := start; k < end; k++ {
		s.optional(a.ListValues(), *d.Elem, int(k), rep, def+1, depth+1)
		rep = depth + 1
	}
}

func (s shredder) fields(a *array.Struct, d cell.Type, i, rep, def, depth int) {
	next := 0
	for k, f := range d.Fields {
		n := leafCount(f.Type)
		shredder{s.leaves[next : next+n]}.optional(a.Field(k), f.Type, i, rep, def, depth)
		next += n
	}
}

// leafCount is the number of physical columns.
func leafCount(d cell.Type) int {
	switch d.Kind {
	case cell.List:
		return leafCount(*d.Elem)
	case cell.Struct:
		n := 0
		for _, f := range d.Fields {
			n += leafCount(f.Type)
		}
		return n
	}
	return 1
}

// leafValue borrows the bytes of strings from the array.
func leafValue(a arrow.Array, i int, d cell.Type) parquet.Value {
	switch a := a.(type) {
	case *array.Boolean:
		return parquet.BooleanValue(a.Value(i))
	case *array.Int64:
		return parquet.Int64Value(a.Value(i))
	case *array.Float64:
		return parquet.DoubleValue(a.Value(i))
	case *array.String:
		s := a.Value(i)
		return parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(s), len(s)))
	case *array.Binary:
		return parquet.ByteArrayValue(a.Value(i))
	case *array.Date32:
		return parquet.Int32Value(int32(a.Value(i)))
	case *array.Timestamp:
		return parquet.Int64Value(int64(a.Value(i)))
	case *array.Time64:
		return parquet.Int64Value(int64(a.Value(i)))
	case *array.Duration:
		return parquet.Int64Value(int64(a.Value(i)))
	case *array.Decimal128:
		n := a.Value(i)
		b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(n.HighBits()))
		return parquet.FixedLenByteArrayValue(binary.BigEndian.AppendUint64(b, n.LowBits()))
	}
	return parquet.NullValue()
}

// nodeOf is the Parquet form of a type that is not null.
func nodeOf(d cell.Type) parquet.Node {
	dictionary := func(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.RLEDictionary) }
	unit := parquet.Microsecond
	if d.Nano {
		unit = parquet.Nanosecond
	}
	switch d.Kind {
	case cell.Null:
		return parquet.Leaf(unknownType{parquet.Int32Type})
	case cell.Bool:
		return parquet.Leaf(parquet.BooleanType)
	case cell.Int:
		return dictionary(parquet.Leaf(parquet.Int64Type))
	case cell.Float:
		return parquet.Leaf(parquet.DoubleType)
	case cell.JSON:
		return dictionary(parquet.JSON())
	case cell.Date:
		return dictionary(parquet.Date())
	case cell.Time:
		return parquet.TimestampAdjusted(unit, true)
	case cell.LocalTime:
		return parquet.TimestampAdjusted(unit, false)
	case cell.Clock:
		return parquet.TimeAdjusted(unit, false)
	case cell.Duration:
		return parquet.Leaf(parquet.Int64Type) // as Arrow writers do: the Arrow schema says what it is
	case cell.Decimal:
		return parquet.Decimal(int(d.Scale), int(d.Precision), parquet.FixedLenByteArrayType(16))
	case cell.Bytes:
		return dictionary(parquet.Leaf(parquet.ByteArrayType))
	case cell.List:
		return parquet.List(parquet.Optional(nodeOf(*d.Elem)))
	case cell.Struct:
		g := groupNode{}
		for _, f := range d.Fields {
			g.fields = append(g.fields, namedNode{parquet.Optional(nodeOf(f.Type)), f.Name})
		}
		return g
	}
	return dictionary(parquet.String())
}

// groupNode is a group whose fields keep their order; the library's own sorts
// them by name.
type groupNode struct {
	parquet.Group
	fields []parquet.Field
}

func (g groupNode) Fields() []parquet.Field { return g.fields }
func (g groupNode) GoType() reflect.Type    { return reflect.TypeFor[struct{}]() }

type namedNode struct {
	parquet.Node
	name string
}

func (n namedNode) Name() string                      { return n.name }
func (n namedNode) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// unknownType marks a column that holds nothing but nulls, as Arrow does.
type unknownType struct{ parquet.Type }

func (unknownType) LogicalType() *format.LogicalType {
	return &format.LogicalType{Value: new(format.NullType)}
}

// encodeSchema is the form in which Parquet files carry their Arrow schema.
func encodeSchema(schema *arrow.Schema) (string, error) {
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("encode schema: %w", err)
	}
	const endOfStream = 8
	return base64.StdEncoding.EncodeToString(b.Bytes()[:b.Len()-endOfStream]), nil
}
