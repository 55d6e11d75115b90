package frame

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
)

// forged is a Parquet file of one required int64 column with one page, whose
// body and headers the test makes up.
type forged struct {
	codec       format.CompressionCodec
	body        []byte
	unpacked    int32
	values      int32
	rows        int64
	encoding    format.Encoding
	textual     bool
	offsetShift int64
	header      []byte // in place of the page's own
}

func (f forged) file(t testing.TB) []byte {
	t.Helper()
	encode := func(v any) []byte {
		b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	kind := format.Int64
	if f.textual {
		kind = format.ByteArray
	}
	header := format.PageHeader{Type: format.DataPage, UncompressedPageSize: f.unpacked, CompressedPageSize: int32(len(f.body))}
	header.DataPageHeader.Valid = true
	header.DataPageHeader.V = format.DataPageHeader{NumValues: f.values, Encoding: f.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}
	head := f.header
	if head == nil {
		head = encode(&header)
	}
	page := append(head, f.body...)
	column := format.ColumnMetaData{Type: kind, Encoding: []format.Encoding{f.encoding}, PathInSchema: []string{"x"}, Codec: f.codec, NumValues: int64(f.values),
		TotalUncompressedSize: int64(f.unpacked), TotalCompressedSize: int64(len(page)), DataPageOffset: 4 + f.offsetShift}
	leaf := format.SchemaElement{Name: "x"}
	leaf.Type.Valid, leaf.Type.V = true, kind
	leaf.RepetitionType.Valid, leaf.RepetitionType.V = true, format.Required
	root := format.SchemaElement{Name: "schema"}
	root.NumChildren.Valid, root.NumChildren.V = true, 1
	meta := encode(&format.FileMetaData{Version: 2, Schema: []format.SchemaElement{root, leaf}, NumRows: f.rows,
		RowGroups: []format.RowGroup{{Columns: []format.ColumnChunk{{FileOffset: 4, MetaData: column}}, NumRows: f.rows, TotalByteSize: int64(f.unpacked)}}})
	b := append([]byte("PAR1"), page...)
	b = append(b, meta...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(meta)))
	return append(b, "PAR1"...)
}

// readAll reads a frame as collect does; what it holds is counted.
func readAll(b []byte) (rows int, err error) {
	f, err := checkFrame(bytes.NewReader(b), int64(len(b)), frameBytes)
	if err != nil {
		return 0, err
	}
	var fields []cell.Field
	shapes := f.shapes()
	for _, c := range f.columns {
		fields = append(fields, cell.Field{Name: c.name, Type: shapes[c.name].Resolve()})
	}
	_, err = f.Read(fields, func(columns []Rows, n int) error {
		rows += n
		for _, c := range columns {
			if c.Array != nil {
				c.Array.Release()
			} else if len(c.Values) != n {
				return fmt.Errorf("%d values in %d rows", len(c.Values), n)
			}
		}
		return nil
	})
	return rows, err
}

func TestForgedFrameIsReadWhenHonest(t *testing.T) {
	rows, err := readAll(forged{body: make([]byte, 80), unpacked: 80, values: 10, rows: 10}.file(t))
	if rows != 10 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestBombs reads small files that say or turn out to be huge, and watches what
// is allocated.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 1<<20)
	pack := func(w io.WriteCloser, b *bytes.Buffer, megabytes int) []byte {
		for range megabytes {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		return b.Bytes()
	}
	var z, g bytes.Buffer
	zw, _ := zstd.NewWriter(&z)
	zstdBomb := pack(zw, &z, 2000)
	gzipBomb := pack(gzip.NewWriter(&g), &g, 300)
	snappyBomb := append(binary.AppendUvarint(nil, 4<<30-1), snappy.Encode(nil, zeros)...)
	tests := map[string]struct {
		f    forged
		want string
	}{
		"zstd":             {forged{codec: format.Zstd, body: zstdBomb, unpacked: 80, values: 10, rows: 10}, "unpack"},
		"gzip":             {forged{codec: format.Gzip, body: gzipBomb, unpacked: 80, values: 10, rows: 10}, "unpack"},
		"snappy":           {forged{codec: format.Snappy, body: snappyBomb, unpacked: 80, values: 10, rows: 10}, "unpack"},
		"lz4":              {forged{codec: format.Lz4Raw, body: bytes.Repeat([]byte{0xff}, 1000), unpacked: 80, values: 10, rows: 10}, "unpack"},
		"a huge page":      {forged{body: zeros[:80], unpacked: 1 << 30, values: 10, rows: 10}, "unpacks to"},
		"a negative page":  {forged{body: zeros[:80], unpacked: -1, values: 10, rows: 10}, "unpacks to"},
		"many values":      {forged{body: zeros[:80], unpacked: 80, values: 1 << 30, rows: 1 << 30, encoding: format.DeltaBinaryPacked}, "rows"},
		"many in a page":   {forged{body: zeros[:80], unpacked: 80, values: 50 << 20, rows: 50 << 20, encoding: format.DeltaBinaryPacked}, "values"},
		"rows that lie":    {forged{body: zeros[:80], unpacked: 80, values: 10, rows: 1000}, ""},
		"shared prefixes":  {forged{body: zeros, unpacked: 1 << 20, values: 1 << 20, rows: 1 << 20, encoding: format.DeltaByteArray, textual: true}, "share beginnings"},
		"outside the file": {forged{body: zeros[:80], unpacked: 80, values: 10, rows: 10, offsetShift: 1 << 40}, "outside"},
		"before the file":  {forged{body: zeros[:80], unpacked: 80, values: 10, rows: 10, offsetShift: -1 << 40}, "outside"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := tt.f.file(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := readAll(b)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 300<<20 {
				t.Errorf("allocated %d MB for a file of %d bytes", used>>20, len(b))
			}
		})
	}
}

// FuzzFrame reads frames that have been tampered with: an error or rows, no
// panic.
func FuzzFrame(f *testing.F) {
	every, err := os.ReadFile("testdata/every_type.parquet") // a table of every type a column can have
	if err != nil {
		f.Fatal(err)
	}
	f.Add(every)
	f.Add(forged{body: make([]byte, 80), unpacked: 80, values: 10, rows: 10}.file(f))
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Gzip), parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1)} {
		var b bytes.Buffer
		type row struct {
			A int64
			B *string
			C []float64
			D map[string]int32
		}
		text := "text"
		w := parquet.NewGenericWriter[row](&b, codec)
		if _, err := w.Write([]row{{1, &text, []float64{1, 2}, map[string]int32{"k": 1}}, {2, nil, nil, nil}}); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1<<16 {
			_, _ = readAll(b)
		}
	})
}
