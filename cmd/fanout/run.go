package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/observe"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/progress"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// runFlags are the flags of run that are not settings.
type runFlags struct {
	specFlags
	app.Choice
	dueFormat  // of a dry run
	output     string
	dryRun     bool
	noCanary   bool
	noProgress bool
	yes        bool
	update     bool
	frozen     bool
	failIf     []string
}

func (c *cli) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SWEEP.yaml | DIR.sweep",
		Short: "Run a sweep, collect its scraps and write the summary",
		Long: `Run expands the sweep file's grid, executes every run that is new, failed or
stale, collects what the notebooks recorded and writes the summary. If it is
interrupted, run the same command again to resume. A sweep directory instead of
the sweep file resumes what was planned there, with the templates and files that
were frozen then. If they have been edited since, choose with --update or
--frozen.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.output, "output", "o", "", "`place` where the sweep is kept: a directory, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX (default: NAME.sweep beside the sweep file)")
	f.specFlags.add(cmd)
	f.addDryRun(cmd)
	addChoice(cmd, &f.Choice)
	c.addExecFlags(cmd, &f)
	fl.StringVar(&f.From, "from", "", "execute only this `step` and those after it")
	fl.StringVar(&f.To, "to", "", "execute only this `step` and those before it")
	fl.StringArrayVar(&f.failIf, "fail-if", nil, failIfHelp)
	fl.BoolVar(&f.yes, "yes", false, "continue even if there are more runs than max_runs")
	return cmd
}

func (f *runFlags) addDryRun(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "list what would run and why, and stop")
	f.addCSV(cmd, "with --dry-run: comma-separated values")
}

// addExecFlags adds the flags for how runs are executed.
func (c *cli) addExecFlags(cmd *cobra.Command, f *runFlags) {
	fl := cmd.Flags()
	fl.IntP("jobs", "j", 0, "`N` runs at once (default: cores)")
	fl.String("on", "local", "`place` where runs execute: "+placeWords())
	fl.String("timeout", "", "limit for one run, a `duration` such as 30m")
	fl.Int("retries", -1, "up to `N` further attempts at a run that failed (default: the sweep file's)")
	fl.Lookup("retries").DefValue = "0" // -1 is no number for people
	addOrder(cmd, &f.Choice)
	fl.BoolVar(&f.noCanary, "no-canary", false, "start runs at once, without sending one ahead")
	fl.String("python", "", "`path` of a virtual environment or interpreter whose ipykernel is used, instead of the sweep file's")
	fl.String("warm", "auto", "`mode` of starting kernels: auto forks them from a warm server where it can, zmq with the sockets of ZeroMQ, off never")
	observe.AddFlags(fl)
	fl.BoolVar(&c.json, "json", false, "print one JSON object a line instead of text")
	fl.BoolVar(&f.noProgress, "no-progress", false, "show no progress")
	fl.BoolVar(&f.update, "update", false, "of a sweep directory: take templates and files as they are now")
	fl.BoolVar(&f.frozen, "frozen", false, "of a sweep directory: take templates and files as they were planned")
}

func (c *cli) run(ctx context.Context, target string, f runFlags) (err error) {
	gates, err := parseGates(f.failIf)
	if err != nil {
		return err
	}
	if f.csv && !f.dryRun {
		return unit.Mistake(errors.New("--csv is for --dry-run; the tables of a sweep are in its results"))
	}
	if f.dryRun {
		return c.dryRun(ctx, target, f)
	}
	c.app.Canary = c.app.Canary && !f.noCanary
	j, err := c.openJob(ctx, target, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	ctx, heeded := app.HeedCancel(ctx, j.Sweep)
	defer heeded()
	todo, err := app.Due(j.Sweep, f.Choice)
	if err != nil {
		return err
	}
	c.printPlanned(j, todo)
	if len(todo.Runs) == 0 && (f.Only != "" || f.Again != nil) {
		c.app.Warn("no run is executed: none matches the choice")
	}
	sum, runErr := c.fan(ctx, j, todo, f)
	end, err := j.Finish(ctx, sum, runErr)
	if err != nil {
		return err
	}
	if err = c.printResult(ctx, j, sum, end); err != nil && end.Unpublished != nil {
		c.printError(end.Unpublished) // how the runs went decides the exit code
	}
	if err = errors.Join(err, end.Unpublished); err != nil {
		return err
	}
	return asGate(report.Violated(gates, report.Comparison{{Report: end.Comparison}}))
}

// openJob plans the sweep that a sweep file describes, or takes up the one
// that a directory holds.
func (c *cli) openJob(ctx context.Context, target string, f runFlags) (*app.Job, error) {
	if app.IsSweep(target) {
		edits, err := f.resumes(target)
		if err != nil {
			return nil, err
		}
		return c.app.Resume(ctx, target, edits)
	}
	if err := f.plans(); err != nil {
		return nil, err
	}
	d, err := c.draft(ctx, target, f.specFlags)
	if err != nil {
		return nil, err
	}
	if !f.yes {
		if err := app.CheckSize(ctx, d); err != nil {
			return nil, err
		}
	}
	return c.app.Plan(ctx, d, app.Place(d, f.output))
}

// resumes refuses flags that plan a sweep, for one that is planned, and says
// what is done about edits.
func (f runFlags) resumes(dir string) (app.Edits, error) {
	switch {
	case f.output != "" || len(f.set) > 0 || len(f.overlays) > 0 || f.asOf != "":
		return 0, unit.Mistake(unit.WithHint(errors.New("-o, -f, --set and --as-of plan a sweep; a sweep directory only resumes one"), "give the sweep file instead of %s", dir))
	case f.update && f.frozen:
		return 0, unit.Mistake(errors.New("--update and --frozen exclude each other"))
	case f.update:
		return app.Update, nil
	case f.frozen:
		return app.Frozen, nil
	}
	return app.Refuse, nil
}

// plans refuses flags for a sweep that is planned already.
func (f runFlags) plans() error {
	if f.update || f.frozen {
		return unit.Mistake(unit.WithHint(errors.New("--update and --frozen are for a sweep directory"), "a sweep file is always run with its templates and files as they are now"))
	}
	return nil
}

// dryRun prints what would run.
func (c *cli) dryRun(ctx context.Context, target string, f runFlags) error {
	pf := planFlags{Choice: f.Choice, dueFormat: dueFormat{c.json, f.csv}, jobs: c.settings.GetInt("jobs"), output: f.output}
	if !app.IsSweep(target) {
		if err := f.plans(); err != nil {
			return err
		}
		d, err := c.draft(ctx, target, f.specFlags)
		if err != nil {
			return err
		}
		return c.preview(ctx, d, pf)
	}
	edits, err := f.resumes(target)
	if err != nil {
		return err
	}
	s, err := c.app.PreviewResume(ctx, target, edits)
	if err != nil {
		return err
	}
	todo, err := app.Due(s, f.Choice)
	if err != nil {
		return err
	}
	return c.printDue(s, todo, pf, "", "")
}

func (c *cli) printPlanned(j *app.Job, todo due.List) {
	if c.json {
		return
	}
	head, _ := j.Head()
	gone := ""
	if j.Delta != nil {
		gone = unplannedWords(*j.Delta)
	}
	c.stderr.Printf("%s: %s: %s%s\n", j.Name(), unit.Plural(head.Runs, "run"), todo, gone)
	if n := len(todo.Runs); n > 0 {
		c.stderr.Printf("running %s in %s\n", unit.Plural(n, "run"), unit.Path(j.Where()))
	}
}

// fan executes the due runs and shows how they go.
func (c *cli) fan(ctx context.Context, j *app.Job, todo due.List, f runFlags) (fan.Summary, error) {
	paint := progress.New(progress.WorkOf(j.Sweep, todo.Runs), c.stdout, c.stderr, c.json, c.settings.GetBool("progress") && !f.noProgress)
	c.painting.Store(true)
	defer func() { paint.Stop(); c.painting.Store(false) }()
	return j.Execute(ctx, todo, c.observer.Runs(j.Sweep, c.noter(j.Sweep, paint)))
}

// noter prints notes for people.
func (c *cli) noter(s *sweep.Sweep, paint progress.Painter) func(sweep.Note) {
	logs := observe.AsText(c.settings.GetString("log_output"))
	return func(n sweep.Note) {
		paint.Note(n)
		switch {
		case c.json:
		case n.Kind == sweep.NoteEnded && n.Outcome != nil && n.Outcome.Status != outcome.Succeeded && n.Outcome.Status != outcome.Canceled:
			paint.Print(c.failure(s, n.Run, *n.Outcome))
		case n.Kind == sweep.NoteWord, n.Kind == sweep.NoteGrew:
			paint.Print("fanout: " + unit.Line(n.Text))
		case n.Kind == sweep.NoteLog && logs:
			name := s.RunName(n.Run)
			for line := range strings.Lines(n.Text) {
				paint.Print(name + ": " + unit.Line(strings.TrimRight(line, "\n")))
			}
		}
	}
}

// printResult prints how it went and where everything is.
func (c *cli) printResult(ctx context.Context, j *app.Job, sum fan.Summary, end app.Ending) error {
	if c.json {
		c.printEnd(j, sum, end)
	} else {
		c.wordsAtEnd(j, sum, end)
	}
	if cause := context.Cause(ctx); cause != nil {
		who, stopped := stoppedBy(cause)
		if !stopped {
			return cause
		}
		c.stderr.Printf("stopped by %s; run the same command again to resume: %s\n", who, c.resumeWith(j.Sweep))
		return errIncomplete
	}
	if sum.Halted == "" && sum.Unstarted > 0 {
		c.stderr.Printf("%s repeatedly came back from the cluster without having begun\n", unit.Plural(sum.Unstarted, "run"))
	}
	if sum.Halted != "" || sum.Unstarted+sum.Blocked > 0 || end.Incomplete() {
		return errIncomplete
	}
	return nil
}

func (c *cli) wordsAtEnd(j *app.Job, sum fan.Summary, end app.Ending) {
	if sum.Halted != "" {
		c.stderr.Printf("halted: %s\n", sum.Halted)
	}
	c.stderr.Printf("%s: %s\n", j.Name(), end.Tally)
	printWaiting(c.stderr, j.Sweep)
	if end.Stale > 0 {
		c.stderr.Printf("  %s\n", c.staleWords(j.Sweep, end.Tally))
	}
	c.stderr.Printf("  notebooks  %s\n", app.PlaceOf(j.Sweep, "runs"))
	c.stderr.Printf("  tables     %s\n", app.PlaceOf(j.Sweep, "results"))
	summary := app.PlaceOf(j.Sweep, end.Summary)
	c.stderr.Printf("  summary    %s\n", summary)
	c.stdout.Println(summary)
}

// stoppedBy is who stopped the sweep on purpose.
func stoppedBy(cause error) (who string, stopped bool) {
	var sig interrupted
	var asked app.Canceled
	switch {
	case errors.As(cause, &sig):
		return signalName(sig.signal), true
	case errors.As(cause, &asked):
		return asked.Error(), true
	}
	return "", false
}

func signalName(s syscall.Signal) string {
	if s == syscall.SIGINT {
		return "Ctrl-C"
	}
	return s.String()
}

// printEnd is the last object of --json.
func (c *cli) printEnd(j *app.Job, sum fan.Summary, end app.Ending) {
	json.NewEncoder(c.stdout.Data()).Encode(struct {
		Event string `json:"event"`
		Sweep string `json:"sweep"`
		query.Tally
		Made    int    `json:"made"`
		Retried int    `json:"retried"`
		Halted  string `json:"halted,omitempty"`
		Summary string `json:"summary"`
	}{"done", j.Where(), end.Tally, sum.Executed, sum.Retried, sum.Halted, store.Join(j.Where(), end.Summary)})
}
