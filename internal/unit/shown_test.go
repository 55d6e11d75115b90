package unit_test

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/unit"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

// TestShown: what is left by Shown is what is left by the cleaner of Line and
// Lines.
func TestShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "é", "✗", "😀", "\x1b", "[", "]0;", "31m", "\a", "\x1b\\", "\u009b", "\u0085", "\x00", "\n", "P", "X", ";", "\x18", " "})
		var text string
		for _, p := range rapid.SliceOf(piece).Draw(t, "text") {
			text += p
		}
		var left []byte
		for _, i := range unit.Shown(text) {
			left = append(left, text[i])
		}
		if want := ansi.Strip(text); string(left) != want {
			t.Fatalf("%q became %q, want %q", text, left, want)
		}
	})
}

func TestUnseen(t *testing.T) {
	for _, r := range "\x00\x1b\x7f\u0085\u00ad\u200b\u200d\u202e\u2066\ufe0f\ufeff" {
		if !unit.Unseen(r) {
			t.Errorf("%U is seen", r)
		}
	}
	for _, r := range " aé\u00a0\u2028✗" {
		if unit.Unseen(r) {
			t.Errorf("%U is not seen", r)
		}
	}
}
