package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits of a footer. The library that decodes it takes memory for what a length
// says before it looks whether that much is there.
const (
	footerBytes   = 64 << 20
	footerStructs = 1 << 19 // up to a kilobyte each in memory
	footerDepth   = 16
)

// checkFooter refuses a file whose footer is longer than the file or holds a
// length that it cannot have.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return errors.New("it is too short for a Parquet file")
	}
	if _, err := r.ReadAt(end[:], size-8); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	switch {
	case n > size-12:
		return fmt.Errorf("it says its footer has %d bytes, and the file has %d", n, size)
	case n > footerBytes:
		return fmt.Errorf("its footer has %d bytes; at most %d are read", n, footerBytes)
	}
	c := compact{r: &counting{r: io.NewSectionReader(r, size-8-n, n)}, size: n}
	if err := c.structure(0); err != nil {
		return fmt.Errorf("its footer: %w", err)
	}
	return nil
}

// compact walks a structure in Thrift's compact encoding and takes no memory for
// it.
type compact struct {
	r       *counting
	size    int64 // bytes that there are
	structs int64 // in lists
}

// The types of the encoding.
const (
	thriftTrue = 1 + iota
	thriftFalse
	thriftByte
	thriftInt16
	thriftInt32
	thriftInt64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
)

func (c *compact) structure(depth int) error {
	if depth > footerDepth {
		return errors.New("it is nested too deep")
	}
	for {
		head, err := c.r.ReadByte()
		if err != nil || head == 0 {
			return ended(err)
		}
		if head>>4 == 0 { // the number of the field follows
			if _, err := c.number(); err != nil {
				return err
			}
		}
		kind := head & 0xF
		if kind == thriftTrue || kind == thriftFalse { // the value itself
			continue
		}
		if err := c.value(kind, depth); err != nil {
			return err
		}
	}
}

func (c *compact) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return c.skip(1)
	case thriftInt16, thriftInt32, thriftInt64:
		_, err := c.number()
		return err
	case thriftDouble:
		return c.skip(8)
	case thriftBinary:
		n, err := c.number()
		if err != nil {
			return err
		}
		return c.skip(n)
	case thriftList, thriftSet:
		return c.list(depth)
	case thriftStruct:
		return c.structure(depth + 1)
	}
	return fmt.Errorf("it has a value of the unknown type %d", kind)
}

func (c *compact) list(depth int) error {
	head, err := c.r.ReadByte()
	if err != nil {
		return ended(err)
	}
	n, kind := uint64(head>>4), head&0xF
	if n == 0xF {
		if n, err = c.number(); err != nil {
			return err
		}
	}
	if n > uint64(c.size-c.r.n) { // each takes a byte at least
		return fmt.Errorf("it says a list has %d elements, and %d bytes are left", n, c.size-c.r.n)
	}
	if kind == thriftStruct {
		if c.structs += int64(n); c.structs > footerStructs {
			return fmt.Errorf("it has more than %d parts", footerStructs)
		}
	}
	for range n {
		if err := c.value(kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// number reads a number of variable length.
func (c *compact) number() (uint64, error) {
	n, err := binary.ReadUvarint(c.r)
	return n, ended(err)
}

func (c *compact) skip(n uint64) error {
	if n > uint64(c.size-c.r.n) {
		return fmt.Errorf("it says a value has %d bytes, and %d are left", n, c.size-c.r.n)
	}
	for range n {
		if _, err := c.r.ReadByte(); err != nil {
			return ended(err)
		}
	}
	return nil
}
