// Package beside divides a summary for a wide page: what answers the reader's question
// in one column, and beside it what the answer rests on.
//
// In go the sections of a summary as HTML; out come the same sections, in two parts. It
// knows the ids of headings and reads nothing else.
package beside

import (
	"html/template"
	"slices"
	"strings"
)

// aside are the headings of sections that stand beside the others: short tables to look
// things up in.
var aside = []string{"what-was-swept", "which-dates-are-there", "what-drives-the-difference", "best-runs", "slowest-runs", "slowest-and-hungriest-runs", "odd", "where-this-comes-from"}

const heading = `<h2 id="`

// Split divides sections of a summary; each part keeps their order.
func Split(sections template.HTML) (main, side template.HTML) {
	text := string(sections)
	for at := 0; at < len(text); {
		end := len(text)
		if next := strings.Index(text[at+1:], heading); next >= 0 {
			end = at + 1 + next
		}
		one := text[at:end]
		rest, found := strings.CutPrefix(one, heading)
		if id, _, _ := strings.Cut(rest, `"`); found && slices.Contains(aside, id) {
			side += template.HTML(one)
		} else {
			main += template.HTML(one)
		}
		at = end
	}
	return main, side
}
