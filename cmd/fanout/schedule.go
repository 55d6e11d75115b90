package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/localschedule"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/settings"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// scheduleFlags are when a sweep runs, and by what.
type scheduleFlags struct {
	specFlags
	crons        []string
	zone, missed string
	output, job  string
	print        string
}

func (c *cli) scheduleCommand() *cobra.Command {
	var f scheduleFlags
	cmd := &cobra.Command{
		Use:   `schedule SWEEP.yaml --cron "0 2 * * *"`,
		Short: "Extend a sweep on a schedule, here or on a Nomad cluster",
		Long: `Schedule writes into the sweep when it is extended. Each firing runs

    fanout run --as-of TIME-IT-WAS-DUE -o SWEEP SWEEP.yaml

so that dates such as "yesterday" count from the time the firing was due, however
late it starts. All firings extend one sweep. The sweep file, and the files it
names relative to itself, travel with the schedule as they are now: after an
edit, schedule it again. "fanout serve --schedule" fires what is due in the
sweeps that it serves, or what --print prints for another program.

Firings of a sweep do not overlap. What was due while one ran, or while nobody
could fire it, is fired later: the latest of it, or with --missed each all of it.

With --on nomad it is a periodic Nomad job, which fires by itself and skips what
is due while another firing is running.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.schedule(cmd, args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.crons, "cron", nil, "`expression` that says when to fire: minute hour day month weekday (repeatable)")
	fl.StringVar(&f.zone, "tz", "UTC", "time `zone` that the expression is in, such as Europe/Berlin")
	fl.StringVarP(&f.output, "output", "o", "", "sweep `directory`; on a cluster at the same path on the clients (default: NAME.sweep beside the sweep file)")
	fl.StringVar(&f.missed, "missed", schedule.Latest, "`what` to fire of times that have passed: latest or each")
	fl.StringVar(&f.print, "print", "", "print lines for `program` that fires the schedule: crontab or systemd")
	fl.StringVar(&f.job, "job", "", "your own job specification `file`, in HCL, for the firings")
	fl.StringArrayVar(&f.set, "set", nil, "set parameter `name=value` for every run (repeatable)")
	fl.StringArrayVarP(&f.overlays, "file", "f", nil, "overlay another sweep `file` (repeatable)")
	cmd.PersistentFlags().StringVar(&c.asked, "for", "", "`who` asked for it, where another program types the command")
	cmd.PersistentFlags().MarkHidden("for")
	cmd.PersistentFlags().String("on", "local", "`place` of the schedule: "+placeWords())
	find := func(ctx context.Context, name string) (where, zone string, err error) {
		_, v, err := c.findSchedule(ctx, name)
		return v.Store, v.Zone, err
	}
	cmd.AddCommand(c.scheduleFire(), localschedule.Log(c.ownSchedules, find, &c.json))
	cmd.AddCommand(localschedule.Commands(func() localschedule.Schedules {
		if c.onNomad() {
			return clusterSchedules{c}
		}
		return c.ownSchedules()
	}, c.ownSchedules, &c.json)...)
	return cmd
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
	if !c.onNomad() {
		return c.scheduleHere(cmd, d, f, out, files, next)
	}
	o, err := c.scheduleOptions(cmd, d, out, f.job)
	if err != nil {
		return unit.Mistake(err)
	}
	all, err := newSchedules(o)
	if err != nil {
		return err
	}
	sw, key, err := c.putBundle(ctx, d, out, files)
	if err == nil {
		err = localschedule.Free(ctx, sw.Store(), out)
	}
	if err != nil {
		return err
	}
	told, plain := app.ReachOf(d.Spec)
	in := nomadSchedule{Sweep: d.Spec.Name, Store: out, Crons: f.crons, Zone: f.zone, Args: fireFlags{store: out, bundle: key, spec: files.Spec, zone: f.zone, notify: told}.args()}
	replaced, err := all.Put(ctx, &in)
	if err != nil {
		return err
	}
	if err := localschedule.Note(ctx, sw.Store(), c.settings.GetString("on"), in.ID, schedule.Schedule{Crons: f.crons, Zone: f.zone, Bundle: key, Spec: files.Spec}); err != nil {
		c.app.Warn(err.Error()) // the cluster fires it all the same
	}
	c.ownSchedules().SayOfCluster(in.Sweep, in.Store, schedule.Schedule{Crons: f.crons, Zone: f.zone}, next, replaced, files.Outside)
	for _, w := range append(all.Warnings(ctx), c.pythonWarnings(d, o.Image)...) {
		c.app.Warn(w)
	}
	if plain {
		c.app.Warn("notify: a firing that cannot reach the sweep does not know the URL of the webhook: give it as {secret: NAME}")
	}
	c.ownSchedules().WarnOfDay(d.Spec.Text(), next, f.zone)
	c.stdout.Println(in.ID)
	return nil
}

// scheduleHere writes a schedule that no cluster fires.
func (c *cli) scheduleHere(cmd *cobra.Command, d *draft.Draft, f scheduleFlags, out string, files draft.Bundle, next time.Time) error {
	s := schedule.Schedule{Crons: f.crons, Zone: f.zone, Missed: f.missed, Spec: files.Spec, Settings: c.settings.Changed(cmd.Flags())}
	lines, hint, err := localschedule.Lines(f.print, out, s)
	if err != nil {
		return unit.Mistake(err)
	}
	sw, key, err := c.putBundle(cmd.Context(), d, out, files)
	if err != nil {
		return err
	}
	s.Bundle = key
	if err := c.ownSchedules().Put(cmd.Context(), sw.Store(), out, s, next); err != nil {
		return err
	}
	c.ownSchedules().WarnOfDay(d.Spec.Text(), next, f.zone)
	c.ownSchedules().PrintLines(lines, hint)
	return nil
}

// ownSchedules are those that no cluster fires.
func (c *cli) ownSchedules() localschedule.Verbs {
	return localschedule.Verbs{Open: c.openStore, Stdout: c.stdout, Stderr: c.stderr, For: c.asked}
}

func (c *cli) putBundle(ctx context.Context, d *draft.Draft, out string, files draft.Bundle) (*sweep.Sweep, string, error) {
	sw, err := c.app.Create(ctx, out, d.Spec.Name)
	if err != nil {
		return nil, "", err
	}
	key, err := files.Put(ctx, sw)
	return sw, key, err
}

// check finds mistakes in when to fire; next is when it does first.
func (f scheduleFlags) check(target string) (next time.Time, err error) {
	switch {
	case target == "-":
		return next, errors.New("a schedule needs a sweep file, not standard input")
	case app.IsSweep(target):
		return next, unit.WithHint(fmt.Errorf("%s is a folder", target), "give the sweep file: every firing plans the sweep again")
	}
	return schedule.Schedule{Crons: f.crons, Zone: f.zone, Missed: f.missed}.Check(time.Now())
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
	o.Job, o.JobFile, o.Env = nil, job, map[string]string{}
	for key, text := range c.settings.Changed(cmd.Flags()) {
		o.Env[settings.Variable(key)] = text
	}
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

// clusterSchedules are those of the cluster that the settings name.
type clusterSchedules struct{ *cli }

func (c clusterSchedules) List(ctx context.Context, _ []string, _ bool) error {
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

func (c *cli) lineOfSchedule(ctx context.Context, v nomadSchedule) timetable.Schedule {
	ctx, cancel := context.WithTimeout(ctx, lookAtSweep)
	defer cancel()
	l := timetable.Schedule{ID: v.ID, Name: v.Sweep, Sweep: v.Store, Crons: v.Crons, Zone: v.Zone, Stopped: v.Stopped, Problem: v.Problem}
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
func (c *cli) findSchedule(ctx context.Context, name string) (*schedules, nomadSchedule, error) {
	cluster, err := c.scheduler()
	if err != nil {
		return nil, nomadSchedule{}, err
	}
	all, err := cluster.List(ctx)
	if err != nil {
		return nil, nomadSchedule{}, err
	}
	var found []nomadSchedule
	for _, v := range all {
		if v.ID == name || v.Sweep == name {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 1:
		return cluster, found[0], nil
	case 0:
		return nil, nomadSchedule{}, unit.Mistake(unit.WithHint(fmt.Errorf("nothing called %q is scheduled", name), "`fanout schedule ls` lists the schedules"))
	}
	return nil, nomadSchedule{}, unit.Mistake(unit.WithHint(fmt.Errorf("%d sweeps called %q are scheduled", len(found), name), "give the id: %s or %s", found[0].ID, found[1].ID))
}

func (c clusterSchedules) Remove(ctx context.Context, name string) error {
	cluster, v, err := c.findSchedule(ctx, name)
	if err != nil {
		return err
	}
	running, err := cluster.Remove(ctx, v.ID)
	if err != nil {
		return err
	}
	if st, err := c.openStore(ctx, v.Store); err == nil { // where this machine sees it
		if err := localschedule.Unnote(ctx, st, v.ID); err != nil {
			c.app.Warn(err.Error())
		}
	}
	c.stderr.Printf("%s no longer fires; its sweep is kept: %s\n", v.ID, v.Store)
	for _, id := range running {
		c.stderr.Printf("a firing is still running; to stop it: nomad job stop %s\n", unit.Quote(id))
	}
	return nil
}

func (c clusterSchedules) RunNow(ctx context.Context, name string) error {
	cluster, v, err := c.findSchedule(ctx, name)
	if err != nil {
		return err
	}
	if f := v.Last; f != nil && (f.State == "running" || f.State == "waiting") {
		c.stderr.Printf("fanout: warning: %s is still running and this firing does not wait for it: if it still holds the sweep, this one ends with exit code 4\n", f.ID)
	}
	c.app.Record(ctx, v.Store)
	id, err := cluster.Force(ctx, v.ID)
	if err != nil {
		return err
	}
	c.stderr.Printf("%s is firing; to follow it: fanout logs -f %s\n", v.Sweep, unit.Quote(v.Store))
	c.stdout.Println(id)
	return nil
}
