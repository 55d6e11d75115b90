package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// specFlags say how a sweep file is read.
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
	limit            int
}

func (c *cli) planCommand() *cobra.Command {
	var f planFlags
	var spec specFlags
	cmd := &cobra.Command{
		Use:   "plan SWEEP.yaml",
		Short: "Show what a sweep file would run, and run nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.plan(cmd.Context(), args[0], spec, f)
		},
	}
	spec.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.json, "json", false, "one JSON object a run")
	fl.BoolVar(&f.csv, "csv", false, "comma-separated values")
	fl.BoolVar(&f.count, "count", false, "only how many")
	fl.IntVar(&f.limit, "limit", 0, "only the first so many")
	return cmd
}

func (c *cli) plan(ctx context.Context, target string, spec specFlags, f planFlags) error {
	d, err := c.open(ctx, target, spec)
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
	return c.printPlan(d, f)
}

// open reads a sweep file, with all it names, and plans nothing yet.
func (c *cli) open(ctx context.Context, target string, f specFlags) (*sweep.Draft, error) {
	asOf, err := parseAsOf(f.asOf, time.Now())
	if err != nil {
		return nil, usageError{err}
	}
	text, err := c.readSpec(target)
	if err != nil {
		return nil, err
	}
	src := sweep.Source{File: target, Text: text, Set: f.set, AsOf: asOf, Rows: readRows}
	for _, name := range f.overlays {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, usageError{fmt.Errorf("read overlay: %w", err)}
		}
		src.Overlays = append(src.Overlays, sweep.Overlay{File: name, Text: b})
	}
	d, err := sweep.Read(ctx, src)
	if err != nil {
		return nil, asSpecError(err)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(c.stderr, "fanout: warning: %s\n", w)
	}
	return d, nil
}

// asSpecError makes what is wrong with the user's files exit as such.
func asSpecError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return usageError{err}
}

func (c *cli) readSpec(target string) ([]byte, error) {
	if target == "-" {
		return io.ReadAll(c.stdin)
	}
	b, err := os.ReadFile(target)
	if err != nil {
		return nil, usageError{withHint(fmt.Errorf("read sweep file: %w", err), "`fanout init` makes one to start from")}
	}
	return b, nil
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

// planLine is one run as plan --json prints it.
type planLine struct {
	RunID     string         `json:"run_id"`
	Params    map[string]any `json:"parameters"`
	Labels    map[string]any `json:"labels,omitempty"`
	Replicate int            `json:"replicate"`
	Template  string         `json:"template,omitempty"`
}

// printPlan streams the runs: the first rows of a large grid come at once.
func (c *cli) printPlan(d *sweep.Draft, f planFlags) error {
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
	if err := errors.Join(flush(), d.Grid.Err()); err != nil {
		return err
	}
	if !f.json && !f.csv {
		total, exact := d.Grid.Len()
		if !exact {
			total = n
		}
		fmt.Fprintf(c.stderr, "%d runs\n", total)
	}
	return nil
}

func (c *cli) planPrinter(d *sweep.Draft, f planFlags) (print func(sweep.Run) error, flush func() error) {
	switch {
	case f.json:
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		return func(r sweep.Run) error { return enc.Encode(lineOf(r)) }, func() error { return nil }
	case f.csv:
		w := csv.NewWriter(c.stdout)
		return tablePrinter(w.Write), func() error { w.Flush(); return w.Error() }
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	return tablePrinter(func(row []string) error {
		_, err := fmt.Fprintln(w, strings.Join(row, "\t"))
		return err
	}), w.Flush
}

// tablePrinter writes a head with the first run, then a row a run.
func tablePrinter(write func([]string) error) func(sweep.Run) error {
	first := true
	return func(r sweep.Run) error {
		head, row := []string{"run_id"}, []string{r.ID}
		for _, b := range r.Labels {
			head, row = append(head, b.Name), append(row, clean(plainValue(b.Value)))
		}
		for _, b := range r.Params {
			head, row = append(head, b.Name), append(row, clean(plainValue(b.Value)))
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

func lineOf(r sweep.Run) planLine {
	l := planLine{RunID: r.ID, Params: map[string]any{}, Replicate: r.Replicate, Template: r.Template}
	for _, b := range r.Params {
		l.Params[b.Name] = b.Value
	}
	for _, b := range r.Labels {
		if l.Labels == nil {
			l.Labels = map[string]any{}
		}
		l.Labels[b.Name] = b.Value
	}
	return l
}
