// Package exit is the one way out of an executor. What it writes into the sweep,
// reports and raises passes the mask here, so that no secret leaves with it.
//
// In go the values of the secrets and what is to leave; out comes the same
// without them. Documents are the exception: the runner masks what it puts into
// them as it joins the pieces.
package exit

import (
	"context"
	"fmt"
	"io"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// An Exit is where things leave.
type Exit struct{ mask *secret.Mask }

// New returns the exit for a process that knows secrets, each of which
// secret.Check accepts.
func New(secrets []string) (Exit, error) {
	m, err := secret.New(secrets)
	return Exit{m}, err
}

// Mask is for documents.
func (x Exit) Mask() *secret.Mask { return x.mask }

// Text takes the secrets out of a text that is to be shortened before it leaves.
func (x Exit) Text(text string) string { return x.mask.Text(text) }

// Error takes the secrets out of what an error says.
func (x Exit) Error(err error) error { return x.mask.Error(err) }

// Notes are for people.
type Notes struct {
	mask *secret.Mask
	to   func(sweep.Note)
}

// Notes returns where notes go that are meant for to.
func (x Exit) Notes(to func(sweep.Note)) Notes { return Notes{x.mask, to} }

// Note passes a note on.
func (n Notes) Note(note sweep.Note) { n.to(secret.Pass(n.mask, note)) }

// An Attempt is an attempt as its executor writes it; see sweep.Attempt.
type Attempt struct {
	attempt *sweep.Attempt
	mask    *secret.Mask
	kept    map[string]bool
}

// Begin opens the next attempt at a run.
func (x Exit) Begin(ctx context.Context, l *sweep.Lease, run string, b sweep.Began) (*Attempt, error) {
	a, err := l.Begin(ctx, run, b)
	if err != nil {
		return nil, err
	}
	return &Attempt{a, x.mask, map[string]bool{}}, nil
}

// Number is which attempt at its run it is.
func (a *Attempt) Number() int { return a.attempt.Attempt }

// Started adds by which mark the processes of its kernel are found.
func (a *Attempt) Started(kernel string) error { return a.attempt.Started(kernel) }

// Part saves the notebook as it stands.
func (a *Attempt) Part(ctx context.Context, doc []byte) error { return a.attempt.Part(ctx, doc) }

// Keep stores a file, whose content stays as it is. A *NameError says that it
// cannot have its name.
func (a *Attempt) Keep(ctx context.Context, name string, write func(io.Writer) error) error {
	name = a.mask.Text(name)
	if a.kept[name] {
		return &NameError{name}
	}
	a.kept[name] = true
	return a.attempt.Keep(ctx, name, write)
}

// A NameError reports files whose names differ in a secret alone.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	return fmt.Sprintf("another file is called %s, too, once secrets are masked", e.Name)
}

// End ends the attempt.
func (a *Attempt) End(ctx context.Context, doc *notebook.Notebook, o outcome.Outcome, log []byte) error {
	return a.attempt.End(ctx, doc, secret.Pass(a.mask, o), secret.Pass(a.mask, log))
}

// Abandon takes the attempt back.
func (a *Attempt) Abandon() error { return a.attempt.Abandon() }
