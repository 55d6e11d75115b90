package main

import (
	"context"
	"encoding/json"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) lsCommand() *cobra.Command {
	var where string
	var all bool
	cmd := &cobra.Command{
		Use:   "ls DIR.sweep",
		Short: "List the runs of a sweep",
		Long: `Ls prints one line for each planned run: its status, what makes it stale, how
long it took, and its parameters.

` + whereHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.ls(cmd.Context(), args[0], where, all) },
	}
	cmd.Flags().StringVar(&where, "where", "", "only runs for which this `expression` is true")
	cmd.Flags().BoolVar(&all, "all", false, "include runs that are no longer planned")
	cmd.Flags().BoolVar(&c.json, "json", false, "one JSON object a run")
	return cmd
}

// whereHelp is the help on expressions.
var whereHelp = `An expression sees the parameters and the plain scraps under their own names, and
` + unit.All(columnNames()) + `. A run that did not record a scrap named in the expression is left out:

    fanout ls DIR.sweep --where 'region == "apac" && run_status != "succeeded"'
    fanout ls DIR.sweep --where 'auc > 0.9'`

func columnNames() (names []string) {
	for _, c := range query.Columns() {
		names = append(names, c.Name)
	}
	return names
}

func (c *cli) ls(ctx context.Context, dir, where string, all bool) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	runs, err := query.Choose(s, query.Choice{Where: where, All: all})
	if err != nil {
		return err
	}
	print, flush := c.runPrinter(s)
	for _, r := range runs {
		print(r)
	}
	if err := flush(); err != nil {
		return err
	}
	if !c.json {
		c.stderr.Println(unit.Plural(len(runs), "run"))
	}
	return nil
}

// runPrinter prints runs as a table or as JSON lines.
func (c *cli) runPrinter(s *sweep.Sweep) (print func(query.Run), flush func() error) {
	if c.json {
		enc := json.NewEncoder(c.stdout.Data())
		enc.SetEscapeHTML(false)
		var failed error
		return func(r query.Run) {
			if err := enc.Encode(lineOfRun(r)); failed == nil {
				failed = err
			}
		}, func() error { return failed }
	}
	w := tabwriter.NewWriter(c.stdout.Lines(), 0, 0, 2, ' ', 0)
	head, _ := s.Head()
	var now query.Run // the run of the row
	row := tablePrinter(tabbed(w), head.Axes,
		column{"status", func(sweep.RunState) string { return statusWords(now) }}, column{"took", func(sweep.RunState) string { return took(now) }})
	return func(r query.Run) { now = r; row(r.RunState) }, w.Flush
}

// statusWords are the status and what makes a success stale.
func statusWords(r query.Run) string {
	text := r.Status.Words()
	if len(r.Stale) > 0 {
		text += ", stale (" + strings.Join(r.Stale, ", ") + ")"
	}
	if r.Run.Unplanned {
		text += ", no longer planned"
	}
	return text
}

func took(r query.Run) string {
	if r.Last == nil {
		return "-"
	}
	return unit.Duration(r.Outcome.Duration())
}

// lineOfRun is one run as ls --json prints it.
func lineOfRun(r query.Run) object {
	o := lineOf(r.Run)
	o.set("status", r.Status)
	o.set("planned", !r.Run.Unplanned)
	if len(r.Stale) > 0 {
		o.set("stale", r.Stale)
	}
	for _, c := range query.Columns() {
		if v := c.Of(r); c.Field != "" && v != nil {
			o.set(c.Field, v)
		}
	}
	if r.Last != nil {
		o.set("ended_at", r.Outcome.End)
	}
	if scraps := query.Scraps(r.RunState); len(scraps) > 0 {
		o.set("scraps", scraps)
	}
	return o
}
