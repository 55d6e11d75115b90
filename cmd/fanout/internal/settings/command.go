package settings

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Command is `fanout config`. read is asked for the settings when the command
// executes; places are the words for where runs can execute.
func Command(read func() *Settings, places string, stdout unit.Printer) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print every setting with its value and where it comes from",
		Long: `Config prints every setting and where its value comes from. A flag wins over the
environment (FANOUT_ and the key in capitals), the environment over fanout.yaml,
and fanout.yaml over the default.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return read().print(cmd, places, asJSON, stdout) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// line is one setting as config --json prints it.
type line struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
	About  string `json:"about"`
}

func (s *Settings) print(cmd *cobra.Command, places string, asJSON bool, stdout unit.Printer) error {
	var lines []line
	for _, k := range List(places) {
		lines = append(lines, line{k.Key, s.Get(k.Key), s.Origin(k, cmd.Flags()), k.About})
	}
	if asJSON {
		enc := json.NewEncoder(stdout.Data())
		enc.SetIndent("", "  ")
		return enc.Encode(lines)
	}
	w := tabwriter.NewWriter(stdout.Lines(), 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%v\t%s\t# %s\n", l.Key, l.Value, l.Origin, l.About)
	}
	return w.Flush()
}
