// Package beside divides a summary for a page: what answers the reader's question in one
// column, and beside it what the answer rests on; or one section after the other, to be
// opened.
//
// In go the sections of a summary as HTML; out come the same sections. It knows the ids of
// headings and reads nothing else.
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
	for _, one := range divide(sections) {
		rest, found := strings.CutPrefix(one, heading)
		if id, _, _ := strings.Cut(rest, `"`); found && slices.Contains(aside, id) {
			side += template.HTML(one)
		} else {
			main += template.HTML(one)
		}
	}
	return main, side
}

// Fold closes the sections of a summary: each is opened by its heading.
func Fold(sections template.HTML) (folded template.HTML) {
	for _, one := range divide(sections) {
		const end = "</h2>"
		at := strings.Index(one, end) + len(end)
		if !strings.HasPrefix(one, heading) || at < len(end) {
			folded += template.HTML(one)
			continue
		}
		folded += template.HTML(`<details class="fold"><summary>` + one[:at] + "</summary>" + one[at:] + "</details>\n")
	}
	return folded
}

// divide is a text cut before its headings.
func divide(sections template.HTML) (all []string) {
	text := string(sections)
	for at := 0; at < len(text); {
		end := len(text)
		if next := strings.Index(text[at+1:], heading); next >= 0 {
			end = at + 1 + next
		}
		all = append(all, text[at:end])
		at = end
	}
	return all
}
