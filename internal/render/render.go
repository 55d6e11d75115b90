// Package render turns a notebook into a document that is safe to look at.
//
// A notebook goes in, and a [Document] comes out: title, headings, what the
// notebook was given, where it failed, and its cells, each as HTML, one at a
// time, so that a large notebook is never held twice. [WritePage] lays documents
// out as one file that needs nothing else.
//
// What a notebook shows is foreign. Text, errors, tables, pictures, Markdown and
// formulas are read, and written anew as HTML of ours. Everything else (HTML,
// JavaScript, Plotly, Vega, Bokeh, widgets) is shown in a frame with an origin of
// its own, from which it reaches neither the page nor, unless a reader or whoever writes
// the file asks for it, the network: either at an address of its own, which
// [Respond] answers with the policy that it needs, or within the file.
//
// Nothing is executed, fetched or read from a disk here, and nothing in a
// notebook can make it trusted.
package render

import (
	"fmt"
	"html/template"
	"iter"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/render/internal/code"
	"github.com/fanout-dev/fanout/internal/render/internal/markup"
	"github.com/fanout-dev/fanout/internal/render/internal/tex"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Options are what a document is rendered with. The zero value shows everything
// and keeps it all in the document.
type Options struct {
	// Title is used where the notebook has no heading.
	Title string
	// NoCode leaves out the source of code cells.
	NoCode bool
	// Still shows a picture or text in place of whatever needs a script.
	Still bool
	// Online lets frames within the document load what they ask for from the
	// network. Frames with an address have a second one for that.
	Online bool
	// Anchor begins every anchor, where one page holds several documents.
	Anchor string
	// Address is where a part is had from Respond. If it is nil, or returns "",
	// the part is within the document.
	Address func(Part) string
	// Table is the address of a page that explores a table of data, "" if there is none. It
	// may be nil.
	Table func(Part) string
	// File is the address of a picture beside the notebook that Markdown names,
	// "" if there is none. It may be nil.
	File func(name string) string
}

// A Part is what of a notebook has an address of its own: a framed output, with
// those that share its frame, or a picture.
type Part struct {
	Cell, Output int    // indexes
	MIME         string // of the picture; "text/html" for a frame
	Online       bool   // a frame that may load from the network what it asks for
}

// A Document is a notebook as people read it.
type Document struct {
	Title            string
	Kernel, Language string
	Given            []Given   // the parameters it was executed with
	Outline          []Heading // of its Markdown
	Failure          *Failure  // nil where nothing failed
	Note             string    // what of it is not shown, "" if all is

	options  Options
	book     *notebook.Notebook
	shown    []int // indexes of cells
	text     markup.Reader
	coloured int // bytes of code that got colours
	frames   *shelf
	last     struct { // output that was read as a table
		of    *notebook.Output
		table markup.Table
		ok    bool
	}
}

// A Given is one parameter and its value, as JSON.
type Given struct{ Name, Value string }

// A Heading is a heading of level 1 to 6.
type Heading struct {
	Level        int
	Text, Anchor string
}

// A Failure is the error that ended the notebook.
type Failure struct {
	Cell         int    // among code cells, from 1
	Anchor       string // of the cell
	Ename, Value string
}

// A Cell is one cell of a document.
type Cell struct {
	Index  int // in the notebook
	Number int // among code cells, from 1; 0 of other cells
	Anchor string
	HTML   template.HTML // all of it, as one element
	Frames []Part        // its frames, if they have addresses
}

// Limits to what one page shows; what is beyond them is said.
const (
	maxCells    = 10_000
	aroundError = 20
	maxColoured = 1 << 20 // bytes of code
	maxHeadings = 500
)

// New reads a notebook, which must not change while the document is in use. The
// document is used by one goroutine at a time.
func New(n *notebook.Notebook, o Options) *Document {
	d := &Document{options: o, book: n, frames: newShelf(n)}
	d.Kernel, d.Language = n.Kernel()
	d.text.Options = markup.Options{Math: tex.MathML, Code: d.block, Anchor: o.Anchor + "h-"}
	d.give()
	d.fail()
	d.choose()
	d.outline()
	d.Title = unit.Line(o.Title)
	if len(d.Outline) > 0 && (d.Title == "" || d.Outline[0].Level == 1) {
		d.Title = d.Outline[0].Text
	}
	if d.Title == "" {
		d.Title = "Notebook"
	}
	return d
}

func (d *Document) give() {
	args, _ := d.book.Arguments()
	for _, a := range args {
		g := Given{unit.Line(a.Name), "secret " + unit.Line(a.Secret)}
		if a.Secret == "" {
			g.Value = unit.Cut(unit.Line(spelled(a.Value)), 2000)
		}
		d.Given = append(d.Given, g)
	}
}

// spelled is a value as JSON.
func spelled(x any) string {
	if v, err := value.Of(x); err == nil {
		return v.String()
	}
	return fmt.Sprint(x)
}

func (d *Document) fail() {
	f, failed := d.book.Failure()
	if !failed {
		return
	}
	d.Failure = &Failure{Cell: d.book.CodeCell(f.Cell), Anchor: d.anchor(f.Cell), Ename: unit.Short(f.Ename, 500), Value: unit.Short(f.Evalue, 500)}
}

// choose picks the cells to show: all, or the first and those around the failure.
func (d *Document) choose() {
	f, failed := d.book.Failure()
	for i, c := range d.book.Cells {
		if c.HasTag("papermill-error-cell-tag") {
			continue // the failure is shown otherwise
		}
		if len(d.shown) < maxCells || failed && i > f.Cell-aroundError && i < f.Cell+aroundError {
			d.shown = append(d.shown, i)
		}
	}
	if len(d.shown) >= maxCells && len(d.shown) < len(d.book.Cells) {
		d.Note = fmt.Sprintf("This notebook has %d cells. Shown are the first %d%s.", len(d.book.Cells), maxCells,
			map[bool]string{true: ", and those around the failure"}[failed])
	}
}

// outline reads the headings that begin with #.
func (d *Document) outline() {
	prepared := false
	for _, i := range d.shown {
		c := d.book.Cells[i]
		if c.Type == "markdown" && !prepared && strings.ContainsAny(c.Source, `$\`) {
			tex.Prepare()
			prepared = true
		}
		if c.Type != "markdown" || len(d.Outline) >= maxHeadings || !strings.Contains(c.Source, "#") || len(c.Source) > 100_000 {
			continue
		}
		for _, h := range markup.Headings(c.Source) {
			d.Outline = append(d.Outline, Heading{h.Level, unit.Cut(unit.Line(h.Text), 200), d.options.Anchor + "h-" + markup.Slug(h.Text)})
		}
	}
}

func (d *Document) anchor(cell int) string { return fmt.Sprintf("%scell-%d", d.options.Anchor, cell+1) }

// Cells renders the cells in order, each when it is asked for.
func (d *Document) Cells() iter.Seq[Cell] {
	return func(yield func(Cell) bool) {
		clear(d.text.Seen)
		d.coloured = 0
		number, counted := 1, 0
		for _, i := range d.shown {
			for ; counted < i; counted++ {
				number += d.counts(counted)
			}
			if !yield(d.cell(i, number)) {
				return
			}
		}
	}
}

// counts is 1 for a cell that is numbered.
func (d *Document) counts(i int) int {
	if c := d.book.Cells[i]; c.Type == "code" && !c.HasTag("papermill-error-cell-tag") {
		return 1
	}
	return 0
}

// Cell renders the cell with one index.
func (d *Document) Cell(index int) (Cell, bool) {
	if !slices.Contains(d.shown, index) {
		return Cell{}, false
	}
	return d.cell(index, d.book.CodeCell(index)), true
}

// block is a block of code as HTML. Once a document has had its share of
// colours, code is plain.
func (d *Document) block(language, source string) string {
	if d.coloured += len(source); d.coloured > maxColoured {
		language = ""
	}
	return `<pre class="code" tabindex="0"><code>` + code.HTML(language, strings.TrimRight(source, "\n")) + "</code></pre>"
}

// Markdown renders Markdown that fanout wrote: tables and headings with ids; raw
// HTML is left out.
func Markdown(source string) ([]byte, error) { return markup.Own(source) }
