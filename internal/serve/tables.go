package serve

import (
	"bytes"
	"html/template"
	"io"
	"net/http"
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
type tableView struct{ explore.Sheet }

func (v tableView) title() string { return v.Name }

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
	v := tableView{explore.SheetOf(name, answer, s.tableLink(place, name), s.stored(place, sweep.PrefixResults+name+tableEnding))}
	v.Sweep = place
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
	answer, err := explore.Answer(data, q, func(run string) string { return string(s.link("s", place.ID, "runs", run)) })
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
