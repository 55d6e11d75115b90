package unit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/unit"
)

type text string

// hostile is text with everything that a terminal obeys in it.
const hostile = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2Jc\u009b31md\u202ee\rf\nfanout: hint: g\u2028h"

const harmless = "abc31mde f fanout: hint: g h"

// Nothing that is printed commands the terminal, or adds a line.
func TestPrinter(t *testing.T) {
	for name, arg := range map[string]any{
		"a text": hostile, "a text of another type": text(hostile), "an error": errors.New(hostile),
		"a wrapped error": fmt.Errorf("read: %w", unit.Mistake(errors.New(hostile))), "a name": stringer(hostile),
	} {
		var b bytes.Buffer
		p := unit.NewPrinter(&b)
		p.Printf("%d: %s\n", 1, arg)
		p.Println(arg, 2)
		prefix := ""
		if name == "a wrapped error" {
			prefix = "read: "
		}
		if got, want := b.String(), "1: "+prefix+harmless+"\n"+prefix+harmless+" 2\n"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

func TestPrinterOfLines(t *testing.T) {
	var b bytes.Buffer
	n, err := unit.NewPrinter(&b).Lines().Write([]byte("a\tb\n" + hostile + "\n"))
	if n != len("a\tb\n"+hostile+"\n") || err != nil {
		t.Error(n, err)
	}
	if got, want := b.String(), "a\tb\nabc31mdef\nfanout: hint: gh\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCell(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "-1.5": "-1.5", "+3e5": "+3e5", "=1+1": "'=1+1", "+x": "'+x", "-x": "'-x", "@sum(a1)": "'@sum(a1)",
		"\t=1": "'\t=1", "-inf": "-inf", "-1+cmd|' /c calc'!a0": "'-1+cmd|' /c calc'!a0", "a=1": "a=1",
	} {
		if got := unit.Cell(text); got != want {
			t.Errorf("Cell(%q) = %q, want %q", text, got, want)
		}
	}
}

// A quoted word is safe to print, and is the word again to a shell.
func TestQuoteHostile(t *testing.T) {
	for _, word := range []string{hostile, "it's\x1b", "b\\s\x00lash"[:3] + "\x07", "bad \xff name", "plain", "two words", "\u202e'"} {
		quoted := unit.Quote(word)
		if unit.Line(quoted) != quoted || strings.Contains(quoted, "\n") {
			t.Errorf("%q is not safe to print", quoted)
		}
		bash, err := exec.LookPath("bash")
		if err != nil {
			t.Skip("bash is not on PATH")
		}
		out, err := exec.Command(bash, "-c", "printf %s "+quoted).Output()
		if string(out) != word || err != nil {
			t.Errorf("%s is %q to a shell, want %q; %v", quoted, out, word, err)
		}
	}
}
