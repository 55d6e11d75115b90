package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// Cells is in which cells runs differ, to be written.
type Cells struct{ *align.Report }

// CellFormats are the forms that Cells can be written in; the first is the usual
// one.
func CellFormats() []string { return []string{"text", "html", "json"} }

// Write writes the report in one of the forms.
func (c Cells) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(c.Report)
	case "html":
		return cellsPage().Execute(w, c)
	}
	_, err := io.WriteString(w, c.text())
	return err
}

const (
	maxHeadlines = 12
	maxCells     = 20 // that are shown in detail
	maxGroups    = 8
	maxOwn       = 3 // of outputs that each are one run's
	maxDeltas    = 6
)

// text says first which cells differ and where, then how.
func (c Cells) text() string {
	var b strings.Builder
	b.WriteString(c.Headline() + "\n")
	for i, d := range c.Differences {
		if i == maxHeadlines {
			fmt.Fprintf(&b, "… and %s\n", unit.Plural(len(c.Differences)-i, "more cell"))
			break
		}
		fmt.Fprintf(&b, "%s differs: %s\n", d.Name(), d.Sentence())
	}
	for _, n := range c.Notes() {
		b.WriteString("note: " + n + "\n")
	}
	if axis := c.Along(); axis != "" {
		b.WriteString("note: where each run has its own output, --by " + axis + " compares runs that differ in that alone\n")
	}
	for _, d := range c.Differences[:min(len(c.Differences), maxCells)] {
		b.WriteString("\n" + d.Name() + "\n")
		shown := min(len(d.Groups), maxGroups)
		if d.Pattern == align.Every && len(c.By) == 0 {
			shown = min(shown, maxOwn)
		}
		for _, g := range d.Groups[:shown] {
			b.WriteString(c.group(g))
		}
		if more := len(d.Groups) - shown; more > 0 {
			fmt.Fprintf(&b, "  … and %s\n", unit.Plural(more, "more output"))
		}
	}
	return b.String()
}

// Headline is how many cells differ.
func (c Cells) Headline() string {
	among := fmt.Sprintf("among %s", unit.Plural(len(c.Runs), "run"))
	if len(c.By) > 0 {
		among += ", compared by " + unit.All(c.By)
	}
	switch {
	case c.Cells == 0:
		return "nothing to compare: no code cell was executed in two of " + unit.Plural(len(c.Runs), "run")
	case len(c.Differences) == 0:
		return fmt.Sprintf("no cell differs: %s %s", unit.Plural(c.Cells, "code cell"), among)
	}
	return fmt.Sprintf("%d of %s %s %s", len(c.Differences), unit.Plural(c.Cells, "code cell"), map[bool]string{true: "differs", false: "differ"}[len(c.Differences) == 1], among)
}

func (c Cells) group(g align.Group) string {
	text := "  " + g.Label()
	if len(g.Runs) > 1 || g.Compared > 0 || len(g.Values) > 0 && len(g.Runs) > 0 {
		text += ": " + c.short(g.Exemplar)
	}
	if g.Shows != "" && g.Reference == "" {
		text += " shows " + g.Shows
	}
	if g.Reference != "" {
		text += " against " + c.short(g.Reference)
	}
	text += "\n"
	var rows [][2]string
	width := 0
	for _, d := range g.Deltas[:min(len(g.Deltas), maxDeltas)] {
		what, change := align.DeltaWords(d)
		rows = append(rows, [2]string{what, change})
		width = max(width, min(len([]rune(what)), 36))
	}
	for _, r := range rows {
		text += fmt.Sprintf("      %-*s  %s\n", width, r[0], r[1])
	}
	if more := len(g.Deltas) - len(rows) + g.Left; more > 0 {
		text += fmt.Sprintf("      … and %s\n", unit.Plural(more, "more difference"))
	}
	return text
}

// short is the beginning of a run's id, which other verbs take, or a path.
func (c Cells) short(id string) string {
	const enough = 8
	if strings.ContainsAny(id, "./") || len(id) <= enough {
		return id
	}
	return id[:enough]
}

var cellsPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("cells").Funcs(template.FuncMap{
		"words": func(d align.Delta) []string { what, change := align.DeltaWords(d); return []string{what, change} },
		"count": unit.Plural,
	}).Parse(templates.CellsPage))
})
