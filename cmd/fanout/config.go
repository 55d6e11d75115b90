package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/release"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/settings"
	"github.com/fanout-dev/fanout/internal/grid"
)

func (c *cli) configCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print every setting with its value and where it comes from",
		Long: `Config prints every setting and where its value comes from. A flag wins over the
environment (FANOUT_ and the key in capitals), the environment over fanout.yaml,
and fanout.yaml over the default.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.printConfig(cmd, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// settingLine is one setting as config --json prints it.
type settingLine struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
	About  string `json:"about"`
}

func (c *cli) printConfig(cmd *cobra.Command, asJSON bool) error {
	var lines []settingLine
	for _, s := range settings.List(placeWords()) {
		lines = append(lines, settingLine{s.Key, c.settings.Get(s.Key), c.settings.Origin(s, cmd.Flags()), s.About})
	}
	if asJSON {
		enc := json.NewEncoder(c.stdout.Data())
		enc.SetIndent("", "  ")
		return enc.Encode(lines)
	}
	w := tabwriter.NewWriter(c.stdout.Lines(), 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%v\t%s\t# %s\n", l.Key, l.Value, l.Origin, l.About)
	}
	return w.Flush()
}

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
