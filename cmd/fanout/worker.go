package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/observe"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/worker"
)

func (c *cli) workerCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:    "worker DIR.sweep SHARD | --payload FILE",
		Short:  "Execute the runs of one shard; started by a cluster",
		Hidden: true,
		Long: `Worker claims a shard that fanout run has stored in a sweep, executes its runs
on this machine and writes them to the sweep. When it is stopped, it interrupts
what runs and leaves the rest of the shard planned.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := workerPayload(file, args)
			if err != nil {
				return unit.Mistake(err)
			}
			if p.Probe != nil {
				return c.probe(cmd.Context(), p)
			}
			return c.worker(cmd.Context(), p)
		},
	}
	observe.AddFlags(cmd.Flags())
	cmd.Flags().StringVar(&file, "payload", "", "`file` that says which shard of which sweep")
	return cmd
}

func workerPayload(file string, args []string) (payload, error) {
	switch {
	case file == "" && len(args) == 2:
		return payload{Dir: args[0], Shard: args[1]}, nil
	case file == "" || len(args) > 0:
		return payload{}, errors.New("want a sweep and a shard, or only --payload")
	}
	return readPayload(file)
}

func (c *cli) worker(ctx context.Context, p payload) error {
	s, err := c.app.Open(ctx, p.Dir)
	if err != nil {
		return unit.WithHint(err, "does this machine see the sweep's directory?")
	}
	err = worker.Work(ctx, s, p.Shard, c.workerOptions(s))
	if errors.Is(err, sweep.ErrClaimed) {
		c.stderr.Printf("fanout: %v: nothing to do\n", err)
		return nil
	}
	return err
}
