package progress

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// hostile commands a terminal, and adds a line.
const hostile = "a\x1b]52;c;ZXZpbA==\x07b\u009b31m\u202ec\rd"

// TestPainters: nothing that is told, and no name, commands the terminal.
func TestPainters(t *testing.T) {
	var out bytes.Buffer
	p := New(Work{Runs: 1, Name: func(string) string { return hostile }}, unit.NewPrinter(&out), unit.NewPrinter(&out), false, true)
	p.Print("one " + hostile + "\ntwo\ttabbed")
	p.Stop()
	if got, want := out.String(), "one ab31mcd\ntwo\ttabbed\n"; got != want {
		t.Errorf("lines: %q, want %q", got, want)
	}
	state := newProgress(Work{Runs: 1, Name: func(string) string { return hostile }})
	state.note(sweep.Note{Kind: sweep.NoteBegan, Run: "r", Where: hostile})
	view := liveModel{p: state, width: 200}.View().Content
	if !strings.Contains(view, "\n  ab31mc d  starting a kernel  ") || !strings.HasSuffix(view, "  ab31mc d") || strings.ContainsAny(view, "\x1b\r\u009b\u202e") {
		t.Errorf("the view is %q", view)
	}
}
