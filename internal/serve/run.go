package serve

import (
	"cmp"
	"context"
	"errors"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/page"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/reports"
	"github.com/fanout-dev/fanout/internal/serve/internal/runs"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/serve/internal/words"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A runView is the page of a run.
type runView struct {
	Sweep     roots.Sweep     `json:"sweep"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Status    outcome.Status  `json:"status"`
	Kind      outcome.Kind    `json:"kind,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Planned   bool            `json:"planned"`
	Stale     []string        `json:"stale,omitempty"`
	Params    []runs.Pair     `json:"parameters"`
	Scraps    []scrap         `json:"scraps,omitempty"`
	More      bool            `json:"more_scraps,omitempty"` // larger ones are in the tables
	Started   time.Time       `json:"started_at,omitzero"`
	TookS     float64         `json:"duration_s,omitempty"`
	CPUS      float64         `json:"cpu_s,omitempty"`
	PeakRSS   int64           `json:"peak_rss_bytes,omitempty"`
	Attempt   int             `json:"attempt,omitempty"` // whose notebook is shown
	Attempts  []attempt       `json:"attempts"`          // the last ones
	Earlier   int             `json:"earlier_attempts,omitempty"`
	Failure   *app.FailedCell `json:"failure,omitempty"`
	Artifacts []artifact      `json:"artifacts,omitempty"`
	Reproduce string          `json:"reproduce"`
	Steps     []step          `json:"neighbours,omitempty"`
	FedBy     []links         `json:"fed_by,omitempty"`
	Feeds     []links         `json:"feeds,omitempty"`
	Trouble   string          `json:"error,omitempty"` // why some of it cannot be shown

	Sheet *books.Sheet `json:"-"`

	Live     template.URL `json:"-"`
	Download template.URL `json:"-"`
	Report   template.URL `json:"report,omitempty"` // the page for readers, where the sweep file asks for one
}

// A scrap is a small value that the notebook recorded.
type scrap struct {
	Name string    `json:"name"`
	Cell runs.Cell `json:"value"`
}

// Exact is the value with all its digits.
func (s scrap) Exact() string {
	b, err := s.Cell.MarshalJSON()
	if err != nil {
		return ""
	}
	return unit.Cut(unit.Line(string(b)), maxValue)
}

// An attempt is one try at the run.
type attempt struct {
	app.Attempt
	Link, Store, LogLink template.URL `json:"-"`
}

// An artifact is a file that was kept.
type artifact struct {
	Name string       `json:"name"`
	Link template.URL `json:"-"`
}

// A step is the runs before and after this one along an axis: they differ in
// nothing else.
type step struct {
	Axis           string       `json:"axis"`
	Value          string       `json:"value"`
	Before, After  string       `json:"-"` // values
	Previous, Next string       `json:",omitempty"`
	PrevLink       template.URL `json:"-"`
	NextLink       template.URL `json:"-"`
	Cells          template.URL `json:"-"` // of this run and its neighbours
}

// A links is the runs of another step that a run needs or feeds, some of them
// with the way to their pages.
type links struct {
	lineage.Link
	Few  []related `json:"-"`
	Rest string    `json:"-"`
}

type related struct {
	lineage.Relative
	Link template.URL
}

// maxRelatives is how many runs of one step a page of a run leads to.
const maxRelatives = 12

func (s *Server) links(place roots.Sweep, all []lineage.Link) (out []links) {
	for _, l := range all {
		few, rest := l.Few(maxRelatives)
		shown := links{Link: l, Rest: rest}
		for _, r := range few {
			shown.Few = append(shown.Few, related{r, s.link("s", place.ID, "runs", r.ID)})
		}
		out = append(out, shown)
	}
	return out
}

func (v runView) title() string { return v.Name }

// Took is how long the attempt took, for people.
func (v runView) Took() string {
	if v.TookS == 0 {
		return ""
	}
	return unit.Duration(time.Duration(v.TookS * float64(time.Second)))
}

// CPU is its CPU time for people.
func (v runView) CPU() string {
	if v.CPUS == 0 {
		return ""
	}
	return unit.Duration(time.Duration(v.CPUS * float64(time.Second)))
}

// Headline is what the page says first.
func (v runView) Headline() string {
	words := v.Status.Words()
	if v.Reason != "" && v.Status != outcome.Running {
		words += ": " + v.Reason
	}
	return words
}

var errNoRun = unit.WithHint(trouble.Missing("no such run"), "the list of runs has those there are")

func (s *Server) runPage(r *http.Request) (view, []crumb, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return nil, nil, err
	}
	place.Name = o.Name()
	id, isFile := strings.CutSuffix(r.PathValue("run"), ".ipynb")
	if !runID.MatchString(id) {
		return nil, nil, errNoRun
	}
	if _, ok := o.Run(id); !ok {
		return nil, nil, errNoRun
	}
	if isFile { // as it is called in the sweep's folder
		return nil, nil, redirectError{s.link("s", place.ID, "runs", id)}
	}
	n, err := attemptOf(r)
	if err != nil {
		return nil, nil, err
	}
	v, err := s.runViewOf(r.Context(), place, o, id, n)
	crumbs := []crumb{s.crumbOf(place), {"Runs", s.link("s", place.ID, "runs")}}
	if n > 0 {
		crumbs = append(crumbs, crumb{v.Name, s.link("s", place.ID, "runs", id)})
	}
	return v, crumbs, err
}

var attemptForm = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)

// attemptOf is the attempt that a request names; 0 when it names none.
func attemptOf(r *http.Request) (int, error) {
	text := r.PathValue("attempt")
	if text == "" {
		return 0, nil
	}
	if !attemptForm.MatchString(text) {
		return 0, errNoRun
	}
	return strconv.Atoi(text)
}

// runViewOf is the page of a run with the notebook of one attempt, 0 for the
// best.
func (s *Server) runViewOf(ctx context.Context, place roots.Sweep, o *opened.Sweep, id string, n int) (runView, error) {
	d, err := describe(ctx, o, id)
	st, out := d.Run.RunState, d.Run.Outcome
	v := runView{Sweep: place, ID: id, Name: o.RunName(id), Status: st.Status, Kind: out.Kind, Reason: unit.Cut(unit.Line(d.Run.Reason()), 1000), Planned: !st.Run.Unplanned,
		Stale: d.Run.Stale, Started: out.Start, CPUS: out.CPU.Seconds(), PeakRSS: out.PeakRSS, Attempt: cmp.Or(n, st.Best), Failure: d.Failure, Reproduce: d.Reproduce, More: st.More}
	if err != nil {
		v.Trouble = words.Error(err)
	}
	if st.Last != nil {
		v.TookS = out.Duration().Seconds()
	}
	for _, b := range slices.Concat(st.Run.Labels, st.Run.Params) {
		v.Params = append(v.Params, runs.Pair{Name: b.Name, Text: unit.Cut(unit.Line(b.Value.Text()), maxValue)})
	}
	v.Scraps = scrapsOf(st)
	v.Earlier = max(0, len(d.Attempts)-manyAttempts)
	for _, a := range d.Attempts[v.Earlier:] {
		shown := attempt{Attempt: a, Link: s.link("s", place.ID, "runs", id, strconv.Itoa(a.Number)), Store: s.stored(place, a.Notebook)}
		if a.Log != "" {
			shown.LogLink = s.stored(place, a.Log)
		}
		v.Attempts = append(v.Attempts, shown)
	}
	for _, key := range d.Artifacts {
		v.Artifacts = append(v.Artifacts, artifact{strings.TrimPrefix(key, sweep.PrefixArtifacts+id+"/"), s.stored(place, key)})
	}
	if st.Best > 0 {
		v.Download = s.stored(place, sweep.RunKey(id))
		v.Report = s.reportOf(place, o, id)
	}
	if st.Status == outcome.Running && !s.Pages.Written() {
		v.Live = s.link("s", place.ID, "events") + template.URL("?run="+id)
	}
	v.Steps = s.steps(place, o, st.Run)
	v.FedBy, v.Feeds = s.links(place, lineage.FedBy(o.Sweep, id)), s.links(place, lineage.Feeds(o.Sweep, id))
	if v.Attempt == 0 {
		return v, nil
	}
	if v.Sheet, err = s.sheetOf(ctx, place, o, id, v.Attempt); err != nil {
		if n > 0 && errors.Is(err, fs.ErrNotExist) {
			return v, errNoRun
		}
		v.Trouble = words.Error(err)
	}
	return v, nil
}

// describe reads what is known of a run: of one whose notebook is too large to
// be shown, what needs no notebook.
func describe(ctx context.Context, o *opened.Sweep, id string) (app.Description, error) {
	st, _ := o.Run(id)
	switch {
	case st.Size > books.Most:
		return app.Description{Run: query.RunOf(o.Sweep, st), Reproduce: app.Reproduce(o.Sweep, st.Run)}, nil
	case st.Attempts > manyAttempts:
		return opened.Memo(o, "run "+id, func() (app.Description, error) { return app.Describe(context.WithoutCancel(ctx), o.Sweep, id) })
	}
	return app.Describe(ctx, o.Sweep, id)
}

// manyAttempts is how many a page lists. What is known of a run with more is remembered,
// because the page of each attempt lists them again.
const manyAttempts = 100

// sheetOf renders the notebook of an attempt.
func (s *Server) sheetOf(ctx context.Context, place roots.Sweep, o *opened.Sweep, id string, n int) (*books.Sheet, error) {
	b, err := s.books.Open(ctx, o.Store(), sweep.AttemptKey(id, n))
	if err != nil {
		return nil, err
	}
	look := books.Look{Title: o.RunName(id), NoCode: s.Pages.NoCode, Brief: true}
	if !s.Pages.Written() {
		look.Part = func(name string) template.URL { return s.link("s", place.ID, "runs", id, strconv.Itoa(n), name) }
		look.Table = func(name string) template.URL {
			return s.link("s", place.ID, "runs", id, strconv.Itoa(n), "table", name)
		}
	}
	return b.Sheet(look), nil
}

// bookOf opens the notebook of the attempt that a request is about.
func (s *Server) bookOf(r *http.Request) (place roots.Sweep, o *opened.Sweep, b *books.Book, err error) {
	place, o, err = s.sweepOf(r)
	n, bad := attemptOf(r)
	if err == nil && (bad != nil || !runID.MatchString(r.PathValue("run"))) {
		err = errNoRun
	}
	if err == nil {
		b, err = s.books.Open(r.Context(), o.Store(), sweep.AttemptKey(r.PathValue("run"), n))
	}
	return place, o, b, err
}

// runPart answers with a frame or a picture of an attempt's notebook.
func (s *Server) runPart(w http.ResponseWriter, r *http.Request) {
	_, _, b, err := s.bookOf(r)
	if err != nil {
		s.fail(w, r, trouble.NoFile(err))
		return
	}
	s.respond(w, r, b)
}

// maxValue is how many characters of a value a page shows.
const maxValue = 400

func scrapsOf(st sweep.RunState) (all []scrap) {
	for name, v := range query.Scraps(st) {
		text := unit.Cut(unit.Line(string(table.AppendJSON(nil, v))), maxValue)
		switch x := v.(type) {
		case string:
			text = unit.Cut(unit.Line(x), maxValue)
		case float64:
			if !math.IsNaN(x) {
				text = unit.Number(x)
			}
		}
		all = append(all, scrap{name, runs.Cell{Value: v, Text: text}})
	}
	slices.SortFunc(all, func(a, b scrap) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// stored is where an object of a sweep can be had.
func (s *Server) stored(place roots.Sweep, key string) template.URL {
	return s.link(append([]string{"s", place.ID, "files"}, strings.Split(key, "/")...)...)
}

// reportOf is where the report of a run is; "" where there is none. Files have none: what
// hosts them would send it as a page of its own.
func (s *Server) reportOf(place roots.Sweep, o *opened.Sweep, run string) template.URL {
	key := reports.Key(o, run)
	if key == "" || s.Pages.Written() {
		return ""
	}
	return s.stored(place, key)
}

// steps are the neighbours of a run along every axis.
func (s *Server) steps(place roots.Sweep, o *opened.Sweep, run sweep.Run) []step {
	var steps []step
	for _, n := range runs.Neighbours(o.Sweep, run) {
		p := step{Axis: n.Axis, Value: short(n.Value)}
		ids := url.Values{} // the first is what the others are held against
		if n.Previous != "" {
			p.Before, p.Previous, p.PrevLink = short(n.Before), n.Previous, s.link("s", place.ID, "runs", n.Previous)
			ids.Add("run", n.Previous)
		}
		ids.Add("run", run.ID)
		if n.Next != "" {
			p.After, p.Next, p.NextLink = short(n.After), n.Next, s.link("s", place.ID, "runs", n.Next)
			ids.Add("run", n.Next)
		}
		p.Cells = withQuery(s.link("s", place.ID, "cells"), ids)
		steps = append(steps, p)
	}
	return steps
}

func short(v value.Value) string { return unit.Cut(unit.Line(v.Text()), 40) }

// shownPrefixes are the objects of a sweep that people may have.
var shownPrefixes = []string{"runs/", "attempts/", sweep.PrefixArtifacts, sweep.PrefixResults, page.Prefix}

// object answers with an object of a sweep.
func (s *Server) object(w http.ResponseWriter, r *http.Request) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	key := r.PathValue("key")
	shown := slices.ContainsFunc(shownPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	if !shown || !fs.ValidPath(key) {
		s.fail(w, r, trouble.ErrNoFile)
		return
	}
	if key == reports.Index { // it links as files do, and a page of no origin leads to none of ours
		s.fail(w, r, redirectError{s.link("s", place.ID, "runs")})
		return
	}
	st, err := o.Store().Stat(r.Context(), key)
	if err != nil {
		s.fail(w, r, trouble.NoFile(err))
		return
	}
	s.foreign(w, r, o.Store(), st, reports.Is(key))
}
