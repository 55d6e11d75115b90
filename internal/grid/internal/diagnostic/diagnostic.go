// Package diagnostic describes mistakes in a file that people wrote: where, in
// which words, and what to type instead. It reads no file itself.
package diagnostic

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Error is one mistake in a file.
type Error struct {
	File      string
	Line, Col int    // from 1; 0 when the mistake has no place
	Msg, Help string // Help may be empty
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// Hint is what to type.
func (e *Error) Hint() string { return e.Help }

// Errors are all mistakes of a file.
type Errors []*Error

func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Hint is the first mistake's.
func (es Errors) Hint() string {
	for _, e := range es {
		if e.Help != "" {
			return e.Help
		}
	}
	return ""
}

// Err is the errors in the order of the file, each of them once, or nil.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	seen := map[Error]bool{}
	return slices.DeleteFunc(es, func(e *Error) bool {
		before := seen[*e]
		seen[*e] = true
		return before
	})
}

// DidYouMean is the end of a message about a name that is not known: the word
// most like it, or nothing where none is much like it.
// It is looked for when the message is written.
func DidYouMean(name string, words []string) fmt.Stringer { return suggestion{name, words} }

type suggestion struct {
	name  string
	words []string
}

func (s suggestion) String() string {
	if w, ok := nearest(s.name, s.words); ok {
		return fmt.Sprintf(", did you mean `%s`?", w)
	}
	return ""
}

// nearest returns the word most like name, if one is much like it.
func nearest(name string, words []string) (string, bool) {
	best, limit := "", max(1, len(name)/3)+1
	for _, w := range words {
		if abs(len(name)-len(w)) > utf8.UTFMax*limit {
			continue // no fewer edits than characters
		}
		if d := distance(strings.ToLower(name), strings.ToLower(w)); d < limit {
			best, limit = w, d
		}
	}
	return best, best != ""
}

func abs(n int) int { return max(n, -n) }

// distance is the number of edits, swapped neighbors counting as one, between
// two words.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
