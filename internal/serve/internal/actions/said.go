package actions

import (
	"context"
	"errors"
	"net/http"
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
	Does                  string // what the one that is offered would do, for people
}

// ButtonsFor are those of a sweep in a state; nil where nothing is allowed.
func (a *Actions) ButtonsFor(ctx context.Context, state string) *Buttons {
	if !a.On() {
		return nil
	}
	return &Buttons{Token: a.Token(ctx), Rerun: state == shelf.Failed, Resume: state == shelf.Partial, Cancel: state == shelf.Running}
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
