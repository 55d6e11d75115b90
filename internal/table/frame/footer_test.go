package frame

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// withFooter is a Parquet file without pages.
func withFooter(footer []byte) []byte {
	b := append([]byte("PAR1"), footer...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
	return append(b, "PAR1"...)
}

// allocated says how many bytes do takes, whether it gives them back or not.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const huge = 1<<31 - 1 // the largest length that the encoding has

// Footers and headers whose lengths are not those of the file.
func TestLengthsThatLie(t *testing.T) {
	uvarint := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	list := append([]byte{0x29, 0xFC}, uvarint(huge)...) // the schema: structures
	text := append([]byte{0x68}, uvarint(huge)...)       // created_by
	parts := slices.Concat([]byte{0x29, 0xFC}, uvarint(8<<20), make([]byte, 8<<20), []byte{0})
	honest := forged{body: make([]byte, 80), unpacked: 80, values: 10, rows: 10}
	statistics := honest
	statistics.header = append([]byte{0x5C, 0x5C, 0x18}, uvarint(huge)...)
	emptyType := honest // behind the field the library goes on, where others end: to 2^31 numbers
	emptyType.header = slices.Concat([]byte{0x10, 0, 0x8A, 0xF7}, uvarint(huge))
	longFooter := slices.Concat([]byte("PAR1"), make([]byte, 150), []byte{0xFF, 0xFF, 0xFF, 0xFF}, []byte("PAR1"))
	tests := map[string]struct {
		file []byte
		want string
	}{
		"a footer of 4 GB":             {longFooter, "it says its footer has 4294967295 bytes"},
		"a list of 2^31":               {withFooter(list), "it says a list has 2147483647 elements"},
		"a text of 2^31":               {withFooter(text), "it says a value has 2147483647 bytes"},
		"millions of empty parts":      {withFooter(parts), "more than"},
		"a thousand parts in another":  {withFooter(bytes.Repeat([]byte{0x1C}, 1000)), "nested too deep"},
		"a footer that breaks off":     {withFooter([]byte{0x15, 0x02, 0x29}), "unexpected EOF"},
		"a type that there is none of": {withFooter([]byte{0x1D, 0}), "unknown type"},
		"a field without a type":       {withFooter([]byte{0x10, 0}), "unknown type 0"},
		"one in a page, and a set":     {emptyType.file(t), "page header: it has a value of the unknown type 0"},
		"statistics of 2^31 in a page": {statistics.file(t), "page header: it says a value has 2147483647 bytes"},
		"no file at all":               {[]byte("PAR1PAR1"), "too short"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var err error
			used := allocated(func() { _, err = readAll(tt.file) })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if used > 8<<20 {
				t.Errorf("allocated %d MB for a file of %d bytes", used>>20, len(tt.file))
			}
		})
	}
}

// FuzzFooter reads files of which the footer has been tampered with, its length
// being right. No small file takes much memory.
func FuzzFooter(f *testing.F) {
	every, err := os.ReadFile("testdata/every_type.parquet")
	if err != nil {
		f.Fatal(err)
	}
	n := binary.LittleEndian.Uint32(every[len(every)-8:])
	f.Add(every[len(every)-8-int(n) : len(every)-8])
	f.Add(append([]byte{0x29, 0xFC}, binary.AppendUvarint(nil, huge)...))
	f.Fuzz(func(t *testing.T, footer []byte) {
		if len(footer) > 1<<13 {
			return
		}
		if used := allocated(func() { _, _ = readAll(withFooter(footer)) }); used > 64<<20 {
			t.Errorf("allocated %d MB for a footer of %d bytes", used>>20, len(footer))
		}
	})
}
