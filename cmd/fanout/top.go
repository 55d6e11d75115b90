package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/listing"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) topCommand() *cobra.Command {
	var by, where string
	var n int
	var ascending bool
	cmd := &cobra.Command{
		Use:   "top DIR.sweep",
		Short: "Show the leading runs by a metric, also while others are running",
		Long: `Top lists the runs that succeeded, the best first by a scrap: the largest, or the
smallest where the sweep file says minimize. While the sweep is running it shows
the leaders so far, including running ones that have already recorded the scrap.

` + whereHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.top(cmd.Context(), args[0], by, where, n, ascending)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&by, "by", "", "`scrap` or parameter to sort by (default: the first metric)")
	fl.StringVar(&where, "where", "", "only runs for which this `expression` is true")
	fl.IntVarP(&n, "lines", "n", 10, "`N` runs")
	fl.BoolVar(&ascending, "ascending", false, "the smallest first, whatever the sweep file declares")
	return cmd
}

func (c *cli) top(ctx context.Context, dir, by, where string, n int, ascending bool) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	if err := s.UnderWay(ctx); err != nil {
		return err
	}
	leaders, err := query.Lead(s, by, where, ascending)
	if err != nil {
		return err
	}
	head, _ := s.Head()
	list := listing.New(c.stdout, listing.Table, head.Axes)
	if err := errors.Join(list.Leaders(leaders, n), list.Flush()); err != nil {
		return err
	}
	c.stderr.Printf("%d of %s recorded %s\n", len(leaders.Runs), unit.Plural(head.Runs, "run"), leaders.By)
	return nil
}
