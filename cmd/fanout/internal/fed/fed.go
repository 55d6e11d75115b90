// Package fed gives a notebook that is executed by itself what a run of a sweep with
// steps was fed.
//
// In go the stored notebook of an attempt and a working directory; out come the
// parameters that the sweep computed for it, and in the directory upstream/ with what
// the run was fed. It promises that this is what the attempt had, or says since when it
// is not there any more.
package fed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Source is how sweeps are opened and runs are fed.
type Source struct {
	Open   func(ctx context.Context, where string) (*sweep.Sweep, error)
	Feed   func(ctx context.Context, s *sweep.Sweep, run sweep.Run, dir string) (args []value.Binding, refused, err error)
	Folder string // that Feed makes
	Warn   func(text string)
}

// Again feeds into dir what the attempt was fed of which file is the notebook. args
// are the parameters, given first; those that are given already stay as they are.
// remove takes the folder away again.
func (x Source) Again(ctx context.Context, file, dir string, given []notebook.Argument) (args []notebook.Argument, remove func() error, err error) {
	s, st, err := x.find(ctx, file)
	if err != nil {
		return nil, nil, unit.Mistake(err)
	}
	folder := filepath.Join(dir, x.Folder)
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, unit.Mistake(unit.WithHint(fmt.Errorf("the working directory has %s already, which is where the notebook finds what the run was fed", unit.Quote(folder)),
			"move it away, or choose another working directory with --cwd"))
	}
	more, refused, err := x.Feed(ctx, s, st.Run, dir)
	if err := errors.Join(refused, err); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("feed %s again: %w", s.RunName(st.Run.ID), err), os.RemoveAll(folder))
	}
	x.warnOfDefaults(s, st.Run, given)
	args = given
	for _, b := range more {
		if !has(given, b.Name) {
			args = append(args, notebook.Argument{Name: b.Name, Value: b.Value.Any()})
		}
	}
	return args, func() error { return os.RemoveAll(folder) }, nil
}

// warnOfDefaults names the parameters of a run that are not given: what the notebook
// has as their defaults does not belong to what it is fed.
func (x Source) warnOfDefaults(s *sweep.Sweep, run sweep.Run, given []notebook.Argument) {
	var names []string
	for _, b := range run.Params {
		if !has(given, b.Name) {
			names = append(names, b.Name)
		}
	}
	if len(names) > 0 {
		x.Warn(fmt.Sprintf("%s was passed %s, too, and here the defaults of the notebook stand: fanout show %s %s prints the whole line", s.RunName(run.ID), unit.List(names), unit.Quote(s.Where()), run.ID))
	}
}

func has(args []notebook.Argument, name string) bool {
	return slices.ContainsFunc(args, func(a notebook.Argument) bool { return a.Name == name })
}

// find opens the sweep that a notebook lies in, and finds the run, if it would be fed
// now what the attempt was.
func (x Source) find(ctx context.Context, file string) (*sweep.Sweep, sweep.RunState, error) {
	where, id, attempt, ok := parse(file)
	if !ok {
		return nil, sweep.RunState{}, unit.WithHint(fmt.Errorf("%s is no notebook of a run in a sweep", unit.Quote(file)), "name one in DIR.sweep/runs or DIR.sweep/attempts, as fanout show prints it")
	}
	s, err := x.Open(ctx, where)
	if err != nil {
		return nil, sweep.RunState{}, err
	}
	st, known := s.Run(id)
	switch {
	case !known:
		return nil, st, fmt.Errorf("%s has no run %s", unit.Quote(where), id)
	case st.Run.Unplanned:
		return nil, st, fmt.Errorf("%s is no longer planned, and so nothing feeds it any more", s.RunName(id))
	case len(s.Needed(id)) == 0:
		return nil, st, unit.WithHint(fmt.Errorf("%s needs no other run", s.RunName(id)), "leave --upstream out")
	case s.Waits(id) != "":
		return nil, st, fmt.Errorf("%s cannot be fed: it %s", s.RunName(id), s.Waits(id))
	}
	was, err := outcomeOf(ctx, s, st, attempt)
	if err != nil || was == nil || was.Fingerprint.FedAs(s.Current(st.Run)) {
		return s, st, err
	}
	return nil, st, unit.WithHint(fmt.Errorf("what %s was fed is not there any more%s", s.RunName(id), since(s, id, *was)),
		"to execute it with what is there now: fanout rerun %s %s", unit.Quote(where), id)
}

// outcomeOf is how an attempt went, 0 being the one that stands for the run; nil where
// there is none.
func outcomeOf(ctx context.Context, s *sweep.Sweep, st sweep.RunState, attempt int) (*outcome.Outcome, error) {
	if attempt == 0 || attempt == st.Best {
		return st.BestOut, nil
	}
	past, err := s.History(ctx, st.Run.ID)
	for _, p := range past {
		if p.Attempt == attempt {
			return &p.Outcome, p.Unread
		}
	}
	return nil, errors.Join(err, fmt.Errorf("%s has no attempt %d", s.RunName(st.Run.ID), attempt))
}

// since names what was executed again after an attempt, or what else has changed.
func since(s *sweep.Sweep, id string, was outcome.Outcome) string {
	var names []string
	for _, n := range s.Needed(id) {
		for _, st := range n.Runs {
			if st.Last != nil && st.Last.End.After(was.Start) {
				names = append(names, s.RunName(st.Run.ID))
			}
		}
	}
	if len(names) == 0 {
		return ": since then the sweep file says otherwise what the step needs or is passed"
	}
	return ": since then " + unit.List(names) + " left something else"
}

// parse takes the place of an attempt's notebook apart; attempt is 0 for the one that
// stands for a run.
func parse(file string) (where, run string, attempt int, ok bool) {
	dir, name := store.Split(file)
	where, folder := store.Split(dir)
	name, isNotebook := strings.CutSuffix(name, ".ipynb")
	run, number, dotted := strings.Cut(name, ".")
	n, err := strconv.Atoi(number)
	switch {
	case folder == "runs" && !dotted:
		return where, run, 0, isNotebook
	case folder == "attempts" && dotted && err == nil:
		return where, run, n, isNotebook
	}
	return "", "", 0, false
}
