package serve

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/explore"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
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
	Empty    bool         `json:"empty,omitempty"` // nothing went wrong: of the table of problems
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
				v.Tables = append(v.Tables, tableLine{name, found.Size, found.ModTime, name == problems && s.isEmpty(r.Context(), o.Store(), found.Key), s.tableLink(place, name), s.stored(place, found.Key)})
			}
		}
	}
	return v, []crumb{s.crumbOf(place)}, nil
}

// problems is the table of what could not be read, or does not fit.
const problems = "problems"

func (s *Server) isEmpty(ctx context.Context, st store.Store, key string) bool {
	if s.Pages.Written() {
		return false // its pages are read without this list
	}
	data, err := s.tables.Open(ctx, st, key, s.heavy)
	return err == nil && len(data.Rows) == 0
}

func (s *Server) tableLink(place roots.Sweep, name string) template.URL {
	return s.link(append([]string{"s", place.ID, "tables"}, strings.Split(name, "/")...)...)
}

// A tableView is one table.
type tableView struct{ explore.Sheet }

func (v tableView) title() string { return v.Name }

func (s *Server) tablePage(r *http.Request) (view, []crumb, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return nil, nil, err
	}
	place.Name = o.Name()
	name := r.PathValue("table")
	key := sweep.PrefixResults + name + tableEnding
	data, err := s.tables.Open(r.Context(), o.Store(), key, s.heavy)
	if err != nil {
		return nil, nil, trouble.NoFile(err)
	}
	v, err := s.explored(r, data, explore.Place{Sweep: place, Name: name, Self: s.tableLink(place, name), Store: s.stored(place, key), Tab: "tables"})
	return v, []crumb{s.crumbOf(place), {"Tables", s.link("s", place.ID, "tables")}}, err
}

// runTable is the page of a table that the notebook of an attempt shows.
func (s *Server) runTable(r *http.Request) (view, []crumb, error) {
	place, o, b, err := s.bookOf(r)
	if err != nil {
		return nil, nil, trouble.NoFile(err)
	}
	place.Name = o.Name()
	id, n, part := r.PathValue("run"), r.PathValue("attempt"), r.PathValue("part")
	v, err := s.shownTable(r, o.Store(), b, explore.Place{Sweep: place, Self: s.link("s", place.ID, "runs", id, n, "table", part), Tab: "runs"})
	return v, []crumb{s.crumbOf(place), {"Runs", s.link("s", place.ID, "runs")}, {o.RunName(id), s.link("s", place.ID, "runs", id, n)}}, err
}

// fileTable is the page of a table that a notebook shows which is no run's.
func (s *Server) fileTable(r *http.Request) (view, []crumb, error) {
	name := r.PathValue("path")
	st, b, err := s.fileBook(r)
	if err != nil {
		return nil, nil, trouble.NoFile(err)
	}
	v, err := s.shownTable(r, st, b, explore.Place{Self: s.linkPath("table", r.PathValue("part")+"/"+name)})
	return v, append(s.crumbsOf(name), crumb{path.Base(name), s.linkPath("view", name)}), err
}

func (s *Server) shownTable(r *http.Request, st store.Store, b *books.Book, at explore.Place) (view, error) {
	data, code, err := s.tables.Shown(st, b, r.PathValue("part"), s.heavy)
	if err != nil {
		return nil, trouble.NoFile(err)
	}
	at.Name = fmt.Sprintf("Table of cell %d", code)
	return s.explored(r, data, at)
}

// explored answers the question of a URL about a table, with a page or a file.
func (s *Server) explored(r *http.Request, data explore.Data, at explore.Place) (view, error) {
	q, err := explore.Parse(r.URL.Query())
	if err != nil {
		return nil, err
	}
	var link func(string) string
	if at.Sweep.ID != "" {
		link = func(run string) string { return string(s.link("s", at.Sweep.ID, "runs", run)) }
	}
	answer, err := explore.Answer(data, q, link)
	if err != nil {
		return nil, err
	}
	switch r.URL.Query().Get("as") {
	case "csv":
		return s.exported(at.Name, answer, writeCSV)
	case "parquet":
		return s.exported(at.Name, answer, writeParquet)
	}
	return tableView{explore.SheetOf(at, answer)}, nil
}

// exported is a file of what a table's page shows.
func (s *Server) exported(name string, answer *explore.View, write tableWriter) (view, error) {
	data, err := answer.Data()
	return download(func(w http.ResponseWriter, r *http.Request) {
		s.sendTable(w, r, strings.ReplaceAll(name, "/", "-"), data, write)
	}), err
}
