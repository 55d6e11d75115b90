// Package schedule extends sweeps when they are due, without a cluster.
//
// A Schedule is an object of its sweep: it says when the sweep is extended, from
// which bundle of files, and by what. Pending compares it with the history of its
// firings and says what is to be fired now. A Clock watches the schedules of many
// sweeps and fires each when it is due.
//
// It promises that a due time is fired once, whoever looks: several clocks, a line
// of crontab and people may watch one sweep. What was due while nobody looked, or
// while an earlier firing ran, is fired later: the latest of it, or each. A firing
// that was cut short is fired again. Firings of one sweep never overlap.
//
// It does not know what a firing does, and starts no process.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/cron"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Schedule says when a sweep is extended, and from what.
type Schedule struct {
	Crons    []string          `json:"crons"`
	Zone     string            `json:"tz"`
	Missed   string            `json:"missed,omitempty"` // Latest or Each
	Bundle   string            `json:"bundle"`           // key of the files that a firing needs
	Spec     string            `json:"spec"`             // the sweep file among them
	Settings map[string]string `json:"settings,omitempty"`
	On       string            `json:"on,omitempty"` // the cluster that fires it; "" is whoever watches the sweep
	ID       string            `json:"id,omitempty"` // there
	Since    time.Time         `json:"since"`        // what was due before is none of its business
	Paused   bool              `json:"paused,omitempty"`
	By       string            `json:"by,omitempty"` // who wrote it
}

// What is done about due times that have passed.
const (
	Latest = "latest" // the last of them is fired
	Each   = "each"   // all of them are, one after the other
)

const (
	key      = "schedule.json"
	maxSize  = 1 << 20
	maxCrons = 100
)

// Check reports what is wrong with when a schedule is due; next is when it first is
// after a moment.
func (s Schedule) Check(after time.Time) (next time.Time, err error) {
	switch {
	case len(s.Crons) == 0:
		return next, unit.WithHint(errors.New("--cron is missing"), `every night at two: --cron "0 2 * * *" --tz Europe/Berlin`)
	case len(s.Crons) > maxCrons:
		return next, fmt.Errorf("--cron: %d expressions, and %d is the limit", len(s.Crons), maxCrons)
	case s.Zone == "Local":
		return next, unit.WithHint(errors.New("--tz Local is another zone on each machine"), "name the zone: --tz Europe/Berlin")
	case s.Missed != "" && s.Missed != Latest && s.Missed != Each:
		return next, fmt.Errorf("--missed %q: want %s or %s", s.Missed, Latest, Each)
	}
	next, err = cron.Next(s.Crons, s.Zone, after)
	if err == nil && next.IsZero() {
		err = fmt.Errorf("--cron %q: it never fires", strings.Join(s.Crons, " and "))
	}
	return next, err
}

// ErrBroken reports a schedule that nothing can be fired by.
var ErrBroken = errors.New("it can only be removed")

// Get is the schedule of a sweep; fs.ErrNotExist says that it has none.
func Get(ctx context.Context, st store.Store) (Schedule, error) {
	var s Schedule
	text, err := store.GetSmall(ctx, st, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, err
	case err == nil:
		if s, err = decode(text); err == nil {
			return s, nil
		}
		err = unit.WithHint(fmt.Errorf("%w: %w", ErrBroken, err), "fanout schedule rm %s", unit.Quote(st.String()))
	}
	return s, fmt.Errorf("read the schedule of %s: %w", st, err)
}

func decode(text []byte) (s Schedule, err error) {
	if len(text) > maxSize {
		return s, errors.New("it is too large to be one")
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, err
	}
	_, err = s.Check(time.Now())
	return s, err
}

// mark changes whenever somebody gives a sweep another schedule; "" is that of a sweep
// without one.
func mark(ctx context.Context, st store.Store) (string, error) {
	o, err := st.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the schedule of %s: %w", st, err)
	}
	return fmt.Sprint(o.Size, o.ModTime.UnixNano()), nil
}

// Put gives a sweep its schedule, instead of the one it has, and records in it who does
// so, by the Deed of the context.
func (s Schedule) Put(ctx context.Context, st store.Store) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = lease.Record(ctx, st)
	}
	if err == nil {
		err = st.Put(ctx, key, append(text, '\n'), store.Synced)
	}
	if err != nil {
		return fmt.Errorf("write the schedule of %s: %w", st, err)
	}
	return nil
}

// Remove takes the schedule of a sweep away, and records who does so; the history of its
// firings stays.
func Remove(ctx context.Context, st store.Store) error {
	err := lease.Record(ctx, st)
	if err == nil {
		err = st.Delete(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("remove the schedule of %s: %w", st, err)
	}
	return nil
}

// Next is when the schedule is due after a moment, whatever was fired; zero is
// never.
func (s Schedule) Next(after time.Time) (time.Time, error) {
	if s.Paused {
		return time.Time{}, nil
	}
	return cron.Next(s.Crons, s.Zone, after)
}

// Between are the times at which the schedule is due, from one moment to another,
// both among them; more than limit are an error.
func (s Schedule) Between(from, to time.Time, limit int) (due []time.Time, err error) {
	for at := from.Add(-time.Nanosecond); ; {
		if at, err = cron.Next(s.Crons, s.Zone, at); err != nil || at.IsZero() || at.After(to) {
			return due, err
		}
		if len(due) == limit {
			return nil, fmt.Errorf("the schedule is due more than %d times between %s and %s", limit, from.Format(time.RFC3339), to.Format(time.RFC3339))
		}
		due = append(due, at)
	}
}

// maxTries is how often a firing that is cut short is tried.
const maxTries = 5

// Pending is the due time that is to be fired now, after what was fired; zero when
// there is none. It looks at nothing but its arguments.
func (s Schedule) Pending(history []firing.Firing, now time.Time) (time.Time, error) {
	if s.Paused {
		return time.Time{}, nil
	}
	mark := s.Since
	for _, f := range history {
		if f.Asked == "" && f.Due.After(mark) && settled(history, f.Due) {
			mark = f.Due
		}
	}
	if s.Missed == Each {
		next, err := cron.Next(s.Crons, s.Zone, mark)
		if next.After(now) {
			next = time.Time{}
		}
		return next, err
	}
	return cron.Last(s.Crons, s.Zone, mark, now)
}

// settled reports whether nothing more is to be done for a due time.
func settled(history []firing.Firing, due time.Time) bool {
	tries := 0
	for _, f := range history {
		if f.Asked == "" && f.Due.Equal(due) {
			if tries++; f.End != nil && !slices.Contains(cutShort, f.End.Code) {
				return true
			}
		}
	}
	return tries >= maxTries
}

// cutShort are the exit codes of a firing that did not get to do its work: somebody
// held the sweep, or it was stopped.
var cutShort = []int{4, 130, 143}

// Look is the schedule of a sweep and what is pending in it.
func Look(ctx context.Context, st store.Store, now time.Time) (s Schedule, pending time.Time, err error) {
	if s, err = Get(ctx, st); err != nil || s.On != "" || s.Paused {
		return s, pending, err
	}
	history, err := recent(ctx, st)
	if err != nil {
		return s, pending, err
	}
	pending, err = s.Pending(history, now)
	return s, pending, err
}

// recent is as much of the history as says what is pending.
func recent(ctx context.Context, st store.Store) ([]firing.Firing, error) {
	for n := 2 * maxTries; ; n *= 4 {
		history, err := firing.List(ctx, st, n)
		if err != nil || len(history) < n {
			return history, err
		}
		due := 0
		for _, f := range history {
			if f.Asked == "" {
				due++
			}
		}
		if due > maxTries {
			return history, nil
		}
	}
}

// Busy reports why nothing can be fired in a sweep at this moment; "" when nothing
// keeps it from that.
func Busy(ctx context.Context, st store.Store) string {
	if firing.Claimed(ctx, st) {
		return "a firing of it is running"
	}
	if h, held := lease.HeldBy(ctx, st); held {
		return fmt.Sprintf("process %d of %s on %s is running it", h.PID, h.User, h.Host)
	}
	return ""
}

// Take claims the firing that is pending in a sweep, if one is and nothing keeps it
// from being fired; due is zero if not. Whoever takes it records its beginning, and
// gives the claim back when it has ended.
func Take(ctx context.Context, st store.Store, now time.Time) (s Schedule, due time.Time, claim store.Lock, err error) {
	claim, err = firing.Claim(ctx, st)
	if errors.Is(err, store.ErrLocked) {
		return s, due, nil, nil // somebody else fires it
	}
	if err != nil {
		return s, due, nil, err
	}
	s, due, err = Look(ctx, st, now)
	if _, held := lease.HeldBy(ctx, st); held || err != nil || due.IsZero() {
		return s, time.Time{}, nil, errors.Join(err, claim.Unlock())
	}
	return s, due, claim, nil
}
