package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/help"
	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) diffCommand() *cobra.Command {
	var q align.Question
	var format, output string
	cmd := &cobra.Command{
		Use:   "diff DIR.sweep [RUN…] | NOTEBOOK NOTEBOOK…",
		Short: "Show in which cells runs differ, and how",
		Long: `Diff aligns the cells of executed notebooks, groups runs by what each cell put
out, and says which axes explain the groups. Addresses, random ids, durations,
progress bars and the like do not count. Of several runs, or notebooks, the
others are compared with the first, and one run with that of the baseline. --by
compares runs that differ in the given axes alone; "--by variant" means those of
the baseline.

` + whereHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.diff(cmd.Context(), args, q, format, output) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&output, "output", "o", "", "`file` to write, or an object of a bucket (default: standard output)")
	fl.StringSliceVar(&q.By, "by", nil, "`axes` whose values are compared")
	fl.StringVar(&q.Where, "where", "", "only runs for which this `expression` is true")
	fl.Float64Var(&q.Tolerance, "tolerance", align.Tolerance, "numbers that differ by no more than this `share` are equal")
	help.AddOneOf(fl, &format, "format", report.CellFormats(), "`form`: "+unit.Either(report.CellFormats()))
	return cmd
}

func (c *cli) diff(ctx context.Context, args []string, q align.Question, format, output string) error {
	r, err := c.app.Cells(ctx, args, q)
	if err != nil {
		return err
	}
	if output != "" && output != "-" {
		return c.writeTo(ctx, output, func(w io.Writer) error { return report.Cells{Report: r}.Write(w, format) })
	}
	w := c.stdout.Data()
	if format == "text" {
		w = c.stdout.Lines()
	}
	return report.Cells{Report: r}.Write(w, format)
}
