package render

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/render/internal/tex"
)

// A sheet is what one cell is written on.
type sheet struct {
	strings.Builder
	d      *Document
	cell   int // index
	frames []Part
}

// writef writes HTML of ours; texts are escaped, and template.HTML is not.
func (s *sheet) writef(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = html.EscapeString(a)
		case template.HTML:
			args[i] = string(a)
		}
	}
	fmt.Fprintf(s, format, args...)
}

func (d *Document) cell(i, number int) Cell {
	c := d.book.Cells[i]
	s := &sheet{d: d, cell: i}
	out := Cell{Index: i, Anchor: d.anchor(i)}
	kind := "raw"
	switch c.Type {
	case "code":
		kind, out.Number = "code", number
	case "markdown":
		kind = "text"
	}
	if d.Failure != nil && d.Failure.Anchor == out.Anchor {
		kind += " failed"
	}
	s.writef(`<section class="cell %s" id="%s">`, kind, out.Anchor)
	switch c.Type {
	case "code":
		s.codeCell(c)
	case "markdown":
		s.WriteString(`<div class="prose">` + s.markdown(c) + `</div>`)
	default:
		s.raw(c)
	}
	s.WriteString("</section>\n")
	out.HTML, out.Frames = template.HTML(s.String()), s.frames
	return out
}

// markdown is a Markdown cell, with the pictures attached to it.
func (s *sheet) markdown(c *notebook.Cell) string {
	s.d.text.Image = func(name string) string {
		if file, ok := strings.CutPrefix(name, "attachment:"); ok {
			return attached(c, file)
		}
		if s.d.options.File != nil {
			return s.d.options.File(name)
		}
		return ""
	}
	return s.d.text.Markdown(c.Source)
}

// raw shows a cell that is neither code nor Markdown as it is written, unless it
// says that it is Markdown.
func (s *sheet) raw(c *notebook.Cell) {
	format, _ := c.Metadata["format"].(string)
	if format == "" {
		format, _ = c.Metadata["raw_mimetype"].(string)
	}
	if format == "text/markdown" {
		s.WriteString(`<div class="prose">` + s.markdown(c) + `</div>`)
		return
	}
	if strings.TrimSpace(c.Source) != "" {
		s.writef(`<pre class="raw" tabindex="0">%s</pre>`, cut(c.Source))
	}
}

func (s *sheet) codeCell(c *notebook.Cell) {
	if c.HasTag("injected-parameters") {
		s.given()
	}
	s.source(c)
	if len(c.Outputs) == 0 {
		return
	}
	if folded, _ := jupyter(c)["outputs_hidden"].(bool); folded || c.Metadata["collapsed"] == true || hasAny(c, "hide-output", "hide_output", "remove-output", "remove_output") {
		s.WriteString(`<details class="fold"><summary>Output</summary>`)
		defer s.WriteString(`</details>`)
	}
	s.outputs(c)
}

func jupyter(c *notebook.Cell) map[string]any {
	m, _ := c.Metadata["jupyter"].(map[string]any)
	return m
}

func hasAny(c *notebook.Cell, tags ...string) bool {
	for _, tag := range tags {
		if c.HasTag(tag) {
			return true
		}
	}
	return false
}

// hidesSource reports whether the notebook asks for its code to be hidden:
// papermill's report mode, JupyterLab, nteract, or a tag.
func hidesSource(c *notebook.Cell) bool {
	return jupyter(c)["source_hidden"] == true || c.Metadata["inputHidden"] == true || c.Metadata["input_hidden"] == true || c.Metadata["hide_input"] == true ||
		hasAny(c, "hide-input", "hide_input", "hide-cell", "hide_cell", "remove-input", "remove_input", "remove-cell", "remove_cell", "injected-parameters")
}

func (s *sheet) source(c *notebook.Cell) {
	if s.d.options.NoCode || strings.TrimSpace(c.Source) == "" {
		return
	}
	open, count := " open", ""
	if hidesSource(c) {
		open = ""
	}
	if c.ExecutionCount != nil {
		count = fmt.Sprintf(" [%d]", *c.ExecutionCount)
	}
	s.writef(`<details class="source"%s><summary>Code%s</summary>%s</details>`, template.HTML(open), count, template.HTML(s.d.block(s.d.Language, cut(c.Source))))
}

// given shows the injected parameters as a table.
func (s *sheet) given() {
	if len(s.d.Given) == 0 {
		return
	}
	s.WriteString(`<div class="table" tabindex="0" role="region" aria-label="parameters"><table class="given"><caption>Parameters</caption><tbody>`)
	for _, g := range s.d.Given {
		s.writef(`<tr><th scope="row">%s</th><td>%s</td></tr>`, g.Name, g.Value)
	}
	s.WriteString(`</tbody></table></div>`)
}

// maths writes text whose formulas are between dollars.
func (s *sheet) maths(text string) {
	if formula := strings.TrimSpace(text); !strings.ContainsAny(formula, "$\\") {
		s.WriteString(`<div class="formula">` + tex.MathML(formula, true) + `</div>`)
		return
	}
	s.WriteString(`<div class="formula">` + s.d.text.Latex(text) + `</div>`)
}
