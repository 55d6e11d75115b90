package growth

import (
	"context"
	"slices"

	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Job is what a sweep whose lease is held is executed with.
type Job struct {
	Sweep   *sweep.Sweep
	Options compare.Options // its metrics, axes and baseline
	Tables  func(ctx context.Context, s *sweep.Sweep, require []string) (*collect.Result, error)
	Execute func(due.List) (fan.Summary, error)
	Note    func(sweep.Note)
}

// Rounds executes what is due, and in a sweep that grows what each look adds,
// until nothing is.
func (j Job) Rounds(ctx context.Context, todo due.List) (fan.Summary, error) {
	all := todo.All // else not everything that could be looked at is wanted
	sum, err := j.Execute(todo)
	for err == nil && ctx.Err() == nil && sum.Halted == "" && all {
		if todo, err = j.grow(ctx); err != nil || len(todo.Runs) == 0 {
			break
		}
		var more fan.Summary
		more, err = j.Execute(todo)
		sum = fan.Summary{Executed: sum.Executed + more.Executed, Retried: sum.Retried + more.Retried, Halted: more.Halted, Unstarted: sum.Unstarted + more.Unstarted}
	}
	return sum, err
}

// grow looks at the sweep, and lists the runs that this adds; none where it does
// not grow, or no more.
func (j Job) grow(ctx context.Context) (due.List, error) {
	for {
		if spec := j.Sweep.Spec(); spec == nil || !spec.Grows() {
			return due.List{}, nil
		}
		if waits := waits(j.Sweep); waits != "" {
			j.Note(sweep.Note{Kind: sweep.NoteWord, Text: "no look is taken before all runs have ended: " + waits})
			return due.List{}, nil
		}
		step, ok, err := j.look(ctx)
		if ctx.Err() != nil {
			return due.List{}, nil // stopped: the next command takes the look
		}
		if err != nil || !ok {
			return due.List{}, err
		}
		todo := due.Of(j.Sweep, due.Stale, j.Sweep.Spec().StaleOn)
		todo.Runs = slices.DeleteFunc(todo.Runs, func(id string) bool { return !slices.Contains(step.added, id) })
		j.Note(sweep.Note{Kind: sweep.NoteGrew, Runs: len(todo.Runs), Text: step.words})
		if len(todo.Runs) > 0 || step.last {
			return todo, nil
		}
		// What it adds is there already: an earlier plan had it.
	}
}

// look takes the next look, and puts the plan that follows from it in force.
func (j Job) look(ctx context.Context) (step, bool, error) {
	res, err := j.Tables(ctx, j.Sweep, nil)
	if err != nil {
		return step{}, false, err
	}
	defer res.Close()
	step, ok, err := look(ctx, j.Sweep, res.Table, j.Options)
	if err == nil && ok && step.plan != nil {
		_, err = j.Sweep.Lease().Plan(ctx, *step.plan)
	}
	return step, ok, err
}
