package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/progress"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// logsFlags select what of a sweep's output to print.
type logsFlags struct {
	app.LogOptions
	workers bool
	where   string
}

func (c *cli) logsCommand() *cobra.Command {
	var f logsFlags
	cmd := &cobra.Command{
		Use:   "logs DIR.sweep [RUN…]",
		Short: "Print what the cells print, live or afterwards",
		Long: `Logs prints what the cells of runs printed, the tracebacks of failed runs, and
what the kernels printed outside the cells: for every run, or for those named by
id or by an unambiguous prefix of it. The output of one named run is printed as
it is; with several, each line starts with the run's name. It reads the sweep
alone, so it does not matter where the runs execute.

A line that is overwritten, such as a progress bar, is printed once, in its
final form.

` + whereHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.logs(cmd.Context(), args[0], args[1:], f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.Follow, "follow", "f", false, "keep printing as runs print more, until they end")
	fl.IntVar(&f.Attempt, "attempt", 0, "`number` of the attempt at each run (default: the latest)")
	fl.StringVar(&f.where, "where", "", "only runs for which this `expression` is true")
	fl.BoolVar(&f.Results, "results", false, "also results and displays that have a text form")
	fl.BoolVar(&f.workers, "workers", false, "what the workers on a cluster printed")
	fl.BoolVar(&c.json, "json", false, "one JSON object a line")
	return cmd
}

func (c *cli) logs(ctx context.Context, dir string, names []string, f logsFlags) error {
	open := c.app.OpenPlanned
	if f.Follow {
		open = func(ctx context.Context, dir string) (*sweep.Sweep, error) {
			return c.app.AwaitPlan(ctx, dir, func() { c.stderr.Println("fanout: nothing is planned yet; waiting") })
		}
	}
	s, err := open(ctx, dir)
	if err != nil {
		return stoppedReading(ctx, err)
	}
	if f.Runs, err = query.Resolve(s, names); err != nil {
		return err
	}
	if f.workers {
		return c.workerLogs(ctx, s, f)
	}
	if f.Keep, err = query.Filter(s, f.where); err != nil {
		return fmt.Errorf("--where: %w", err)
	}
	lines, unread := 0, 0
	print := c.linePrinter(s, len(f.Runs) == 1)
	f.Line = func(l app.LogLine) { lines++; print(l) }
	f.Next = func(run string, attempt int) {
		if !c.json {
			c.stderr.Printf("fanout: %s: attempt %d\n", s.RunName(run), attempt)
		}
	}
	f.Problem = func(run string, attempt int, err error) {
		unread++
		c.app.Warn(fmt.Sprintf("%s: attempt %d: %v", s.RunName(run), attempt, err))
	}
	switch err := app.Logs(ctx, s, f.LogOptions); {
	case err != nil || ctx.Err() != nil:
		return stoppedReading(ctx, err)
	case unread > 0:
		return fmt.Errorf("%s could not be read", unit.Plural(unread, "notebook"))
	}
	if lines == 0 {
		c.stderr.Println("nothing was printed")
	}
	return nil
}

// stoppedReading is err, unless a signal ended the reading: the exit code shows
// that.
func stoppedReading(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errIncomplete
	}
	return err
}

// linePrinter prints lines of runs: those of a single one as they are.
func (c *cli) linePrinter(s *sweep.Sweep, single bool) func(app.LogLine) {
	enc := json.NewEncoder(c.stdout.Data())
	enc.SetEscapeHTML(false)
	return func(l app.LogLine) {
		switch {
		case c.json:
			enc.Encode(progress.Event{Event: "log", Run: l.Run, Attempt: l.Attempt, Cell: l.Cell, Stream: l.Stream, Text: l.Text})
		case single:
			c.stdout.Println(describe.Line(l.Text))
		default:
			c.stdout.Printf("%s: %s\n", s.RunName(l.Run), describe.Line(l.Text))
		}
	}
}
