package main

import (
	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/release"
	"github.com/fanout-dev/fanout/internal/grid"
)

func (c *cli) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the sweep file, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := c.stdout.Data().Write(grid.Schema())
			return err
		},
	}
}

func (c *cli) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print fanout's version, its commit, Go's version and the platform",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return release.Of().Write(c.stdout.Data(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// version is what sweeps record of the fanout that executed them.
func version() string { return release.Of().String() }
