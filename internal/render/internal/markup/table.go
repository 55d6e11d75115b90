package markup

import (
	"html"
	"slices"
	"strconv"
	"strings"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// A Table is a table as a page of ours shows it.
type Table struct {
	Caption string
	Head    [][]Cell
	Body    [][]Cell
	Note    string // text beside the table: its shape
	Rows    int    // of the body, before it was cut
}

// A Cell is one cell of a table.
type Cell struct {
	Text       string
	Header     bool
	Cols, Rows int    // how many columns and rows it covers; 0 and 1 are one
	Style      string // declarations that styleOf has let through
}

// What is shown of a table; more is cut, with a sentence.
const (
	maxRows    = 1000
	maxColumns = 200
	maxTable   = 8 << 20 // bytes of HTML
)

// around are the elements that may stand around a table, and in its cells,
// without making it something else.
var around = []atom.Atom{atom.Html, atom.Head, atom.Body, atom.Div, atom.Style, atom.P, atom.Small, atom.Span, atom.B, atom.Strong,
	atom.I, atom.Em, atom.Br, atom.Code, atom.A, atom.Sub, atom.Sup}

// inTable are the elements of a table.
var inTable = []atom.Atom{atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Th, atom.Td, atom.Caption, atom.Colgroup, atom.Col}

// ReadTable reads HTML that is one table and nothing else but words about it,
// as data frames write themselves. ok is false for anything that a table of ours
// would not show whole.
func ReadTable(text string) (t Table, ok bool) {
	if len(text) > maxTable || !strings.Contains(text, "<table") || strings.Contains(text, "<script") {
		return t, false
	}
	doc, err := xhtml.Parse(strings.NewReader(text))
	if err != nil {
		return t, false
	}
	r := tableReader{}
	if !r.look(doc, false) || r.tables != 1 {
		return t, false
	}
	r.styles = stylesByID(r.sheet.String())
	r.read(doc, "")
	r.table.Note = strings.Join(strings.Fields(r.note.String()), " ")
	return r.table, true
}

type tableReader struct {
	table  Table
	tables int
	sheet  strings.Builder
	styles map[string]string
	note   strings.Builder
}

// look reports whether beneath n there is only what read understands.
func (r *tableReader) look(n *xhtml.Node, within bool) bool {
	if n.Type == xhtml.ElementNode {
		isTable := n.DataAtom == atom.Table
		if isTable {
			r.tables++
		}
		if within && isTable || n.Namespace != "" || !slices.Contains(around, n.DataAtom) && !slices.Contains(inTable, n.DataAtom) {
			return false
		}
		if n.DataAtom == atom.Style {
			r.sheet.WriteString(textOf(n))
		}
		within = within || isTable
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !r.look(c, within) {
			return false
		}
	}
	return true
}

func (r *tableReader) read(n *xhtml.Node, section string) {
	switch {
	case n.Type == xhtml.TextNode:
		r.note.WriteString(n.Data + " ")
	case n.Type == xhtml.ElementNode && n.DataAtom == atom.Style:
	case n.Type == xhtml.ElementNode && n.DataAtom == atom.Table:
		r.rows(n, "")
	default:
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			r.read(c, section)
		}
	}
}

func (r *tableReader) rows(n *xhtml.Node, section string) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != xhtml.ElementNode {
			continue
		}
		switch c.DataAtom {
		case atom.Caption:
			r.table.Caption = strings.TrimSpace(textOf(c))
		case atom.Tr:
			r.row(c, section)
		default:
			r.rows(c, c.Data)
		}
	}
}

func (r *tableReader) row(tr *xhtml.Node, section string) {
	var cells []Cell
	for c := tr.FirstChild; c != nil && len(cells) < maxColumns; c = c.NextSibling {
		if c.Type != xhtml.ElementNode || c.DataAtom != atom.Td && c.DataAtom != atom.Th {
			continue
		}
		cell := Cell{Text: strings.TrimSpace(textOf(c)), Header: c.DataAtom == atom.Th, Cols: spanOf(c, "colspan"), Rows: spanOf(c, "rowspan")}
		cell.Style = r.styles[attribute(c, "id")] + styleOf(attribute(c, "style"))
		cells = append(cells, cell)
	}
	switch {
	case len(cells) == 0:
	case section == "thead":
		if len(r.table.Head) < 20 {
			r.table.Head = append(r.table.Head, cells)
		}
	default:
		if r.table.Rows++; r.table.Rows <= maxRows {
			r.table.Body = append(r.table.Body, cells)
		}
	}
}

func spanOf(n *xhtml.Node, name string) int {
	span, err := strconv.Atoi(attribute(n, name))
	if err != nil || span < 2 {
		return 0
	}
	return min(span, maxRows)
}

func attribute(n *xhtml.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

// textOf is the text beneath n; a line break is one.
func textOf(n *xhtml.Node) string {
	var b strings.Builder
	var walk func(*xhtml.Node)
	walk = func(n *xhtml.Node) {
		switch {
		case n.Type == xhtml.TextNode:
			b.WriteString(n.Data)
		case n.Type == xhtml.ElementNode && n.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type != xhtml.ElementNode || !slices.Contains(silent, c.DataAtom) {
				walk(c)
			}
		}
	}
	walk(n)
	return b.String()
}

var number = pattern.Of(`^[-+−]?[$€£]?[0-9][0-9,._ ]*(?:e[-+]?[0-9]+)?\s?%?$|^(?:nan|NaN|None|<NA>|NaT|null|inf|-inf|-)?$`)

// HTML is the table as HTML: columns of numbers stand at the right.
func (t Table) HTML() string {
	var b strings.Builder
	styled := false
	for _, row := range t.Body {
		styled = styled || slices.ContainsFunc(row, func(c Cell) bool {
			return strings.Contains(c.Style, "color") || strings.Contains(c.Style, "background")
		})
	}
	class := "values"
	if styled {
		class = "values styled"
	}
	b.WriteString(`<div class="table" tabindex="0" role="region" aria-label="table"><table class="` + class + `">`)
	if t.Caption != "" {
		b.WriteString("<caption>" + html.EscapeString(t.Caption) + "</caption>")
	}
	right := t.numeric()
	if len(t.Head) > 0 {
		b.WriteString("<thead>")
		for _, row := range t.Head {
			writeRow(&b, row, right, true)
		}
		b.WriteString("</thead>")
	}
	b.WriteString("<tbody>")
	for _, row := range t.Body {
		writeRow(&b, row, right, false)
	}
	b.WriteString("</tbody></table></div>")
	note := t.Note
	if t.Rows > len(t.Body) {
		note = strings.TrimSpace(note + " Shown are the first " + strconv.Itoa(len(t.Body)) + " of " + strconv.Itoa(t.Rows) + " rows.")
	}
	if note != "" {
		b.WriteString(`<p class="note">` + html.EscapeString(note) + "</p>")
	}
	return b.String()
}

// numeric says which columns hold only numbers. Tables whose cells cover several
// columns are not looked at.
func (t Table) numeric() []bool {
	var right []bool
	for i, row := range t.Body {
		for j, c := range row {
			if c.Cols > 1 || c.Rows > 1 {
				return nil
			}
			if i == 0 {
				right = append(right, !c.Header)
			}
			if j < len(right) && !c.Header && !number().MatchString(c.Text) {
				right[j] = false
			}
		}
	}
	return right
}

func writeRow(b *strings.Builder, row []Cell, right []bool, head bool) {
	b.WriteString("<tr>")
	for j, c := range row {
		tag, attributes := "td", ""
		if c.Header || head {
			tag = "th"
			if !head {
				attributes = ` scope="row"`
			}
		}
		if j < len(right) && right[j] {
			attributes += ` class="n"`
		}
		if c.Cols > 1 {
			attributes += ` colspan="` + strconv.Itoa(c.Cols) + `"`
		}
		if c.Rows > 1 {
			attributes += ` rowspan="` + strconv.Itoa(c.Rows) + `"`
		}
		if c.Style != "" {
			attributes += ` style="` + html.EscapeString(c.Style) + `"`
		}
		b.WriteString("<" + tag + attributes + ">" + html.EscapeString(c.Text) + "</" + tag + ">")
	}
	b.WriteString("</tr>")
}
