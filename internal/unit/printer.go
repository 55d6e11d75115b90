package unit

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// A Printer prints words for people, to a terminal. It is no io.Writer, so that
// nothing is printed past it: foreign text in the arguments cannot command the
// terminal, or look like another line.
type Printer struct{ w io.Writer }

// NewPrinter returns a printer that writes to w.
func NewPrinter(w io.Writer) Printer { return Printer{w} }

// Printf is fmt.Printf, of whose arguments every text, error and name is made one
// line.
func (p Printer) Printf(format string, args ...any) {
	io.WriteString(p.Lines(), fmt.Sprintf(format, clean(args)...))
}

// Println is fmt.Println, with arguments as those of Printf.
func (p Printer) Println(args ...any) {
	io.WriteString(p.Lines(), fmt.Sprintln(clean(args)...))
}

// Lines is for tables and texts of several lines: control characters are left
// out, except for line ends and tabs. The caller sees to it that foreign text in
// them has neither.
func (p Printer) Lines() io.Writer { return cleanWriter(p) }

// Data is for what programs read. Nothing is cleaned.
func (p Printer) Data() io.Writer { return p.w }

func clean(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case error:
			out[i] = Line(v.Error())
		case fmt.Stringer:
			out[i] = Line(v.String())
		default:
			out[i] = a
			if r := reflect.ValueOf(a); r.Kind() == reflect.String {
				out[i] = Line(r.String())
			}
		}
	}
	return out
}

// Lines takes control characters out of a text, except for line ends and tabs.
func Lines(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && commands(r) {
			return -1
		}
		return r
	}, ansi.Strip(text))
}

type cleanWriter struct{ w io.Writer }

func (c cleanWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(c.w, Lines(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
