package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/help"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/unit"
)

// compareFlags are what to compare, and the form.
type compareFlags struct {
	app.Comparing
	format string
	failIf []string
}

func (c *cli) compareCommand() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare DIR.sweep [OTHER.sweep]",
		Short: "Compare the variants of a sweep, or two sweeps, as a table",
		Long: `Compare prints, for each metric, how every variant differs from the baseline and
how sure that is. --col names the axes whose values are compared, --row the
axes with one table for each value; the remaining axes are the samples. Two
sweeps are compared by the runs that have the same parameters, the second
against the first; --row and --col then give a table for each value.

` + whereHelp,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.compare(cmd.Context(), args, f) },
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.Baseline, "baseline", nil, "`name=value` to compare with (default: the sweep file's; repeatable)")
	fl.StringSliceVar(&f.Metrics, "metric", nil, "only these `metrics`")
	fl.StringVar(&f.Where, "where", "", "only runs for which this `expression` is true")
	fl.StringSliceVar(&f.Cols, "col", nil, "`axes` whose values are compared (default: those of the baseline)")
	fl.StringSliceVar(&f.Rows, "row", nil, "`axes` with one table for each value")
	fl.BoolVar(&f.AA, "aa", false, "say as well how often a difference is told where values are dealt to the variants at random")
	fl.BoolVar(&f.Sizes, "sensitivity", false, "say as well what size of change these runs could have told, and how many another one takes")
	fl.StringVar(&f.By, "by", "", "compare by `method`: median, mean (t tests), bootstrap (the mean, by resampling) or exact (default: the sweep file's)")
	help.AddShare(fl, &f.Alpha, "alpha", 0.05, "significance `level`: p must be below it")
	help.AddOneOf(fl, &f.format, "format", report.Formats(), "`form`: "+unit.Either(report.Formats()))
	fl.StringArrayVar(&f.failIf, "fail-if", nil, failIfHelp)
	return cmd
}

const failIfHelp = "exit 5 when a `change` from the baseline is like 'revenue < -2% (p<0.01)', or a run lacks the value: (missing<=3) allows some (repeatable)"

func (c *cli) compare(ctx context.Context, dirs []string, f compareFlags) error {
	gates, err := parseGates(f.failIf)
	if err != nil {
		return err
	}
	blocks, err := c.app.Compare(ctx, dirs, f.Comparing)
	if err != nil {
		return err
	}
	if err := blocks.Write(c.stdout.Data(), f.format); err != nil {
		return err
	}
	return asGate(report.Violated(gates, blocks))
}

func parseGates(texts []string) ([]compare.Gate, error) {
	var gates []compare.Gate
	for _, text := range texts {
		g, err := compare.ParseGate(text)
		if err != nil {
			return nil, unit.Mistake(fmt.Errorf("--fail-if %w", err))
		}
		gates = append(gates, g)
	}
	return gates, nil
}
