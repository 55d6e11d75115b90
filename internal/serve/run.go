package serve

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/runs"
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
	Attempts  []attempt       `json:"attempts"`
	Failure   *app.FailedCell `json:"failure,omitempty"`
	Artifacts []artifact      `json:"artifacts,omitempty"`
	Reproduce string          `json:"reproduce"`
	Steps     []step          `json:"neighbours,omitempty"`
	Trouble   string          `json:"error,omitempty"` // why some of it cannot be shown

	Live     template.URL `json:"-"`
	Download template.URL `json:"-"`
}

// A scrap is a small value that the notebook recorded.
type scrap struct {
	Name string    `json:"name"`
	Cell runs.Cell `json:"value"`
}

// An attempt is one try at the run.
type attempt struct {
	app.Attempt
	Link, LogLink template.URL `json:"-"`
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

var errNoRun = unit.WithHint(fmt.Errorf("no such run: %w", fs.ErrNotExist), "the list of runs has those there are")

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
	v := s.runViewOf(r.Context(), place, o, id)
	return v, []crumb{s.crumbOf(place), {"Runs", s.link("s", place.ID, "runs")}}, nil
}

func (s *Server) runViewOf(ctx context.Context, place roots.Sweep, o *opened.Sweep, id string) runView {
	d, err := app.Describe(ctx, o.Sweep, id)
	st, out := d.Run.RunState, d.Run.Outcome
	v := runView{Sweep: place, ID: id, Name: o.RunName(id), Status: st.Status, Kind: out.Kind, Reason: unit.Cut(unit.Line(out.Reason), 1000), Planned: !st.Run.Unplanned,
		Stale: d.Run.Stale, Started: out.Start, CPUS: out.CPU.Seconds(), PeakRSS: out.PeakRSS, Attempt: st.Best, Failure: d.Failure, Reproduce: d.Reproduce, More: st.More}
	if err != nil {
		v.Trouble = sentence(err)
	}
	if st.Last != nil {
		v.TookS = out.Duration().Seconds()
	}
	for _, b := range slices.Concat(st.Run.Labels, st.Run.Params) {
		v.Params = append(v.Params, runs.Pair{Name: b.Name, Text: unit.Cut(unit.Line(b.Value.Text()), maxValue)})
	}
	v.Scraps = scrapsOf(st)
	for _, a := range d.Attempts {
		shown := attempt{Attempt: a, Link: s.stored(place, a.Notebook)}
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
	}
	if st.Status == outcome.Running {
		v.Live = s.link("s", place.ID, "events") + template.URL("?run="+id)
	}
	v.Steps = s.steps(place, o, st.Run)
	return v
}

// maxValue is how many characters of a value a page shows.
const maxValue = 400

func scrapsOf(st sweep.RunState) (all []scrap) {
	for name, v := range query.Scraps(st) {
		text := unit.Cut(unit.Line(string(table.AppendJSON(nil, v))), maxValue)
		if s, isText := v.(string); isText {
			text = unit.Cut(unit.Line(s), maxValue)
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

// steps finds the neighbours of a run along every axis.
func (s *Server) steps(place roots.Sweep, o *opened.Sweep, run sweep.Run) []step {
	head, _ := o.Head()
	byAxis := map[string][]neighbour{}
	own := valuesOf(run)
	for _, st := range o.Runs() {
		if st.Run.Unplanned || st.Run.ID == run.ID || st.Run.Template != run.Template {
			continue
		}
		if axis, v, ok := differsIn(own, valuesOf(st.Run)); ok {
			byAxis[axis] = append(byAxis[axis], neighbour{v, st.Run.ID})
		}
	}
	var steps []step
	for _, a := range head.Axes {
		name := a.Name
		here, ok := value.Lookup(own, name)
		if !ok || len(byAxis[name]) == 0 {
			continue
		}
		p := step{Axis: name, Value: unit.Cut(unit.Line(here.Text()), 40)}
		before, after := around(a, here, byAxis[name])
		if before != nil {
			p.Before, p.Previous, p.PrevLink = unit.Cut(unit.Line(before.v.Text()), 40), before.id, s.link("s", place.ID, "runs", before.id)
		}
		if after != nil {
			p.After, p.Next, p.NextLink = unit.Cut(unit.Line(after.v.Text()), 40), after.id, s.link("s", place.ID, "runs", after.id)
		}
		if before != nil || after != nil {
			steps = append(steps, p)
		}
	}
	return steps
}

// neighbour is a run that differs in one axis, and its value there.
type neighbour struct {
	v  value.Value
	id string
}

// valuesOf is everything that tells a run from others, in the order of the
// plan.
func valuesOf(r sweep.Run) []value.Binding {
	n, _ := value.Of(r.Replicate) // an int is a value
	return append(slices.Concat(r.Labels, r.Params), value.Binding{Name: query.Replicate, Value: n})
}

// differsIn is the one name in which two runs differ; ok is false when they
// differ in more.
func differsIn(a, b []value.Binding) (name string, v value.Value, ok bool) {
	if len(a) != len(b) {
		return "", v, false
	}
	for i := range a {
		switch {
		case a[i].Name != b[i].Name:
			return "", v, false
		case value.Equal(a[i].Value, b[i].Value):
		case ok:
			return "", v, false
		default:
			name, v, ok = b[i].Name, b[i].Value, true
		}
	}
	return name, v, ok
}

// around are the runs before and after a value in the order of its axis.
func around(a grid.Axis, here value.Value, all []neighbour) (before, after *neighbour) {
	rank := func(v value.Value) int {
		return slices.IndexFunc(a.Values, func(x value.Value) bool { return value.Equal(x, v) })
	}
	less := func(x, y value.Value) bool {
		if i, j := rank(x), rank(y); i >= 0 && j >= 0 {
			return i < j
		}
		return value.Compare(x, y) < 0
	}
	for i := range all {
		n := &all[i]
		switch {
		case less(n.v, here) && (before == nil || less(before.v, n.v)):
			before = n
		case less(here, n.v) && (after == nil || less(n.v, after.v)):
			after = n
		}
	}
	return before, after
}

// shownPrefixes are the objects of a sweep that people may have.
var shownPrefixes = []string{"runs/", "attempts/", sweep.PrefixArtifacts, sweep.PrefixResults}

// object answers with an object of a sweep.
func (s *Server) object(w http.ResponseWriter, r *http.Request) {
	_, o, err := s.sweepOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	key := r.PathValue("key")
	shown := slices.ContainsFunc(shownPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	if !shown || !fs.ValidPath(key) {
		s.fail(w, r, errNoFile)
		return
	}
	st, err := o.Store().Stat(r.Context(), key)
	if err != nil {
		s.fail(w, r, noFile(err))
		return
	}
	s.foreign(w, r, o.Store(), st)
}

var errNoFile = fmt.Errorf("no such file: %w", fs.ErrNotExist)

// noFile says of a missing object only that it is missing.
func noFile(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errNoFile
	}
	return err
}
