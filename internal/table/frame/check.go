package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// check refuses a file that would unpack to more than the limits, or than within
// bytes. The library that reads it believes what headers say, and unpacks what
// they do not say.
func (f *File) check(r io.ReaderAt, size, within int64) error {
	rows := f.file.NumRows()
	if rows < 0 || rows > frameRows {
		return fmt.Errorf("it says it has %d rows; at most %d are read", rows, frameRows)
	}
	total := int64(0)
	for _, g := range f.file.Metadata().RowGroups {
		if len(g.Columns) > frameLeaves {
			return fmt.Errorf("it has %d columns; at most %d are read", len(g.Columns), frameLeaves)
		}
		if g.NumRows < 0 {
			return errors.New("a row group has fewer than no rows")
		}
		if rows -= g.NumRows; g.NumRows == 0 {
			continue // its pages are never read
		}
		held := int64(0)
		for _, c := range g.Columns {
			k, err := checkColumn(r, size, within-total, c.MetaData)
			if err != nil {
				return err
			}
			total += k.total
			held += k.largest
			if held > min(frameHeld, within) {
				return errTooMuch
			}
		}
	}
	if rows != 0 {
		return errors.New("its row groups do not add up to its rows")
	}
	return nil
}

// chunkCheck is what a column chunk unpacks to, in bytes.
type chunkCheck struct{ total, largest, values int64 }

var errTooMuch = errors.New("it unpacks to more than is read")

// checkColumn walks the pages of a column chunk, until they are more than within
// bytes.
func checkColumn(r io.ReaderAt, size, within int64, c format.ColumnMetaData) (k chunkCheck, err error) {
	start := c.DataPageOffset
	if c.DictionaryPageOffset > 0 && c.DictionaryPageOffset < start {
		start = c.DictionaryPageOffset
	}
	end := start + c.TotalCompressedSize
	if start < 0 || end < start || end > size {
		return k, errors.New("a column lies outside the file")
	}
	for at := start; at < end; {
		lengths := compact{r: &counting{r: io.NewSectionReader(r, at, end-at)}, size: end - at}
		if err := lengths.structure(0); err != nil {
			return k, fmt.Errorf("page header: %w", err)
		}
		header := &counting{r: io.NewSectionReader(r, at, lengths.r.n)}
		var p thrift.CompactProtocol
		var h format.PageHeader
		if err := thrift.NewDecoder(p.NewReader(header)).Decode(&h); err != nil {
			return k, fmt.Errorf("page header: %w", err)
		}
		at += header.n
		if h.CompressedPageSize < 0 || int64(h.CompressedPageSize) > end-at {
			return k, errors.New("a page lies outside its column")
		}
		if err := k.page(&h); err != nil {
			return k, err
		}
		if k.total > within {
			return k, errTooMuch
		}
		if c.Codec != format.Uncompressed {
			if err := checkPacked(io.NewSectionReader(r, at, int64(h.CompressedPageSize)), c.Codec, &h); err != nil {
				return k, err
			}
		}
		at += int64(h.CompressedPageSize)
	}
	if k.values != c.NumValues {
		return k, errors.New("the pages of a column do not add up to its values")
	}
	return k, nil
}

// page checks what a header says.
func (k *chunkCheck) page(h *format.PageHeader) error {
	var n int32
	var e format.Encoding
	switch h.Type {
	case format.DataPage:
		n, e = h.DataPageHeader.V.NumValues, h.DataPageHeader.V.Encoding
		k.values += int64(n)
	case format.DataPageV2:
		n, e = h.DataPageHeaderV2.V.NumValues, h.DataPageHeaderV2.V.Encoding
		k.values += int64(n)
	case format.DictionaryPage:
		n = h.DictionaryPageHeader.V.NumValues
	}
	size := h.UncompressedPageSize
	if n < 0 || n > frameValues {
		return fmt.Errorf("a page says it has %d values; at most %d are read", n, frameValues)
	}
	if size < 0 || size > framePage {
		return fmt.Errorf("a page says it unpacks to %d bytes; at most %d are read", size, framePage)
	}
	// Each value may repeat as much of the one before as that is long.
	if e == format.DeltaByteArray && int64(n)*int64(size) > frameHeld {
		return errors.New("a page of texts that share beginnings may unpack to more than is read")
	}
	const perValue = 6 // an index and levels
	k.total += max(int64(size), int64(n))
	k.largest = max(k.largest, int64(size)+perValue*int64(n))
	return nil
}

// checkPacked unpacks a page, no further than its header says.
func checkPacked(r *io.SectionReader, codec format.CompressionCodec, h *format.PageHeader) error {
	limit := int(h.UncompressedPageSize)
	levels := int64(0)
	if h.Type == format.DataPageV2 {
		v2 := h.DataPageHeaderV2.V
		if v2.IsCompressed.Valid && !v2.IsCompressed.V {
			return nil
		}
		levels = int64(v2.RepetitionLevelsByteLength) + int64(v2.DefinitionLevelsByteLength)
		if levels < 0 || levels > r.Size() {
			return errors.New("the levels of a page are longer than the page")
		}
	}
	packed := io.NewSectionReader(r, levels, r.Size()-levels)
	if packed.Size() == 0 {
		return nil
	}
	if err := unpacksTo(packed, codec, limit); err != nil {
		return fmt.Errorf("a page does not unpack to %d bytes: %w", limit, err)
	}
	return nil
}

var errTooLong = errors.New("it is longer")

func unpacksTo(packed *io.SectionReader, codec format.CompressionCodec, limit int) error {
	switch codec {
	case format.Snappy:
		head := make([]byte, min(packed.Size(), 16))
		if _, err := packed.ReadAt(head, 0); err != nil {
			return err
		}
		n, err := snappy.DecodedLen(head)
		if err == nil && n > limit {
			err = errTooLong
		}
		return err
	case format.Gzip:
		z, err := gzip.NewReader(packed)
		if err != nil {
			return err
		}
		return atMost(z, limit)
	case format.Brotli:
		return atMost(brotli.NewReader(packed), limit)
	case format.Zstd:
		d := zstdReaders.Get().(*zstd.Decoder)
		defer zstdReaders.Put(d)
		if err := d.Reset(packed); err != nil {
			return err
		}
		return atMost(d, limit)
	case format.Lz4Raw:
		var src bytes.Buffer
		if _, err := src.ReadFrom(packed); err != nil {
			return err
		}
		_, err := lz4.UncompressBlock(src.Bytes(), make([]byte, limit))
		return err
	}
	return fmt.Errorf("compression %v is not read", codec)
}

var zstdReaders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(framePage), zstd.WithDecoderMaxWindow(framePage))
	if err != nil {
		panic(err) // the options are constant
	}
	return d
}}

func atMost(r io.Reader, limit int) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, int64(limit)+1))
	if err == nil && n > int64(limit) {
		err = errTooLong
	}
	return err
}

// counting counts what the decoder of a header consumes; it reads a few bytes
// ahead into a buffer of its own.
type counting struct {
	r      io.Reader
	buf    [256]byte
	i, end int
	n      int64
}

func (c *counting) ReadByte() (byte, error) {
	if c.i == c.end {
		n, err := c.r.Read(c.buf[:])
		if n == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return 0, err
		}
		c.i, c.end = 0, n
	}
	c.i++
	c.n++
	return c.buf[c.i-1], nil
}

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		b, err := c.ReadByte()
		if err != nil {
			return i, err
		}
		p[i] = b
	}
	return len(p), nil
}
