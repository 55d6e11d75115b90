package listen

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Command is `fanout serve`. a is asked for when the command executes.
func Command(a func() *app.App, stdout, stderr unit.Printer) *cobra.Command {
	var flags Flags
	cmd := &cobra.Command{
		Use:   "serve [ROOT…]",
		Short: "Show sweeps and notebooks in a browser",
		Long: `Serve shows what lies in folders and buckets, by default the current folder, until
it is interrupted. It prints the address to open, with a token that lets the
browser in. It reads only: it works with credentials and folders that it cannot
write to, also while a sweep is running.

    fanout serve demo.sweep
    fanout serve s3://bucket/sweeps --listen :4000 --auth token

On an address that other machines reach, --auth says who may look: whoever has
the token, whomever a proxy names, or everybody. The token is drawn anew at each
start unless ` + TokenVariable + ` has one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.serve(cmd.Context(), a(), args, stdout, stderr)
		},
	}
	flags.Add(cmd.Flags())
	return cmd
}

func (f Flags) serve(ctx context.Context, a *app.App, roots []string, stdout, stderr unit.Printer) error {
	if len(roots) == 0 {
		roots = []string{"."}
	}
	s, err := f.Start(ctx, a, roots, func(text string) { stderr.Printf("fanout: %s\n", text) })
	if err != nil {
		return err
	}
	stdout.Println(s.URL)
	if f.Auth == string(serve.None) {
		stderr.Println("fanout: everybody who reaches this address may look")
	}
	stderr.Printf("serving %s; Ctrl-C ends it\n", unit.List(roots))
	return s.Serve()
}
