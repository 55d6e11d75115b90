package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/frugal"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/help"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/listen"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/observe"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/papermill"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/patience"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/settings"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

func main() { os.Exit(Main()) }

// Main runs the command with the process's arguments, streams and signals.
func Main() int {
	frugal.Watch()
	ctx, stopped := withSignals(context.Background())
	return signalCode(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr), stopped())
}

// signalCode is the exit code of a process that a signal may have stopped.
func signalCode(code int, sig syscall.Signal) int {
	if sig != 0 && (code == exitFailed || code == exitIncomplete) {
		return 128 + int(sig)
	}
	return code
}

// run is the whole command: arguments and streams in, words and an exit code
// out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{stdin: stdin, stdout: unit.NewPrinter(stdout), stderr: unit.NewPrinter(stderr), openStore: store.Open}
	return c.main(ctx, args)
}

// cli is one invocation: its streams and settings.
type cli struct {
	stdin          io.Reader
	stdout, stderr unit.Printer
	openStore      func(ctx context.Context, where string) (store.Store, error)
	json           bool // errors are JSON, too
	settings       *settings.Settings
	app            *app.App
	observer       *observe.Observer
	atEnd          func(code int, err error) // may be nil
	args           []string                  // as they were typed
	asked          string                    // who asked for a schedule or a firing, if not the user
	painting       atomic.Bool               // a painter has stderr, and says what is waited for
}

func (c *cli) main(ctx context.Context, args []string) int {
	c.args = args
	root := c.rootCommand()
	root.SetArgs(papermill.SplitPairs(args))
	root.SetIn(c.stdin)
	root.SetOut(c.stdout.Lines())
	root.SetErr(c.stderr.Lines())
	err := root.ExecuteContext(ctx)
	code := c.exitCode(err)
	c.observer.Close(code, err)
	if c.atEnd != nil {
		c.atEnd(code, err)
	}
	return code
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fanout",
		Short:         "Run one notebook many times and compare the results",
		Long:          help.Root,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unit.Mistake(err) })
	root.PersistentFlags().String("config", "", "settings `file` (default: fanout.yaml here, then in the user's configuration folder)")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		if c.settings, err = settings.Read(cmd.Flags()); err == nil {
			c.app = c.newApp()
			err = c.observe(cmd)
		}
		return err
	}
	inherited := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd != root {
			cmd.Long = help.Wrap(cmd.Long)
		}
		inherited(cmd, args)
	})
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped "+strconv.Itoa(help.Width)))
	help.AddGroups(root, []help.Group{
		{Title: "Run a sweep:", Commands: []*cobra.Command{c.initCommand(), c.planCommand(), c.runCommand(), c.rerunCommand(), c.acceptCommand(), c.cancelCommand(), c.gcCommand()}},
		{Title: "See how it goes:", Commands: []*cobra.Command{c.statusCommand(), c.lsCommand(), listen.FindCommand(func() *app.App { return c.app }, c.stdout, c.stderr, &c.json), c.topCommand(), c.showCommand(), describe.WhyCommand(func() *app.App { return c.app }, c.stdout, &c.json), describe.AuditCommand(func() *app.App { return c.app }, c.stdout, &c.json), c.logsCommand(), c.renderCommand(), listen.PublishCommand(func() *app.App { return c.app }, c.stderr), listen.Command(func() (*app.App, *metrics.Set, unit.Printer) { return c.app, c.observer.Metrics(), c.stderr }, c.stdout)}},
		{Title: "Compare its variants:", Commands: []*cobra.Command{c.reportCommand(), c.compareCommand(), c.diffCommand(), c.collectCommand()}},
		{Title: "Other ways to run:", Commands: []*cobra.Command{c.execCommand(), c.scheduleCommand(), c.workerCommand()}},
		{Title: "This installation:", Commands: []*cobra.Command{c.doctorCommand(), settings.Command(func() *settings.Settings { return c.settings }, placeWords(), c.stdout), c.schemaCommand(), observe.DashboardCommand(c.stdout), c.versionCommand()}},
	}, asUsage)
	return root
}

// observe watches what a verb does, says of it what sweeps are to remember, and how long
// it waits for buckets.
func (c *cli) observe(cmd *cobra.Command) error {
	ctx, o, err := observe.Begin(lease.Doing(cmd.Context(), describe.DeedOf(cmd.Name(), c.args)), cmd.Name(), observe.Wanted{Metrics: c.settings.GetString("metrics"), Logs: c.settings.GetString("log_output"), Stderr: c.stderr, Warn: c.app.Warn})
	c.stderr = o.Stderr(c.stderr)
	cmd.SetContext(patience.Of(ctx, cmd.Name(), c.stderr, c.painting.Load))
	if c.observer = o; o != nil {
		c.app.Queue = o.Queue
	}
	if at := o.Where(); at != "" {
		c.stderr.Printf("fanout: metrics at %s\n", at)
	}
	return err
}

// newApp is the App with this invocation's streams and settings.
func (c *cli) newApp() *app.App {
	return &app.App{
		OpenStore: c.openStore, Machines: machines{c}, Stdin: c.stdin, Version: version(),
		Warn: func(text string) { c.stderr.Printf("fanout: warning: %s\n", text); c.observer.Warned(text) },
		Publish: func(ctx context.Context, s *sweep.Sweep, held string) error {
			return listen.Ended(ctx, c.app, s, held, c.stderr)
		},
		Jobs: c.settings.GetInt("jobs"), Timeout: c.settings.GetString("timeout"), Retries: c.settings.GetInt("retries"),
		Canary: c.settings.GetBool("canary"), Refresh: c.settings.GetDuration("refresh"), Grace: c.settings.GetDuration("grace"),
	}
}

// withSignals ends the context at the first SIGINT or SIGTERM and the process,
// with every kernel, at the second. stopped returns which signal came.
func withSignals(parent context.Context) (ctx context.Context, stopped func() syscall.Signal) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	var first atomic.Int32
	go func() {
		sig := (<-signals).(syscall.Signal)
		first.Store(int32(sig))
		cancel(interrupted{sig})
		sig = (<-signals).(syscall.Signal)
		// Kernels die with this process, and what they leave is ended by the next.
		os.Exit(128 + int(sig))
	}()
	return ctx, func() syscall.Signal { return syscall.Signal(first.Load()) }
}

// interrupted is why the context ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return i.signal.String() }

// ReasonKind is the reason of the runs that are canceled.
func (i interrupted) ReasonKind() outcome.Kind { return outcome.Interrupted }
