package serve

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/words"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A cellsView is in which cells runs differ.
type cellsView struct {
	Sweep   roots.Sweep   `json:"sweep"`
	Step    string        `json:"step,omitempty"`
	Where   string        `json:"where,omitempty"`
	By      []string      `json:"by,omitempty"`
	Named   []string      `json:"runs,omitempty"` // that were asked for
	Report  *align.Report `json:"report,omitempty"`
	Notes   []string      `json:"notes,omitempty"`
	Pending bool          `json:"pending,omitempty"` // they are being compared: ask again
	Trouble string        `json:"error,omitempty"`
	Axes    []string      `json:"-"`
	Steps   []string      `json:"steps,omitempty"` // one of which is to be chosen
	NoCode  bool          `json:"-"`
	axes    []grid.Axis
	self    template.URL
	part    func(run, name string) template.URL // of a run's notebook
}

func (v cellsView) title() string { return "Cells of " + v.Sweep.Name }

// Headline is what the page says first.
func (v cellsView) Headline() string {
	switch {
	case v.Report == nil:
		return "Cells that differ"
	case len(v.Report.Differences) == 0:
		return fmt.Sprintf("No cell differs between %s", unit.Plural(len(v.Report.Runs), "run"))
	}
	verb := map[bool]string{true: "differs", false: "differ"}[len(v.Report.Differences) == 1]
	return fmt.Sprintf("%d of %s %s between %s", len(v.Report.Differences), unit.Plural(v.Report.Cells, "cell"), verb, unit.Plural(len(v.Report.Runs), "run"))
}

// All is the page without a question.
func (v cellsView) All() template.URL { return v.self }

// Run is what a group's exemplar is called.
func (v cellsView) Run(id string) string { return v.Report.NameOf(id) }

// How much of a report a page shows: its twin has all of it.
const (
	mostCells  = 30
	mostGroups = 24
)

// MostCells is how many cells a page shows.
func (cellsView) MostCells() int { return mostCells }

// MostGroups is how many groups of a cell a page shows.
func (cellsView) MostGroups() int { return mostGroups }

// A change is a delta for people.
type change struct{ What, How string }

// Changes are the deltas of a group for people.
func (cellsView) Changes(g align.Group) (all []change) {
	for _, d := range g.Deltas {
		what, how := align.DeltaWords(d)
		if name, recorded := strings.CutPrefix(what, "scrap "); recorded {
			what = "recorded " + name
		}
		all = append(all, change{unit.Cut(unit.Line(what), 120), unit.Cut(unit.Line(how), 240)})
	}
	return all
}

// A likeness is two pictures of one cell that differ.
type likeness struct {
	From, To         template.URL
	FromRun, ToRun   string
	What, Difference string
	Sizes            [2][2]int // how wide and high they are; zero is unknown
}

// mostPictures is how many pairs of pictures of a group a page shows.
const mostPictures = 4

// Pictures are those of a group that differ from its reference's.
func (v cellsView) Pictures(d align.Difference, g align.Group) (all []likeness) {
	for _, x := range g.Deltas {
		if x.Pair == [2]int{} || len(all) == mostPictures {
			continue
		}
		from := v.part(g.Reference, books.PictureName(d.Cell, x.Pair[0], x.Output))
		to := v.part(g.Exemplar, books.PictureName(d.Cell, x.Pair[1], x.Output))
		_, how := align.DeltaWords(x)
		all = append(all, likeness{from, to, v.Run(g.Reference), v.Run(g.Exemplar), d.Name(), how, x.Sizes})
	}
	return all
}

// Along is the page of the runs of a step that differ in one axis; "" is any.
func (v cellsView) Along(step, axis string) template.URL {
	q := url.Values{"step": {step}, "by": {axis}}
	maps.DeleteFunc(q, func(_ string, values []string) bool { return values[0] == "" })
	return withQuery(v.self, q)
}

// Example is an expression that fits the runs.
func (v cellsView) Example() string { return strings.TrimSuffix(exampleOf(v.axes), " and ") }

// Is reports whether an axis was chosen.
func (v cellsView) Is(axis string) bool { return len(v.By) == 1 && v.By[0] == axis }

// Limits of what is compared for a page.
const (
	maxAligned  = 256 << 20 // bytes of notebooks
	maxDeltas   = 12        // differences that are described in detail
	maxCompared = 8         // runs that are named
	waitCells   = 1500 * time.Millisecond
)

func (s *Server) cellsPage(r *http.Request) (view, []crumb, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return nil, nil, err
	}
	place.Name = o.Name()
	asked := r.URL.Query()
	v := cellsView{Sweep: place, Step: asked.Get("step"), Where: strings.TrimSpace(asked.Get("where")), NoCode: s.Pages.NoCode, self: s.link("s", place.ID, "cells")}
	if by := asked.Get("by"); by != "" {
		v.By = []string{by}
	}
	for _, id := range asked["run"] {
		if !runID.MatchString(id) || len(v.Named) == maxCompared {
			return nil, nil, unit.Mistake(fmt.Errorf("run=%s: want at most %d ids of runs", unit.Cut(unit.Line(id), 40), maxCompared))
		}
		v.Named = append(v.Named, id)
	}
	if len(v.Where) > 8<<10 {
		return nil, nil, unit.Mistake(errors.New("the expression has more than 8192 bytes"))
	}
	v.part = func(run, name string) template.URL {
		st, _ := o.Run(run)
		return s.link("s", place.ID, "runs", run, strconv.Itoa(st.Best), name)
	}
	head, _ := o.Head()
	v.axes = head.Axes
	for _, st := range head.Steps {
		v.Steps = append(v.Steps, st.Name)
	}
	if st, is := head.Step(v.Step); is {
		v.axes = slices.DeleteFunc(slices.Clone(v.axes), func(a grid.Axis) bool { return !slices.Contains(st.Axes, a.Name) })
	}
	for _, a := range v.axes {
		v.Axes = append(v.Axes, a.Name)
	}
	err = s.compareCells(r.Context(), o, &v)
	return v, []crumb{s.crumbOf(place)}, err
}

// memory is what is remembered of the cells of a sweep's runs.
func (s *Server) memory(o *opened.Sweep) *align.Memory {
	where, err := store.Absolute(o.Where())
	if s.Cells == "" || err != nil {
		return nil
	}
	return &align.Memory{File: filepath.Join(s.Cells, assets.Digest(where)+align.MemoryEnding)}
}

// compareCells adds the report if it is there in time. It is made once for
// every question about a state of the sweep.
func (s *Server) compareCells(ctx context.Context, o *opened.Sweep, v *cellsView) error {
	type result struct {
		report *align.Report
		err    error
	}
	done := make(chan result, 1)
	q := align.Question{Runs: v.Named, Step: v.Step, Where: v.Where, By: v.By, Tolerance: align.Tolerance, Most: maxDeltas, Bytes: maxAligned, Memory: s.memory(o)}
	key := "cells " + url.Values{"step": {v.Step}, "where": {v.Where}, "by": v.By, "run": v.Named}.Encode()
	go func() {
		report, err := opened.Memo(o, key, func() (*align.Report, error) {
			s.heavy <- struct{}{}
			defer func() { <-s.heavy }()
			return align.Sweep(s.ctx, o.Sweep, q)
		})
		done <- result{report, err}
	}()
	select {
	case got := <-done:
		if errors.Is(got.err, align.ErrTooLarge) {
			v.Trouble = "The notebooks of these runs are too large to be compared here. Ask for fewer of them, or use fanout diff."
			return nil
		}
		if errors.Is(got.err, align.ErrSteps) {
			v.Trouble = "Each step has cells of its own: choose one of " + unit.List(v.Steps) + "."
			return nil
		}
		if unit.IsMistake(got.err) && v.Where == "" && v.Named == nil && (v.By == nil || s.Pages.Written()) { // of nobody who asks: there is nothing to compare
			v.Trouble = words.Capital(words.Error(got.err)) + "."
			return nil
		}
		if got.err != nil {
			return got.err
		}
		v.Report, v.Notes = got.report, got.report.Notes()
	case <-s.Pages.after(waitCells):
		v.Pending = true
	case <-ctx.Done():
		v.Pending = true
	}
	return nil
}
