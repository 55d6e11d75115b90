package serve

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/explore"
	"github.com/fanout-dev/fanout/internal/serve/internal/foreign"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/runs"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A runsView is the table of runs.
type runsView struct {
	Sweep   roots.Sweep   `json:"sweep"`
	Where   string        `json:"where,omitempty"`
	Sort    string        `json:"sort,omitempty"`
	Group   string        `json:"group,omitempty"`
	Page    int           `json:"page"`
	Pages   int           `json:"pages"`
	Total   int           `json:"total"` // runs that are selected
	Of      int           `json:"of"`    // runs there are
	Columns []runs.Column `json:"columns"`
	Others  []runs.Column `json:"other_columns"`
	Same    []runs.Pair   `json:"same"`
	Rows    []runRow      `json:"runs"`
	Groups  []runs.Group  `json:"groups,omitempty"`
	Left    int           `json:"more_groups,omitempty"`

	Reports bool `json:"-"` // runs have one

	Plot  runs.Plot `json:"-"`
	Plots []string  `json:"-"` // that can be chosen, the one that is drawn first

	q    runs.Question
	axes []grid.Axis
	self template.URL
}

// A runRow is a run in the table.
type runRow struct {
	ID     string               `json:"id"`
	Name   string               `json:"name"`
	Status outcome.Status       `json:"status"`
	Stale  []string             `json:"stale,omitempty"`
	Values map[string]runs.Cell `json:"values"`
	Cells  []runs.Cell          `json:"-"`
	Reason string               `json:"-"`
	Report template.URL         `json:"report,omitempty"` // for readers
}

func (v runsView) title() string { return "Runs of " + v.Sweep.Name }

// Headline is what the page says first.
func (v runsView) Headline() string {
	if v.Total == v.Of {
		return unit.Plural(v.Of, "run")
	}
	return fmt.Sprintf("%d of %s", v.Total, unit.Plural(v.Of, "run"))
}

// To is the page with the question as change makes it.
func (v runsView) to(q runs.Question) template.URL { return withQuery(v.self, q.Values()) }

// SortLink sorts by a column.
func (v runsView) SortLink(name string) template.URL { return v.to(v.q.SortedBy(name)) }

// Sorted says how a column is sorted, as aria-sort has it.
func (v runsView) Sorted(name string) string { return explore.Sorted(v.q.Sort, v.q.Down, name) }

// PageLink is another page.
func (v runsView) PageLink(page int) template.URL { return v.to(v.q.On(page)) }

// Narrow selects the runs of a group.
func (v runsView) Narrow(condition string) template.URL { return v.to(v.q.And(condition)) }

// All is the page without any question.
func (v runsView) All() template.URL { return v.self }

// Export is a file of what is seen.
func (v runsView) Export(form string) template.URL {
	return withQuery(v.self+template.URL("."+form), v.q.Values())
}

// Pinned are the columns that are shown first, for the form.
func (v runsView) Pinned() string { return strings.Join(v.q.Pinned, ",") }

// Example is an expression that fits the runs.
func (v runsView) Example() string { return exampleOf(v.axes) + `run_status != "succeeded"` }

// Chosen reports whether a plot is drawn.
func (v runsView) Chosen(plot string) bool {
	return plot == cmp.Or(v.q.Plot, v.Plot.Kind, runs.PlotNone)
}

// PlotLink is the page with another plot.
func (v runsView) PlotLink(kind string) template.URL {
	q := v.q
	q.Plot = kind
	return v.to(q)
}

// Kept are the parameters of the page but those of what a plot stands over.
func (v runsView) Kept() map[string]string {
	kept := map[string]string{}
	for name, values := range v.q.Values() {
		if name != "x" && name != "y" && name != "color" {
			kept[name] = values[0]
		}
	}
	return kept
}

// Pins reports whether a column is one of those that are shown first.
func (v runsView) Pins(name string) bool { return slices.Contains(v.q.Pinned, name) }

// Groupable are the columns worth grouping by.
func (v runsView) Groupable() (names []string) {
	for _, c := range slices.Concat(v.Columns, v.Others) {
		if c.Kind == runs.Parameter || c.Name == "run_status" || c.Name == "run_reason_kind" {
			names = append(names, c.Name)
		}
	}
	return names
}

func (s *Server) runsPage(r *http.Request) (view, []crumb, error) {
	place, t, err := s.answer(r)
	if err != nil {
		return nil, nil, err
	}
	o, err := s.opened.Get(r.Context(), place.Where)
	if err != nil {
		return nil, nil, err
	}
	v := runsView{Sweep: place, Where: t.Question.Where, Sort: t.Question.Values().Get("sort"), Group: t.Question.Group, Page: t.Question.Page, Pages: t.Pages,
		Total: t.Total, Of: t.Of, Columns: t.Columns, Others: t.Others, Same: t.Same, Groups: t.Groups, Left: t.Left, Plot: t.Plot, q: t.Question, axes: t.Axes, self: s.link("s", place.ID, "runs")}
	v.Plots = []string{runs.PlotLines, runs.PlotDots, runs.PlotNone}
	for _, row := range t.Rows {
		line := runRow{ID: row.Run.Run.ID, Name: row.Name, Status: row.Run.Status, Stale: row.Run.Stale, Cells: row.Cells, Values: map[string]runs.Cell{}}
		if query.WentWrong(row.Run.RunState) {
			line.Reason = unit.Cut(unit.Line(row.Run.Outcome.Reason), 160)
		}
		for i, c := range t.Columns {
			line.Values[c.Name] = row.Cells[i]
		}
		line.Report = s.reportOf(place, o, line.ID)
		v.Reports = v.Reports || line.Report != ""
		v.Rows = append(v.Rows, line)
	}
	return v, []crumb{s.crumbOf(place)}, nil
}

// answer answers the question of a URL.
func (s *Server) answer(r *http.Request) (roots.Sweep, *runs.Table, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return place, nil, err
	}
	place.Name = o.Name()
	q, err := runs.Parse(r.URL.Query())
	if err != nil {
		return place, nil, err
	}
	selected, err := s.selected(o, q)
	if err != nil {
		return place, nil, err
	}
	t, err := runs.Answer(selected, q, func(id string) string { return string(s.link("s", place.ID, "runs", id)) })
	return place, t, err
}

// selected are the runs that a question selects. All of them are asked for again and
// again, and of many they take long to find: they are found once for each state of
// the sweep.
func (s *Server) selected(o *opened.Sweep, q runs.Question) (*runs.Selection, error) {
	if q.Where != "" || q.All {
		return runs.Select(o.Sweep, q)
	}
	return opened.Memo(o, "runs", func() (*runs.Selection, error) { return runs.Select(o.Sweep, runs.Question{}) })
}

// export answers with a file of all that a question selects.
func (s *Server) export(write tableWriter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		place, t, err := s.answer(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		data, err := t.Data()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.sendTable(w, r, place.Name+"-runs", data, write)
	}
}

// A tableWriter writes a table as a file of some kind, whose name has an ending.
type tableWriter func(*table.Table, io.Writer) (kind, ext string, err error)

func (s *Server) sendTable(w http.ResponseWriter, r *http.Request, name string, data *table.Table, write tableWriter) {
	var body bytes.Buffer
	kind, ext, err := write(data, &body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	foreign.Attach(w.Header(), name+"."+ext)
	send(w, r, http.StatusOK, kind, body.Bytes())
}

func writeCSV(t *table.Table, w io.Writer) (kind, ext string, err error) {
	return "text/csv; charset=utf-8", "csv", t.WriteCSVCells(w, unit.Cell)
}

func writeParquet(t *table.Table, w io.Writer) (kind, ext string, err error) {
	return "application/vnd.apache.parquet", "parquet", t.WriteParquet(w)
}

// exampleOf is the beginning of an expression about an axis that there is.
func exampleOf(axes []grid.Axis) string {
	for _, a := range axes {
		if len(a.Values) > 0 && a.Kind == "param" {
			return query.Term(a.Name) + " == " + unit.Cut(a.Values[0].String(), 40) + " and "
		}
	}
	return ""
}
