package explore

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"

	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Sheet is the page of a table; its JSON is the page's twin.
type Sheet struct {
	Sort    string   `json:"sort,omitempty"`
	Page    int      `json:"page"`
	Pages   int      `json:"pages"`
	Total   int      `json:"total"` // rows that the filters leave
	Of      int      `json:"of"`
	Columns []Column `json:"columns"`
	Rows    [][]Cell `json:"rows"`
	Plot    Plot     `json:"-"`

	q Question
	Place
}

// A Place is where a table is.
type Place struct {
	Sweep roots.Sweep  `json:"sweep,omitzero"` // whose table it is; none of a notebook that no sweep has
	Name  string       `json:"name"`
	Self  template.URL `json:"-"` // its page
	Store template.URL `json:"-"` // its file; "" where there is none
	Tab   string       `json:"-"` // of the sweep's pages, above it
}

// SheetOf is the page with an answer.
func SheetOf(at Place, v *View) Sheet {
	return Sheet{Place: at, Sort: v.Question.Values().Get("sort"), Page: v.Question.Page, Pages: v.Pages, Total: v.Total, Of: v.Of,
		Columns: v.Columns, Rows: v.Rows, Plot: v.Plot, q: v.Question}
}

// Headline is what the page says first.
func (p Sheet) Headline() string {
	if p.Total == p.Of {
		return p.Name + ": " + unit.Plural(p.Of, "row")
	}
	return fmt.Sprintf("%s: %d of %s", p.Name, p.Total, unit.Plural(p.Of, "row"))
}

func (p Sheet) to(q Question) template.URL { return with(p.Self, q.Values()) }

func with(link template.URL, v url.Values) template.URL {
	if len(v) == 0 {
		return link
	}
	return link + "?" + template.URL(v.Encode())
}

// SortLink sorts by a column.
func (p Sheet) SortLink(name string) template.URL { return p.to(p.q.SortedBy(name)) }

// Sorted says how a column is sorted, as aria-sort has it.
func (p Sheet) Sorted(name string) string { return Sorted(p.q.Sort, p.q.Down, name) }

// Sorted says how a column is sorted where all are by one of them.
func Sorted(by string, down bool, name string) string {
	switch {
	case by != name:
		return "none"
	case down:
		return "descending"
	}
	return "ascending"
}

// PageLink is another page.
func (p Sheet) PageLink(page int) template.URL { return p.to(p.q.On(page)) }

// All is the page without filters.
func (p Sheet) All() template.URL { return p.Self }

// Filtered reports whether some rows are left out.
func (p Sheet) Filtered() bool { return len(p.q.Filters) > 0 }

// Export is a file of what is seen.
func (p Sheet) Export(form string) template.URL {
	v := p.q.Values()
	v.Set("as", form)
	return with(p.Self, v)
}

var runID = pattern.Of(`^[a-z2-7]{16}$`)

// runColumn is the index of the column with the ids of runs, −1 without one.
func runColumn(names []string) int {
	return slices.IndexFunc(names, func(name string) bool { return name == "run_id" || name == "run" })
}

// IsRun reports whether a cell is the id of a run.
func (p Sheet) IsRun(column int, c Cell) bool {
	name := p.Columns[column].Name
	id, ok := c.Value.(string)
	return ok && (name == "run_id" || name == "run") && p.Sweep.ID != "" && runID().MatchString(id)
}
