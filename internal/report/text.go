package report

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

type jsonText = json.RawMessage

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// maxText is how many characters of a foreign text are shown.
const maxText = 160

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"|", `\|`, "#", `\#`, "~", `\~`, "!", `\!`, "$", `\$`,
)

// safe makes foreign text plain Markdown: one line, nothing in it means
// anything. What follows text that runs from the right runs from the left
// again.
func safe(s string) string {
	s = markdownEscapes.Replace(plain(s))
	if strings.ContainsFunc(s, fromRight) {
		s += "\u200e"
	}
	return s
}

func fromRight(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana)
}

// sentence is safe for a text of ours that holds foreign names.
func sentence(s string) string {
	return markdownEscapes.Replace(oneLine(s, 2000))
}

// Escape makes text plain Markdown: a line of its own or a table's cell in
// which nothing means anything.
func Escape(s string) string { return sentence(s) }

// plain drops control characters and escape sequences, and cuts what is too
// long.
func plain(s string) string { return oneLine(s, maxText) }

func oneLine(s string, limit int) string {
	var b strings.Builder
	n, escape := 0, false
	for _, r := range s {
		switch {
		case r == 0x1b:
			escape = true
		case escape:
			escape = !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
		case r == '\n' || r == '\t' || r == '\r' || r == 0x2028 || r == 0x2029:
			b.WriteByte(' ')
			n++
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
		default:
			b.WriteRune(r)
			n++
		}
		if n >= limit {
			return b.String() + "…"
		}
	}
	return b.String()
}

// alt is text inside the brackets of a picture.
func alt(s string) string { return strings.NewReplacer("[", "(", "]", ")", "\n", " ").Replace(s) }

// link is a Markdown link to a file beside the summary.
func link(text, path string) string {
	return "[" + safe(text) + "](" + (&url.URL{Path: path}).EscapedPath() + ")"
}

func joined(names []string) string { return strings.Join(names, ", ") }

// markdownTable is a table in Markdown; cells are Markdown already. Columns after the
// first are aligned to the right when numbers says so.
func markdownTable(head []string, rows [][]string, numbers bool) string {
	var b strings.Builder
	b.WriteString("| " + strings.Join(head, " | ") + " |\n|")
	for i := range head {
		if i > 0 && numbers {
			b.WriteString("---:|")
		} else {
			b.WriteString(":---|")
		}
	}
	for _, r := range rows {
		b.WriteString("\n| " + strings.Join(r, " | ") + " |")
	}
	return b.String()
}

// number writes a value with the digits people read.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case math.IsInf(x, 1):
		return "∞"
	case math.IsInf(x, -1):
		return "−∞"
	case x == math.Trunc(x) && math.Abs(x) < 1e7:
		return strings.Replace(strconv.FormatFloat(x, 'f', 0, 64), "-", "−", 1)
	}
	return strings.Replace(strconv.FormatFloat(x, 'g', 4, 64), "-", "−", 1)
}

// bridge joins the ends of an interval, which no table tears apart.
const bridge = "\u00a0…\u00a0"

// interval writes bounds; an unbounded one says why there is none.
func interval(lo, hi float64) string {
	if math.IsNaN(lo) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return "too few"
	}
	return number(lo) + bridge + number(hi)
}

func percent(x float64) string {
	return strings.Replace(fmt.Sprintf("%+.2f%%", 100*x), "-", "−", 1)
}

func pValue(p float64) string {
	if p < 0.001 {
		return "<\u00a00.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// size writes bytes.
func size(b int64) string {
	switch {
	case b >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(b)/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(b)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(b)/(1<<10))
}

func duration(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
