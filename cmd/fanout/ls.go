package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/listing"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) lsCommand() *cobra.Command {
	var where string
	var all bool
	cmd := &cobra.Command{
		Use:   "ls DIR.sweep",
		Short: "List the runs of a sweep",
		Long: `Ls prints one line for each planned run: its status, what makes it stale, how
long it took, why it did not succeed, and its parameters.

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
	ids, reasons := []string(nil), false // a run takes many times as much as its id
	for r, err := range query.Chosen(s, query.Choice{Where: where, All: all}) {
		if err != nil {
			return err
		}
		ids, reasons = append(ids, r.Run.ID), reasons || r.Outcome.Reason != ""
	}
	head, _ := s.Head()
	list := listing.New(c.stdout, dueFormat{json: c.json}.form(), head.Axes)
	list.Reasons = reasons
	for _, id := range ids {
		st, _ := s.Run(id)
		if err := list.Run(query.RunOf(s, st)); err != nil {
			return err
		}
	}
	if err := list.Flush(); err != nil {
		return err
	}
	if !c.json {
		c.stderr.Println(unit.Plural(len(ids), "run"))
	}
	return nil
}
