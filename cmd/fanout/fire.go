package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// fireFlags are what the job of a schedule passes to its task.
type fireFlags struct{ store, bundle, spec, zone, notify string }

// args are the command line of a firing.
func (f fireFlags) args() []string {
	return []string{"schedule", "fire", "--store", f.store, "--bundle", f.bundle, "--spec", f.spec, "--tz", f.zone, "--notify", f.notify}
}

func (c *cli) scheduleFire() *cobra.Command {
	var f fireFlags
	cmd := &cobra.Command{
		Use: "fire", Short: "Run one firing of a schedule; started by Nomad", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.fire(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.store, "store", "", "the sweep")
	fl.StringVar(&f.bundle, "bundle", "", "key of the bundle of files in it")
	fl.StringVar(&f.bundle, "kit", "", "the same, in schedules that an earlier version registered")
	fl.StringVar(&f.spec, "spec", "", "the sweep file among them")
	fl.StringVar(&f.zone, "tz", "UTC", "zone of the schedule")
	fl.StringVar(&f.notify, "notify", "{}", "whom to notify if the sweep cannot be reached, as JSON")
	return cmd
}

// fire runs the sweep as of the time at which this firing was due.
func (c *cli) fire(ctx context.Context, f fireFlags) error {
	this, folder, err := thisFiring(f.zone)
	if err != nil {
		return unit.Mistake(err)
	}
	me := lease.Me()
	made := firing.Firing{Due: this.At, ID: this.ID, By: madeBy(), Host: me.Host, User: me.User, Began: time.Now()}
	if err := c.fetch(ctx, f, made, folder); err != nil {
		return c.app.Unreached(ctx, f.notify, f.store, err)
	}
	if err := c.takeSettings(filepath.Join(folder, bundledSettings)); err != nil {
		return err
	}
	c.settings.Set("on", "nomad")
	asOf := this.At.Format(time.RFC3339)
	c.stderr.Printf("fanout: the firing of %s\n", asOf)
	return c.run(ctx, filepath.Join(folder, filepath.FromSlash(f.spec)), runFlags{
		specFlags: specFlags{asOf: asOf}, output: f.store, Choice: app.Choice{Reprocess: due.Stale, Order: "as-planned"},
	})
}

// fetch takes what a firing needs from the sweep, in which it is recorded from here
// on.
func (c *cli) fetch(ctx context.Context, f fireFlags, made firing.Firing, folder string) error {
	st, err := c.openStore(ctx, f.store)
	if err != nil {
		return err
	}
	c.record(ctx, st, made)
	if err := draft.Unbundle(ctx, st, f.bundle, folder); err != nil {
		return unit.WithHint(err, "does this machine see the sweep %s?", f.store)
	}
	return nil
}

// record keeps the history of the firing that this process is: what it prints, and
// how it ends. One whose history cannot be kept is made all the same: what became of
// it is recorded at its end, if that can be done then.
func (c *cli) record(ctx context.Context, st store.Store, f firing.Firing) {
	r, err := firing.Begin(ctx, st, f)
	if err != nil {
		c.app.Warn(err.Error())
	} else {
		c.stdout = unit.NewPrinter(io.MultiWriter(c.stdout.Data(), r))
		c.stderr = unit.NewPrinter(io.MultiWriter(c.stderr.Data(), r))
	}
	c.atEnd = func(code int, failed error) {
		if r == nil {
			if r, err = firing.Begin(context.WithoutCancel(ctx), st, f); err != nil {
				return // as was said
			}
		}
		var sig interrupted
		if errors.As(context.Cause(ctx), &sig) {
			code = signalCode(code, sig.signal)
		}
		reason := ""
		if failed != nil && code != exitIncomplete {
			reason = unit.Complaint(failed)
		}
		if err := r.Close(context.WithoutCancel(ctx), code, reason); err != nil {
			c.app.Warn(err.Error())
		}
	}
}

// scheduleLog shows the history of a schedule.
func (c *cli) scheduleLog() *cobra.Command {
	n := 20
	cmd := &cobra.Command{
		Use: "log NAME [TIME]", Short: "Show the history of a schedule, or what one firing printed", Args: cobra.RangeArgs(1, 2),
		Long: `Log shows when the firings of a schedule were due, when they began and ended, and
why: NAME is a schedule's id, its sweep's name, or the place of the sweep, which
needs no cluster. With the TIME that a firing was due, or the beginning of it as
the history has it, or "last", it prints what that firing printed.`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.logSchedule(cmd.Context(), args, n) },
	}
	cmd.Flags().IntVarP(&n, "number", "n", n, "show the last `N` firings")
	cmd.Flags().BoolVar(&c.json, "json", false, "one JSON object a firing")
	return cmd
}

func (c *cli) logSchedule(ctx context.Context, args []string, n int) error {
	where, zone := args[0], "UTC"
	if !app.IsSweep(where) {
		_, v, err := c.findSchedule(ctx, where)
		if err != nil {
			return err
		}
		where, zone = v.Store, v.Zone
	}
	st, err := c.openStore(ctx, where)
	if err != nil {
		return err
	}
	if len(args) == 2 {
		n = math.MaxInt
	}
	all, err := firing.List(ctx, st, n)
	if err != nil {
		return err
	}
	lines := make([]timetable.Firing, len(all))
	for i, f := range all {
		lines[i] = timetable.Of(f, zone)
		if len(args) == 2 && (args[1] == "last" || lines[i].DueAt(args[1])) {
			text, err := firing.Log(ctx, st, f)
			fmt.Fprint(c.stdout.Lines(), string(text))
			return err
		}
	}
	switch {
	case len(args) == 2:
		return unit.Mistake(unit.WithHint(fmt.Errorf("no firing of %s was due at %s", where, args[1]), "fanout schedule log %s lists them", unit.Quote(args[0])))
	case len(lines) == 0 && !c.json:
		c.stderr.Println("no firing is recorded")
		return nil
	}
	return timetable.History(c.stdout, lines, c.json)
}

// takeSettings reads the settings that were packed with a bundle, if any were.
func (c *cli) takeSettings(file string) error {
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	c.settings.SetConfigFile(file)
	return c.settings.MergeInConfig()
}
