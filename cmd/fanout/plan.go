package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/help"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/listing"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// specFlags are how a sweep file is read.
type specFlags struct {
	set      []string
	overlays []string
	asOf     string
}

func (f *specFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.set, "set", nil, "set parameter `name=value` for every run (repeatable)")
	fl.StringArrayVarP(&f.overlays, "file", "f", nil, "overlay another sweep `file` (repeatable)")
	fl.StringVar(&f.asOf, "as-of", "", "logical `date` that relative dates count from (default: today)")
}

type planFlags struct {
	app.Choice
	dueFormat
	count  bool
	graph  string
	jobs   int
	output string
	all    bool // list kept runs, too
}

func (c *cli) planCommand() *cobra.Command {
	var f planFlags
	var spec specFlags
	cmd := &cobra.Command{
		Use:   "plan SWEEP.yaml",
		Short: "Show what a sweep file would run, and run nothing",
		Long: `Plan lists the runs of a sweep file. If the sweep already exists, it says of each
why fanout run would execute it, or that it is kept, and estimates how long they
take from those that succeeded. With --only, --limit, --order or --reprocess it
lists those that would be executed, in the order in which they would begin.

With --graph it prints the steps of the sweep file as a graph in Mermaid's
language, which GitHub and JupyterLab draw, or with --graph=dot in Graphviz's.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.plan(cmd.Context(), args[0], spec, f)
		},
	}
	spec.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.json, "json", false, "one JSON object a run")
	f.addCSV(cmd, "comma-separated values")
	fl.BoolVar(&f.count, "count", false, "print only the number of runs in the sweep file")
	help.AddOneOf(fl, &f.graph, "graph", []string{"", lineage.Mermaid, lineage.DOT}, "print the steps with their numbers of runs as a `graph`: mermaid or dot")
	fl.Lookup("graph").NoOptDefVal = lineage.Mermaid
	addChoice(cmd, &f.Choice)
	addOrder(cmd, &f.Choice)
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "`N` runs at once, for the estimate (default: cores)")
	fl.String("on", "local", "`place` where runs will execute: "+placeWords())
	fl.StringVarP(&f.output, "output", "o", "", "sweep `directory` to compare with (default: NAME.sweep beside the sweep file)")
	return cmd
}

// addChoice adds the flags that say which of the runs in a sweep file are meant.
func addChoice(cmd *cobra.Command, f *app.Choice) {
	fl := cmd.Flags()
	fl.IntVar(&f.Limit, "limit", 0, "execute at most `N` runs now")
	fl.StringVar(&f.Only, "only", "", "execute only runs for which this `expression` is true")
	help.AddOneOf(fl, (*string)(&f.Reprocess), "reprocess", []string{string(due.Stale), string(due.None), string(due.Failed), string(due.All)}, "`which` earlier runs to run again: none, failed, stale (and failed) or all")
}

func addOrder(cmd *cobra.Command, f *app.Choice) {
	help.AddOneOf(cmd.Flags(), &f.Order, "order", due.Orders(), "`order` of the runs: as-planned (new runs first, known failures last), newest-first, longest-first or shuffle")
}

func (c *cli) plan(ctx context.Context, target string, spec specFlags, f planFlags) error {
	d, err := c.draft(ctx, target, spec)
	if err != nil {
		return err
	}
	if f.count {
		n, err := d.Grid.Count(ctx)
		if err == nil {
			c.stdout.Println(n)
		}
		return err
	}
	if f.graph != "" {
		return c.printGraph(ctx, d, f)
	}
	f.all = f.Limit == 0 && f.plain()
	return c.preview(ctx, d, f)
}

// printGraph prints the steps of a sweep file, with how their runs stand where the
// sweep exists already.
func (c *cli) printGraph(ctx context.Context, d *draft.Draft, f planFlags) error {
	steps := lineage.Planned(d.Head)
	if len(steps) == 0 {
		return unit.Mistake(unit.WithHint(errors.New("--graph: the sweep file has one template, and no steps"), "docs/spec.md says how to write `steps`"))
	}
	if where := app.Place(d, f.output); c.app.Continues(ctx, d, where) {
		s, _, err := c.app.Preview(ctx, d, where)
		if err != nil {
			return err
		}
		steps = lineage.Chain(s)
	} else {
		counts, err := d.Grid.CountSteps(ctx)
		if err != nil {
			return err
		}
		for i := range steps {
			steps[i].Runs = counts[i]
		}
	}
	_, err := io.WriteString(c.stdout.Data(), lineage.Draw(steps, f.graph))
	return err
}

// plain reports whether the choice is what run does by itself.
func (f planFlags) plain() bool {
	return f.Only == "" && f.Order == "as-planned" && f.Reprocess == due.Stale
}

// preview prints which runs of a draft would be executed now. Where all are new
// they are streamed: the first rows of a large grid come at once.
func (c *cli) preview(ctx context.Context, d *draft.Draft, f planFlags) error {
	where := app.Place(d, f.output)
	if f.plain() && !c.app.Continues(ctx, d, where) {
		return c.printNew(ctx, d, f)
	}
	s, delta, err := c.app.Preview(ctx, d, where)
	if err != nil {
		return err
	}
	todo, err := app.Due(s, f.Choice)
	if err != nil {
		return err
	}
	head, _ := s.Head()
	return c.printDue(s, todo, f, unit.Plural(head.Runs, "run")+": ", unplannedWords(delta))
}

// draft reads a sweep file, with all it names, and plans nothing yet.
func (c *cli) draft(ctx context.Context, target string, f specFlags) (*draft.Draft, error) {
	asOf, err := draft.ParseAsOf(f.asOf, time.Now())
	if err != nil {
		return nil, unit.Mistake(fmt.Errorf("--as-of %w", err))
	}
	return c.app.Draft(ctx, draft.Source{File: target, Set: f.set, Overlays: f.overlays, AsOf: asOf})
}

// printNew lists the points of a draft of which nothing was executed yet.
func (c *cli) printNew(ctx context.Context, d *draft.Draft, f planFlags) error {
	list := listing.New(c.stdout, f.form(), d.Axes)
	why := due.Reason{Before: outcome.Planned}
	n := 0
	for p := range d.Grid.Points() {
		if f.Limit > 0 && n == f.Limit {
			break
		}
		if err := list.Due(sweep.NewRun(p), why.String(), nil); err != nil {
			return err
		}
		n++
	}
	if err := errors.Join(list.Flush(), d.Grid.Err()); err != nil || f.form() != listing.Table {
		return err
	}
	n, err := d.Grid.Count(ctx)
	if err == nil {
		c.stderr.Println(unit.Plural(n, "run") + app.UpTo(d, n))
		c.printAsked(d.Recipe.Settings)
	}
	return err
}

// printAsked says what a cluster will be asked for.
func (c *cli) printAsked(usual sweep.Settings) {
	if c.onNomad() {
		c.stderr.Printf("each allocation asks for %s\n", asked(usual.CPU, usual.Memory))
	}
}

// printDue lists what is due and why. before and after frame the line that
// counts it.
func (c *cli) printDue(s *sweep.Sweep, todo due.List, f planFlags, before, after string) error {
	head, _ := s.Head()
	list := listing.New(c.stdout, f.form(), head.Axes)
	ids := todo.Runs
	if f.all {
		ids = nil
		for _, st := range s.Runs()[:head.Runs] {
			ids = append(ids, st.Run.ID)
		}
	}
	for _, id := range ids {
		st, _ := s.Run(id)
		if err := list.Due(st.Run, todo.WhyOf(id), todo.Why[id].Stale); err != nil {
			return err
		}
	}
	if err := list.Flush(); err != nil || f.form() != listing.Table {
		return err
	}
	c.stderr.Printf("%s%s%s\n", before, todo, after)
	if n := len(todo.Runs); n < len(todo.Why) {
		c.stderr.Printf("%s now\n", unit.Plural(n, "run"))
	}
	c.printAsked(head.Recipe.Settings)
	c.printForecast(s, todo.Runs, f.jobs)
	return nil
}

// dueFormat says in which form due runs are listed; the zero value is for
// people.
type dueFormat struct{ json, csv bool }

func (f dueFormat) form() listing.Form {
	switch {
	case f.json:
		return listing.JSON
	case f.csv:
		return listing.CSV
	}
	return listing.Table
}

func (f *dueFormat) addCSV(cmd *cobra.Command, help string) {
	cmd.Flags().BoolVar(&f.csv, "csv", false, help)
}

// unplannedWords ends the line about what is due.
func unplannedWords(d sweep.Delta) string {
	if d.Unplanned == 0 {
		return ""
	}
	return fmt.Sprintf(", %d no longer planned", d.Unplanned)
}

func (c *cli) printForecast(s *sweep.Sweep, todo []string, jobs int) {
	if jobs <= 0 {
		jobs = runtime.NumCPU()
	}
	if fc, ok := due.Expect(s, todo, jobs); ok && len(todo) > 0 {
		c.stderr.Printf("≈ %s\n", fc)
	}
}
