// Package report writes the summary of a sweep: a notebook that reads well
// without being run, and the same in Markdown.
//
// In go a comparison and the facts of the sweep; out come documents, as bytes
// or as a notebook, the same bytes for the same facts. The caller stores and
// executes them. Text that came out of notebooks or parameters cannot break a
// table, and executes nothing, wherever it stands.
//
// Package report computes no statistics.
package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Input is what a summary is made of. Paths are relative to the summary.
type Input struct {
	Name      string
	Template  string
	AsOf      time.Time
	Planned   int
	Unplanned int // runs of earlier plans that are planned no more
	Counts    map[sweep.Status]int
	Axes      []Axis
	Compare   *compare.Report
	Runs      []Run
	Problems  []string
	Rerun     string   // the command that makes again what did not succeed
	Reruns    []string // that makes exactly the runs of each of Compare.Failures again, where there is one
	Facts     []Fact   // provenance
}

// An Axis is what varies, for the table of what was swept.
type Axis struct {
	Name    string
	Kind    string
	Values  []string
	Ordered bool
}

// A Run is one planned run.
type Run struct {
	Name, Notebook string
	Status         sweep.Status
	Duration       time.Duration
	PeakRSS        int64 // bytes; 0 is unknown
}

// A Fact is one line of provenance.
type Fact struct{ Name, Value string }

// picture is a plot with what it shows in words.
type picture struct {
	file string
	png  []byte
	says string
}

// section is a part of the summary.
type section struct {
	title    string
	text     string // Markdown
	pictures []picture
}

// Notebook makes the summary as a notebook.
func Notebook(in Input) (*notebook.Notebook, error) {
	sections, err := sectionsOf(in)
	if err != nil {
		return nil, err
	}
	n := &notebook.Notebook{Minor: 5, Metadata: map[string]any{
		"kernelspec":    map[string]any{"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
		"language_info": map[string]any{"name": "python"},
	}}
	for i, s := range sections {
		n.Cells = append(n.Cells, s.cell(fmt.Sprintf("part-%d", i+1)))
	}
	for i, source := range codeCells(in) {
		n.Cells = append(n.Cells, &notebook.Cell{Type: "code", ID: fmt.Sprintf("code-%d", i+1), Source: source, Metadata: map[string]any{}})
	}
	return n, nil
}

func (s section) cell(id string) *notebook.Cell {
	c := &notebook.Cell{Type: "markdown", ID: id, Metadata: map[string]any{}}
	c.Source = s.markdown(func(p picture) string { return "attachment:" + p.file })
	for _, p := range s.pictures {
		if c.Attachments == nil {
			c.Attachments = map[string]map[string]jsonText{}
		}
		c.Attachments[p.file] = map[string]jsonText{"image/png": notebook.TextJSON(base64Text(p.png))}
	}
	return c
}

func (s section) markdown(link func(picture) string) string {
	var b strings.Builder
	if s.title != "" {
		b.WriteString(s.title + "\n\n")
	}
	b.WriteString(strings.TrimRight(s.text, "\n"))
	for _, p := range s.pictures {
		fmt.Fprintf(&b, "\n\n![%s](%s)\n\n*%s*", alt(p.says), link(p), p.says)
	}
	return b.String()
}

// Markdown makes the summary as text without pictures, for a pull request or
// a chat.
func Markdown(in Input) ([]byte, error) {
	sections, err := sectionsOf(in)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, s := range sections {
		s.pictures = nil
		parts = append(parts, s.markdown(nil))
	}
	return []byte(strings.Join(parts, "\n\n") + "\n"), nil
}

// sectionsOf is the summary in its order: did everything run, which variant is
// better and how sure are we, what drives it, what is odd, where to look next.
func sectionsOf(in Input) ([]section, error) {
	sections := []section{verdictSection(in), sweptSection(in)}
	for i, t := range in.Compare.Metrics {
		s, err := metricSection(in, t, i)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", t.Name, err)
		}
		sections = append(sections, s)
	}
	for _, s := range []section{driveSection(in), bestSection(in), failureSection(in), costSection(in), oddSection(in), factSection(in)} {
		if s.text != "" {
			sections = append(sections, s)
		}
	}
	return sections, nil
}
