package app

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/fanout-dev/fanout/internal/app/internal/news"
	"github.com/fanout-dev/fanout/internal/app/internal/notice"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// notify sends the notifications that the sweep file asks for. A failure
// changes nothing about the sweep. unreported is why there is no report of the
// user's own.
func (j *Job) notify(ctx context.Context, sum fan.Summary, end Ending, unreported error) {
	e := news.Of(j.Sweep, j.known, end.Comparison)
	e.Halted = sum.Halted
	e.Pages(end.Held, end.Unpublished)
	if text, err := store.GetSmall(ctx, j.Store(), sweep.SummaryMarkdown); err == nil {
		e.Document = report.Without(text, notInMail...) // without it a mail says less
	}
	if unreported != nil {
		e.Error = unreported.Error()
	}
	if sum.Halted != "" || end.Incomplete() || unreported != nil || end.Unpublished != nil {
		e.Status = "failure"
	}
	j.app.send(ctx, j.Spec(), e)
}

// notInMail are the sections of a summary that a mail leaves out: it names the runs that
// failed above the summary, and the others repeat rows or are to look things up in.
var notInMail = []string{"swept", "effects", "cells", "best", "failures", "cost", "provenance"}

// unfinished sends the notifications that fanout cannot finish a sweep, and
// returns why. s is nil where it could not be opened. Of a sweep that another
// fanout holds, that one has the news.
func (a *App) unfinished(ctx context.Context, spec *grid.Spec, where string, s *sweep.Sweep, why error) error {
	var held *lease.HeldError
	if why == nil || spec == nil || errors.As(why, &held) {
		return why
	}
	a.send(context.WithoutCancel(ctx), spec, news.Unfinished(spec.Name, where, s, why))
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
		a.Warn("notify: " + unit.Complaint(err))
	}
	spec := &grid.Spec{}
	spec.Name, spec.Notify = r.Sweep, r.Notify
	return a.unfinished(ctx, spec, where, nil, why)
}

// send notifies whom the sweep file names.
func (a *App) send(ctx context.Context, spec *grid.Spec, e news.News) {
	for _, n := range spec.Notify {
		if n.On == "failure" && e.Status != n.On || n.On == "success" && e.Status != n.On {
			continue
		}
		m, err := e.Message(n.Link)
		if err == nil {
			err = notice.Send(ctx, n, m)
		}
		if err != nil {
			a.Warn("notify: " + unit.Complaint(err))
		}
	}
}
