package unit

import (
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi/parser"
)

// Unseen reports whether nobody sees a character where text is shown, so that
// what is around it is read as one word: control characters, marks of direction,
// and what Unicode calls format characters and variation selectors.
func Unseen(r rune) bool {
	if r < 0xad {
		return commands(r)
	}
	return commands(r) && r != 0x2028 && r != 0x2029 || unicode.In(r, unicode.Cf, unicode.Variation_Selector)
}

// Shown lists the bytes of a text, by their index, that are left when a terminal
// has obeyed its escape sequences: those that Lines keeps, and control characters.
func Shown(text string) []int {
	at := make([]int, 0, len(text))
	state := parser.GroundState
	for i := 0; i < len(text); {
		next, action := parser.Table.Transition(state, text[i])
		n := 1
		switch {
		case next == parser.Utf8State && action == parser.CollectAction:
			_, n = utf8.DecodeRuneInString(text[i:])
			next = parser.GroundState
			for k := range n {
				at = append(at, i+k)
			}
		case action == parser.PrintAction || action == parser.ExecuteAction:
			at = append(at, i)
		}
		state, i = next, i+n
	}
	return at
}
