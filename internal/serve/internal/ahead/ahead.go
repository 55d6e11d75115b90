// Package ahead says what would be executed, before somebody has it executed.
//
// In go an order that nobody has given yet, or a sweep and what a button of its page
// would do; out comes a line for people. It executes and writes nothing.
package ahead

import (
	"context"
	"fmt"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Order says what an order would execute.
func Order(ctx context.Context, a *app.App, o launch.Order) (string, error) {
	d, err := o.Draft(ctx)
	if err == nil {
		err = app.CheckSize(ctx, d)
	}
	if err != nil {
		return "", err
	}
	plan, _, err := a.Preview(ctx, d, o.Where)
	if err != nil {
		return "", err
	}
	return todo(plan, app.Choice{Reprocess: due.Stale}, a.Jobs)
}

// Button says what the button on the page of a sweep in a state would do; empty where
// it has none, or nobody can tell.
func Button(o *opened.Sweep, state string, jobs int) string {
	text, _ := opened.Memo(o, "ahead "+state, func() (string, error) {
		switch state {
		case shelf.Failed:
			return todo(o.Sweep, app.Choice{Again: &query.Choice{Failed: true}}, jobs)
		case shelf.Partial:
			return todo(o.Sweep, app.Choice{Reprocess: due.Stale}, jobs)
		case shelf.Running:
			return stopped(o.Tally()), nil
		}
		return "", nil
	})
	return text
}

// done is what people call the runs that need not be executed.
const done = "up to date"

// todo says what is due, and how long it takes where something succeeded before.
func todo(s *sweep.Sweep, c app.Choice, jobs int) (string, error) {
	list, err := app.Due(s, c)
	if err != nil {
		return "", err
	}
	text := list.Saying(done)
	if f, ok := due.Expect(s, list.Runs, max(jobs, 1)); ok && len(list.Runs) > 0 {
		text += ", about " + unit.Duration(f.Wall)
	}
	return text, nil
}

// stopped says what canceling leaves.
func stopped(t query.Tally) string {
	text := fmt.Sprintf("%s to interrupt", unit.Plural(t.Counts[outcome.Running], "run"))
	if n := t.Counts[outcome.Planned]; n > 0 {
		text += fmt.Sprintf(", %d not begun", n)
	}
	return fmt.Sprintf("%s, %d %s", text, t.Counts[outcome.Succeeded], done)
}
