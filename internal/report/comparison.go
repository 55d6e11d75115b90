package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Comparison is one comparison or several, to be written in any format. Its
// tables are those of the summary.
type Comparison []Block

// A Block is one comparison and what it is of.
type Block struct {
	Title  string // empty when it is the only one
	Report *compare.Report
	Notes  []string // sentences above the tables
}

// Formats are those that Write knows: for people, then for programs.
func Formats() []string { return []string{"text", "markdown", "html", "notebook", "csv", "json"} }

// Write writes the comparison: text and Markdown are tables with sentences, HTML
// is one page and a notebook one document of the same; CSV has a line and JSON
// an object a line for each group of each metric, with numbers in full, empty or
// null where they are not known.
func (c Comparison) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return c.writeText(w)
	case "csv":
		return c.writeCSV(w)
	case "json":
		return c.writeJSON(w)
	case "markdown":
		return writeParts(w, c.markdown())
	case "html":
		text, err := pageOf("Comparison", "# Comparison\n\n"+strings.Join(c.markdown(), "\n\n"), nil)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	case "notebook":
		return c.writeNotebook(w)
	}
	return fmt.Errorf("format %q: want %s", format, unit.Either(Formats()))
}

// firstHead is the title of the table of a metric that has no heading.
func firstHead(t compare.MetricTable) string {
	if t.Exploratory && compared(t, false) {
		return titleOf(t) + " (exploratory)"
	}
	return titleOf(t)
}

func warning(safely func(string) string) func(string) string {
	return func(w string) string { return safely("warning: " + w) }
}

func (c Comparison) writeText(w io.Writer) error {
	var parts []string
	for _, b := range c {
		part := textsOf(slices.DeleteFunc(slices.Concat([]string{b.Title}, b.Notes), func(s string) bool { return s == "" }), unit.Line)
		for i, t := range b.Report.Metrics {
			if i > 0 || len(part) > 0 {
				part = append(part, "")
			}
			part = append(part, tableOf(t, t.Groups, b.Report.Confidence, firstHead(t), false).text(), "  "+unit.Line(t.Verdict))
			if means := explanation(t, unit.Line); means != "" {
				part = append(part, "  "+means)
			}
			part = append(part, textsOf(t.Warnings, warning(unit.Line))...)
		}
		if b.Report.Decision != "" {
			part = append(part, "", unit.Line("decision: "+b.Report.Decision))
		}
		part = append(part, textsOf(b.Report.Warnings, warning(unit.Line))...)
		parts = append(parts, strings.Join(part, "\n"))
	}
	return writeParts(w, parts)
}

// writeParts puts an empty line between texts.
func writeParts(w io.Writer, parts []string) error {
	if len(parts) == 0 {
		return nil
	}
	_, err := io.WriteString(w, strings.Join(parts, "\n\n")+"\n")
	return err
}

// text aligns the columns with spaces.
func (m metricTable) text() string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range slices.Concat([][]cell{m.head}, m.rows) {
		fmt.Fprintln(tw, strings.ReplaceAll(strings.Join(textsOf(r, cell.plain), "\t"), unit.Bridge, " … "))
	}
	tw.Flush()
	return strings.TrimSuffix(trailing.ReplaceAllString(b.String(), "\n"), "\n")
}

var trailing = regexp.MustCompile(` +\n`)

// markdown is a text for each block.
func (c Comparison) markdown() []string {
	var texts []string
	for _, b := range c {
		var parts []string
		if b.Title != "" {
			parts = append(parts, "## "+sentence(b.Title))
		}
		if len(b.Notes) > 0 {
			parts = append(parts, "- "+strings.Join(textsOf(b.Notes, sentence), "\n- "))
		}
		for _, t := range b.Report.Metrics {
			parts = append(parts, tableOf(t, t.Groups, b.Report.Confidence, firstHead(t), false).markdown(), sentence(t.Verdict))
			if means := explanation(t, sentence); means != "" {
				parts = append(parts, means)
			}
			parts = append(parts, textsOf(t.Warnings, warning(sentence))...)
		}
		if b.Report.Decision != "" {
			parts = append(parts, "**Decision:** "+sentence(b.Report.Decision))
		}
		texts = append(texts, strings.Join(append(parts, textsOf(b.Report.Warnings, warning(sentence))...), "\n\n"))
	}
	return texts
}

func (c Comparison) writeNotebook(w io.Writer) error {
	n := newNotebook()
	for i, text := range c.markdown() {
		n.Cells = append(n.Cells, section{text: text}.cell(fmt.Sprintf("block-%d", i+1)))
	}
	_, err := w.Write(n.Encode())
	return err
}

func (c Comparison) lines() []line {
	var lines []line
	for _, b := range c {
		for _, t := range b.Report.Metrics {
			for _, g := range t.Groups {
				lines = append(lines, line{b, t, g})
			}
		}
	}
	return lines
}

func (c Comparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	var record []string
	for _, f := range fields {
		record = append(record, f.name)
	}
	out.Write(record)
	for _, l := range c.lines() {
		for i, f := range fields {
			record[i] = ""
			if v := known(f.of(l)); v != nil {
				record[i] = csvText(v)
			}
		}
		out.Write(record)
	}
	out.Flush()
	return out.Error()
}

func csvText(v any) string {
	if x, ok := v.(float64); ok {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return unit.Cell(fmt.Sprint(v))
}

// known is nil for a number that is not, and 0 for −0.
func known(v any) any {
	x, ok := v.(float64)
	switch {
	case ok && (math.IsNaN(x) || math.IsInf(x, 0)):
		return nil
	case ok:
		return x + 0
	}
	return v
}

func (c Comparison) writeJSON(w io.Writer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range c.lines() {
		before := "{"
		for _, f := range fields {
			v := known(f.of(l))
			if f.sparse && (v == nil || v == "" || v == 0) {
				continue
			}
			b.WriteString(before + `"` + f.name + `":`)
			if err := enc.Encode(v); err != nil {
				return err
			}
			b.Truncate(b.Len() - 1) // the newline
			before = ","
		}
		b.WriteString("}\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}
