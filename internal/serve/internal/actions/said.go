package actions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Audited is a log of requests that also puts those in the audit log which could have
// changed something.
func Audited(log func(guard.Entry), audit func(Entry) error, report func(error)) func(guard.Entry) {
	return func(e guard.Entry) {
		if e.Method != http.MethodGet && e.Method != http.MethodHead {
			if err := audit(Entry{At: e.At.UTC(), User: e.User, Remote: e.Remote, Method: e.Method, Path: e.Path, Status: e.Status}); err != nil {
				report(err)
			}
		}
		if log != nil {
			log(e)
		}
	}
}

// Buttons are what a page offers to do.
type Buttons struct {
	Token                 string
	Rerun, Resume, Cancel bool
	Does                  string   // what the one that is offered would do, for people
	Said                  []string // what was asked for
	Waits                 bool     // some of it has not ended
}

// ButtonsFor are those of a sweep in a state, or of its schedule where that is ""; nil
// where nothing is allowed.
func (a *Actions) ButtonsFor(ctx context.Context, where, state string) *Buttons {
	if !a.On() {
		return nil
	}
	orders := a.Queue.Orders()
	waits := slices.ContainsFunc(orders, func(o launch.Order) bool { return o.Where == where && o.Ended.IsZero() })
	return &Buttons{Token: a.Token(ctx), Rerun: state == shelf.Failed, Resume: state == shelf.Partial, Cancel: state == shelf.Running, Said: said(orders, where, state == ""), Waits: waits}
}

// said are sentences on the orders of a sweep, the latest first: those that have not
// ended. On the page of its schedule they are those of firings, and the last one stays
// there after its end.
func said(orders []launch.Order, where string, timed bool) (all []string) {
	for _, o := range orders {
		what := wanted(o)
		if o.Where != where || what == "" || Timed(o.Kind) != timed || !o.Ended.IsZero() && (!timed || len(all) > 0) {
			continue
		}
		all = append(all, fmt.Sprintf("Asked for %s, by %s at %s UTC%s.", what, unit.Line(o.By), o.At.UTC().Format("2006-01-02 15:04"), how(o, timed)))
	}
	return all
}

// wanted is what an order is for.
func wanted(o launch.Order) string {
	switch {
	case o.Kind == launch.Fire:
		return "a firing now"
	case o.Kind == launch.Catchup && len(o.Set) == 1:
		return "the firings of " + unit.Line(o.Set[0])
	case o.Kind == launch.Rerun:
		return "the runs that failed"
	case o.Kind == launch.Resume:
		return "the runs that are left"
	}
	return ""
}

// how is how an order stands, as the end of a sentence.
func how(o launch.Order, timed bool) string {
	switch {
	case !o.Ended.IsZero() && o.Code == 0:
		return ", and it is done"
	case !o.Ended.IsZero():
		last := strings.TrimSpace(o.Says)
		last = strings.TrimSuffix(unit.Cut(unit.Line(last[strings.LastIndex(last, "\n")+1:]), 400), ".")
		return strings.TrimSuffix(": "+o.State()+": "+last, ": ")
	case o.Kind == launch.Fire:
		return "; it appears below when it begins"
	case timed:
		return "; they appear below as they begin"
	case o.Began.IsZero():
		return "; they wait for their turn"
	}
	return "; they are being executed"
}

// An Asked is who asked for something of a sweep.
type Asked struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Code *int      `json:"exit_code,omitempty"` // nil while it is executed
}

// AskedFor are the last who asked for something.
func AskedFor(ctx context.Context, st store.Store) (all []Asked) {
	history, err := firing.List(ctx, st, 20)
	if err != nil {
		return nil // a page without it is as good
	}
	for _, f := range history {
		if f.Asked == "" || len(all) == 3 {
			continue
		}
		a := Asked{By: unit.Line(f.Asked), At: f.Began}
		if f.End != nil {
			a.Code = &f.End.Code
		}
		all = append(all, a)
	}
	return all
}

// Check refuses actions where nobody would be known.
func Check(q *launch.Queue, auth guard.Auth) error {
	if q == nil || auth != guard.None {
		return nil
	}
	return unit.Mistake(unit.WithHint(errors.New("--allow-launch lets people whom the server knows have something executed, and with --auth none it knows nobody"), "add --auth token or --auth proxy"))
}
