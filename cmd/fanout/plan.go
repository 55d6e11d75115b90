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

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/grid"
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
	json, csv, count bool
	limit, jobs      int
	output           string
}

func (c *cli) planCommand() *cobra.Command {
	var f planFlags
	var spec specFlags
	cmd := &cobra.Command{
		Use:   "plan SWEEP.yaml",
		Short: "Show what a sweep file would run, and run nothing",
		Long: `Plan lists the runs of a sweep file. If the sweep already exists, it says which
of them would run and estimates how long they take from those that succeeded.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.plan(cmd.Context(), args[0], spec, f)
		},
	}
	spec.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.json, "json", false, "one JSON object a run")
	fl.BoolVar(&f.csv, "csv", false, "comma-separated values")
	fl.BoolVar(&f.count, "count", false, "print only the number of runs")
	fl.IntVar(&f.limit, "limit", 0, "only the first `N` runs")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "runs at once, for the estimate (default: cores)")
	fl.StringVarP(&f.output, "output", "o", "", "sweep directory to compare with (default: NAME.sweep beside the sweep file)")
	return cmd
}

func (c *cli) plan(ctx context.Context, target string, spec specFlags, f planFlags) error {
	d, err := c.draft(ctx, target, spec)
	if err != nil {
		return err
	}
	if f.count {
		n, err := d.Grid.Count(ctx)
		if err == nil {
			fmt.Fprintln(c.stdout, n)
		}
		return err
	}
	if err := c.printPlan(d, f); err != nil || f.json || f.csv {
		return err
	}
	return c.printDue(ctx, d, f)
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

// printPlan streams the runs: the first rows of a large grid come at once.
func (c *cli) printPlan(d *draft.Draft, f planFlags) error {
	print, flush := c.planPrinter(d, f)
	n := 0
	for p := range d.Grid.Points() {
		if f.limit > 0 && n == f.limit {
			break
		}
		if err := print(sweep.NewRun(p)); err != nil {
			return err
		}
		n++
	}
	return errors.Join(flush(), d.Grid.Err())
}

func (c *cli) planPrinter(d *draft.Draft, f planFlags) (print func(sweep.Run) error, flush func() error) {
	switch {
	case f.json:
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		return func(r sweep.Run) error { return enc.Encode(lineOf(r)) }, func() error { return nil }
	case f.csv:
		w := csv.NewWriter(c.stdout)
		row := tablePrinter(w.Write, d.Axes)
		return func(r sweep.Run) error { return row(sweep.RunState{Run: r}) }, func() error { w.Flush(); return w.Error() }
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	row := tablePrinter(tabbed(w), d.Axes)
	return func(r sweep.Run) error { return row(sweep.RunState{Run: r}) }, w.Flush
}

// printDue prints how many runs there are and, where the sweep exists, which
// of them would run and how long that takes.
func (c *cli) printDue(ctx context.Context, d *draft.Draft, f planFlags) error {
	n, err := d.Grid.Count(ctx)
	if err != nil {
		return err
	}
	s, err := c.app.Open(ctx, app.Place(d, f.output))
	if err != nil || n > maxPreview || s.Name() != d.Spec.Name {
		fmt.Fprintln(c.stderr, unit.Plural(n, "run"))
		return nil // no sweep yet, or somebody else's: that is for run to say
	}
	if err := d.Expand(ctx); err != nil {
		return err
	}
	todo, delta := due.Preview(s, d.Plan, due.Stale, d.Spec.StaleOn)
	fmt.Fprintf(c.stderr, "%s: %s%s\n", unit.Plural(n, "run"), todo, unplannedWords(delta))
	c.printForecast(s, todo.Runs, f.jobs)
	return nil
}

// unplannedWords ends the line about what is due.
func unplannedWords(d sweep.Delta) string {
	if d.Unplanned == 0 {
		return ""
	}
	return fmt.Sprintf(", %d no longer planned", d.Unplanned)
}

// maxPreview is how many runs are compared with the sweep that is there.
const maxPreview = 1_000_000

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
	fmt.Fprintf(c.stderr, "≈ %s at -j %d, %s%s; from %s\n", unit.Duration(fc.Wall), jobs, cpu, memory, unit.Plural(fc.From, "finished run"))
}

// A column is one more column of a table of runs.
type column struct {
	name string
	of   func(sweep.RunState) string
}

func tabbed(w io.Writer) func([]string) error {
	return func(fields []string) error {
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
