package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// Limits of one frame, which another program wrote.
const (
	framePage   = 64 << 20 // bytes of one page, unpacked
	frameValues = 16 << 20 // values in one page
	frameRows   = 64 << 20 // rows
	frameLeaves = 4096     // physical columns
	frameBytes  = 1 << 30  // bytes of values, unpacked
	frameHeld   = 1 << 30  // bytes of pages in memory at once, one of each column

	maxPrecision = 1000 // digits of a decimal
)

// File is an open Parquet file that another program wrote.
type File struct {
	file    *parquet.File
	columns []*frameNode
	leaves  []*frameNode
}

// frameNode is a column of a frame or a part of one.
type frameNode struct {
	name     string
	leaf     int       // index of the physical column, or of the first beneath
	leaves   int       // how many physical columns
	def      int       // definition level at which the value is there
	rep      int       // repetition level of a list's elements
	own      cell.Type // a leaf's type; for groups only the kind
	physical fixedSize // how a leaf's values are stored
	children []*frameNode
	tick     int64 // nanoseconds or microseconds of one stored unit of time
	unsigned bool
	standsIn string // extension type that a leaf's values stand for
}

type fixedSize struct {
	kind parquet.Kind
	half bool
}

// Summary is what the footer of a frame says.
type Summary struct {
	Rows    int64
	Names   []string               // of the columns, in their order
	Shapes  map[string]*cell.Shape // what the columns hold, by name
	Changed []string               // sentences: what the columns hold that is not what was recorded
}

// Check reads a Parquet file that may be hostile. It walks every page and
// unpacks it within limits, so that what is read of it later fits in memory.
func Check(r io.ReaderAt, size int64) (*Summary, error) {
	f, err := checkFrame(r, size, frameBytes)
	if err != nil {
		return nil, err
	}
	return &Summary{Rows: f.file.NumRows(), Names: f.names(), Shapes: f.shapes(), Changed: f.changed()}, nil
}

// changed are sentences about columns whose values are not what was recorded.
func (f *File) changed() []string {
	var out []string
	names := map[string]bool{}
	for _, c := range f.columns {
		if names[c.name] {
			out = append(out, fmt.Sprintf("of several columns %q only the last is read", c.name))
		}
		names[c.name] = true
		for _, leaf := range f.leaves[c.leaf : c.leaf+c.leaves] {
			if leaf.standsIn != "" && leaf.own.Kind == cell.Int {
				out = append(out, fmt.Sprintf("the column %q holds numbers that stand for values of the type %s; record them as text", c.name, leaf.standsIn))
			}
		}
	}
	return out
}

// checkFrame opens a file and checks that it unpacks to at most within bytes.
func checkFrame(r io.ReaderAt, size, within int64) (f *File, err error) {
	defer recovered("read frame", &err)
	if f, err = Open(r, size); err != nil {
		return nil, err
	}
	if err := f.check(r, size, within); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}

// Open reads the footer of a Parquet file.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	defer recovered("read frame", &err)
	if err := checkFooter(r, size); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(32<<10))
	if err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	f = &File{file: file}
	hints := hintsOf(file)
	for i, c := range file.Root().Columns() {
		var a hint
		if i < len(hints) && hints[i].name == value.ToUTF8(c.Name()) {
			a = hints[i]
		}
		n, err := f.node(c, a, 0)
		if err != nil {
			return nil, fmt.Errorf("read frame: column %q: %w", c.Name(), err)
		}
		f.columns = append(f.columns, n)
	}
	return f, nil
}

// recovered turns a panic in a library that was given foreign bytes into an
// error.
func recovered(doing string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: it is malformed: %v", doing, p)
	}
}

// node describes a column. a is what its Arrow field says.
func (f *File) node(c *parquet.Column, a hint, depth int) (*frameNode, error) {
	if depth > 4*cell.MaxDepth {
		return nil, errors.New("it is nested too deep")
	}
	n := &frameNode{name: value.ToUTF8(c.Name()), leaf: len(f.leaves), def: c.MaxDefinitionLevel()}
	if c.Repeated() { // a list without the annotation
		return f.listNode(n, c.MaxDefinitionLevel()-1, c.MaxRepetitionLevel(), func() (*frameNode, error) { return f.single(c, a, depth) })
	}
	return f.single(c, a, depth)
}

// single is node for one value of c, repeated or not.
func (f *File) single(c *parquet.Column, a hint, depth int) (*frameNode, error) {
	n := &frameNode{name: value.ToUTF8(c.Name()), leaf: len(f.leaves), def: c.MaxDefinitionLevel()}
	if c.Leaf() {
		f.leaves = append(f.leaves, n)
		n.leaves = 1
		return n, f.describe(n, c, a)
	}
	if repeated := onlyRepeated(c); repeated != nil && isList(c) {
		return f.listNode(n, c.MaxDefinitionLevel(), repeated.MaxRepetitionLevel(), func() (*frameNode, error) {
			if element, ok := elementOf(repeated); ok {
				return f.node(element, a.part(0), depth+2)
			}
			return f.single(repeated, a.part(0), depth+1)
		})
	}
	n.own.Kind = cell.Struct
	for i, child := range c.Columns() {
		m, err := f.node(child, a.part(i), depth+1)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, m)
		n.leaves += m.leaves
	}
	if n.leaves == 0 {
		return nil, errors.New("a group has no columns")
	}
	return n, nil
}

func (f *File) listNode(n *frameNode, def, rep int, element func() (*frameNode, error)) (*frameNode, error) {
	n.own.Kind, n.def, n.rep = cell.List, def, rep
	e, err := element()
	if err != nil {
		return nil, err
	}
	n.children, n.leaves = []*frameNode{e}, e.leaves
	return n, nil
}

func onlyRepeated(c *parquet.Column) *parquet.Column {
	if columns := c.Columns(); len(columns) == 1 && columns[0].Repeated() {
		return columns[0]
	}
	return nil
}

func isList(c *parquet.Column) bool {
	l := c.Type().LogicalType()
	if l != nil {
		switch l.Value.(type) {
		case *format.ListType, *format.MapType:
			return true
		}
	}
	return strings.EqualFold(c.Columns()[0].Name(), "list") || c.Columns()[0].Name() == "key_value"
}

// elementOf is what the repeated group of a list holds: its one field, or, in
// old files and in maps, the group itself.
func elementOf(repeated *parquet.Column) (*parquet.Column, bool) {
	if repeated.Leaf() || len(repeated.Columns()) != 1 || repeated.Name() == "array" || strings.HasSuffix(repeated.Name(), "_tuple") {
		return nil, false
	}
	return repeated.Columns()[0], true
}

// describe finds the type of a leaf.
func (f *File) describe(n *frameNode, c *parquet.Column, a hint) error {
	t := c.Type()
	n.physical.kind = t.Kind()
	n.tick, n.standsIn = 1, a.extension
	if a.tick > 0 && t.Kind() == parquet.Int64 {
		n.describeTime(cell.Duration, a.tick)
		return nil
	}
	if l := t.LogicalType(); l != nil && n.describeLogical(l) {
		n.zoneFrom(a)
		return nil
	}
	if f.isHalf(n.leaf) {
		n.own.Kind, n.physical.half = cell.Float, true
		return nil
	}
	switch t.Kind() {
	case parquet.Boolean:
		n.own.Kind = cell.Bool
	case parquet.Int32, parquet.Int64:
		n.own.Kind = cell.Int
	case parquet.Float, parquet.Double:
		n.own.Kind = cell.Float
	case parquet.Int96:
		n.own = cell.Type{Kind: cell.LocalTime, Nano: true}
	case parquet.ByteArray, parquet.FixedLenByteArray:
		n.own.Kind = cell.Bytes
	default:
		n.own.Kind = cell.Null
	}
	return nil
}

// isHalf recognises 16-bit floats, which the library gives as bytes.
func (f *File) isHalf(leaf int) bool {
	for _, e := range f.file.Metadata().Schema {
		if e.NumChildren.Valid && e.NumChildren.V > 0 || !e.Type.Valid {
			continue
		}
		if leaf == 0 {
			_, half := e.LogicalType.Value.(*format.Float16Type)
			return half
		}
		leaf--
	}
	return false
}

// describeTime keeps nanoseconds where the file has them, else microseconds.
func (n *frameNode) describeTime(kind cell.Kind, tick int64) {
	n.own = cell.Type{Kind: kind, Nano: tick == 1}
	n.tick = max(1, tick/1000)
	if tick == 1 {
		n.tick = 1
	}
}

func (n *frameNode) zoneFrom(a hint) {
	if n.own.Kind != cell.Time {
		return
	}
	n.own.Zone = "UTC"
	if a.zone != "" && len(a.zone) < 64 {
		n.own.Zone = a.zone
	}
}

func unitTick(u format.TimeUnit) int64 {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return int64(time.Millisecond)
	case *format.MicroSeconds:
		return int64(time.Microsecond)
	}
	return 1
}

func (n *frameNode) describeLogical(l *format.LogicalType) bool {
	switch v := l.Value.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		n.own.Kind = cell.String
	case *format.UUIDType:
		n.own.Kind = cell.String
	case *format.DateType:
		n.own.Kind = cell.Date
	case *format.NullType:
		n.own.Kind = cell.Null
	case *format.DecimalType:
		if v.Precision > maxPrecision || v.Precision < 1 || v.Scale < 0 || v.Scale > v.Precision {
			n.own.Kind = cell.Bytes
			return n.physical.kind == parquet.FixedLenByteArray || n.physical.kind == parquet.ByteArray
		}
		n.own = cell.Type{Kind: cell.Decimal, Precision: v.Precision, Scale: v.Scale}
	case *format.TimestampType:
		kind := cell.LocalTime
		if v.IsAdjustedToUTC {
			kind = cell.Time
		}
		n.describeTime(kind, unitTick(v.Unit))
	case *format.TimeType:
		n.describeTime(cell.Clock, unitTick(v.Unit))
	case *format.IntType:
		n.own.Kind, n.unsigned = cell.Int, !v.IsSigned
	case *format.Float16Type:
		n.own.Kind, n.physical.half = cell.Float, true
	default:
		return false
	}
	return true
}

// shapes are what the columns have been seen to hold, by what the file says.
func (f *File) shapes() map[string]*cell.Shape {
	shapes := make(map[string]*cell.Shape, len(f.columns))
	for _, n := range f.columns {
		s := f.shape(n)
		if old := shapes[n.name]; old != nil {
			s.Join(old) // two columns of one name: the last is read
		}
		shapes[n.name] = s
	}
	return shapes
}

func (f *File) shape(n *frameNode) *cell.Shape {
	s := &cell.Shape{}
	switch n.own.Kind {
	case cell.Bool:
		s.Seen = cell.SawBool
	case cell.Int:
		s.Seen = f.intAtoms(n)
	case cell.Float:
		s.Seen = cell.SawFloat
	case cell.Decimal:
		s.Seen, s.Scale, s.Whole = cell.SawDecimal, n.own.Scale, f.wholeDigits(n)
	case cell.String:
		s.Seen = cell.SawText
	case cell.Bytes:
		s.Seen = cell.SawBytes
	case cell.Date:
		s.Seen = cell.SawDate
	case cell.Time:
		s.Seen, s.Zone = cell.SawTime, n.own.Zone
	case cell.LocalTime:
		s.Seen = cell.SawLocal
	case cell.Clock:
		s.Seen = cell.SawClock
	case cell.Duration:
		s.Seen = cell.SawSpan
	case cell.List:
		s.Seen = cell.SawList
		s.Elem = f.shape(n.children[0])
	case cell.Struct:
		s.Seen = cell.SawObject
		s.Fields = map[string]*cell.Shape{}
		for _, c := range n.children {
			s.Fields[c.name] = f.shape(c)
		}
		s.Ragged = len(s.Fields) != len(n.children)
		if s.Ragged {
			s.Fields = nil
		}
	}
	if n.own.Nano {
		s.Seen |= cell.SawNano
	}
	return s
}

// chunks are the chunks of a leaf that hold values, one for each row group; not ok,
// and the last, where a row group lacks the leaf.
func (f *File) chunks(n *frameNode) iter.Seq2[format.ColumnMetaData, bool] {
	return func(yield func(format.ColumnMetaData, bool) bool) {
		for _, g := range f.file.Metadata().RowGroups {
			if n.leaf >= len(g.Columns) {
				yield(format.ColumnMetaData{}, false)
				return
			}
			c := g.Columns[n.leaf].MetaData
			if c.NumValues == 0 || c.Statistics.NullCount == c.NumValues {
				continue
			}
			if !yield(c, true) {
				return
			}
		}
	}
}

// intAtoms says how large a column's integers are, from the statistics; without
// them every size is possible.
func (f *File) intAtoms(n *frameNode) cell.Seen {
	small := cell.SawInt53
	for c, ok := range f.chunks(n) {
		if !ok {
			return cell.SawInts
		}
		if n.physical.kind == parquet.Int32 {
			continue
		}
		low, ok1 := statInt(c.Statistics.MinValue, c.Statistics.Min)
		high, ok2 := statInt(c.Statistics.MaxValue, c.Statistics.Max)
		switch {
		case !ok1 || !ok2:
			return cell.SawInts
		case n.unsigned && high < 0:
			return cell.SawInt53 | cell.SawInt64 | cell.SawInt128
		}
		small |= cell.SawIntOf(low) | cell.SawIntOf(high)
	}
	return small
}

// wholeDigits is how many digits before the point a decimal column needs: those
// that it declares, or fewer where its type has more than a table's column and
// the statistics say that they are not used.
func (f *File) wholeDigits(n *frameNode) int32 {
	declared := n.own.Precision - n.own.Scale
	if n.own.Precision <= cell.MaxDigits {
		return declared
	}
	used := int32(0)
	for c, ok := range f.chunks(n) {
		if !ok {
			return declared
		}
		for _, b := range [][]byte{c.Statistics.MinValue, c.Statistics.MaxValue} {
			if len(b) == 0 {
				return declared
			}
			digits := len(new(big.Int).Abs(bigEndian(b)).String())
			used = max(used, int32(digits)-n.own.Scale)
		}
	}
	return min(declared, used)
}

func statInt(stats ...[]byte) (int64, bool) {
	for _, b := range stats {
		if len(b) == 8 {
			return int64(binary.LittleEndian.Uint64(b)), true
		}
	}
	return 0, false
}

// cursor goes through the values of one physical column.
type cursor struct {
	pages  parquet.Pages
	values parquet.ValueReader
	page   parquet.Page
	buf    []parquet.Value
	i, n   int
}

// next gives the next value without passing it; nil at the end.
func (c *cursor) peek() (*parquet.Value, error) {
	for c.i == c.n {
		if err := c.more(); err != nil {
			return nil, err
		}
	}
	return &c.buf[c.i], nil
}

func (c *cursor) more() error {
	for {
		if c.values == nil {
			if c.page != nil {
				parquet.Release(c.page)
				c.page = nil
			}
			page, err := c.pages.ReadPage()
			if err != nil {
				return err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buf)
		c.i, c.n = 0, n
		if err != nil {
			c.values = nil
			if !errors.Is(err, io.EOF) {
				return err
			}
		}
		if n > 0 {
			return nil
		}
	}
}

func (c *cursor) close() {
	if c != nil && c.pages != nil {
		c.pages.Close()
	}
}

// bigEndian is a decimal's number as files store it.
func bigEndian(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return n
}
