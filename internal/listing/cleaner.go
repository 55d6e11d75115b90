package listing

import (
	"bufio"
	"bytes"
	"io"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A cleaner leaves control characters out of whole lines, and writes many of them at
// once: a table comes in pieces of a few characters.
type cleaner struct {
	out  *bufio.Writer
	line []byte // not yet whole
}

func newCleaner(w io.Writer) *cleaner { return &cleaner{out: bufio.NewWriterSize(w, 64<<10)} }

func (c *cleaner) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			c.line = append(c.line, rest...)
			break
		}
		c.line, rest = append(c.line, rest[:n]...), rest[n:]
		if err := c.write(); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// write writes the line.
func (c *cleaner) write() error {
	_, err := c.out.WriteString(unit.Lines(string(c.line)))
	c.line = c.line[:0]
	return err
}

// Flush writes what is left.
func (c *cleaner) Flush() error {
	if err := c.write(); err != nil {
		return err
	}
	return c.out.Flush()
}
