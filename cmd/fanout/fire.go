package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// fireFlags are what a schedule's job tells its task.
type fireFlags struct{ store, kit, spec, zone string }

func fireArgs(store, kit, spec, zone string) []string {
	return []string{"schedule", "fire", "--store", store, "--kit", kit, "--spec", spec, "--tz", zone}
}

func (c *cli) scheduleFire() *cobra.Command {
	var f fireFlags
	cmd := &cobra.Command{
		Use: "fire", Short: "What the job of a schedule runs; people need not", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.fire(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.store, "store", "", "the sweep")
	fl.StringVar(&f.kit, "kit", "", "key of the files in it")
	fl.StringVar(&f.spec, "spec", "", "the sweep file among them")
	fl.StringVar(&f.zone, "tz", "UTC", "zone of the schedule")
	return cmd
}

// fire makes the sweep as of the time that this task was to start at.
func (c *cli) fire(ctx context.Context, f fireFlags) error {
	asOf, err := asOfFiring(os.Getenv("NOMAD_JOB_ID"), f.zone)
	if err != nil {
		return unit.Mistake(err)
	}
	folder := os.Getenv("NOMAD_TASK_DIR")
	if folder == "" {
		return unit.Mistake(errors.New("NOMAD_TASK_DIR is not set: the job of a schedule runs this"))
	}
	folder = filepath.Join(folder, "kit")
	st, err := c.openStore(ctx, f.store)
	if err != nil {
		return err
	}
	if err := sweep.UnpackKit(ctx, st, f.kit, folder); err != nil {
		return unit.WithHint(err, "does this machine see the sweep %s?", f.store)
	}
	if err := c.takeSettings(filepath.Join(folder, settingsInKit)); err != nil {
		return err
	}
	c.settings.Set("on", "nomad")
	fmt.Fprintf(c.stderr, "fanout: the firing of %s\n", asOf)
	return c.run(ctx, filepath.Join(folder, filepath.FromSlash(f.spec)), runFlags{
		specFlags: specFlags{asOf: asOf}, output: f.store, reprocess: string(sweep.ReprocessStale), order: "as-planned",
	})
}

// asOfFiring is the logical date of a firing: the time that the id of its job
// says it was due at.
func asOfFiring(job, zone string) (string, error) {
	at, err := nomad.FiringTime(job)
	if err != nil {
		return "", fmt.Errorf("NOMAD_JOB_ID: %w", err)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return "", fmt.Errorf("--tz: %w", err)
	}
	return at.In(loc).Format(time.RFC3339), nil
}

// takeSettings reads the settings that travelled in a kit, if any did.
func (c *cli) takeSettings(file string) error {
	if !exists(file) {
		return nil
	}
	c.settings.SetConfigFile(file)
	return c.settings.MergeInConfig()
}
