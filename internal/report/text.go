package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

type jsonText = json.RawMessage

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// How many characters of a foreign text, and of a sentence of ours that holds
// some, are shown.
const (
	maxText     = 160
	maxSentence = 2000
)

// A backslash is written as an entity: two of them begin a formula in JupyterLab.
var markdownEscapes = strings.NewReplacer(
	`\`, `&#92;`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"|", `\|`, "#", `\#`, "~", `\~`, "!", `\!`, "$", `\$`,
)

// safe makes foreign text plain Markdown: one line, nothing in it means
// anything. What follows text that runs from the right runs from the left
// again.
func safe(s string) string {
	s = markdownEscapes.Replace(noFormula(plain(s)))
	if strings.ContainsFunc(s, unit.FromRight) {
		s += "\u200e"
	}
	return s
}

// sentence is safe for a text of ours that holds foreign names.
func sentence(s string) string {
	return markdownEscapes.Replace(noFormula(unit.Cut(unit.Line(s), maxSentence)))
}

var formula = regexp.MustCompile(`\\([()\[\]]|begin|end)`)

// noFormula keeps programs that look for formulas in the page, such as MathJax,
// from finding one: an invisible word joiner is put into what begins or ends it.
func noFormula(s string) string { return formula.ReplaceAllString(s, "\\\u2060$1") }

// plain is safe text where nothing is markup: one line, cut where it is too
// long.
func plain(s string) string { return unit.Cut(unit.Line(s), maxText) }

// alt is text inside the brackets of a picture.
func alt(s string) string { return strings.NewReplacer("[", "(", "]", ")", "\n", " ").Replace(s) }

// link is a Markdown link to a file beside the summary.
func link(text, path string) string {
	return "[" + safe(text) + "](" + (&url.URL{Path: path}).EscapedPath() + ")"
}

func joined(names []string) string { return strings.Join(names, ", ") }

// plainTable is a Markdown table whose columns after the first are aligned to
// the right when numbers says so.
func plainTable(head []string, rows [][]string, numbers bool) string {
	right := make([]bool, len(head))
	for i := range right {
		right[i] = numbers && i > 0
	}
	return markdownTable(head, rows, right)
}

// markdownTable is a table in Markdown; cells are Markdown already.
func markdownTable(head []string, rows [][]string, right []bool) string {
	var b strings.Builder
	b.WriteString("| " + strings.Join(head, " | ") + " |\n|")
	for _, r := range right {
		if r {
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

// Without is a summary in Markdown without the sections of some parts, whose titles
// name nothing of the sweep: "cells", "provenance".
func Without(markdown []byte, parts ...string) []byte {
	for _, part := range parts {
		title := []byte("\n" + words(part+".title", nil) + "\n")
		for {
			before, rest, found := bytes.Cut(markdown, title)
			if !found {
				break
			}
			next := bytes.Index(rest, []byte("\n## "))
			if next < 0 {
				next = len(rest)
			}
			markdown = slices.Concat(before, rest[next:])
		}
	}
	return markdown
}
