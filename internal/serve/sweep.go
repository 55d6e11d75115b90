package serve

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve/internal/actions"
	"github.com/fanout-dev/fanout/internal/serve/internal/ahead"
	"github.com/fanout-dev/fanout/internal/serve/internal/beside"
	"github.com/fanout-dev/fanout/internal/serve/internal/cards"
	"github.com/fanout-dev/fanout/internal/serve/internal/causes"
	"github.com/fanout-dev/fanout/internal/serve/internal/nights"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/serve/internal/words"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A sweepView is the page of a sweep.
type sweepView struct {
	roots.Sweep
	State    string           `json:"state"`
	Tally    query.Tally      `json:"tally"`
	Words    []string         `json:"words"`
	Asked    []actions.Asked  `json:"asked,omitempty"` // who had it executed from a page
	Buttons  *actions.Buttons `json:"-"`
	Shares   []cards.Share    `json:"-"`
	Template []string         `json:"templates"`
	AsOf     time.Time        `json:"as_of"`
	Planned  time.Time        `json:"planned_at"`
	Version  string           `json:"version"`
	Holder   string           `json:"holder,omitempty"` // who executes it now
	LeftS    float64          `json:"left_s,omitempty"`
	Growth   *app.Progress    `json:"growth,omitempty"`
	Causes   []causes.Cause   `json:"failures,omitempty"`
	Stages   []cards.Stage    `json:"steps,omitempty"`
	Resume   string           `json:"resume,omitempty"` // what to type to execute the rest
	ResumeTo string           `json:"-"`                // what that does
	Axes     []string         `json:"axes"`
	Fixed    []shelf.Fixed    `json:"parameters,omitempty"` // that are the same for every run

	LastNight *nights.Last `json:"last_night,omitempty"` // of a sweep that grows by its dates
	Schedule  template.URL `json:"-"`                    // where it can be scheduled; "" where it is, or nobody may

	Verdict template.HTML `json:"-"`
	Summary template.HTML `json:"-"`
	Aside   template.HTML `json:"-"`                         // sections that a wide page shows beside the others
	Pending bool          `json:"summary_pending,omitempty"` // it is being computed
	Trouble string        `json:"summary_error,omitempty"`
	Text    string        `json:"summary,omitempty"` // in Markdown
	Live    template.URL  `json:"-"`
}

func (v sweepView) title() string { return v.Name }

// Headline is what the page says first.
func (v sweepView) Headline() string {
	return unit.Plural(v.Tally.Runs, "run") + ": " + strings.Join(v.Words, ", ")
}

// Grown is how far a sweep that grows has come, for people.
func (v sweepView) Grown() string { return strings.TrimPrefix(v.Growth.Words(), "; ") }

// Left is the forecast for people.
func (v sweepView) Left() string {
	if v.LeftS == 0 {
		return ""
	}
	return unit.Duration(time.Duration(v.LeftS * float64(time.Second)))
}

func (s *Server) sweepPage(r *http.Request) (view, []crumb, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return nil, nil, err
	}
	v := s.sweepViewOf(place, o)
	if v.Buttons = s.actions.ButtonsFor(r.Context(), place.Where, v.State); v.Buttons != nil {
		v.Buttons.Does = ahead.Button(o, v.State, s.App.Jobs)
		v.Schedule = s.scheduling(r.Context(), place, o.Store())
	}
	s.addSummary(r.Context(), place, o, &v)
	return v, nil, nil
}

// scheduling is the form that schedules a sweep; "" where it is scheduled, or none does.
func (s *Server) scheduling(ctx context.Context, place roots.Sweep, st store.Store) template.URL {
	file := s.actions.Extends(ctx, place.Where)
	if _, err := schedule.Get(ctx, st); err == nil || file == "" {
		return ""
	}
	return s.link("launch", file) + "?schedule=1#when"
}

// sweepViewOf is the page without its summary.
func (s *Server) sweepViewOf(place roots.Sweep, o *opened.Sweep) sweepView {
	head, _ := o.Head()
	v := sweepView{Sweep: place, State: shelf.StateOf(o.Tally(), o.Moves()), Tally: o.Tally(), AsOf: head.AsOf, Planned: head.Created, Version: o.Version()}
	v.Name, v.Growth = o.Name(), app.Growing(o.Sweep)
	v.Words, v.Shares = v.Tally.Words(), cards.Shares(v.Tally)
	for _, path := range head.Notebooks() {
		v.Template = append(v.Template, place.Beneath(path))
	}
	v.Fixed = shelf.FixedOf(o.Sweep)
	for _, a := range head.Axes {
		v.Axes = append(v.Axes, a.Name)
	}
	if h, held := o.Holder(); held {
		v.Holder = unit.Line(h.User + " on " + h.Host)
	}
	if left, ok := o.Left(); ok {
		v.LeftS = left.Seconds()
	}
	v.Asked, _ = opened.Memo(o, "asked", func() ([]actions.Asked, error) { return actions.AskedFor(context.Background(), o.Store()), nil })
	v.Causes, v.Stages = s.causes(place, o), s.stages(place, o)
	if !s.Pages.Written() && (v.State == shelf.Failed || v.State == shelf.Partial) {
		next := due.NextOf(o.Sweep, false)
		v.Resume, v.ResumeTo = next.Command, next.To
	}
	if !s.Pages.Written() && (v.State == shelf.Running || v.State == shelf.Partial) { // somebody may take it up
		v.Live = s.link("s", place.ID, "events")
	}
	return v
}

// causes are what went wrong, with where the runs are listed.
func (s *Server) causes(place roots.Sweep, o *opened.Sweep) []causes.Cause {
	all, _ := opened.Memo(o, "causes", func() ([]causes.Cause, error) { return causes.Of(o.Sweep), nil })
	all = slices.Clone(all)
	for i := range all {
		all[i].Where = s.runsWhere(place, all[i].Expr())
	}
	return all
}

// runsWhere is the list of the runs that an expression is true of.
func (s *Server) runsWhere(place roots.Sweep, where string) template.URL {
	return withQuery(s.link("s", place.ID, "runs"), url.Values{"where": {where}})
}

// stages are how the runs of each step stand.
func (s *Server) stages(place roots.Sweep, o *opened.Sweep) []cards.Stage {
	all, _ := opened.Memo(o, "stages", func() ([]cards.Stage, error) { return cards.Stages(o.Sweep), nil })
	all = slices.Clone(all)
	for i := range all {
		all[i].Where = s.runsWhere(place, query.Step+" == "+causes.Literal(all[i].Name))
	}
	return all
}

// waitSummary is how long a page waits for a summary that is being computed.
const waitSummary = 1200 * time.Millisecond

// laidOut is a computed summary as the page shows it.
type laidOut struct {
	summary       *report.Summary
	verdict, rest template.HTML
	last          *nights.Last
}

// addSummary adds the summary if it is there in time. It is computed once for
// every state of the sweep.
func (s *Server) addSummary(ctx context.Context, place roots.Sweep, o *opened.Sweep, v *sweepView) {
	type result struct {
		laidOut
		err error
	}
	done := make(chan result, 1)
	go func() {
		l, err := s.summary(context.WithoutCancel(ctx), place, o)
		done <- result{l, err}
	}()
	select {
	case got := <-done:
		v.Verdict, v.LastNight = got.verdict, got.last
		if v.Summary, v.Aside = beside.Split(got.rest); got.last != nil {
			v.Summary, v.Aside = beside.Fold(v.Summary), beside.Fold(v.Aside)
		}
		if got.err != nil {
			v.Trouble = words.Error(got.err)
		} else {
			v.Text = string(got.summary.Markdown())
		}
	case <-s.Pages.after(waitSummary):
		v.Pending = true
	case <-ctx.Done():
		v.Pending = true
	}
}

func (s *Server) summary(ctx context.Context, place roots.Sweep, o *opened.Sweep) (laidOut, error) {
	return opened.Memo(o, "summary", func() (l laidOut, err error) {
		s.heavy <- struct{}{}
		defer func() { <-s.heavy }()
		quiet := *s.App
		quiet.Warn = func(string) {}
		if l.summary, err = quiet.Summary(ctx, o.Sweep); err != nil {
			return l, err
		}
		if last, ok := nights.LastOf(o.Sweep, l.summary.Night); ok {
			l.last = &last
		}
		l.verdict, l.rest, err = l.summary.Sections(func(path string) string { return string(s.beside(place, path)) })
		return l, err
	})
}

// beside is where the page is that shows what a summary names by its path.
func (s *Server) beside(place roots.Sweep, path string) template.URL {
	if run, ok := strings.CutPrefix(path, "runs/"); ok {
		return s.link("s", place.ID, "runs", strings.TrimSuffix(run, ".ipynb"))
	}
	return s.link("s", place.ID, "pictures", path)
}

// picture answers with a picture of the summary.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	l, err := s.summary(r.Context(), place, o)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	png, ok := l.summary.Picture(r.PathValue("file"))
	if !ok {
		s.fail(w, r, trouble.ErrNoFile)
		return
	}
	send(w, r, http.StatusOK, "image/png", png)
}
