package serve

import (
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve/internal/actions"
	"github.com/fanout-dev/fanout/internal/serve/internal/firings"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/serve/internal/nights"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/unit"
)

// maxFirings is how many firings a page knows.
const maxFirings = 500

// A nightsView is a sweep that grows by its dates.
type nightsView struct {
	Sweep roots.Sweep `json:"sweep"`
	nights.View
}

func (v nightsView) title() string { return "Nights of " + v.Sweep.Name }

func (s *Server) nightsPage(r *http.Request) (view, []crumb, error) {
	place, o, err := s.sweepOf(r)
	if err != nil {
		return nil, nil, err
	}
	history, err := firing.List(r.Context(), o.Store(), maxFirings)
	if err != nil {
		return nil, nil, err
	}
	planned, _ := schedule.Get(r.Context(), o.Store()) // without one, days are those of UTC
	l, err := s.summary(r.Context(), place, o)
	if err != nil {
		return nil, nil, err
	}
	v, ok := nights.Of(o.Sweep, history, planned.Zone, l.summary.Night)
	if !ok {
		return nil, nil, unit.WithHint(trouble.Missing("this sweep has no nights"), "it needs an axis of dates with two values or more")
	}
	return nightsView{place, v}, []crumb{s.crumbOf(place)}, nil
}

// A scheduleView is when a sweep is extended.
type scheduleView struct {
	Sweep roots.Sweep `json:"sweep"`
	firings.View
	Buttons *actions.Buttons `json:"-"`
	Make    template.URL     `json:"-"` // the form that schedules it
	Wrong   guard.Problem    `json:"-"` // with a form
	Form    url.Values       `json:"-"` // as it was filled in
}

func (v scheduleView) title() string { return "Schedule of " + v.Sweep.Name }

// Pace is after how many seconds the page asks for what moves in it again.
func (v scheduleView) Pace() int {
	if v.Buttons != nil && v.Buttons.Waits {
		return 2
	}
	return v.View.Pace()
}

func (s *Server) schedulePage(r *http.Request) (view, []crumb, error) { return s.scheduleOf(r) }

func (s *Server) scheduleOf(r *http.Request) (v scheduleView, _ []crumb, err error) {
	place, err := s.placeOf(r)
	if err != nil {
		return v, nil, err
	}
	st, err := s.App.OpenStore(r.Context(), place.Where)
	if err != nil {
		return v, nil, err
	}
	v = scheduleView{Sweep: place, Buttons: s.actions.ButtonsFor(r.Context(), place.Where, "")}
	v.View, err = firings.Read(r.Context(), st, time.Now(), r.URL.Query().Get("from"), r.URL.Query().Get("to"))
	v.Fires, v.Make = s.Fires, s.scheduling(r.Context(), place, st)
	if o, wrong := s.opened.Get(r.Context(), place.Where); wrong == nil { // else it was not planned yet
		v.Made(o.Sweep)
	}
	return v, []crumb{s.crumbOf(place)}, err
}

// A firingView is one firing of a schedule, and what it printed.
type firingView struct {
	Sweep roots.Sweep `json:"sweep"`
	firings.Detail
}

func (v firingView) title() string { return "Firing of " + v.Sweep.Name }

func (s *Server) firingPage(r *http.Request) (view, []crumb, error) {
	place, err := s.placeOf(r)
	if err != nil {
		return nil, nil, err
	}
	st, err := s.App.OpenStore(r.Context(), place.Where)
	if err != nil {
		return nil, nil, err
	}
	v := firingView{Sweep: place}
	if v.Detail, err = firings.One(r.Context(), st, r.PathValue("firing")); errors.Is(err, fs.ErrNotExist) {
		err = unit.WithHint(trouble.Missing("no such firing"), "the list of firings has those that are kept")
	}
	if o, wrong := s.opened.Get(r.Context(), place.Where); err == nil && wrong == nil {
		v.Made(o.Sweep)
	}
	return v, []crumb{s.crumbOf(place), {"Schedule", s.link("s", place.ID, "schedule")}}, err
}
