package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/settings"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// scheduleFlags are when a sweep runs, and by what.
type scheduleFlags struct {
	specFlags
	crons       []string
	zone        string
	output, job string
}

func (c *cli) scheduleCommand() *cobra.Command {
	var f scheduleFlags
	cmd := &cobra.Command{
		Use:   `schedule SWEEP.yaml --cron "0 2 * * *"`,
		Short: "Extend a sweep on a schedule, on a Nomad cluster",
		Long: `Schedule registers a periodic Nomad job. Each firing runs

    fanout run --on nomad --as-of TIME-IT-WAS-DUE -o SWEEP SWEEP.yaml

so that dates such as "yesterday" count from the time the firing was due, however
late it starts. All firings extend one sweep. The sweep file, and the files it
names relative to itself, travel with the schedule as they are now: after an
edit, schedule it again. A firing that is due while another is still running is
skipped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.schedule(cmd, args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.crons, "cron", nil, "`expression` that says when to fire: minute hour day month weekday (repeatable)")
	fl.StringVar(&f.zone, "tz", "UTC", "time `zone` that the expression is in, such as Europe/Berlin")
	fl.StringVarP(&f.output, "output", "o", "", "sweep `directory`, at the same path on the clients (default: NAME.sweep beside the sweep file)")
	fl.StringVar(&f.job, "job", "", "your own job specification `file`, in HCL, for the firings")
	fl.StringArrayVar(&f.set, "set", nil, "set parameter `name=value` for every run (repeatable)")
	fl.StringArrayVarP(&f.overlays, "file", "f", nil, "overlay another sweep `file` (repeatable)")
	cmd.AddCommand(c.scheduleLs(), c.scheduleLog(), c.scheduleRm(), c.scheduleNow(), c.scheduleFire())
	return cmd
}

func (c *cli) scheduleLs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Short: "List schedules, their next firing and how the last one went", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listSchedules(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "one JSON object a schedule")
	return cmd
}

func (c *cli) scheduleRm() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "Remove a schedule, by its id or the sweep's name", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.removeSchedule(cmd.Context(), args[0]) },
	}
}

func (c *cli) scheduleNow() *cobra.Command {
	return &cobra.Command{
		Use: "run-now NAME", Short: "Fire a schedule now, as of this moment", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.fireNow(cmd.Context(), args[0]) },
	}
}

// schedule checks all that can be known here, stores what the firings need in
// the sweep, and registers the job.
func (c *cli) schedule(cmd *cobra.Command, target string, f scheduleFlags) error {
	ctx := cmd.Context()
	next, err := f.check(target)
	if err != nil {
		return unit.Mistake(err)
	}
	d, err := c.draft(ctx, target, f.specFlags)
	if err != nil {
		return err
	}
	if err := app.CheckSize(ctx, d); err != nil {
		return err
	}
	files, err := c.bundle(d)
	if err != nil {
		return unit.Mistake(err)
	}
	out, err := store.Absolute(app.Place(d, f.output))
	if err != nil {
		return err
	}
	o, err := c.scheduleOptions(cmd, d, out, f.job)
	if err != nil {
		return unit.Mistake(err)
	}
	all, err := newSchedules(o)
	if err != nil {
		return err
	}
	sw, err := c.app.Create(ctx, out, d.Spec.Name)
	if err != nil {
		return err
	}
	key, err := files.Put(ctx, sw)
	if err != nil {
		return err
	}
	told, plain := app.ReachOf(d.Spec)
	in := schedule{Sweep: d.Spec.Name, Store: out, Crons: f.crons, Zone: f.zone, Args: fireFlags{out, key, files.Spec, f.zone, told}.args()}
	replaced, err := all.Put(ctx, &in)
	if err != nil {
		return err
	}
	c.printSchedule(in, next, replaced, files.Outside)
	for _, w := range append(all.Warnings(ctx), c.pythonWarnings(d, o.Image)...) {
		c.app.Warn(w)
	}
	if plain {
		c.app.Warn("notify: a firing that cannot reach the sweep does not know the URL of the webhook: give it as {secret: NAME}")
	}
	if next.Day() != next.UTC().Day() && !bytes.Contains(d.Spec.Text(), []byte(f.zone)) {
		c.stderr.Printf("fanout: warning: at that time it is a different day in UTC, and `dates` are days of UTC unless they set tz: %s\n", f.zone)
	}
	c.stdout.Println(in.ID)
	return nil
}

// check finds mistakes in when to fire; next is when it does first.
func (f scheduleFlags) check(target string) (next time.Time, err error) {
	switch {
	case target == "-":
		return next, errors.New("a schedule needs a sweep file, not standard input")
	case app.IsSweep(target):
		return next, unit.WithHint(fmt.Errorf("%s is a folder", target), "give the sweep file: every firing plans the sweep again")
	case len(f.crons) == 0:
		return next, unit.WithHint(errors.New("--cron is missing"), `every night at two: --cron "0 2 * * *" --tz Europe/Berlin`)
	case f.zone == "Local":
		return next, unit.WithHint(errors.New("--tz Local would be the zone of Nomad's servers"), "name the zone: --tz Europe/Berlin")
	}
	next, err = nextFiring(f.crons, f.zone, time.Now())
	if err == nil && next.IsZero() {
		err = errors.New("--cron: it never fires")
	}
	return next, err
}

// pythonWarnings are what every run of a firing would die of, where it needs a Python.
func (c *cli) pythonWarnings(d *draft.Draft, image string) []string {
	set, err := c.settings.Nomad(d.Spec.Nomad)
	if err != nil {
		return nil
	}
	switch python := cmp.Or(set.GetString("python"), c.settings.GetString("python"), d.Recipe.Python); {
	case python == "" && image == "" && d.Recipe.Kernel == "":
		return []string{"no `python` is named, so the clients' own python3 needs ipykernel: nomad: {python: PATH}"}
	case python != "" && !filepath.IsAbs(python):
		return []string{fmt.Sprintf("python %s is relative to this folder, which the clients do not have: give its path on the clients", python)}
	}
	return nil
}

// bundledSettings is the file of a bundle with the `nomad:` of the settings.
const bundledSettings = "fanout.settings.yaml"

// bundle is what a firing needs of this machine's files.
func (c *cli) bundle(d *draft.Draft) (draft.Bundle, error) {
	set, err := c.settings.Nomad(d.Spec.Nomad)
	if err != nil {
		return draft.Bundle{}, err
	}
	var others []string
	if file := set.GetString("job"); file != "" {
		others = append(others, file)
	}
	b, err := d.Bundle(others...)
	if err != nil {
		return b, err
	}
	if set := c.settings.GetStringMap("nomad"); len(set) > 0 || c.settings.IsSet("classes") {
		text, err := json.Marshal(map[string]any{"nomad": set, "classes": c.settings.GetStringMap("classes")}) // JSON is YAML
		if err != nil {
			return b, err
		}
		b.Files = append(b.Files, pack.File{Name: bundledSettings, Mode: 0o644, Data: text})
	}
	return b, nil
}

// scheduleOptions are how a firing's job is composed: like the workers', but
// from a separate specification.
func (c *cli) scheduleOptions(cmd *cobra.Command, d *draft.Draft, out, job string) (nomadOptions, error) {
	o, err := c.nomadOptions(d.Spec.Nomad, out, d.Path)
	if err != nil {
		return o, err
	}
	o.Job, o.JobFile, o.Env = nil, job, c.changedSettings(cmd)
	if job != "" {
		if o.Job, err = os.ReadFile(job); err != nil {
			return o, fmt.Errorf("read job: %w", err)
		}
	} else if o.Command == "" && o.Image == "" && o.Artifact == "" {
		o.Command, err = os.Executable() // a client on this machine finds it there
	}
	return o, err
}

// scheduler is the cluster with its schedules, where the settings say they are.
func (c *cli) scheduler() (*schedules, error) {
	set, err := c.settings.Nomad(nil)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	return newSchedules(nomadOptions{Region: set.GetString("region"), Namespace: set.GetString("namespace")})
}

// changedSettings pass what is set here on to the firings.
func (c *cli) changedSettings(cmd *cobra.Command) map[string]string {
	env := map[string]string{}
	for _, k := range settings.List(placeWords()) {
		if k.Key != "on" && c.settings.Origin(k, cmd.Flags()) != "default" {
			env[settings.Variable(k.Key)] = c.settings.GetString(k.Key)
		}
	}
	return env
}

func (c *cli) printSchedule(in schedule, next time.Time, replaced bool, outside []string) {
	verb := "fires"
	if replaced {
		verb = "was already scheduled, and now fires"
	}
	c.stderr.Printf("%s: %s at %s, %s; next %s\n", in.Sweep, verb, strings.Join(in.Crons, " and "), in.Zone, timetable.Moment(next))
	c.stderr.Printf("  sweep  %s\n", in.Store)
	for _, p := range outside {
		c.stderr.Printf("fanout: warning: %s is not copied: the clients need it at that path\n", p)
	}
}

func (c *cli) listSchedules(ctx context.Context) error {
	cluster, err := c.scheduler()
	if err != nil {
		return err
	}
	found, err := cluster.List(ctx)
	if err != nil {
		return err
	}
	lines := make([]timetable.Schedule, len(found))
	var all sync.WaitGroup
	for i, v := range found {
		all.Go(func() { lines[i] = c.lineOfSchedule(ctx, v) })
	}
	all.Wait()
	if len(lines) == 0 && !c.json {
		c.stderr.Println("nothing is scheduled")
		return nil
	}
	return timetable.List(c.stdout, lines, c.json)
}

// lookAtSweep is how long the history of a listed schedule may take: its sweep may
// be kept where this machine sees nothing.
const lookAtSweep = 5 * time.Second

func (c *cli) lineOfSchedule(ctx context.Context, v schedule) timetable.Schedule {
	ctx, cancel := context.WithTimeout(ctx, lookAtSweep)
	defer cancel()
	l := timetable.Schedule{ID: v.ID, Name: v.Sweep, Sweep: v.Store, Crons: v.Crons, Zone: v.Zone, Stopped: v.Stopped}
	if !v.Next.IsZero() {
		l.Next = &v.Next
	}
	var recorded []firing.Firing
	if st, err := c.openStore(ctx, v.Store); err == nil {
		recorded, _ = firing.List(ctx, st, 10)
	}
	l.Last = timetable.Last(asFiring(v), recorded, v.Zone)
	return l
}

// findSchedule finds one by its id or its sweep's name.
func (c *cli) findSchedule(ctx context.Context, name string) (*schedules, schedule, error) {
	cluster, err := c.scheduler()
	if err != nil {
		return nil, schedule{}, err
	}
	all, err := cluster.List(ctx)
	if err != nil {
		return nil, schedule{}, err
	}
	var found []schedule
	for _, v := range all {
		if v.ID == name || v.Sweep == name {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 1:
		return cluster, found[0], nil
	case 0:
		return nil, schedule{}, unit.Mistake(unit.WithHint(fmt.Errorf("nothing called %q is scheduled", name), "`fanout schedule ls` lists the schedules"))
	}
	return nil, schedule{}, unit.Mistake(unit.WithHint(fmt.Errorf("%d sweeps called %q are scheduled", len(found), name), "give the id: %s or %s", found[0].ID, found[1].ID))
}

func (c *cli) removeSchedule(ctx context.Context, name string) error {
	cluster, v, err := c.findSchedule(ctx, name)
	if err != nil {
		return err
	}
	running, err := cluster.Remove(ctx, v.ID)
	if err != nil {
		return err
	}
	c.stderr.Printf("%s no longer fires; its sweep is kept: %s\n", v.ID, v.Store)
	for _, id := range running {
		c.stderr.Printf("a firing is still running; to stop it: nomad job stop %s\n", unit.Quote(id))
	}
	return nil
}

func (c *cli) fireNow(ctx context.Context, name string) error {
	cluster, v, err := c.findSchedule(ctx, name)
	if err != nil {
		return err
	}
	if f := v.Last; f != nil && (f.State == "running" || f.State == "waiting") {
		c.stderr.Printf("fanout: warning: %s is still running and this firing does not wait for it: if it still holds the sweep, this one ends with exit code 4\n", f.ID)
	}
	id, err := cluster.Force(ctx, v.ID)
	if err != nil {
		return err
	}
	c.stderr.Printf("%s is firing; to follow it: fanout logs -f %s\n", v.Sweep, unit.Quote(v.Store))
	c.stdout.Println(id)
	return nil
}
