package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/unit"
)

// fireFlags are what the job of a schedule passes to its task.
type fireFlags struct{ store, bundle, spec, zone string }

func fireArgs(store, bundle, spec, zone string) []string {
	return []string{"schedule", "fire", "--store", store, "--bundle", bundle, "--spec", spec, "--tz", zone}
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
	return cmd
}

// fire runs the sweep as of the time at which this firing was due.
func (c *cli) fire(ctx context.Context, f fireFlags) error {
	when, folder, err := thisFiring(f.zone)
	if err != nil {
		return unit.Mistake(err)
	}
	st, err := c.openStore(ctx, f.store)
	if err != nil {
		return err
	}
	if err := draft.Unbundle(ctx, st, f.bundle, folder); err != nil {
		return unit.WithHint(err, "does this machine see the sweep %s?", f.store)
	}
	if err := c.takeSettings(filepath.Join(folder, bundledSettings)); err != nil {
		return err
	}
	c.settings.Set("on", "nomad")
	asOf := when.Format(time.RFC3339)
	c.stderr.Printf("fanout: the firing of %s\n", asOf)
	return c.run(ctx, filepath.Join(folder, filepath.FromSlash(f.spec)), runFlags{
		specFlags: specFlags{asOf: asOf}, output: f.store, Choice: app.Choice{Reprocess: due.Stale, Order: "as-planned"},
	})
}

// takeSettings reads the settings that were packed with a bundle, if any were.
func (c *cli) takeSettings(file string) error {
	if !exists(file) {
		return nil
	}
	c.settings.SetConfigFile(file)
	return c.settings.MergeInConfig()
}
