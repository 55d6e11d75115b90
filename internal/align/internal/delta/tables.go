package delta

import (
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A table is what a table in HTML, or a data resource, shows.
type table struct {
	head  []string   // names of the columns
	index []string   // of the rows; nil where they have no names
	rows  [][]string // cells, without the names of rows
}

const (
	maxTables = 50
	maxCells  = 1 << 20
)

var tags = pattern.Of(`(?is)<(/?)(table|thead|tbody|tr|t[hd]|style|script)\b[^>]*>|<!--.*?-->`)

// tablesOf reads the tables in HTML.
func tablesOf(s string) []table {
	if !strings.Contains(s, "<t") {
		return nil
	}
	r := tableReader{source: s}
	for _, m := range tags().FindAllStringSubmatchIndex(s, maxCells) {
		if m[4] < 0 {
			continue
		}
		r.tag(strings.ToLower(s[m[4]:m[5]]), m[2] < m[3], m[0], m[1])
		if len(r.all) >= maxTables {
			break
		}
	}
	return r.all
}

type tableReader struct {
	source string
	all    []table
	open   bool
	cell   int // where the content of the open cell begins; 0 when none is open
	named  bool
	row    []string
	names  int // leading cells of the row that are names
	inHead bool
	lines  []tableRow
}

type tableRow struct {
	cells  []string
	names  int
	inHead bool
}

func (r *tableReader) tag(name string, closes bool, start, end int) {
	switch {
	case name == "table" && !closes:
		r.open, r.lines, r.row, r.cell = true, nil, nil, 0
	case !r.open:
	case name == "table":
		r.endRow(start)
		r.all = append(r.all, tableFrom(r.lines))
		r.open = false
	case name == "thead":
		r.inHead = !closes
	case name == "tr":
		r.endRow(start)
	case name == "th" || name == "td":
		r.endCell(start)
		if !closes {
			r.cell, r.named = end, name == "th"
		}
	}
}

func (r *tableReader) endCell(at int) {
	if r.cell == 0 {
		return
	}
	if r.named && r.names == len(r.row) {
		r.names++
	}
	r.row = append(r.row, visible(r.source[r.cell:at]))
	r.cell = 0
}

func (r *tableReader) endRow(at int) {
	r.endCell(at)
	if len(r.row) > 0 {
		r.lines = append(r.lines, tableRow{r.row, r.names, r.inHead})
	}
	r.row, r.names = nil, 0
}

// tableFrom takes the head and the names of rows from what the rows say they
// are.
func tableFrom(lines []tableRow) table {
	var t table
	names := 0
	for _, l := range lines {
		if !l.inHead && l.names < len(l.cells) {
			names = max(names, l.names)
		}
	}
	for _, l := range lines {
		if (l.inHead || l.names == len(l.cells)) && len(t.rows) == 0 {
			t.addHead(l.cells)
			continue
		}
		n := min(names, l.names)
		if names > 0 {
			t.index = append(t.index, strings.Join(l.cells[:n], " "))
		}
		t.rows = append(t.rows, l.cells[n:])
	}
	if len(t.rows) > 0 && len(t.head) > len(t.rows[0]) {
		t.head = t.head[len(t.head)-len(t.rows[0]):]
	}
	return t
}

// addHead adds a line of the head: the names of pandas' index stand below those
// of the columns, the types of polars' columns, too.
func (t *table) addHead(cells []string) {
	if t.head == nil {
		t.head = cells
		return
	}
	for i, c := range cells {
		if i < len(t.head) && t.head[i] == "" {
			t.head[i] = c
		}
	}
}

var allTags = pattern.Of(`(?is)<(?:style|script)\b.*?</(?:style|script)>|<!--.*?-->|<[^>]*>`)

// visible is the text of HTML.
func visible(s string) string {
	s = strings.NewReplacer("<br>", "\n", "</tr>", "\n", "</p>", "\n", "</div>", "\n", "</li>", "\n", "</td>", " ", "</th>", " ").Replace(s)
	return strings.TrimSpace(html.UnescapeString(allTags().ReplaceAllString(s, "")))
}

// tables compares table by table, and reports whether there are any to compare.
func (c *comparer) tables(what string, a, b []table) bool {
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	for i := range b {
		c.table(what, a[i], b[i])
	}
	return true
}

func (c *comparer) table(what string, a, b table) {
	if len(a.rows) != len(b.rows) {
		c.add(Delta{Output: what, Kind: Shape, From: unit.Plural(len(a.rows), "row"), To: unit.Plural(len(b.rows), "row")})
	}
	for _, name := range without(b.head, a.head) {
		c.add(Delta{Output: what, Kind: Added, Where: "column " + name})
	}
	for _, name := range without(a.head, b.head) {
		c.add(Delta{Output: what, Kind: Removed, Where: "column " + name})
	}
	before, after := a.named(), b.named()
	for row, name := range after {
		i, known := position(before, name, row)
		if !known {
			c.add(Delta{Output: what, Kind: Added, Where: "row " + rowName(b, row), To: strings.Join(b.rows[row], " ")})
			continue
		}
		c.row(what, a, b, i, row)
	}
	for row, name := range before {
		if _, known := position(after, name, row); !known {
			c.add(Delta{Output: what, Kind: Removed, Where: "row " + rowName(a, row), From: strings.Join(a.rows[row], " ")})
		}
	}
}

// recorded compares tables that were recorded: row by row as far as these were
// read, otherwise by their size.
func (c *comparer) recorded(a, b *normal.Part) {
	was := len(c.found) + c.left
	from, to := strings.SplitN(a.Text, "\n", 3), strings.SplitN(b.Text, "\n", 3)
	if a.Kind != b.Kind || from[0] != to[0] {
		c.add(Delta{Output: b.What, Kind: Shape, From: summary(a), To: summary(b)})
		if a.Kind != b.Kind {
			return
		}
	}
	x, ok := resource(from[1])
	if y, both := resource(to[1]); ok && both {
		if len(x.rows) != len(y.rows) { // the size says so, and rows that were added have no names
			n := min(len(x.rows), len(y.rows))
			x.rows, y.rows = x.rows[:n], y.rows[:n]
		}
		c.table(b.What, x, y)
	}
	if len(c.found)+c.left == was && from[2] != to[2] {
		c.add(Delta{Output: b.What, Kind: Markup, Where: "the bytes of its file"})
	}
}

// named are the names of rows, if each has one of its own.
func (t table) named() []string {
	if t.index != nil {
		sorted := slices.Sorted(slices.Values(t.index))
		if len(slices.Compact(sorted)) == len(t.index) {
			return t.index
		}
	}
	names := make([]string, len(t.rows))
	for i := range names {
		names[i] = strconv.Itoa(i + 1)
	}
	return names
}

// position is where a name is in a list, most often in the same place.
func position(names []string, name string, likely int) (int, bool) {
	if likely < len(names) && names[likely] == name {
		return likely, true
	}
	i := slices.Index(names, name)
	return i, i >= 0
}

func rowName(t table, row int) string {
	if row < len(t.index) && t.index[row] != "" {
		return t.index[row]
	}
	return strconv.Itoa(row + 1)
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

// row compares cells by the names of their columns.
func (c *comparer) row(what string, a, b table, i, j int) {
	byName := slices.Equal(slices.Compact(slices.Sorted(slices.Values(b.head))), slices.Sorted(slices.Values(b.head))) && len(b.head) == len(b.rows[j])
	for col, to := range b.rows[j] {
		from, at := "", col
		if byName && len(a.head) == len(a.rows[i]) {
			at = slices.Index(a.head, b.head[col])
		}
		if at < 0 {
			continue // the column is new
		}
		if at < len(a.rows[i]) {
			from = a.rows[i][at]
		}
		if from != to {
			c.cell(Delta{Output: what, Kind: Cell, Where: cellName(b, j, col), From: from, To: to})
		}
	}
}

func cellName(t table, row, col int) string {
	name := strconv.Itoa(col + 1)
	if col < len(t.head) && t.head[col] != "" {
		name = t.head[col]
	}
	return fmt.Sprintf("row %s, %s", rowName(t, row), name)
}

// cell adds a cell that differs; cells within the tolerance do not.
func (c *comparer) cell(d Delta) {
	from, errFrom := strconv.ParseFloat(plainNumber(d.From), 64)
	to, errTo := strconv.ParseFloat(plainNumber(d.To), 64)
	switch {
	case errFrom != nil || errTo != nil:
		c.add(d)
	case !near(from, to, c.tolerance):
		c.moved(d, from, to)
	}
}

func plainNumber(s string) string {
	return strings.NewReplacer(",", "", "%", "", "−", "-", " ", "").Replace(s)
}

// resource reads a table of the MIME type of data resources.
func resource(text string) (table, bool) {
	var r struct {
		Schema struct {
			Fields []struct {
				Name string `json:"name"`
			} `json:"fields"`
			Key any `json:"primaryKey"`
		} `json:"schema"`
		Data []map[string]json.RawMessage `json:"data"`
	}
	if json.Unmarshal([]byte(text), &r) != nil || len(r.Schema.Fields) == 0 || len(r.Data)*len(r.Schema.Fields) > maxCells {
		return table{}, false
	}
	keys, _ := r.Schema.Key.([]any)
	isKey := func(name string) bool { return slices.Contains(keys, any(name)) || r.Schema.Key == any(name) }
	var t table
	for _, f := range r.Schema.Fields {
		if !isKey(f.Name) {
			t.head = append(t.head, f.Name)
		}
	}
	for _, d := range r.Data {
		var name, row []string
		for _, f := range r.Schema.Fields {
			if cell := cellText(d[f.Name]); isKey(f.Name) {
				name = append(name, cell)
			} else {
				row = append(row, cell)
			}
		}
		t.rows = append(t.rows, row)
		if name != nil {
			t.index = append(t.index, strings.Join(name, " "))
		}
	}
	return t, true
}

// cellText is a text as it reads, and anything else as JSON has it.
func cellText(raw json.RawMessage) string {
	var text string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
