package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/help"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
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
lists those that would be executed, in the order in which they would begin.`,
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
	f.all = f.Limit == 0 && f.plain()
	return c.preview(ctx, d, f)
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
	asOf, err := parseAsOf(f.asOf, time.Now())
	if err != nil {
		return nil, unit.Mistake(err)
	}
	return c.app.Draft(ctx, draft.Source{File: target, Set: f.set, Overlays: f.overlays, AsOf: asOf})
}

// parseAsOf reads a logical date: a day, or a time with a zone.
func parseAsOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Add(12 * time.Hour), nil // noon UTC is that day in nearly every zone
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--as-of %q: want a date such as 2026-03-31 or 2026-03-31T02:00:00Z", text)
}

// printNew lists the points of a draft of which nothing was executed yet.
func (c *cli) printNew(ctx context.Context, d *draft.Draft, f planFlags) error {
	print, flush := c.duePrinter(d.Axes, f.dueFormat)
	why := due.Reason{Before: outcome.Planned}
	n := 0
	for p := range d.Grid.Points() {
		if f.Limit > 0 && n == f.Limit {
			break
		}
		if err := print(sweep.RunState{Run: sweep.NewRun(p)}, why.String(), nil); err != nil {
			return err
		}
		n++
	}
	if err := errors.Join(flush(), d.Grid.Err()); err != nil || f.machine() {
		return err
	}
	n, err := d.Grid.Count(ctx)
	if err == nil {
		c.stderr.Println(unit.Plural(n, "run"))
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
	print, flush := c.duePrinter(head.Axes, f.dueFormat)
	ids := todo.Runs
	if f.all {
		ids = nil
		for _, st := range s.Runs()[:head.Runs] {
			ids = append(ids, st.Run.ID)
		}
	}
	for _, id := range ids {
		st, _ := s.Run(id)
		if err := print(st, todo.WhyOf(id), todo.Why[id].Stale); err != nil {
			return err
		}
	}
	if err := flush(); err != nil || f.machine() {
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

func (f dueFormat) machine() bool { return f.json || f.csv }

func (f *dueFormat) addCSV(cmd *cobra.Command, help string) {
	cmd.Flags().BoolVar(&f.csv, "csv", false, help)
}

// duePrinter prints runs with the reason why they are due, and the parts in
// which they are stale.
func (c *cli) duePrinter(axes []grid.Axis, f dueFormat) (print func(st sweep.RunState, why string, stale []string) error, flush func() error) {
	if f.json {
		enc := json.NewEncoder(c.stdout.Data())
		enc.SetEscapeHTML(false)
		return func(st sweep.RunState, why string, stale []string) error {
			o := lineOf(st.Run)
			o.set("due", why)
			if len(stale) > 0 {
				o.set("stale", stale)
			}
			return enc.Encode(o)
		}, func() error { return nil }
	}
	var write func([]string) error
	if f.csv {
		w := csv.NewWriter(c.stdout.Data())
		write = func(fields []string) error {
			for i := range fields {
				fields[i] = unit.Cell(fields[i])
			}
			return w.Write(fields)
		}
		flush = func() error { w.Flush(); return w.Error() }
	} else {
		w := tabwriter.NewWriter(c.stdout.Lines(), 0, 0, 2, ' ', 0)
		write, flush = tabbed(w), w.Flush
	}
	var now string // why the run of the row is due
	row := tablePrinter(write, axes, column{"run_due", func(sweep.RunState) string { return now }})
	return func(st sweep.RunState, why string, _ []string) error { now = why; return row(st) }, flush
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
	fc, ok := due.Expect(s, todo, jobs)
	if !ok || len(todo) == 0 {
		return
	}
	memory := ""
	if fc.PeakRSS > 0 {
		memory = ", up to " + unit.Bytes(fc.PeakRSS) + " a run"
	}
	cpu := unit.Duration(fc.CPU) + " of CPU"
	if fc.CPU > 6*time.Minute {
		cpu = fmt.Sprintf("%.1f core-hours", fc.CPU.Hours())
	}
	c.stderr.Printf("≈ %s at -j %d, %s%s; from %s\n", unit.Duration(fc.Wall), jobs, cpu, memory, unit.Plural(fc.From, "finished run"))
}

// A column is one more column of a table of runs.
type column struct {
	name string
	of   func(sweep.RunState) string
}

// maxColumn is how many characters of one value are worth a column.
const maxColumn = 60

func tabbed(w io.Writer) func([]string) error {
	return func(fields []string) error {
		for i, f := range fields {
			fields[i] = unit.Cut(f, maxColumn)
		}
		_, err := fmt.Fprintln(w, strings.Join(fields, "\t"))
		return err
	}
}

// tablePrinter writes a head with the first run, then a row a run: its id,
// more columns, and what it is given.
func tablePrinter(write func([]string) error, axes []grid.Axis, more ...column) func(sweep.RunState) error {
	replicates := slices.ContainsFunc(axes, func(a grid.Axis) bool { return a.Name == "run_replicate" })
	first := true
	return func(st sweep.RunState) error {
		r := st.Run
		head, row := []string{"run_id"}, []string{r.ID}
		add := func(name, value string) { head, row = append(head, name), append(row, unit.Line(value)) }
		for _, m := range more {
			add(m.name, m.of(st))
		}
		if r.Template != "" {
			add("template", r.Template)
		}
		for _, b := range append(slices.Clone(r.Labels), r.Params...) {
			add(b.Name, b.Value.Text())
		}
		if replicates {
			add("run_replicate", strconv.Itoa(r.Replicate))
		}
		if first {
			first = false
			if err := write(head); err != nil {
				return err
			}
		}
		return write(row)
	}
}

// lineOf is one run as plan --json prints it.
func lineOf(r sweep.Run) object {
	o := object{{"run_id", r.ID}, {"parameters", objectOf(r.Params)}}
	if len(r.Labels) > 0 {
		o.set("labels", objectOf(r.Labels))
	}
	o.set("replicate", r.Replicate)
	if r.Template != "" {
		o.set("template", r.Template)
	}
	return o
}

func objectOf(bindings []value.Binding) map[string]any {
	m := map[string]any{}
	for _, b := range bindings {
		m[b.Name] = b.Value
	}
	return m
}
