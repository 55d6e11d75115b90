package serve

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/explore"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of tables that are explored.
const (
	tableEnding   = ".parquet"
	maxTablesList = 500
)

// A tablesView lists the tables of a sweep.
type tablesView struct {
	Sweep  roots.Sweep `json:"sweep"`
	Tables []tableLine `json:"tables"`
}

type tableLine struct {
	Name     string       `json:"name"` // beneath results/, without ".parquet"
	Size     int64        `json:"size"`
	Modified time.Time    `json:"modified"`
	Link     template.URL `json:"-"`
	Store    template.URL `json:"-"`
}

func (v tablesView) title() string { return "Tables of " + v.Sweep.Name }

// Headline is what the page says first.
func (v tablesView) Headline() string {
	if len(v.Tables) == 0 {
		return "No tables yet"
	}
	return unit.Plural(len(v.Tables), "table")
}

func (s *Server) tablesPage(r *http.Request) (view, []crumb, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return nil, nil, err
	}
	place.Name = o.Name()
	v := tablesView{Sweep: place}
	for _, folder := range []string{"", "tables/", "unsuccessful/"} {
		for found, err := range o.Store().Level(r.Context(), sweep.PrefixResults+folder) {
			if err != nil {
				return nil, nil, err
			}
			name, isTable := strings.CutSuffix(strings.TrimPrefix(found.Key, sweep.PrefixResults), tableEnding)
			if isTable && len(v.Tables) < maxTablesList {
				v.Tables = append(v.Tables, tableLine{name, found.Size, found.ModTime, s.tableLink(place, name), s.stored(place, found.Key)})
			}
		}
	}
	return v, []crumb{s.crumbOf(place)}, nil
}

func (s *Server) tableLink(place roots.Sweep, name string) template.URL {
	return s.link(append([]string{"s", place.ID, "tables"}, strings.Split(name, "/")...)...)
}

// A tableView is one table.
type tableView struct {
	Sweep   roots.Sweep      `json:"sweep"`
	Name    string           `json:"name"`
	Sort    string           `json:"sort,omitempty"`
	Page    int              `json:"page"`
	Pages   int              `json:"pages"`
	Total   int              `json:"total"` // rows that the filters leave
	Of      int              `json:"of"`
	Columns []explore.Column `json:"columns"`
	Rows    [][]explore.Cell `json:"rows"`

	q     explore.Question
	self  template.URL
	Store template.URL `json:"-"` // the file
	Runs  int          `json:"-"` // index of the column with runs' ids, −1 without one
}

func (v tableView) title() string { return v.Name }

// Headline is what the page says first.
func (v tableView) Headline() string {
	if v.Total == v.Of {
		return v.Name + ": " + unit.Plural(v.Of, "row")
	}
	return fmt.Sprintf("%s: %d of %s", v.Name, v.Total, unit.Plural(v.Of, "row"))
}

func (v tableView) to(q explore.Question) template.URL { return withQuery(v.self, q.Values()) }

// SortLink sorts by a column.
func (v tableView) SortLink(name string) template.URL { return v.to(v.q.SortedBy(name)) }

// Sorted says how a column is sorted, as aria-sort has it.
func (v tableView) Sorted(name string) string { return sorted(v.q.Sort, v.q.Down, name) }

// PageLink is another page.
func (v tableView) PageLink(page int) template.URL { return v.to(v.q.On(page)) }

// All is the page without filters.
func (v tableView) All() template.URL { return v.self }

// Filtered reports whether some rows are left out.
func (v tableView) Filtered() bool { return len(v.q.Filters) > 0 }

// Export is a file of what is seen.
func (v tableView) Export(form string) template.URL {
	values := v.q.Values()
	values.Set("as", form)
	return withQuery(v.self, values)
}

// IsRun reports whether a cell is the id of a run.
func (v tableView) IsRun(column int, c explore.Cell) bool {
	id, ok := c.Value.(string)
	return ok && column == v.Runs && runID.MatchString(id)
}

func (s *Server) tablePage(r *http.Request) (view, []crumb, error) {
	place, name, answer, err := s.explore(r)
	if err != nil {
		return nil, nil, err
	}
	switch r.URL.Query().Get("as") {
	case "csv":
		v, err := s.exported(name, answer, writeCSV)
		return v, nil, err
	case "parquet":
		v, err := s.exported(name, answer, writeParquet)
		return v, nil, err
	}
	v := tableView{Sweep: place, Name: name, Sort: answer.Question.Values().Get("sort"), Page: answer.Question.Page, Pages: answer.Pages, Total: answer.Total, Of: answer.Of,
		Columns: answer.Columns, Rows: answer.Rows, q: answer.Question, self: s.tableLink(place, name), Store: s.stored(place, sweep.PrefixResults+name+tableEnding), Runs: -1}
	v.Runs = slices.IndexFunc(v.Columns, func(c explore.Column) bool { return c.Name == "run_id" || c.Name == "run" })
	return v, []crumb{s.crumbOf(place), {"Tables", s.link("s", place.ID, "tables")}}, nil
}

// explore answers the question of a URL about a table.
func (s *Server) explore(r *http.Request) (roots.Sweep, string, *explore.View, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return place, "", nil, err
	}
	place.Name = o.Name()
	name := r.PathValue("table")
	q, err := explore.Parse(r.URL.Query())
	if err != nil {
		return place, name, nil, err
	}
	data, err := s.tables.Open(r.Context(), o.Store(), sweep.PrefixResults+name+tableEnding, s.heavy)
	if err != nil {
		return place, name, nil, noFile(err)
	}
	answer, err := explore.Answer(data, q)
	return place, name, answer, err
}

// exported is a file of what a table's page shows.
func (s *Server) exported(name string, answer *explore.View, write func(*table.Table, io.Writer) (kind, ext string, err error)) (view, error) {
	data, err := answer.Data()
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	kind, ext, err := write(data, &body)
	if err != nil {
		return nil, err
	}
	return download(func(w http.ResponseWriter, r *http.Request) {
		attach(w, strings.ReplaceAll(name, "/", "-")+"."+ext)
		send(w, r, http.StatusOK, kind, body.Bytes())
	}), nil
}

// sorted says how a column is sorted, as aria-sort has it.
func sorted(by string, down bool, name string) string {
	switch {
	case by != name:
		return "none"
	case down:
		return "descending"
	}
	return "ascending"
}
