package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/localschedule"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/scratch"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// fireFlags are what the job of a schedule passes to its task.
type fireFlags struct{ store, bundle, spec, zone, notify, at string }

// args are the command line of a firing.
func (f fireFlags) args() []string {
	return []string{"schedule", "fire", "--store", f.store, "--bundle", f.bundle, "--spec", f.spec, "--tz", f.zone, "--notify", f.notify}
}

func (c *cli) scheduleFire() *cobra.Command {
	var f fireFlags
	cmd := &cobra.Command{
		Use: "fire", Short: "Run the firing of a schedule that is due; started by others", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.fire(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.store, "store", "", "the sweep")
	fl.StringVar(&f.bundle, "bundle", "", "key of the bundle of files in it")
	fl.StringVar(&f.bundle, "kit", "", "the same, in schedules that an earlier version registered")
	fl.StringVar(&f.spec, "spec", "", "the sweep file among them")
	fl.StringVar(&f.zone, "tz", "UTC", "zone of the schedule")
	fl.StringVar(&f.notify, "notify", "{}", "whom to notify if the sweep cannot be reached, as JSON")
	fl.StringVar(&f.at, "at", "", "without a cluster: fire as of this time, asked for by a person")
	return cmd
}

// fire runs the firing that Nomad started, or the one that is due here.
func (c *cli) fire(ctx context.Context, f fireFlags) error {
	if f.bundle != "" {
		return c.fireOnNomad(ctx, f)
	}
	st, err := c.openStore(ctx, f.store)
	if err != nil {
		return err
	}
	this, err := c.ownSchedules().Claim(ctx, st, f.at)
	if err != nil || this.Lock == nil {
		return err
	}
	c.record(ctx, st, this.Firing)
	end := c.atEnd
	c.atEnd = func(code int, failed error) { // until its end is recorded, nobody else fires it
		end(code, failed)
		this.Lock.Unlock()
	}
	folder, err := scratch.Make("", draft.Fetched)
	if err != nil {
		return err
	}
	defer folder.Remove()
	c.app.WarnFiring(ctx, st, this.Schedule.Spec)
	c.settings.Give(this.Schedule.Settings)
	bundle := filepath.Join(folder.Path, "bundle")
	if err := draft.Unbundle(ctx, st, this.Schedule.Bundle, bundle); err != nil {
		return err
	}
	return c.runFiring(ctx, f.store, this.Schedule.Spec, bundle, this.Firing.Due)
}

// fireOnNomad runs the sweep as of the time at which this firing was due.
func (c *cli) fireOnNomad(ctx context.Context, f fireFlags) error {
	this, folder, err := thisFiring(f.zone)
	if err != nil {
		return unit.Mistake(err)
	}
	me := lease.Me()
	made := firing.Firing{Due: this.At, ID: this.ID, By: madeBy(), Host: me.Host, User: me.User, Began: time.Now()}
	if err := c.fetch(ctx, f, made, folder); err != nil {
		return c.app.Unreached(ctx, f.notify, f.store, err)
	}
	c.settings.Set("on", "nomad")
	return c.runFiring(ctx, f.store, f.spec, folder, this.At)
}

// runFiring runs the sweep file in a folder as of the time a firing was due.
func (c *cli) runFiring(ctx context.Context, where, spec, folder string, at time.Time) error {
	if err := c.settings.Take(filepath.Join(folder, bundledSettings)); err != nil {
		return err
	}
	c.app = c.newApp() // with these settings
	asOf := at.Format(time.RFC3339)
	c.stderr.Printf("fanout: the firing of %s\n", asOf)
	return c.run(ctx, filepath.Join(folder, filepath.FromSlash(spec)), runFlags{
		specFlags: specFlags{asOf: asOf}, output: where, Choice: app.Choice{Reprocess: due.Stale, Order: "as-planned"},
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
	if err := localschedule.Free(ctx, st, f.store); err != nil {
		return err
	}
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
