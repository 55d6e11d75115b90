// Package firings is the schedule of a sweep, for a page: when it is due next, how
// its firings went, and a calendar of both.
//
// In go the store of a sweep and the time; out come days and rows, in the schedule's
// zone. It changes nothing.
package firings

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve/internal/nights"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Bounds of a page.
const (
	maxNext   = 5
	maxKnown  = 500
	maxRows   = 60
	maxDue    = 10_000
	maxMonths = 6
)

// A View is the schedule of a sweep.
type View struct {
	Scheduled bool           `json:"scheduled"`
	Cron      string         `json:"cron,omitempty"`
	Zone      string         `json:"tz,omitempty"`
	Missed    string         `json:"missed,omitempty"`
	By        string         `json:"by,omitempty"`
	On        string         `json:"on,omitempty"` // the cluster that fires it
	ID        string         `json:"id,omitempty"`
	Paused    bool           `json:"paused,omitempty"`
	Fires     bool           `json:"fires"` // this server fires it
	Next      []string       `json:"next"`
	Rows      []Row          `json:"firings"`
	Months    []nights.Month `json:"months"`
	Busy      string         `json:"busy,omitempty"` // why nothing can be fired now
	Missing   *Missing       `json:"missing,omitempty"`
}

// A Row is a firing.
type Row struct {
	Due   string `json:"due"`
	Began string `json:"began"`
	Took  string `json:"took,omitempty"`
	By    string `json:"by"`
	Asked string `json:"asked,omitempty"`
	State string `json:"state"` // done, failed, running, partial
	Words string `json:"words"`
	ID    string `json:"id"`
	Runs  int    `json:"runs"`            // that it began, as far as no later attempt took their place
	Where string `json:"where,omitempty"` // an expression that is true of those

	from, to time.Time // while it ran
}

// Missing is what somebody asks about: the times from one day to another at which the
// schedule was due and that were not fired, or not to a good end.
type Missing struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Due  []string `json:"due"`
	Left int      `json:"left,omitempty"` // that are not listed
}

const moment = "2006-01-02 15:04 MST"

// Pace is after how many seconds a page asks for the firings again.
func (v View) Pace() int {
	if v.Busy != "" || len(v.Rows) > 0 && v.Rows[0].State == "running" {
		return 2
	}
	return 15
}

// Made says of each firing which runs it began.
func (v *View) Made(s *sweep.Sweep) {
	if len(v.Rows) == 0 {
		return
	}
	var all []start
	for st := range s.All() {
		if at := query.Started(st); !at.IsZero() {
			all = append(all, start{at, st.Run.ID})
		}
	}
	slices.SortFunc(all, func(a, b start) int { return a.at.Compare(b.at) })
	for i := range v.Rows {
		v.Rows[i].made(all)
	}
}

// A start is when a run began.
type start struct {
	at  time.Time
	run string
}

// Made says which runs the firing began.
func (d *Detail) Made(s *sweep.Sweep) {
	v := View{Rows: []Row{d.Row}}
	v.Made(s)
	d.Row = v.Rows[0]
}

// maxNamed is how many runs an expression names; of more it says when they began, to the
// second.
const maxNamed = 60

// made finds the runs that began while the firing ran, among all that did in order.
func (r *Row) made(all []start) {
	first := sort.Search(len(all), func(i int) bool { return !all[i].at.Before(r.from) })
	last := sort.Search(len(all), func(i int) bool { return all[i].at.After(r.to) })
	switch r.Runs = last - first; {
	case r.Runs > maxNamed:
		r.Where = query.During(r.from, r.to)
	case r.Runs > 0:
		var ids []string
		for _, x := range all[first:last] {
			ids = append(ids, x.run)
		}
		r.Where = query.Among(ids)
	}
}

// A Detail is one firing, with what it printed.
type Detail struct {
	Row
	Printed string `json:"printed"`
}

// One reads a firing by its id.
func One(ctx context.Context, st store.Store, id string) (d Detail, err error) {
	f, err := firing.Get(ctx, st, id)
	if err != nil {
		return d, err
	}
	zone := time.UTC
	if s, err := schedule.Get(ctx, st); err == nil {
		if at, err := time.LoadLocation(s.Zone); err == nil {
			zone = at
		}
	}
	d.Row = rowOf(f, zone)
	if f.End == nil && firing.Claimed(ctx, st) {
		if last, err := firing.List(ctx, st, 1); err == nil && len(last) == 1 && last[0].Name() == id {
			d.State, d.Words = "running", "running"
		}
	}
	text, err := firing.Log(ctx, st, f)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	d.Printed = string(text)
	return d, nil
}

// Next is when expressions of cron are due after now, for people. Several are joined
// by "and".
func Next(cron, zone, missed string, now time.Time) (next []string, err error) {
	s := schedule.Schedule{Crons: Crons(cron), Zone: zone, Missed: missed}
	if _, err := s.Check(now); err != nil {
		return nil, unit.Mistake(err)
	}
	return nextOf(s, now), nil
}

// Crons are the expressions in a text of one or more.
func Crons(text string) (all []string) {
	for one := range strings.SplitSeq(text, " and ") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

func nextOf(s schedule.Schedule, now time.Time) (next []string) {
	for at := now; len(next) < maxNext; {
		var err error
		if at, err = s.Next(at); err != nil || at.IsZero() {
			break
		}
		next = append(next, at.Format("Mon "+moment))
	}
	return next
}

// Read reads the schedule of a sweep and its history, and what is missing between two
// days, if they are days.
func Read(ctx context.Context, st store.Store, now time.Time, from, to string) (View, error) {
	history, err := firing.List(ctx, st, maxKnown)
	if err != nil {
		return View{}, err
	}
	s, err := schedule.Get(ctx, st)
	known := &s
	if errors.Is(err, fs.ErrNotExist) {
		known, err = nil, nil
	}
	v := of(known, history, firing.Claimed(ctx, st), now)
	v.Busy = schedule.Busy(ctx, st)
	if known != nil && err == nil {
		v.Missing = missing(s, history, from, to, now)
	}
	return v, err
}

func missing(s schedule.Schedule, history []firing.Firing, from, to string, now time.Time) *Missing {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil
	}
	first, err := time.ParseInLocation(time.DateOnly, from, zone)
	last, wrong := time.ParseInLocation(time.DateOnly, to, zone)
	if err != nil || wrong != nil || last.Before(first) {
		return nil
	}
	if last = last.AddDate(0, 0, 1).Add(-time.Second); last.After(now) {
		last = now
	}
	due, err := s.Between(first, last, maxDue)
	if err != nil {
		return nil
	}
	m := &Missing{From: from, To: to, Due: []string{}}
	for _, at := range due {
		switch {
		case slices.ContainsFunc(history, func(f firing.Firing) bool { return f.Due.Equal(at) && f.End != nil && f.End.Code == 0 }):
		case len(m.Due) < maxRows:
			m.Due = append(m.Due, at.Format("Mon "+moment))
		default:
			m.Left++
		}
	}
	return m
}

// of is the schedule of a sweep; s is nil where it has none. running says that a firing
// is being made.
func of(s *schedule.Schedule, history []firing.Firing, running bool, now time.Time) View {
	v := View{Zone: "UTC", Next: []string{}, Rows: []Row{}}
	if s != nil {
		v.Scheduled, v.Cron, v.Zone, v.Missed, v.By = true, strings.Join(s.Crons, " and "), s.Zone, s.Missed, unit.Line(s.By)
		v.On, v.ID, v.Paused = unit.Line(s.On), unit.Line(s.ID), s.Paused
		v.Next = append(v.Next, nextOf(*s, now)...)
	}
	zone, err := time.LoadLocation(v.Zone)
	if err != nil {
		zone = time.UTC
	}
	for i, f := range history {
		r := rowOf(f, zone)
		if i == 0 && f.End == nil && running {
			r.State, r.Words = "running", "running"
		}
		if len(v.Rows) < maxRows {
			v.Rows = append(v.Rows, r)
		}
	}
	v.Months = calendar(s, history, zone, now)
	return v
}

func rowOf(f firing.Firing, zone *time.Location) Row {
	r := Row{ID: f.Name(), from: f.Began, to: time.Now(), Due: f.Due.In(zone).Format(moment), Began: f.Began.In(zone).Format(moment), By: unit.Line(f.By), Asked: unit.Line(f.Asked)}
	r.State, r.Words = "partial", "nobody recorded how it ended"
	if f.End != nil {
		r.to = f.End.At
		r.Took = unit.Duration(f.End.At.Sub(f.Began))
		if r.State, r.Words = "done", firing.Meaning(f.End.Code); f.End.Code != 0 {
			r.State = "failed"
			if f.End.Reason != "" {
				r.Words += ": " + unit.Cut(unit.Line(f.End.Reason), 400)
			}
		}
	}
	return r
}

// calendar is the last months, this one and the next. The last try at a day's last
// firing colours it; what is due has no colour yet.
func calendar(s *schedule.Schedule, history []firing.Firing, zone *time.Location, now time.Time) []nights.Month {
	today := now.In(zone)
	this := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	first, last := this, this.AddDate(0, 2, -1)
	days, fired := map[string]*nights.Day{}, map[string]int{}
	for i := range history { // the latest first
		at := history[i].Due.In(zone)
		if month := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC); month.Before(first) && !month.Before(this.AddDate(0, 1-maxMonths, 0)) {
			first = month
		}
		day := at.Format(time.DateOnly)
		fired[day]++
		if days[day] == nil {
			r := rowOf(history[i], zone)
			days[day] = &nights.Day{State: r.State, Fired: at.Format("15:04") + " " + r.Words}
		}
	}
	return nights.Months(first, last, func(at time.Time, d *nights.Day) {
		if known := days[d.Date]; known != nil {
			d.State, d.Fired = known.State, known.Fired
			if n := fired[d.Date]; n > 1 {
				d.Fired = unit.Plural(n, "firing") + ", the last " + d.Fired
			}
		}
		begins := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone)
		if due := dueOn(s, begins, now); due != "" {
			if d.Catchup = true; d.Fired != "" {
				d.Fired += "; "
			}
			d.Fired += "due at " + due
		}
	})
}

// dueOn is the first time after now at which the schedule is due on a day; "" is never.
func dueOn(s *schedule.Schedule, begins, now time.Time) string {
	if s == nil || s.Paused {
		return ""
	}
	after := begins.Add(-time.Second)
	if after.Before(now) {
		after = now
	}
	next, err := s.Next(after)
	if err != nil || next.IsZero() || !next.Before(begins.AddDate(0, 0, 1)) {
		return ""
	}
	return next.Format("15:04")
}
