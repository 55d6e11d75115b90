package frame

import (
	"sync"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// Rows are some rows of a column: an array or, where the file holds what the table
// will, the values as they are in the file, at definition levels 0 and 1.
type Rows struct {
	Array  arrow.Array
	Values []parquet.Value
}

// A taker collects values for one call of emit. Pages are given back before.
type taker struct {
	values []parquet.Value
	bytes  []byte // of texts
}

var takers = sync.Pool{New: func() any { return new(taker) }}

// isTaken reports whether values of a column go into one of type d as they are.
func (n *frameNode) isTaken(d cell.Type) bool {
	if n.own.Kind != d.Kind || n.def != 1 || n.rep != 0 {
		return false
	}
	switch d.Kind {
	case cell.Int:
		return n.physical.kind == parquet.Int64 && !n.unsigned
	case cell.Float:
		return n.physical.kind == parquet.Double
	case cell.Time, cell.LocalTime:
		return n.physical.kind == parquet.Int64 && n.tick == 1 && n.own.Nano == d.Nano
	case cell.String:
		return n.physical.kind == parquet.ByteArray
	}
	return false
}

// take collects the next n rows of a column.
func (r *frameReader) take(t *taker, n *frameNode, rows int) error {
	t.values, t.bytes = t.values[:0], t.bytes[:0]
	c := r.cursors[n.leaf]
	for rows > 0 {
		if _, err := c.peek(); err != nil {
			return ended(err)
		}
		k := min(rows, c.n-c.i)
		some := c.buf[c.i : c.i+k]
		if n.own.Kind == cell.String {
			if err := r.takeTexts(t, some); err != nil {
				return err
			}
		} else {
			t.values = append(t.values, some...)
		}
		c.i += k
		rows -= k
	}
	return nil
}

func (r *frameReader) takeTexts(t *taker, some []parquet.Value) error {
	for _, v := range some {
		if v.IsNull() {
			t.values = append(t.values, v)
			continue
		}
		b := v.ByteArray()
		if !utf8.Valid(b) {
			b = []byte(value.ToUTF8(string(b)))
		}
		if err := r.spend(len(b)); err != nil {
			return err
		}
		if len(t.bytes)+len(b) > cap(t.bytes) { // what was taken stays where it is
			t.bytes = make([]byte, 0, max(64<<10, len(b)))
		}
		t.bytes = append(t.bytes, b...)
		t.values = append(t.values, parquet.ByteArrayValue(t.bytes[len(t.bytes)-len(b):]).Level(0, 1, 0))
	}
	return nil
}
