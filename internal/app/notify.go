package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fanout-dev/fanout/internal/app/internal/notice"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// news is the notification that a sweep has ended: on a command's standard
// input, or in a request's body. Its places are absolute.
type news struct {
	Sweep   string `json:"sweep"`
	Status  string `json:"status"` // success or failure
	Where   string `json:"where"`
	Summary string `json:"summary"` // in Markdown
	Text    string `json:"text"`    // one line for people
	Halted  string `json:"halted,omitempty"`
	Error   string `json:"error,omitempty"` // why fanout could not finish; or of the user's own report
	query.Tally
	Failures []query.Failure   `json:"failures,omitempty"` // the first ones; those that are not known lead
	Verdict  map[string]string `json:"verdicts,omitempty"` // by metric
	document []byte            // the summary, in Markdown
}

// How many failures a notification names, and how much of a reason it quotes.
const (
	maxNews   = 50
	maxReason = 500 // characters
)

// notify sends the notifications that the sweep file asks for. A failure
// changes nothing about the sweep. unreported is why there is no report of the
// user's own.
func (j *Job) notify(ctx context.Context, sum fan.Summary, end Ending, unreported error) {
	where := absolute(j.Where())
	e := news{
		Sweep: j.Name(), Status: "success", Where: where, Summary: store.Join(where, sweep.SummaryMarkdown),
		Text: j.Name() + ": " + end.Tally.String(), Halted: sum.Halted, Tally: end.Tally, Failures: j.failures(where), Verdict: map[string]string{},
	}
	for _, m := range end.Comparison.Metrics {
		e.Verdict[m.Name] = m.Verdict
	}
	if text, err := store.GetSmall(ctx, j.Store(), sweep.SummaryMarkdown); err == nil {
		e.document = text // without it a mail says less
	}
	if unreported != nil {
		e.Error = unreported.Error()
	}
	if sum.Halted != "" || end.Incomplete() || unreported != nil {
		e.Status = "failure"
	}
	j.app.send(ctx, j.Spec(), e)
}

// unfinished sends the notifications that fanout cannot finish a sweep, and
// returns why. s is nil where it could not be opened. Of a sweep that another
// fanout holds, that one has the news.
func (a *App) unfinished(ctx context.Context, spec *grid.Spec, where string, s *sweep.Sweep, why error) error {
	var held *lease.HeldError
	if why == nil || spec == nil || errors.As(why, &held) {
		return why
	}
	text := unit.Cut(unit.Line(why.Error()), maxReason)
	e := news{Sweep: spec.Name, Status: "failure", Where: absolute(where), Text: spec.Name + ": fanout could not finish: " + text, Error: text}
	if s != nil {
		e.Tally = query.TallyOf(s)
	}
	a.send(context.WithoutCancel(ctx), spec, e)
	return why
}

// reach is whom to tell that a sweep cannot be reached, where the sweep file is that
// says so.
type reach struct {
	Sweep  string        `json:"sweep"`
	Notify []grid.Notice `json:"notify,omitempty"`
}

// ReachOf is as much of that, as JSON, as others than the readers of the sweep may
// read: no URL, which often is a token. plain reports that the sweep file has one.
func ReachOf(spec *grid.Spec) (text string, plain bool) {
	r := reach{Sweep: spec.Name}
	for _, n := range spec.Notify {
		switch {
		case n.On == "success":
		case n.Webhook != "":
			plain = true
		default:
			r.Notify = append(r.Notify, n)
		}
	}
	b, _ := json.Marshal(r) // texts
	return string(b), plain
}

// Unreached notifies whom to, of ReachOf, names that fanout cannot reach the sweep at
// where, and returns why.
func (a *App) Unreached(ctx context.Context, to, where string, why error) error {
	var r reach
	if err := json.Unmarshal([]byte(to), &r); err != nil {
		a.Warn(fmt.Sprintf("notify: %v", err))
	}
	spec := &grid.Spec{}
	spec.Name, spec.Notify = r.Sweep, r.Notify
	return a.unfinished(ctx, spec, where, nil, why)
}

// send notifies whom the sweep file names.
func (a *App) send(ctx context.Context, spec *grid.Spec, e news) {
	body, err := json.Marshal(e)
	if err != nil {
		a.Warn(fmt.Sprintf("notify: %v", err))
		return
	}
	for _, n := range spec.Notify {
		if n.On == "failure" && e.Status != n.On || n.On == "success" && e.Status != n.On {
			continue
		}
		if err := notice.Send(ctx, n, notice.Message{JSON: body, Line: e.Text, Document: e.document}); err != nil {
			a.Warn(fmt.Sprintf("notify: %v", err))
		}
	}
}

// failures are the first of the sweep at where; those that are news lead.
func (j *Job) failures(where string) []query.Failure {
	var news, known []query.Failure
	for _, f := range query.Failures(j.Sweep) {
		f.Notebook, f.Reason = store.Join(where, f.Notebook), unit.Cut(f.Reason, maxReason)
		if f.Known = j.known[f.Run]; f.Known {
			known = append(known, f)
		} else {
			news = append(news, f)
		}
	}
	all := append(news, known...)
	return all[:min(len(all), maxNews)]
}

// absolute is a place that means the same in any folder, where there is one.
func absolute(where string) string {
	if abs, err := store.Absolute(where); err == nil {
		return abs
	}
	return where
}
