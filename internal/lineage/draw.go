package lineage

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Mermaid and DOT are the forms in which Draw writes steps.
const (
	Mermaid = "mermaid"
	DOT     = "dot"
)

// Draw writes the steps, with how many runs each has and how they stand, as a graph
// for programs that draw it.
func Draw(steps []Step, form string) string {
	at := map[string]int{}
	for i, s := range steps {
		at[s.Name] = i + 1
	}
	var b strings.Builder
	if form == DOT {
		b.WriteString("digraph steps {\n  rankdir=LR;\n  node [shape=box];\n")
	} else {
		b.WriteString("flowchart LR\n")
	}
	for i, s := range steps {
		if form == DOT {
			fmt.Fprintf(&b, "  s%d [label=\"%s\"];\n", i+1, strings.Join(labels(s, dotText), `\n`))
		} else {
			fmt.Fprintf(&b, "  s%d[\"%s\"]\n", i+1, strings.Join(labels(s, mermaidText), "<br>"))
		}
	}
	for i, s := range steps {
		for _, n := range s.Needs {
			b.WriteString(arrow(form, at[n.Step], i+1, n))
		}
	}
	if form == DOT {
		b.WriteString("}\n")
	}
	return b.String()
}

func arrow(form string, from, to int, n needs.Need) string {
	share := ""
	if n.Share < 1 {
		share = fmt.Sprintf("%.4g%%", 100*n.Share)
	}
	switch {
	case form == DOT && share != "":
		return fmt.Sprintf("  s%d -> s%d [label=\"%s\"];\n", from, to, share)
	case form == DOT:
		return fmt.Sprintf("  s%d -> s%d;\n", from, to)
	case share != "":
		return fmt.Sprintf("  s%d -->|%s| s%d\n", from, share, to)
	}
	return fmt.Sprintf("  s%d --> s%d\n", from, to)
}

// labels are the lines in the box of a step.
func labels(s Step, text func(string) string) []string {
	lines := []string{text(s.Name), text(s.Template)}
	count := unit.Plural(s.Runs, "run")
	if len(s.Axes) > 0 {
		count += " over " + strings.Join(s.Axes, ", ")
	}
	lines = append(lines, text(count))
	if words := s.Words(); words != "" {
		lines = append(lines, text(words))
	}
	return lines
}

var (
	dotEscapes     = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	mermaidEscapes = strings.NewReplacer("&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;")
)

func dotText(s string) string     { return dotEscapes.Replace(unit.Line(s)) }
func mermaidText(s string) string { return mermaidEscapes.Replace(unit.Line(s)) }
