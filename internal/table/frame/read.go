package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// frameReader reads a frame as record batches of given columns: those the frame
// lacks are null, those of another type are converted.
type frameReader struct {
	file    *File
	cursors []*cursor
	spent   int64 // bytes of text appended
	lost    int   // values that their column's type cannot hold
}

// Read calls emit with at most cell.BatchRows rows at a time. Arrays are emit's to
// release, values are its until it returns.
func (f *File) Read(fields []cell.Field, emit func(columns []Rows, rows int) error) (lost int, err error) {
	defer recovered("read frame", &err)
	r := &frameReader{file: f}
	byName := map[string]*frameNode{}
	for _, n := range f.columns {
		byName[n.name] = n
	}
	builders, taken := make([]array.Builder, len(fields)), make([]*taker, len(fields))
	for i, fd := range fields {
		if n := byName[fd.Name]; n != nil && n.isTaken(fd.Type) {
			taken[i] = takers.Get().(*taker)
			defer takers.Put(taken[i])
			continue
		}
		builders[i] = array.NewBuilder(memory.DefaultAllocator, fd.Type.Arrow())
		defer builders[i].Release()
	}
	for _, g := range f.file.RowGroups() {
		if g.NumRows() == 0 {
			continue
		}
		if err := r.open(g); err != nil {
			return r.lost, err
		}
		for left := g.NumRows(); left > 0; {
			n := min(left, cell.BatchRows)
			for i, fd := range fields {
				err := error(nil)
				if taken[i] != nil {
					err = r.take(taken[i], byName[fd.Name], int(n))
				} else {
					err = r.column(builders[i], fd, byName[fd.Name], int(n))
				}
				if err != nil {
					r.close()
					return r.lost, fmt.Errorf("read frame: column %q: %w", fd.Name, err)
				}
			}
			left -= n
			columns := make([]Rows, len(builders))
			for i, b := range builders {
				if taken[i] != nil {
					columns[i].Values = taken[i].values
				} else {
					columns[i].Array = b.NewArray()
				}
			}
			if err := emit(columns, int(n)); err != nil {
				r.close()
				return r.lost, err
			}
		}
		r.close()
	}
	return r.lost, nil
}

func (r *frameReader) open(g parquet.RowGroup) error {
	chunks := g.ColumnChunks()
	if len(chunks) != len(r.file.leaves) {
		return errors.New("read frame: a row group lacks columns")
	}
	r.cursors = make([]*cursor, len(chunks))
	for i, c := range chunks {
		r.cursors[i] = &cursor{pages: c.Pages(), buf: make([]parquet.Value, 256)}
	}
	return nil
}

func (r *frameReader) close() {
	for _, c := range r.cursors {
		c.close()
	}
}

// column appends the next n rows of a column.
func (r *frameReader) column(b array.Builder, fd cell.Field, n *frameNode, rows int) error {
	b.Reserve(rows)
	if n == nil {
		b.AppendNulls(rows)
		return nil
	}
	if n.own.Kind != cell.List && n.own.Kind != cell.Struct {
		return r.flat(b, fd.Type, n, rows)
	}
	for range rows {
		if err := r.value(b, fd.Type, n); err != nil {
			return ended(err)
		}
	}
	return nil
}

// ended makes an end in the middle an error of its own.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// flat is column for one value a row.
func (r *frameReader) flat(b array.Builder, d cell.Type, n *frameNode, rows int) error {
	c := r.cursors[n.leaf]
	for rows > 0 {
		if _, err := c.peek(); err != nil {
			return ended(err)
		}
		k := min(rows, c.n-c.i)
		for i := c.i; i < c.i+k; i++ {
			if err := r.leaf(b, d, n, &c.buf[i]); err != nil {
				return err
			}
		}
		c.i += k
		rows -= k
	}
	return nil
}

// value appends the next value of a column, nested or not.
func (r *frameReader) value(b array.Builder, d cell.Type, n *frameNode) error {
	if (d.Kind == cell.List && n.own.Kind == cell.List) || (d.Kind == cell.Struct && n.own.Kind == cell.Struct) {
		return r.nested(b, d, n)
	}
	if n.own.Kind == cell.List || n.own.Kind == cell.Struct {
		v, err := r.tree(n)
		if err != nil {
			return err
		}
		return r.append(b, d, v)
	}
	v, err := r.cursors[n.leaf].peek()
	if err != nil {
		return err
	}
	r.cursors[n.leaf].i++
	return r.leaf(b, d, n, v)
}

func (r *frameReader) nested(b array.Builder, d cell.Type, n *frameNode) error {
	first, err := r.cursors[n.leaf].peek()
	if err != nil {
		return err
	}
	if first.DefinitionLevel() < n.def {
		b.AppendNull()
		return r.pass(n)
	}
	if d.Kind == cell.Struct {
		s := b.(*array.StructBuilder)
		s.Append(true)
		return r.fields(s, d, n)
	}
	l := b.(*array.ListBuilder)
	l.Append(true)
	if first.DefinitionLevel() == n.def {
		return r.pass(n)
	}
	for {
		if err := r.value(l.ValueBuilder(), *d.Elem, n.children[0]); err != nil {
			return err
		}
		if more, err := r.repeats(n); !more || err != nil {
			return err
		}
	}
}

func (r *frameReader) fields(s *array.StructBuilder, d cell.Type, n *frameNode) error {
	for _, c := range n.children {
		k := -1
		for i, f := range d.Fields {
			if f.Name == c.name {
				k = i
			}
		}
		if k < 0 {
			return fmt.Errorf("field %q is not in the table", c.name)
		}
		if err := r.value(s.FieldBuilder(k), d.Fields[k].Type, c); err != nil {
			return err
		}
	}
	return nil
}

// repeats reports whether the next value continues the list.
func (r *frameReader) repeats(n *frameNode) (bool, error) {
	next, err := r.cursors[n.leaf].peek()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return next.RepetitionLevel() >= n.rep, nil
}

// pass passes one value, null or empty, of every leaf beneath.
func (r *frameReader) pass(n *frameNode) error {
	for _, c := range r.cursors[n.leaf : n.leaf+n.leaves] {
		if _, err := c.peek(); err != nil {
			return err
		}
		c.i++
	}
	return nil
}

// tree is the next value of a nested column as Go values.
func (r *frameReader) tree(n *frameNode) (any, error) {
	first, err := r.cursors[n.leaf].peek()
	if err != nil {
		return nil, err
	}
	if n.own.Kind != cell.List && n.own.Kind != cell.Struct {
		r.cursors[n.leaf].i++
		return n.any(first), nil
	}
	if first.DefinitionLevel() < n.def {
		return nil, r.pass(n)
	}
	if n.own.Kind == cell.Struct {
		object := make(map[string]any, len(n.children))
		for _, c := range n.children {
			if object[c.name], err = r.tree(c); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	list := []any{}
	if first.DefinitionLevel() == n.def {
		return list, r.pass(n)
	}
	for {
		v, err := r.tree(n.children[0])
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more, err := r.repeats(n); !more || err != nil {
			return list, err
		}
	}
}

// append adds a Go value that has to be converted.
func (r *frameReader) append(b array.Builder, d cell.Type, v any) error {
	if err := cell.AppendTo(b, d, v); err != nil {
		return err
	}
	if s, ok := b.(*array.StringBuilder); ok && s.Len() > 0 && v != nil {
		return r.spend(len(s.Value(s.Len() - 1)))
	}
	return nil
}

// spend counts bytes of text, which a few bytes of a file can stand for.
func (r *frameReader) spend(n int) error {
	if r.spent += int64(n); r.spent > frameBytes {
		return fmt.Errorf("it unpacks to more than %d bytes", int64(frameBytes))
	}
	return nil
}

// leaf appends one stored value.
func (r *frameReader) leaf(b array.Builder, d cell.Type, n *frameNode, v *parquet.Value) error {
	if v.IsNull() || v.DefinitionLevel() < n.def {
		b.AppendNull()
		return nil
	}
	if d.Kind != n.own.Kind {
		return r.append(b, d, n.any(v))
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		b.Append(n.integer(v))
	case *array.Float64Builder:
		b.Append(n.float(v))
	case *array.StringBuilder:
		s := n.text(v)
		b.Append(s)
		return r.spend(len(s))
	case *array.BooleanBuilder:
		b.Append(v.Boolean())
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.Int32()))
	case *array.TimestampBuilder:
		r.time(b, n, v, d, func(t int64) { b.Append(arrow.Timestamp(t)) })
	case *array.Time64Builder:
		r.time(b, n, v, d, func(t int64) { b.Append(arrow.Time64(t)) })
	case *array.DurationBuilder:
		r.time(b, n, v, d, func(t int64) { b.Append(arrow.Duration(t)) })
	case *array.Decimal128Builder:
		b.Append(decimal128.FromBigInt(n.decimal(v, d.Scale)))
	case *array.BinaryBuilder:
		b.Append(v.ByteArray())
		return r.spend(len(v.ByteArray()))
	default:
		b.AppendNull()
	}
	return nil
}

// time brings a stored time to the unit of the column. One too far away for
// nanoseconds is lost, and counted.
func (r *frameReader) time(b array.Builder, n *frameNode, v *parquet.Value, d cell.Type, add func(int64)) {
	stored := n.integer(v)
	factor := n.tick
	if d.Nano && !n.own.Nano {
		factor *= 1000
	}
	if stored > math.MaxInt64/factor || stored < math.MinInt64/factor {
		r.lost++
		b.AppendNull()
		return
	}
	add(stored * factor)
}

func (n *frameNode) integer(v *parquet.Value) int64 {
	switch v.Kind() {
	case parquet.Int32:
		if n.unsigned {
			return int64(uint32(v.Int32()))
		}
		return int64(v.Int32())
	case parquet.Int96:
		return int96Nanos(v)
	}
	return v.Int64()
}

// int96Nanos reads the old form of a timestamp: nanoseconds of the day, then
// the Julian day.
func int96Nanos(v *parquet.Value) int64 {
	t := v.Int96()
	const epoch = 2440588
	return (int64(t[2])-epoch)*int64(24*time.Hour) + int64(t[1])<<32 + int64(t[0])
}

func (n *frameNode) float(v *parquet.Value) float64 {
	switch v.Kind() {
	case parquet.Float:
		return float64(v.Float())
	case parquet.Double:
		return v.Double()
	case parquet.FixedLenByteArray:
		if b := v.ByteArray(); len(b) == 2 {
			return halfFloat(binary.LittleEndian.Uint16(b))
		}
	}
	return math.NaN()
}

// Note: the Float32 of arrow's float16 reads no subnormal numbers.
func halfFloat(h uint16) float64 {
	sign, exponent, fraction := h>>15, int(h>>10&31), float64(h&1023)
	f := math.Ldexp(1+fraction/1024, exponent-15)
	switch {
	case exponent == 31 && fraction != 0:
		return math.NaN()
	case exponent == 31:
		f = math.Inf(1)
	case exponent == 0:
		f = math.Ldexp(fraction/1024, -14)
	}
	if sign == 1 {
		return -f
	}
	return f
}

func (n *frameNode) text(v *parquet.Value) string {
	b := v.ByteArray()
	if n.physical.kind == parquet.FixedLenByteArray && len(b) == 16 { // a UUID
		h := fmt.Sprintf("%x", b)
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	if !utf8.Valid(b) {
		return value.ToUTF8(string(b))
	}
	return string(b)
}

func (n *frameNode) decimal(v *parquet.Value, scale int32) *big.Int {
	var x *big.Int
	switch v.Kind() {
	case parquet.Int32:
		x = big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		x = big.NewInt(v.Int64())
	default:
		x = bigEndian(v.ByteArray())
	}
	if more := scale - n.own.Scale; more > 0 {
		x.Mul(x, cell.Pow10(more))
	}
	return x
}

// any is a stored value in one of the forms of a cell's value.
func (n *frameNode) any(v *parquet.Value) any {
	if v.IsNull() || v.DefinitionLevel() < n.def {
		return nil
	}
	switch n.own.Kind {
	case cell.Bool:
		return v.Boolean()
	case cell.Int:
		if x := n.integer(v); !n.unsigned || x >= 0 {
			return x
		}
		return cell.WholeNumber(strconv.FormatUint(uint64(v.Int64()), 10))
	case cell.Float:
		return n.float(v)
	case cell.String:
		return n.text(v)
	case cell.Decimal:
		switch d := cell.DecimalAt(n.decimal(v, n.own.Scale), n.own.Scale).(type) {
		case *big.Int:
			return cell.WholeNumber(d.String())
		default:
			return d
		}
	case cell.Bytes:
		return cell.Base64(v.ByteArray())
	case cell.Date:
		return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(cell.DayLayout)
	case cell.Time, cell.LocalTime:
		return n.moment(n.integer(v) * n.tick)
	case cell.Clock:
		return time.Unix(0, n.integer(v)*n.tick*n.own.Tick()).UTC().Format(cell.ClockLayout)
	case cell.Duration:
		return time.Duration(n.integer(v) * n.tick * n.own.Tick()).String()
	}
	return nil
}

func (n *frameNode) moment(t int64) any {
	at := n.own.Instant(arrow.Timestamp(t))
	if n.own.Kind == cell.Time {
		return at.Format(cell.ZonedLayout)
	}
	return at.Format(cell.LocalLayout)
}
