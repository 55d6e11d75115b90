package observe

import (
	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// DashboardCommand is `fanout dashboard`.
func DashboardCommand(stdout unit.Printer) *cobra.Command {
	return &cobra.Command{
		Use:   "dashboard",
		Short: "Print a dashboard of fanout's metrics, for Grafana",
		Long: `Dashboard prints a dashboard for Grafana, of the numbers that --metrics offers to
Prometheus: import it there, and choose the data source.

    fanout dashboard > fanout.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := stdout.Data().Write(templates.Dashboard)
			return err
		},
	}
}
