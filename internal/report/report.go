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
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/changes"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/cost"
	"github.com/fanout-dev/fanout/internal/notebook"
)

// Input is what a summary is made of. Paths are relative to the summary.
type Input struct {
	Name      string
	Template  string
	AsOf      time.Time
	Planned   int
	Unplanned int      // runs of earlier plans that are planned no more
	Counts    []string // how many runs went how, for people
	Axes      []Axis
	Compare   *compare.Report
	Growth    *Growth       // nil where the sweep does not grow
	Stale     *Stale        // nil when no run is stale
	Steps     []Step        // none in a sweep without steps
	Waiting   []string      // for whom runs wait, the most common first
	Partial   []string      // runs that succeeded without all that they need
	Cells     *align.Report // in which cells they differ; nil when that is not known
	// Changes are the dates along an axis from which on runs were computed in another
	// way; series are told apart by the other axes. nil: nobody knows.
	Changes  func(axis string, by []string) []changes.Change
	Cost     cost.Cost
	Problems []string
	Rerun    string   // the command that makes again what did not succeed
	Reruns   []string // that makes exactly the runs of each of Compare.Failures again, where there is one
	Facts    []Fact   // provenance
	Sections []string // the parts of the summary that are wanted, in order; none: all of them
}

// An Axis is what varies, for the table of what was swept.
type Axis struct {
	Name    string
	Kind    string
	Values  []string
	Ordered bool
}

// Stale is what there is to say about stale runs.
type Stale struct {
	Runs    int
	Parts   string         // in which they differ from the plan
	Compare []compare.Part // counts them, step by step
	Rerun   string         // the command that executes them again
	Accept  string         // the command that makes them count
}

// A Fact is one line of provenance.
type Fact struct{ Name, Value string }

// section is a part of the summary; one without a title is left out.
type section struct {
	title   string
	text    string // Markdown, above the figures
	figures []figure
	below   string
}

// A Summary is the sections of a summary, drawn and ready to be laid out.
type Summary struct {
	in       Input
	sections []section
}

// Night is the last date of a metric against earlier ones; nil where the summary has
// none.
func (s *Summary) Night(metric string) *compare.Night {
	for _, t := range s.in.Compare.Metrics {
		if t.Name == metric {
			return t.Night
		}
	}
	return nil
}

// New makes the summary. It fails when a plot cannot be drawn or Input.Sections
// names a part that there is not.
func New(in Input) (*Summary, error) {
	if err := CheckSections(in.Sections); err != nil {
		return nil, err
	}
	s := &Summary{in: in}
	for _, name := range wanted(in) {
		i := slices.Index(sectionNames(), name)
		made, err := eachStep(parts[i], in)
		if err != nil {
			return nil, err
		}
		s.sections = append(s.sections, slices.DeleteFunc(made, func(s section) bool { return s.title == "" })...)
	}
	return s, nil
}

// wanted are the names of the parts; the verdict always comes first.
func wanted(in Input) []string {
	switch {
	case len(in.Sections) == 0:
		return sectionNames()
	case slices.Contains(in.Sections, partVerdict):
		return in.Sections
	}
	return append([]string{partVerdict}, in.Sections...)
}

// Wants reports whether the summary has the section of this name.
func (in Input) Wants(section string) bool { return slices.Contains(wanted(in), section) }

// sectionNames are the names of the parts of the summary, in their order.
func sectionNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// CheckSections says which of the names is no section of the summary.
func CheckSections(names []string) error {
	for _, name := range names {
		if !slices.Contains(sectionNames(), name) {
			return fmt.Errorf("there is no section %q; there are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	return nil
}

// maxMetrics is how many metrics have a section of their own: each takes some
// 10 ms to draw.
var maxMetrics = 200

// metricSections draws them side by side: drawing is what costs.
func metricSections(in Input) ([]section, error) {
	shown := in.Compare.Metrics[:min(len(in.Compare.Metrics), maxMetrics)]
	sections := make([]section, len(shown), len(shown)+1)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range shown {
		g.Go(func() (err error) {
			if sections[i], err = metricSection(in, t, i); err != nil {
				return fmt.Errorf("draw %s: %w", t.Name, err)
			}
			return nil
		})
	}
	err := g.Wait() // sections is theirs until then
	if left := len(in.Compare.Metrics) - len(shown); left > 0 {
		sections = append(sections, written("metrics.left", struct{ Shown, Left int }{len(shown), left}))
	}
	return sections, err
}

// Notebook lays the summary out as a notebook.
func (s *Summary) Notebook() *notebook.Notebook {
	n := newNotebook()
	for i, p := range s.sections {
		n.Cells = append(n.Cells, p.cell(fmt.Sprintf("part-%d", i+1)))
	}
	for i, source := range codeCells(s.in) {
		n.Cells = append(n.Cells, &notebook.Cell{Type: "code", ID: fmt.Sprintf("code-%d", i+1), Source: source, Metadata: map[string]any{}})
	}
	return n
}

// Markdown lays the summary out as text without pictures, for a pull request
// or a chat.
func (s *Summary) Markdown() []byte {
	var texts []string
	for _, p := range s.sections {
		p.figures = nil
		texts = append(texts, p.markdown(nil))
	}
	return []byte(strings.Join(texts, "\n\n") + "\n")
}

func newNotebook() *notebook.Notebook {
	return &notebook.Notebook{Minor: 5, Metadata: map[string]any{
		"kernelspec":    map[string]any{"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
		"language_info": map[string]any{"name": "python"},
	}}
}

func (s section) cell(id string) *notebook.Cell {
	c := &notebook.Cell{Type: "markdown", ID: id, Metadata: map[string]any{}}
	c.Source = s.markdown(func(f figure) string { return "attachment:" + f.file })
	for _, f := range s.figures {
		if c.Attachments == nil {
			c.Attachments = map[string]map[string]jsonText{}
		}
		c.Attachments[f.file] = map[string]jsonText{"image/png": notebook.TextJSON(base64Text(f.PNG))}
	}
	return c
}

func (s section) markdown(link func(figure) string) string {
	var b strings.Builder
	if s.title != "" {
		b.WriteString(s.title + "\n\n")
	}
	b.WriteString(strings.TrimRight(s.text, "\n"))
	for _, f := range s.figures {
		fmt.Fprintf(&b, "\n\n![%s](%s)\n\n*%s*", alt(f.caption), link(f), f.caption)
	}
	if s.below != "" {
		b.WriteString("\n\n" + s.below)
	}
	return b.String()
}
