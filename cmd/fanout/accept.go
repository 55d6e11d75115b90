package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) acceptCommand() *cobra.Command {
	var choice query.Choice
	cmd := &cobra.Command{
		Use:   "accept DIR.sweep [RUN…]",
		Short: "Count stale runs as current",
		Long: `Accept makes successes that are stale count as current: their numbers are in the
summary and in comparisons again, and fanout run leaves them alone. The sweep
records who accepted them, when, and in what they differ. A later edit makes them
stale again.

` + whereHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if choice.Runs = args[1:]; !choice.Stale && choice.Where == "" && len(choice.Runs) == 0 {
				return unit.Mistake(unit.WithHint(errors.New("accept nothing"), "choose with --stale, --only EXPRESSION or the ids that `fanout ls` shows"))
			}
			return c.accept(cmd.Context(), args[0], choice)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&choice.Stale, "stale", false, "all runs that are stale")
	fl.StringVar(&choice.Where, "only", "", "stale runs for which this `expression` is true")
	return cmd
}

func (c *cli) accept(ctx context.Context, dir string, choice query.Choice) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	accepted, err := c.app.Accept(ctx, s, choice)
	if len(accepted) == 0 && err == nil {
		c.stderr.Println("no chosen run is stale")
	}
	if len(accepted) == 0 {
		return err
	}
	var parts []string
	for _, a := range accepted {
		parts = append(parts, a.Parts...)
	}
	slices.Sort(parts)
	c.stdout.Printf("%s: accepted %s with other %s\n", s.Name(), unit.Plural(len(accepted), "run"), strings.Join(slices.Compact(parts), ", "))
	return err
}
