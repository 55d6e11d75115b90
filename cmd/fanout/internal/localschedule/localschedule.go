// Package localschedule has the verbs for schedules that no cluster fires: their
// list, pause, a firing now, firings of the past, and lines for other programs
// that fire them.
//
// A firing is a process of its own, `fanout schedule fire`, that claims what is due,
// records itself in the sweep and ends. It outlives whoever started it.
package localschedule

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Verbs act on the schedules of sweeps.
type Verbs struct {
	Open           func(ctx context.Context, where string) (store.Store, error)
	Stdout, Stderr unit.Printer
	For            string // who asked for it, if not the user of this process
}

// Schedules are what can be listed, removed and fired by hand, here and on a
// cluster. names are what the user calls them.
type Schedules interface {
	List(ctx context.Context, places []string, asJSON bool) error
	Remove(ctx context.Context, name string) error
	RunNow(ctx context.Context, name string) error
}

// Commands are the verbs of schedules: all are those that the settings mean, and v
// those that no cluster fires.
func Commands(all func() Schedules, v func() Verbs, asJSON *bool) []*cobra.Command {
	ls := &cobra.Command{
		Use: "ls [ROOT…]", Short: "List schedules, their next firing and how the last one went",
		RunE: func(cmd *cobra.Command, args []string) error { return all().List(cmd.Context(), args, *asJSON) },
	}
	ls.Flags().BoolVar(asJSON, "json", false, "one JSON object a schedule")
	rm := &cobra.Command{
		Use: "rm DIR.sweep | NAME", Short: "Remove a schedule", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return all().Remove(cmd.Context(), args[0]) },
	}
	now := &cobra.Command{
		Use: "run-now DIR.sweep | NAME", Short: "Fire a schedule now, as of this moment", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return all().RunNow(cmd.Context(), args[0]) },
	}
	pause := &cobra.Command{
		Use: "pause DIR.sweep", Short: "Let a schedule rest", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return v().pause(cmd.Context(), args[0], true) },
	}
	resume := &cobra.Command{
		Use: "resume DIR.sweep", Short: "Let a schedule fire again, from now on", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return v().pause(cmd.Context(), args[0], false) },
	}
	var from, to string
	catchup := &cobra.Command{
		Use: "catchup DIR.sweep --from DAY --to DAY", Short: "Fire what a schedule was due for in the past", Args: cobra.ExactArgs(1),
		Long: `Catchup fires each time at which the schedule was due from one day to another, both
among them, in turn and as of that time. What was fired already and ended well is
left out. In the end it fires again as of the latest time that was fired, so that
the sweep has the runs of that time.`,
		RunE: func(cmd *cobra.Command, args []string) error { return v().catchup(cmd.Context(), args[0], from, to) },
	}
	catchup.Flags().StringVar(&from, "from", "", "first `day` or time, such as 2026-03-01, in the schedule's zone")
	catchup.Flags().StringVar(&to, "to", "", "last `day` or time")
	return []*cobra.Command{ls, rm, now, pause, resume, catchup}
}

// sweep opens what somebody called a sweep.
func (v Verbs) sweep(ctx context.Context, where string) (store.Store, error) {
	if isPath(where) {
		if err := app.CheckSweep(where); err != nil {
			return nil, err
		}
	}
	return v.Open(ctx, where)
}

// isPath reports whether a name can only be that of a folder.
func isPath(name string) bool {
	return strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".sweep")
}

// get is the schedule of a sweep, and its store.
func (v Verbs) get(ctx context.Context, where string) (st store.Store, s schedule.Schedule, err error) {
	if st, err = v.sweep(ctx, where); err != nil {
		return st, s, err
	}
	s, err = schedule.Get(ctx, st)
	if errors.Is(err, fs.ErrNotExist) {
		err = unit.Mistake(unit.WithHint(fmt.Errorf("%s has no schedule", unit.Path(where)), "of a schedule on a cluster, give the name: fanout schedule ls --on nomad"))
	}
	if err == nil && s.On != "" {
		err = unit.Mistake(unit.WithHint(fmt.Errorf("%s fires %s, as %s", s.On, unit.Path(where), s.ID), "give its name there, and add --on %s", s.On))
	}
	return st, s, err
}

// Put writes the schedule of a sweep. next is when it is first due.
func (v Verbs) Put(ctx context.Context, st store.Store, where string, s schedule.Schedule, next time.Time) error {
	me := lease.Me()
	s.By, s.Since = cmp.Or(v.For, me.User+"@"+me.Host), time.Now().UTC()
	old, err := schedule.Get(ctx, st)
	if err == nil && old.On != "" {
		return unit.Mistake(unit.WithHint(fmt.Errorf("%s is scheduled on %s as %s: it would be fired from both", unit.Path(where), old.On, old.ID),
			"fanout schedule rm %s --on %s first", unit.Quote(old.ID), old.On))
	}
	verb := "was already scheduled, and is now due"
	if errors.Is(err, fs.ErrNotExist) {
		verb = "is due"
	}
	if err := s.Put(ctx, st); err != nil {
		return err
	}
	v.Stderr.Printf("%s %s at %s, %s; next %s\n", unit.Path(where), verb, strings.Join(s.Crons, " and "), s.Zone, timetable.Moment(next))
	return nil
}

// SayOfCluster says that a cluster fires a sweep. outside are files that the clients
// need at their paths.
func (v Verbs) SayOfCluster(name, where string, s schedule.Schedule, next time.Time, replaced bool, outside []string) {
	verb := "fires"
	if replaced {
		verb = "was already scheduled, and now fires"
	}
	v.Stderr.Printf("%s: %s at %s, %s; next %s\n", name, verb, strings.Join(s.Crons, " and "), s.Zone, timetable.Moment(next))
	v.Stderr.Printf("  sweep  %s\n", where)
	for _, p := range outside {
		v.Stderr.Printf("fanout: warning: %s is not copied: the clients need it at that path\n", p)
	}
}

// WarnOfDay warns where a schedule is due on another day than in UTC, and the sweep file
// does not name its zone.
func (v Verbs) WarnOfDay(spec []byte, next time.Time, zone string) {
	if next.Day() != next.UTC().Day() && !bytes.Contains(spec, []byte(zone)) {
		v.Stderr.Printf("fanout: warning: at that time it is a different day in UTC, and `dates` are days of UTC unless they set tz: %s\n", zone)
	}
}

// Free refuses to have a cluster fire a sweep that is fired without one.
func Free(ctx context.Context, st store.Store, where string) error {
	s, err := schedule.Get(ctx, st)
	if err != nil || s.On != "" {
		return nil // it has no schedule, or none that anybody fires here
	}
	return unit.Mistake(unit.WithHint(fmt.Errorf("%s is scheduled without a cluster too, at %s, %s: it would be fired from both", unit.Path(where), strings.Join(s.Crons, " and "), s.Zone),
		"fanout schedule rm %s --on local first", unit.Quote(where)))
}

// Note writes into a sweep that a cluster fires it.
func Note(ctx context.Context, st store.Store, on, id string, s schedule.Schedule) error {
	s.On, s.ID, s.Since = on, id, time.Now().UTC()
	return s.Put(ctx, st)
}

// Unnote takes that away.
func Unnote(ctx context.Context, st store.Store, id string) error {
	if s, err := schedule.Get(ctx, st); err != nil || s.ID != id {
		return nil
	}
	return schedule.Remove(ctx, st)
}

// List prints the schedules beneath some roots.
func (v Verbs) List(ctx context.Context, places []string, asJSON bool) error {
	if len(places) == 0 {
		places = []string{"."}
	}
	all, err := roots.New(ctx, places, v.Open)
	if err != nil {
		return err
	}
	found, err := all.Sweeps(ctx)
	if err != nil {
		return err
	}
	var lines []timetable.Schedule
	for _, f := range found.Sweeps {
		line, err := v.line(ctx, f)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			v.Stderr.Printf("fanout: warning: %v\n", err)
		default:
			lines = append(lines, line)
		}
	}
	if found.Partial != "" {
		v.Stderr.Printf("fanout: warning: not all sweeps were looked at: %s\n", found.Partial)
	}
	if len(lines) == 0 && !asJSON {
		v.Stderr.Printf("nothing is scheduled in %s\n", unit.List(places))
		return nil
	}
	return timetable.List(v.Stdout, lines, asJSON)
}

func (v Verbs) line(ctx context.Context, f roots.Sweep) (line timetable.Schedule, err error) {
	st, err := v.Open(ctx, f.Where)
	if err != nil {
		return line, err
	}
	s, err := schedule.Get(ctx, st)
	if err != nil {
		return line, err
	}
	if s.On != "" {
		return line, fs.ErrNotExist // it is listed there
	}
	line = timetable.Schedule{ID: f.Name, Name: f.Name, Sweep: f.Where, Crons: s.Crons, Zone: s.Zone, Stopped: s.Paused}
	if next, err := s.Next(time.Now()); err == nil && !next.IsZero() {
		line.Next = &next
	}
	history, err := firing.List(ctx, st, 1)
	line.Last = timetable.Last(nil, history, s.Zone)
	if line.Last != nil && line.Last.State == "forgotten" && firing.Claimed(ctx, st) {
		line.Last.State = "running"
	}
	return line, err
}

// Remove takes the schedule of a sweep away.
func (v Verbs) Remove(ctx context.Context, where string) error {
	st, s, err := v.get(ctx, where)
	if err != nil && s.On == "" && !errors.Is(err, schedule.ErrBroken) {
		return err
	}
	if err := schedule.Remove(ctx, st); err != nil {
		return err
	}
	if s.On != "" {
		v.Stderr.Printf("the job %s of %s is left as it is\n", s.ID, s.On)
	}
	v.Stderr.Printf("%s is no longer scheduled; the sweep is kept\n", unit.Path(where))
	if firing.Claimed(ctx, st) {
		v.Stderr.Printf("a firing is still running; to stop it: fanout cancel %s\n", unit.Quote(where))
	}
	return nil
}

func (v Verbs) pause(ctx context.Context, where string, paused bool) error {
	st, s, err := v.get(ctx, where)
	if err != nil {
		return err
	}
	if s.Paused != paused {
		s.Paused, s.Since = paused, time.Now().UTC()
		if err := s.Put(ctx, st); err != nil {
			return err
		}
	}
	next, err := s.Next(time.Now())
	if paused {
		v.Stderr.Printf("%s is paused; to go on: fanout schedule resume %s\n", unit.Path(where), unit.Quote(where))
	} else {
		v.Stderr.Printf("%s is next due %s\n", unit.Path(where), timetable.Moment(next))
	}
	return err
}

// RunNow fires a schedule now, as of this moment.
func (v Verbs) RunNow(ctx context.Context, where string) error {
	st, s, err := v.get(ctx, where)
	if err != nil {
		return err
	}
	if err := lease.Record(ctx, st); err != nil {
		return err
	}
	return v.ask(ctx, st, where, timetable.In(time.Now().Truncate(time.Second), s.Zone))
}

// ask fires a schedule as of a time that a person chose, and waits.
func (v Verbs) ask(ctx context.Context, st store.Store, where string, at time.Time) error {
	if why := schedule.Busy(ctx, st); why != "" {
		return unit.WithHint(fmt.Errorf("%s cannot be fired now: %s", unit.Path(where), why), "fanout status %s shows how far it is", unit.Quote(where))
	}
	cmd, err := program(ctx, where, "--at", at.Format(time.RFC3339), "--for="+v.For)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = v.Stdout.Data(), v.Stderr.Data()
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == incomplete || exit.ExitCode() == violated) {
		return Ended(exit.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("the firing of %s: %w", at.Format(time.RFC3339), err)
	}
	return nil
}

// Exit codes of a firing that did its work.
const incomplete, violated = 3, 5

// Ended is the exit code of a firing that a person asked for, if it did its work
// and that did not go well. The firing has said why.
type Ended int

func (e Ended) Error() string { return fmt.Sprintf("the firing ended with exit code %d", int(e)) }

// maxCatchup is how many firings one catchup may have.
const maxCatchup = 10_000

func (v Verbs) catchup(ctx context.Context, where, from, to string) error {
	st, s, err := v.get(ctx, where)
	if err != nil {
		return err
	}
	first, err := moment(from, "--from", s.Zone, false)
	if err != nil {
		return unit.Mistake(err)
	}
	last, err := moment(to, "--to", s.Zone, true)
	if err != nil {
		return unit.Mistake(err)
	}
	if last.Before(first) {
		return unit.Mistake(fmt.Errorf("--to %s is before --from %s", to, from))
	}
	if now := time.Now(); last.After(now) {
		last = now
	}
	due, err := s.Between(first, last, maxCatchup)
	if err != nil {
		return unit.Mistake(err)
	}
	history, err := firing.List(ctx, st, maxCatchup)
	if err != nil {
		return err
	}
	var latest time.Time
	for _, f := range history {
		if f.Due.After(latest) {
			latest = f.Due
		}
	}
	due = slices.DeleteFunc(due, func(at time.Time) bool {
		return slices.ContainsFunc(history, func(f firing.Firing) bool { return f.Due.Equal(at) && f.End != nil && f.End.Code == 0 })
	})
	v.Stderr.Printf("%s to catch up with\n", unit.Plural(len(due), "firing"))
	if len(due) > 0 && latest.After(due[len(due)-1]) {
		due = append(due, timetable.In(latest, s.Zone)) // so that the sweep has all its runs again
	}
	if len(due) > 0 {
		err = lease.Record(ctx, st)
	}
	return errors.Join(err, v.askAll(ctx, st, where, due))
}

// askAll fires in turn, also after one that did not go well: the first of those
// is the error.
func (v Verbs) askAll(ctx context.Context, st store.Store, where string, due []time.Time) (first error) {
	for _, at := range due {
		err := v.ask(ctx, st, where, at)
		if err == nil {
			continue
		}
		if first == nil {
			first = err
		}
		if _, went := errors.AsType[Ended](err); !went {
			return err
		}
	}
	return first
}

// moment reads a day or a time; a day ends with its last second.
func moment(text, flag, zone string, end bool) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, err
	}
	day, err := time.ParseInLocation(time.DateOnly, text, loc)
	if err != nil {
		err := fmt.Errorf("%s %q: not a day", flag, text)
		if text == "" {
			err = fmt.Errorf("%s is missing", flag)
		}
		return day, unit.WithHint(err, "such as %s 2026-03-01, or a time: 2026-03-01T04:00:00+01:00", flag)
	}
	if end {
		day = day.AddDate(0, 0, 1).Add(-time.Second)
	}
	return day, nil
}

// stopWithin is how long a firing may take to stop: it interrupts its kernels and
// writes its tables.
const stopWithin = 5 * time.Minute

// program is the process of a firing. It has a group of its own, so that Ctrl-C
// reaches it only through us, and it does not see the token of a server.
func program(ctx context.Context, where string, more ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"schedule", "fire", "--store", where}, more...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FANOUT_SERVE_") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopWithin
	return cmd, nil
}

// Fire fires what is pending in a sweep, and waits. What it prints is in the sweep:
// it writes to nobody who may have gone.
func Fire(ctx context.Context, where string) error {
	cmd, err := program(ctx, where)
	if err != nil {
		return err
	}
	err = cmd.Run()
	var exit *exec.ExitError
	says := "a firing failed"
	switch errors.As(err, &exit); {
	case err == nil || ctx.Err() != nil:
		return nil
	case exit == nil:
	case exit.ExitCode() == incomplete:
		says = "a firing ended, and some runs did not succeed"
	case exit.ExitCode() == violated:
		says = "a firing ended, and a gate was violated"
	case exit.ExitCode() > 2:
		return nil // it was stopped or found the sweep held: the history says it
	}
	return fmt.Errorf("%s: %w; fanout schedule log %s last says why", says, err, unit.Quote(where))
}

// Log is the verb that shows the history of a schedule. find knows the place and the
// zone of a schedule on a cluster.
func Log(v func() Verbs, find func(ctx context.Context, name string) (where, zone string, err error), asJSON *bool) *cobra.Command {
	n := 20
	cmd := &cobra.Command{
		Use: "log DIR.sweep | NAME [TIME]", Short: "Show the history of a schedule, or what one firing printed", Args: cobra.RangeArgs(1, 2),
		Long: `Log shows when the firings of a schedule were due, when they began and ended, and
why. The place of the sweep needs no cluster; NAME is the id of a schedule there,
or its sweep's name. With the TIME that a firing was due, or the beginning of it as
the history has it, or "last", it prints what that firing printed.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			where, zone := args[0], ""
			if !isPath(where) && !app.IsSweep(where) {
				if where, zone, err = find(cmd.Context(), where); err != nil {
					return err
				}
			}
			return v().log(cmd.Context(), where, zone, strings.Join(args[1:], ""), n, *asJSON)
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", n, "show the last `N` firings")
	cmd.Flags().BoolVar(asJSON, "json", false, "one JSON object a firing")
	return cmd
}

// log prints the last n firings of a sweep, or what the one that was due at when
// printed; zone is the schedule's where that is known.
func (v Verbs) log(ctx context.Context, where, zone, when string, n int, asJSON bool) error {
	st, err := v.sweep(ctx, where)
	if err != nil {
		return err
	}
	if s, err := schedule.Get(ctx, st); err == nil && zone == "" {
		zone = s.Zone
	}
	if when != "" {
		n = math.MaxInt
	}
	all, err := firing.List(ctx, st, n)
	if err != nil {
		return err
	}
	lines := make([]timetable.Firing, len(all))
	for i, f := range all {
		lines[i] = timetable.Of(f, zone)
		if when != "" && (when == "last" || lines[i].DueAt(when)) {
			text, err := firing.Log(ctx, st, f)
			fmt.Fprint(v.Stdout.Lines(), string(text))
			return err
		}
	}
	switch {
	case when != "":
		return unit.Mistake(unit.WithHint(fmt.Errorf("no firing of %s was due at %s", where, when), "fanout schedule log %s lists them", unit.Quote(where)))
	case len(lines) == 0 && !asJSON:
		v.Stderr.Println("no firing is recorded")
		return nil
	}
	return timetable.History(v.Stdout, lines, asJSON)
}
