// Package words writes times and texts of others for pages.
package words

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Ago says how long something is past.
func Ago(t time.Time) string {
	d := time.Since(t)
	if t.IsZero() || d < 0 {
		return ""
	}
	if d < 10*time.Second {
		return "just now"
	}
	return unit.Duration(d) + " ago"
}

// Capital is a text as a sentence: its first word gets a capital letter, unless it is a
// name or something to type, which would not be the same with one.
func Capital(text string) string {
	word := strings.TrimRight(strings.SplitN(text, " ", 2)[0], ",;.!?")
	named := strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLower(r) && !strings.ContainsRune("-'’", r) })
	if named || word == "" || word == "fanout" || len(word) == 1 && word != "a" {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// maxError is how many characters of an error a page shows.
const maxError = 2000

// Error is an error on one line.
func Error(err error) string { return unit.Cut(unit.Line(err.Error()), maxError) }

// When is a time in a few characters.
func When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// Printable is text of several lines without what a terminal would obey.
func Printable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(unit.Line(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
