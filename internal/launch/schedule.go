package launch

import (
	"errors"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Times are when a sweep file is scheduled. Whoever passes them has checked them.
type Times struct {
	Crons  []string
	Zone   string
	Missed string
}

// Schedule makes the order that schedules a sweep file, with what was filled in as
// parameters of every firing.
func (f Form) Schedule(in Filled, t Times, now time.Time) (Order, error) {
	if !f.Sweep {
		return Order{}, unit.Mistake(unit.WithHint(errors.New("a template cannot be scheduled"), "write a sweep file that names it, with an axis such as day: {dates: {from: 2026-01-01, to: yesterday}}"))
	}
	o, err := f.Order(in, now)
	if err != nil {
		return o, err
	}
	o.Kind = Schedule
	o.Set = append(o.Set, "cron="+strings.Join(t.Crons, " and "), "tz="+t.Zone, "missed="+t.Missed)
	args := []string{"schedule", f.path, "-o", o.Where}
	for _, spec := range t.Crons {
		args = append(args, "--cron="+spec)
	}
	o.Args = append(append(args, "--tz="+t.Zone, "--missed="+t.Missed), o.Args[4:]...) // the --set of run
	return o, nil
}

// FireOf is the order to fire the schedule of a sweep as of now, and CatchupOf the one
// to fire what it was due for from one day to another.
func FireOf(name, where string, now time.Time) Order {
	return Order{Kind: Fire, Name: name, Where: where, At: now.UTC(), Args: []string{"schedule", "run-now", where}}
}

// CatchupOf is described at FireOf.
func CatchupOf(name, where, from, to string, now time.Time) (Order, error) {
	first, err := time.Parse(time.DateOnly, from)
	last, wrong := time.Parse(time.DateOnly, to)
	if err != nil || wrong != nil {
		return Order{}, unit.Mistake(errors.New("catching up: want two days, such as 2026-03-01 and 2026-03-31"))
	}
	if last.Before(first) {
		return Order{}, unit.Mistake(errors.New("catching up: the last day is before the first"))
	}
	return Order{Kind: Catchup, Name: name, Where: where, At: now.UTC(), Set: []string{from + " to " + to}, Args: []string{"schedule", "catchup", where, "--from=" + from, "--to=" + to}}, nil
}

// timed reports whether an order is about a schedule: its command records itself who
// asked for what it fires.
func (o Order) timed() bool { return o.Kind == Schedule || o.Kind == Fire || o.Kind == Catchup }

// arguments are those of the command of an order.
func (o Order) arguments() []string {
	if o.timed() {
		return append(append([]string{}, o.Args...), "--for="+o.By)
	}
	return o.Args
}
