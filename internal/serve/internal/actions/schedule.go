package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve/internal/firings"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/unit"
)

// What the page of a schedule can ask for, besides firing it now and catching up.
const (
	Pause      = "pause"
	GoOn       = "go on"
	Reschedule = "reschedule"
	Unschedule = "unschedule"
)

// Timed reports whether something that can be asked for is about a schedule.
func Timed(do string) bool {
	return slices.Contains([]string{Pause, GoOn, Reschedule, Unschedule, launch.Fire, launch.Catchup}, do)
}

// Instead is the page, one that shows a schedule, on which a browser is told of an error;
// "" is none.
func Instead(r *http.Request, err error) string {
	switch {
	case !guard.WantsPage(r):
	case trouble.Unplanned(err):
		return "unplanned"
	case unit.IsMistake(err) && Timed(r.PostForm.Get("do")):
		return "schedule"
	}
	return ""
}

// A Timing is when a sweep is to be extended, as somebody fills it in.
type Timing struct {
	Cron, Zone, Missed string
	Next               []string // when that is
	Open               bool     // it was asked for
}

// maxCron is how long expressions of cron may be.
const maxCron = 500

func timingOf(form url.Values) Timing {
	t := Timing{Cron: strings.TrimSpace(form.Get("cron")), Zone: strings.TrimSpace(form.Get("tz")), Missed: form.Get("missed")}
	if t.Missed == "" {
		t.Missed = schedule.Latest
	}
	return t
}

// times are what was filled in, checked.
func (t *Timing) times(now time.Time) (when launch.Times, err error) {
	if t.Cron == "" {
		return when, unit.Mistake(unit.WithHint(errors.New("when? Fill in an expression of cron"), `"0 4 * * *" is every day at four`))
	}
	if len(t.Cron) > maxCron || len(t.Zone) > maxCron {
		return when, unit.Mistake(fmt.Errorf("an expression of up to %d characters is wanted", maxCron))
	}
	t.Next, err = firings.Next(t.Cron, t.Zone, t.Missed, now)
	return launch.Times{Crons: firings.Crons(t.Cron), Zone: t.Zone, Missed: t.Missed}, err
}

// A Due is when expressions of cron are due next, or what is wrong with them.
type Due struct {
	Next  []string `json:"next"`
	Error string   `json:"error,omitempty"`
	Hint  string   `json:"hint,omitempty"`
}

// DueOf says when the expressions of a request are due.
func DueOf(q url.Values) Due {
	t := timingOf(q)
	if _, err := t.times(time.Now()); err != nil {
		return Due{[]string{}, unit.Line(err.Error()), unit.Line(unit.HintOf(err))}
	}
	return Due{Next: t.Next}
}

// schedule obeys a form that schedules its file.
func (a *Actions) schedule(r *http.Request, v *Form, in launch.Filled, do bool) error {
	v.When.Open = true
	when, err := v.When.times(time.Now())
	if err != nil {
		return err
	}
	o, err := v.Ask.Schedule(in, when, time.Now())
	if err != nil {
		return err
	}
	v.shows(o)
	if !do {
		return nil
	}
	if o, err = a.audited(r, o, launch.Schedule); err != nil {
		return err
	}
	if err := a.Queue.Now(r.Context(), o); err != nil {
		return err
	}
	a.Roots.Changed()
	v.Scheduled = roots.ID(o.Where)
	return nil
}

// timed obeys a button on the page of a schedule.
func (a *Actions) timed(r *http.Request, place roots.Sweep, do string) error {
	now := time.Now()
	switch do {
	case launch.Fire:
		if _, _, err := a.scheduled(r.Context(), place); err != nil {
			return err
		}
		_, err := a.order(r, launch.FireOf(place.Name, place.Where, now), do)
		return unlessAgain(err)
	case launch.Catchup:
		_, _, err := a.scheduled(r.Context(), place)
		if err != nil {
			return err
		}
		o, err := launch.CatchupOf(place.Name, place.Where, r.PostForm.Get("from"), r.PostForm.Get("to"), now)
		if err == nil {
			_, err = a.order(r, o, do)
		}
		return unlessAgain(err)
	}
	return a.change(r, place, do)
}

// scheduled is the schedule of a sweep that no cluster fires, and how it is changed;
// nil removes it.
func (a *Actions) scheduled(ctx context.Context, place roots.Sweep) (s schedule.Schedule, put func(context.Context, *schedule.Schedule) error, err error) {
	st, err := a.Open(ctx, place.Where)
	if err != nil {
		return s, nil, err
	}
	s, err = schedule.Get(ctx, st)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil, unit.Mistake(unit.WithHint(fmt.Errorf("the sweep %s has no schedule", place.Name), "schedule its sweep file: Launch has it"))
	case err == nil && s.On != "":
		return s, nil, unit.Mistake(unit.WithHint(fmt.Errorf("the cluster %s fires %s, as %s", unit.Line(s.On), place.Name, unit.Line(s.ID)), "fanout schedule --on %s changes it", unit.Quote(s.On)))
	}
	return s, func(ctx context.Context, s *schedule.Schedule) error {
		if s == nil {
			return schedule.Remove(ctx, st)
		}
		return s.Put(ctx, st)
	}, err
}

// change changes a schedule; what it does is in the audit log, and that of the sweep,
// first.
func (a *Actions) change(r *http.Request, place roots.Sweep, do string) error {
	s, put, err := a.scheduled(r.Context(), place)
	if err != nil && (do != Unschedule || put == nil) {
		return err
	}
	var set []string
	next := &s
	switch do {
	case Pause:
		s.Paused = true
	case GoOn:
		s.Paused = false
	case Unschedule:
		next = nil
	case Reschedule:
		t := timingOf(r.PostForm)
		when, err := t.times(time.Now())
		if err != nil {
			return err
		}
		s.Crons, s.Zone, s.Missed = when.Crons, when.Zone, when.Missed
		set = []string{"cron=" + t.Cron, "tz=" + t.Zone, "missed=" + t.Missed}
	}
	s.By, s.Since = who(r.Context()), time.Now().UTC()
	if err := a.Audit(Entry{User: who(r.Context()), Remote: r.RemoteAddr, Action: do, Sweep: place.Where, Set: set}); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return put(lease.Doing(r.Context(), lease.Deed{Command: do, From: "web", For: s.By}), next)
}
