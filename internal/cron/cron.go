// Package cron knows when a schedule is due.
//
// In go expressions of cron and the name of a time zone; out come moments. They
// are those of Nomad, whose library reads the expressions, so that a schedule is
// due at the same moments whatever fires it: a time that a change of the clocks
// skips is never due, and one that it repeats is due twice.
//
// It knows nothing of what is done then, or of what was done before.
package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/cronexpr"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Next is when one of crons, read in zone, is first due after a moment; zero is
// never. It is in that zone.
func Next(crons []string, zone string, after time.Time) (time.Time, error) {
	loc, err := location(zone)
	if err != nil {
		return time.Time{}, unit.WithHint(fmt.Errorf("time zone %q: unknown", zone), "it has a name such as Europe/Berlin or UTC")
	}
	var first time.Time
	for _, spec := range crons {
		next, err := nextOf(spec, after.In(loc))
		if err != nil {
			return time.Time{}, unit.WithHint(fmt.Errorf("cron %q: %w", spec, err), `it has five fields, minute hour day month weekday: "0 4 * * 1-5" is 04:00 from Monday to Friday`)
		}
		if first.IsZero() || !next.IsZero() && next.Before(first) {
			first = next
		}
	}
	return first, nil
}

var (
	mu    sync.Mutex
	zones = map[string]*time.Location{}
)

// location reads the file of a zone once.
func location(zone string) (*time.Location, error) {
	mu.Lock()
	defer mu.Unlock()
	if loc := zones[zone]; loc != nil {
		return loc, nil
	}
	loc, err := time.LoadLocation(zone)
	if err == nil {
		zones[zone] = loc
	}
	return loc, err
}

// nextOf reads the expression anew: what the library makes of one may not be used
// by two at once.
func nextOf(spec string, after time.Time) (next time.Time, err error) {
	defer func() {
		if recover() != nil { // the library panics at some malformed expressions
			err = errors.New("malformed")
		}
	}()
	if err := backwards(spec); err != nil {
		return next, err
	}
	x, err := cronexpr.Parse(spec)
	if err != nil {
		return next, err
	}
	if next = x.Next(after); !next.IsZero() && !next.After(after) {
		return time.Time{}, fmt.Errorf("no time after %s was found", after)
	}
	return next, nil
}

// backwards is an error about a range of numbers that ends before it begins. It never
// fires, and the library looks for seconds through all years that there are.
func backwards(spec string) error {
	for _, part := range strings.FieldsFunc(spec, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '/' }) {
		first, last, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		b, bad := strconv.Atoi(last)
		if isRange && err == nil && bad == nil && a > b {
			return fmt.Errorf("the range %s ends before it begins", part)
		}
	}
	return nil
}

// Last is when one of crons, read in zone, was last due: after a moment, and not
// after now. Zero is not once.
func Last(crons []string, zone string, after, now time.Time) (time.Time, error) {
	// The window grows, so that few moments are passed however often it was due.
	for window := time.Minute; ; window *= 16 {
		from := now.Add(-window)
		whole := !from.After(after) || window > longest
		if whole {
			from = after
		}
		last, err := lastWithin(crons, zone, from, now)
		if err != nil || whole || !last.IsZero() {
			return last, err
		}
	}
}

// longest keeps windows from overflowing: beyond it all is looked at.
const longest = 100 * 365 * 24 * time.Hour

func lastWithin(crons []string, zone string, from, to time.Time) (last time.Time, err error) {
	for at := from; ; last = at {
		if at, err = Next(crons, zone, at); err != nil || at.IsZero() || at.After(to) {
			return last, err
		}
	}
}
