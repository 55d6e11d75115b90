package unit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/fanout-dev/fanout/internal/value"
)

// Line makes foreign text safe to print: one line without escape sequences,
// control characters or marks that change the direction of what follows.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == 0x2028 || r == 0x2029:
			return ' '
		case commands(r):
			return -1
		}
		return r
	}, ansi.Strip(text))
}

// commands reports whether a terminal obeys a character: control characters, and
// marks that change the direction of what follows.
func commands(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Page is a page without control characters, except for lines and tabs, and without marks that
// change the direction of text: in a browser, one in a name turns round the number behind
// it.
func Page(html []byte) []byte {
	dropped := func(r rune) bool { return commands(r) && r != '\n' && r != '\t' && r != '\r' }
	if !bytes.ContainsFunc(html, dropped) {
		return html
	}
	return bytes.Map(func(r rune) rune {
		if dropped(r) {
			return -1
		}
		return r
	}, html)
}

// FromRight reports whether a character belongs to a script that is written
// from the right.
func FromRight(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana)
}

// Cut shortens text to at most the given number of characters, the last of
// which then is an ellipsis.
func Cut(text string, most int) string {
	if len(text) <= most { // no more characters than bytes
		return text
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// Short is Cut of Line for texts that may be huge, of which it reads the beginning.
func Short(text string, most int) string {
	if begins := perCharacter * (most + 1); len(text) > begins {
		text = text[:begins] + "…"
	}
	return Cut(Line(strings.ToValidUTF8(text, "")), most)
}

// perCharacter is how many bytes of foreign text Short reads for each character:
// most of them may be colours.
const perCharacter = 64

// Fit cuts text to the cells of a terminal that it may take; an ellipsis marks
// what is missing.
func Fit(text string, width int) string { return ansi.Truncate(text, width, "…") }

// maxListed is how many names a sentence holds.
const maxListed = 6

// Together joins values that belong to one thing, such as those of several axes
// that one group has: "sgd/0.1". Lists of such names stay readable.
func Together(values []string) string { return strings.Join(values, "/") }

// All joins names as a sentence does, however many: "a, b and c".
func All(names []string) string { return joined(names, " and ") }

// List is All for at most six names: "a, b and 3 more".
func List(names []string) string { return joined(few(names), " and ") }

// Either is List with "or" before the last.
func Either(names []string) string { return joined(few(names), " or ") }

func few(names []string) []string {
	if more := len(names) - maxListed; more > 0 {
		return append(names[:maxListed:maxListed], fmt.Sprintf("%d more", more))
	}
	return names
}

func joined(names []string, last string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + last + names[n-1]
	}
	return strings.Join(names, "")
}

// noBreak stands for a hyphen at which a line is not broken.
const noBreak = "\u2011"

// Wrap breaks text into lines of at most the given width, between words only: a
// flag such as --dry-run stays in one piece.
func Wrap(text string, width int) string {
	whole := strings.NewReplacer("\n", " ", "-", noBreak).Replace(text)
	return strings.ReplaceAll(ansi.Wordwrap(whole, width, ""), noBreak, "-")
}

// maxName is how many characters of a run's name are worth reading.
const maxName = 60

// Name names a run by its values: "region=apac seed=3".
func Name(values []value.Binding) string {
	parts := make([]string, len(values))
	for i, b := range values {
		parts[i] = b.Name + "=" + b.Value.Text()
	}
	return Cut(Line(strings.Join(parts, " ")), maxName)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote makes a word safe to print and to paste into a POSIX shell. What a
// terminal would obey is escaped in it.
func Quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	if !utf8.ValidString(word) || strings.ContainsFunc(word, commands) {
		return escaped(word)
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Cell makes text safe for a spreadsheet, which computes a cell that begins with
// =, +, - or @: an apostrophe before it says that it is text. Numbers stay.
func Cell(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}

// escaped is a word as $'…', which bash, zsh and others read.
func escaped(word string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(word); {
		r, n := utf8.DecodeRuneInString(word[i:])
		switch {
		case r == utf8.RuneError && n == 1 || commands(r):
			for _, c := range []byte(word[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		case r == '\'' || r == '\\':
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String() + "'"
}

// Path is a path relative to the working directory where that is shorter.
func Path(path string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || len(rel) >= len(path) {
		return path
	}
	return rel
}
