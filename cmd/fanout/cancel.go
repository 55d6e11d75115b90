package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
)

func (c *cli) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel DIR.sweep",
		Short: "Stop a running sweep, here or on a cluster, from anywhere",
		Long: `Cancel asks the process that runs the sweep to stop, as Ctrl-C does: runs under
way are interrupted and recorded as canceled. If that process is gone, cancel
stops what it left on the cluster. Nothing that was recorded is lost, and
"fanout run" resumes the sweep.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.cancel(cmd.Context(), args[0]) },
	}
}

func (c *cli) cancel(ctx context.Context, dir string) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	asking := func(h lease.Holder) { c.stderr.Printf("asking process %d on %s to stop\n", h.PID, h.Host) }
	if err := c.app.Cancel(ctx, s, asking); err != nil {
		return err
	}
	t := query.TallyOf(s)
	c.stderr.Printf("%s: %s\n", s.Name(), t)
	if t.Counts[outcome.Succeeded] < t.Runs {
		c.stderr.Printf("to resume: %s\n", c.resumeWith(s))
	}
	return nil
}
