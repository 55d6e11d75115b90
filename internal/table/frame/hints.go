package frame

import (
	"encoding/base64"
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// hint is what the Arrow schema inside a Parquet file says beyond the Parquet
// schema: zones, durations and extension types. It is read here, with every offset checked,
// because Arrow's own reader takes foreign bytes at their word and asks for
// memory without bound.
type hint struct {
	name string
	zone string // of a timestamp
	tick int64  // nanoseconds of one unit, for a duration

	extension string // name of the type that the values are stored for, as "pandas.period"
	parts     []hint // of the fields, the elements or the entries
}

// part is the hint of the k-th part.
func (h hint) part(k int) hint {
	if k < len(h.parts) {
		return h.parts[k]
	}
	return hint{}
}

// hintsOf are the hints of the top-level columns, none where the file has no
// Arrow schema or a broken one.
func hintsOf(file *parquet.File) []hint {
	text, ok := file.Lookup("ARROW:schema")
	if !ok {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return readHints(raw)
}

// Field numbers and values of Arrow's Schema.fbs and Message.fbs.
const (
	flatTimestamp = 10
	flatDuration  = 18
	maxHints      = 1 << 16 // fields of a file
	extensionKey  = "ARROW:extension:name"
)

func readHints(raw []byte) []hint {
	f := &flat{b: raw}
	start := 4
	if f.u32(0) == math.MaxUint32 {
		start = 8
	}
	if start > len(raw) {
		return nil
	}
	f.b = raw[start:]
	message := int(f.u32(0))
	schema := f.ref(message, 2)
	f.left = maxHints
	hints := f.hints(f.ref(schema, 1), 0)
	if f.bad {
		return nil
	}
	return hints
}

// hints reads a vector of fields.
func (f *flat) hints(fields, depth int) []hint {
	if fields == 0 || f.bad {
		return nil
	}
	count := int(f.u32(fields))
	if f.left -= count; f.left < 0 || count > len(f.b)/4 || depth > cell.MaxDepth {
		f.bad = f.bad || depth <= cell.MaxDepth
		return nil
	}
	hints := make([]hint, count)
	for i := range hints {
		at := fields + 4 + 4*i
		hints[i] = f.hint(at+int(f.u32(at)), depth)
	}
	return hints
}

func (f *flat) hint(field, depth int) hint {
	h := hint{name: f.text(f.ref(field, 0)), extension: f.metadata(f.ref(field, 6), extensionKey), parts: f.hints(f.ref(field, 5), depth+1)}
	typ := f.ref(field, 3)
	kind := 0
	if at := f.slot(field, 2); at > 0 {
		kind = int(f.u8(at))
	}
	switch kind {
	case flatTimestamp:
		h.zone = f.text(f.ref(typ, 1))
	case flatDuration:
		unit := 1
		if at := f.slot(typ, 0); at > 0 {
			unit = int(f.u16(at))
		}
		if unit < 4 {
			h.tick = [...]int64{1e9, 1e6, 1e3, 1}[unit]
		}
	}
	return h
}

// metadata is the value of a key in a vector of pairs.
func (f *flat) metadata(pairs int, key string) string {
	if pairs == 0 || f.bad {
		return ""
	}
	count := int(f.u32(pairs))
	if f.left -= count; f.left < 0 {
		f.bad = true
		return ""
	}
	for i := range count {
		at := pairs + 4 + 4*i
		pair := at + int(f.u32(at))
		if f.text(f.ref(pair, 0)) == key {
			return f.text(f.ref(pair, 1))
		}
	}
	return ""
}

// flat reads FlatBuffers. Anything out of bounds makes it bad, and is zero.
type flat struct {
	b    []byte
	bad  bool
	left int // fields and pairs that may still be read
}

func (f *flat) bytes(at, n int) []byte {
	if at < 0 || n < 0 || at > len(f.b)-n {
		f.bad = true
		return make([]byte, min(max(n, 0), 8))
	}
	return f.b[at : at+n]
}

func (f *flat) u8(at int) uint8   { return f.bytes(at, 1)[0] }
func (f *flat) u16(at int) uint16 { return binary.LittleEndian.Uint16(f.bytes(at, 2)) }
func (f *flat) u32(at int) uint32 { return binary.LittleEndian.Uint32(f.bytes(at, 4)) }

// slot is where a table keeps its field k, 0 when it does not.
func (f *flat) slot(table, k int) int {
	if table <= 0 || f.bad {
		return 0
	}
	vtable := table - int(int32(f.u32(table)))
	if entry := 4 + 2*k; entry < int(f.u16(vtable)) {
		if offset := int(f.u16(vtable + entry)); offset > 0 {
			return table + offset
		}
	}
	return 0
}

// ref follows field k of a table to what it refers to, 0 when there is none.
func (f *flat) ref(table, k int) int {
	at := f.slot(table, k)
	if at == 0 {
		return 0
	}
	return at + int(f.u32(at))
}

func (f *flat) text(at int) string {
	if at == 0 {
		return ""
	}
	n := int(f.u32(at))
	if n > 1<<16 {
		f.bad = true
		return ""
	}
	b := f.bytes(at+4, n)
	if f.bad {
		return ""
	}
	return value.ToUTF8(string(b))
}
