// Package timetable shows schedules and the history of their firings, as tables for
// people and as JSON for programs. What a cluster knows of a firing, as long as it
// does, and what the sweep recorded of it become one account.
package timetable

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Schedule is a line of the list of schedules.
type Schedule struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Sweep   string     `json:"sweep"`
	Crons   []string   `json:"crons"`
	Zone    string     `json:"tz"`
	Stopped bool       `json:"stopped,omitempty"`
	Next    *time.Time `json:"next,omitempty"`
	Last    *Firing    `json:"last,omitempty"` // the one that runs, if one does
	Problem string     `json:"problem,omitempty"`
}

// A Firing is one of a schedule, as the cluster and the sweep know it.
type Firing struct {
	ID     string     `json:"id,omitempty"`
	Due    time.Time  `json:"at"`
	Try    int        `json:"try,omitempty"`
	By     string     `json:"by,omitempty"`
	State  string     `json:"state"` // waiting, running, ended or forgotten
	Began  *time.Time `json:"began,omitempty"`
	Ended  *time.Time `json:"ended,omitempty"`
	Code   *int       `json:"exit_code,omitempty"`
	Reason string     `json:"reason,omitempty"`
}

// Of is a firing of which only its record in the sweep is known.
func Of(r firing.Firing, zone string) Firing {
	f := Firing{ID: r.ID, Due: In(r.Due, zone), Try: r.Try, By: r.By, State: "forgotten"}
	began := In(r.Began, zone)
	f.Began = &began
	if e := r.End; e != nil {
		ended := In(e.At, zone)
		f.State, f.Ended, f.Code, f.Reason = "ended", &ended, &e.Code, e.Reason
	}
	return f
}

// DueAt reports whether a firing was due at a time that a person gave, or at the
// beginning of it. A time in another zone is the same time.
func (f Firing) DueAt(text string) bool {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return f.Due.Equal(at)
	}
	return strings.HasPrefix(Moment(f.Due), text) || strings.HasPrefix(f.Due.Format(time.RFC3339), text)
}

// Last is the firing to show of a schedule: the one that the cluster says is
// running, or else the latest. cluster is nil if the cluster knows none.
func Last(cluster *Firing, recorded []firing.Firing, zone string) *Firing {
	var latest *Firing
	if len(recorded) > 0 {
		f := Of(recorded[0], zone)
		latest = &f
	}
	if cluster == nil || latest != nil && !cluster.busy() && latest.Due.After(cluster.Due) {
		return latest
	}
	both := *cluster
	for _, r := range recorded {
		if !r.Due.Equal(cluster.Due) {
			continue
		}
		f := Of(r, zone)
		both.Began, both.Ended, both.By, both.Try = f.Began, f.Ended, f.By, f.Try
		if f.State == "ended" && !cluster.busy() {
			both.State, both.Code, both.Reason = f.State, f.Code, f.Reason
		}
		break
	}
	return &both
}

// busy reports whether the firing has not ended.
func (f Firing) busy() bool { return f.State == "running" || f.State == "waiting" }

// went are how a firing goes or went, in words.
func (f Firing) went() string {
	switch {
	case f.State == "waiting":
		return "it waits for a node"
	case f.State == "forgotten":
		return "nobody recorded how it ended: it was killed, or its machine went away"
	case f.State != "ended":
		return f.State
	case f.Code == nil:
		return unit.Line(f.Reason)
	}
	words := firing.Meaning(*f.Code)
	if f.Reason != "" && *f.Code != 0 {
		words += ": " + unit.Line(f.Reason)
	}
	return words
}

// List prints schedules, one object a line with asJSON.
func List(to unit.Printer, all []Schedule, asJSON bool) error {
	if asJSON {
		return printJSON(to, all)
	}
	w := tabwriter.NewWriter(to.Lines(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "id\tsweep\tcron\ttz\tnext\tlast\twent")
	for _, s := range all {
		next, last, went := "-", "-", "-"
		if s.Next != nil {
			next = Moment(*s.Next)
		}
		if s.Last != nil {
			last, went = Moment(s.Last.Due), s.Last.went()
		}
		if s.Problem != "" {
			went = "problem: " + unit.Line(s.Problem)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, unit.Line(s.Sweep), strings.Join(s.Crons, " and "), s.Zone, next, last, went)
	}
	return w.Flush()
}

// History prints firings, one object a line with asJSON.
func History(to unit.Printer, all []Firing, asJSON bool) error {
	if asJSON {
		return printJSON(to, all)
	}
	w := tabwriter.NewWriter(to.Lines(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "due\tbegan\ttook\tby\twent")
	for _, f := range all {
		began, took := "-", "-"
		if f.Began != nil {
			began = Moment(*f.Began)
		}
		if f.Began != nil && f.Ended != nil {
			took = unit.Duration(f.Ended.Sub(*f.Began))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", Moment(f.Due), began, took, unit.Line(f.By), f.went())
	}
	return w.Flush()
}

func printJSON[T any](to unit.Printer, all []T) error {
	enc := json.NewEncoder(to.Data())
	enc.SetEscapeHTML(false)
	for _, v := range all {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

// Moment is a time with its zone, for people.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

// In is a time in a zone, or in UTC where the zone is not known here.
func In(t time.Time, zone string) time.Time {
	if loc, err := time.LoadLocation(zone); err == nil {
		return t.In(loc)
	}
	return t.UTC()
}
