package listing

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Whatever the pieces that lines come in, they are cleaned as a whole.
func TestCleaner(t *testing.T) {
	const text = "a\tblau \x1b[31mrot\x1b[0m\nüber \x1b]52;c;aGk=\x07die\r Zeile\n\nunended \x1b[1mä"
	const want = "a\tblau rot\nüber die Zeile\n\nunended ä"
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)), "halves": iotest.HalfReader(strings.NewReader(text)),
	} {
		var out strings.Builder
		c := newCleaner(&out)
		if _, err := io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, make([]byte, 7)); err != nil {
			t.Error(err)
		}
		if err := c.Flush(); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v; want %q", name, out.String(), err, want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// What cannot be written is an error, at the latest at the end.
func TestCleanerOnAFullDisk(t *testing.T) {
	c := newCleaner(full{})
	if _, err := io.WriteString(c, "a line\n"); err != nil {
		t.Error("one line is not worth a call")
	}
	if err := c.Flush(); err == nil {
		t.Error("the lost line is no error")
	}
}
