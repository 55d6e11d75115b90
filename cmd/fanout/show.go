package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/listing"
	"github.com/fanout-dev/fanout/internal/query"
)

func (c *cli) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show DIR.sweep RUN",
		Short: "Show everything known about one run",
		Long: `Show prints a run's parameters, every attempt at it, what it recorded, the cell
that failed, why it is stale, and the command that reproduces it. RUN is the id
that ls prints, or an unambiguous prefix of it.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.show(cmd.Context(), args[0], args[1]) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

// shown is one run as show --json prints it.
type shown struct{ app.Description }

func (v shown) MarshalJSON() ([]byte, error) {
	o := listing.Of(v.Run)
	o.Set("attempts", v.Attempts)
	if v.Failure != nil {
		o.Set("failure", v.Failure)
	}
	if len(v.Fed) > 0 {
		o.Set("fed", v.Fed)
	}
	if len(v.Artifacts) > 0 {
		o.Set("artifacts", v.Artifacts)
	}
	o.Set("reproduce", v.Reproduce)
	return o.MarshalJSON()
}

func (c *cli) show(ctx context.Context, dir, name string) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	id, err := query.ResolveOne(s, name)
	if err != nil {
		return err
	}
	v, err := app.Describe(ctx, s, id)
	if err != nil {
		return err
	}
	if c.json {
		enc := json.NewEncoder(c.stdout.Data())
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(shown{v})
	}
	describe.Run(c.stdout, s, v)
	return nil
}
