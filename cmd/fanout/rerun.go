package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) rerunCommand() *cobra.Command {
	var f runFlags
	var again query.Choice
	cmd := &cobra.Command{
		Use:   "rerun DIR.sweep [RUN…]",
		Short: "Run chosen runs of a sweep again",
		Long: `Rerun executes exactly the chosen runs again: those that did not succeed, those
that are stale, those for which an expression is true, or those named by id or by
an unambiguous prefix of it. Everything else is left as it is.

Runs are executed with the templates and files that were frozen when the sweep
was planned. If those have been edited since, choose: --update takes them as
they are now, which makes the other successes stale, and --frozen as they were.

` + whereHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := app.CheckSweep(args[0]); err != nil {
				return err
			}
			if !again.Failed && !again.Stale && f.Only == "" && len(args) == 1 {
				return unit.Mistake(unit.WithHint(errors.New("rerun nothing"), "choose with --failed, --stale, --only EXPRESSION or the ids that `fanout ls` shows"))
			}
			again.Runs, f.Again = args[1:], &again
			return c.run(cmd.Context(), args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&again.Failed, "failed", false, "runs that failed, timed out, were canceled or are lost")
	fl.BoolVar(&again.Stale, "stale", false, "runs whose code, files or inputs changed since")
	fl.StringVar(&f.Only, "only", "", "runs for which this `expression` is true")
	fl.BoolVar(&f.WithNeeds, "with-needs", false, "first what the runs need of other steps, where that did not succeed or is stale")
	fl.BoolVar(&f.Downstream, "downstream", false, "then what the runs feed, where that has become stale or did not succeed")
	c.addExecFlags(cmd, &f)
	f.addDryRun(cmd)
	return cmd
}
