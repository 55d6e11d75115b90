package listen

import (
	"context"
	"sync"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/localschedule"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/observe"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Command is `fanout serve`. of is asked for what it works with, what counts it, and where
// its remarks go, when the command executes.
func Command(of func() (*app.App, *metrics.Set, unit.Printer), stdout unit.Printer) *cobra.Command {
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
start unless ` + TokenVariable + ` has one.

With --allow-launch it has a form for each template and sweep file beneath the
roots, and buttons to run again, resume and cancel sweeps. Who asked for what is in
the sweep and in the audit log.

With --schedule it also fires what "fanout schedule" has scheduled in the sweeps
that it serves, each firing as a process of its own. Whoever may write to those
folders decides what is executed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, set, stderr := of()
			flags.metrics = set
			return flags.serve(cmd.Context(), a, args, stdout, stderr)
		},
	}
	flags.Add(cmd.Flags())
	observe.AddFlags(cmd.Flags())
	return cmd
}

func (f Flags) serve(ctx context.Context, a *app.App, roots []string, stdout, stderr unit.Printer) error {
	if len(roots) == 0 {
		roots = []string{"."}
	}
	ctx, stop := context.WithCancel(ctx)
	var clock sync.WaitGroup
	defer clock.Wait()
	defer stop()
	s, err := f.Start(ctx, a, roots, func(text string) { stderr.Printf("fanout: %s\n", text) })
	if err != nil {
		return err
	}
	stdout.Println(s.URL)
	if f.Auth == string(serve.None) {
		stderr.Println("fanout: everybody who reaches this address may look")
	}
	stderr.Printf("serving %s; Ctrl-C ends it\n", unit.List(roots))
	if f.Schedule {
		c, err := f.clock(ctx, a, roots)
		if err != nil {
			return err
		}
		c.Report = func(text string) { stderr.Printf("fanout: %s\n", text) }
		clock.Go(func() { c.Run(ctx) })
	}
	if s.queue != nil {
		stderr.Println("fanout: whoever may look may also launch what lies in these folders")
		clock.Go(func() { s.queue.Run(ctx) })
	}
	return s.Serve()
}

// clock fires the schedules of the sweeps that are served.
func (f Flags) clock(ctx context.Context, a *app.App, places []string) (*schedule.Clock, error) {
	found, err := roots.New(ctx, places, a.OpenStore)
	if err != nil {
		return nil, err
	}
	sweeps := func(ctx context.Context) (where []string, err error) {
		all, err := found.Sweeps(ctx)
		for _, s := range all.Sweeps {
			where = append(where, s.Where)
		}
		return where, err
	}
	return &schedule.Clock{Sweeps: sweeps, Open: a.OpenStore, Fire: localschedule.Fire}, nil
}
