package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// runFlags are the flags of run that are not settings.
type runFlags struct {
	specFlags
	output     string
	dryRun     bool
	noCanary   bool
	noProgress bool
	yes        bool
	limit      int
	only       string
	reprocess  string
	order      string
	failIf     []string
	pick       func(*job) ([]string, error) // rerun: exactly these runs
}

func (c *cli) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SWEEP.yaml | DIR.sweep",
		Short: "Make the runs of a sweep, collect their scraps and write the summary",
		Long: `Run expands the sweep file's grid, makes every run that is new, failed or
stale, collects what the notebooks recorded and writes the summary. Stopped at
any moment, the same command finishes the job. A sweep directory in place of
the sweep file resumes what was planned there.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], f) },
	}
	f.specFlags.add(cmd)
	c.addMaking(cmd, &f)
	fl := cmd.Flags()
	fl.StringVarP(&f.output, "output", "o", "", "where the sweep is kept: a directory, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX (default: NAME.sweep beside the sweep file)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "say what would run and stop")
	fl.BoolVar(&f.yes, "yes", false, "go on although there are more runs than max_runs")
	fl.StringArrayVar(&f.failIf, "fail-if", nil, failIfHelp)
	fl.IntVar(&f.limit, "limit", 0, "make at most so many runs now")
	fl.StringVar(&f.only, "only", "", "make only runs for which this expression is true")
	fl.StringVar(&f.reprocess, "reprocess", string(due.Stale), "runs made before to make again: none, failed, stale (and failed) or all")
	return cmd
}

// addMaking adds the flags that say how runs are made.
func (c *cli) addMaking(cmd *cobra.Command, f *runFlags) {
	fl := cmd.Flags()
	fl.IntP("jobs", "j", 0, "runs under way at once (default: cores)")
	fl.BoolVar(&c.json, "json", false, "print one JSON object a line in place of words")
	fl.BoolVar(&f.noProgress, "no-progress", false, "show no progress")
	fl.BoolVar(&f.noCanary, "no-canary", false, "start all runs at once, sending none ahead")
	fl.String("on", "local", "where runs are made: local or nomad")
	fl.StringVar(&f.order, "order", "as-planned", "as-planned, newest-first, longest-first or shuffle")
	fl.String("timeout", "", "limit for one run, such as 30m")
	fl.Int("retries", -1, "further attempts at a run that failed")
	fl.String("warm", "auto", "fork kernels from a warm server: auto or off")
	fl.Bool("log-output", false, "print what the cells print, each line behind the name of its run")
}

// job is one opened sweep and how it is to be made.
type job struct {
	*sweep.Sweep
	delta  *sweep.Delta // what planning changed; nil on resume
	source string       // folder of the template, where it still exists

	cluster *nomad.Executor // nil when runs are made on this machine
}

func (c *cli) run(ctx context.Context, target string, f runFlags) (err error) {
	gates, err := parseGates(f.failIf)
	if err != nil {
		return err
	}
	j, err := c.openJob(ctx, target, f)
	if err != nil || j == nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Release()) }()
	if err := c.limitRuns(j); err != nil {
		return err
	}
	ctx, heeded := heedCancel(ctx, j.Sweep)
	defer heeded()
	if err := c.connect(ctx, j); err != nil {
		return err
	}
	todo, err := c.due(j, f)
	if err != nil {
		return errors.Join(err, j.disconnect())
	}
	c.tellPlan(j, todo)
	guarded, stop := j.Guard(ctx)
	sum, runErr := c.fan(guarded, j, todo, f)
	stop()
	var lost *sweep.HeldError
	if errors.As(context.Cause(guarded), &lost) {
		return lost // nothing here is ours any more
	}
	// What was made is worth a table also when the rest was stopped.
	after := context.WithoutCancel(ctx)
	var cmp *compare.Report
	res, err := c.collectSweep(after, j.Sweep, nil)
	if err == nil {
		if cmp, err = c.reportSweep(after, j.Sweep, res); err == nil && runErr == nil {
			err = c.ownReport(after, j.Sweep)
		}
		res.Close()
	}
	if err := errors.Join(runErr, err); err != nil {
		return err
	}
	c.notify(after, j, sum, cmp)
	if err := c.tellEnd(ctx, j, sum); err != nil {
		return err
	}
	return checkGates(gates, []block{{report: cmp}})
}

// limitRuns applies the setting timeout.
func (c *cli) limitRuns(j *job) error {
	text := c.settings.GetString("timeout")
	if text == "" {
		return nil
	}
	limit, err := grid.ParseLimit(text)
	if err != nil {
		return unit.Mistake(unit.WithHint(fmt.Errorf("timeout %q: %w", text, err), "write 30s, 10m, 2h or 300%%"))
	}
	j.LimitRuns(limit)
	return nil
}

// openJob plans the sweep a sweep file describes, or opens the one a
// directory holds. It returns nil when there is nothing more to do.
func (c *cli) openJob(ctx context.Context, target string, f runFlags) (*job, error) {
	if isSweepDir(target) {
		return c.resume(ctx, target, f)
	}
	d, err := c.open(ctx, target, f.specFlags)
	if err != nil {
		return nil, err
	}
	if f.dryRun {
		if err := c.printPlan(d, planFlags{}); err != nil {
			return nil, err
		}
		return nil, c.tellDue(ctx, d, planFlags{output: f.output, jobs: c.settings.GetInt("jobs")})
	}
	if err := guard(ctx, d, f.yes); err != nil {
		return nil, err
	}
	if err := c.preflight(d); err != nil {
		return nil, err
	}
	if err := d.Expand(ctx); err != nil {
		return nil, err
	}
	return c.planned(ctx, d, f)
}

// planned makes the drafted plan the one in force.
func (c *cli) planned(ctx context.Context, d *draft.Draft, f runFlags) (*job, error) {
	out := sweepDir(d, f.output)
	st, err := c.openStore(ctx, out)
	if err != nil {
		return nil, err
	}
	s, err := sweep.Init(ctx, st, d.Spec.Name)
	if err != nil {
		return nil, writable(err, out)
	}
	if err := s.Acquire(ctx); err != nil {
		return nil, err
	}
	d.SetSource(out)
	delta, err := s.Plan(ctx, d.Plan)
	if err != nil {
		return nil, errors.Join(err, s.Release())
	}
	return &job{Sweep: s, delta: &delta, source: d.Dir}, nil
}

// sweepDir is where a sweep is kept: where the user says, or beside the sweep
// file.
func sweepDir(d *draft.Draft, output string) string {
	if output != "" {
		return output
	}
	return filepath.Join(d.Dir, d.Spec.Name+".sweep")
}

// writable explains what to do when a sweep cannot be written.
func writable(err error, out string) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return unit.WithHint(err, "%s is not writable: give another place with -o", out)
	}
	return err
}

func (c *cli) resume(ctx context.Context, dir string, f runFlags) (*job, error) {
	if f.output != "" || len(f.set) > 0 {
		return nil, unit.Mistake(unit.WithHint(errors.New("-o and --set plan a sweep; a sweep directory only resumes one"), "give the sweep file instead of %s", dir))
	}
	s, err := c.openPlanned(ctx, dir)
	if err != nil {
		return nil, err
	}
	if f.dryRun {
		return nil, c.listDue(&job{Sweep: s}, f)
	}
	if err := s.Acquire(ctx); err != nil {
		return nil, err
	}
	return &job{Sweep: s}, nil
}

// listDue prints what a resumed sweep would make.
func (c *cli) listDue(j *job, f runFlags) error {
	todo, err := c.due(j, f)
	if err != nil {
		return err
	}
	print, flush := c.runPrinter(j.Sweep)
	for _, id := range todo.Runs {
		st, _ := j.Run(id)
		print(st)
	}
	if err := flush(); err != nil || c.json {
		return err
	}
	fmt.Fprintln(c.stderr, todo)
	c.tellForecast(j.Sweep, todo.Runs, c.settings.GetInt("jobs"))
	return nil
}

// isSweepDir reports whether target names a folder, or a place in a bucket,
// rather than a sweep file.
func isSweepDir(target string) bool {
	if store.IsURL(target) {
		return true
	}
	info, err := os.Stat(target)
	return err == nil && info.IsDir()
}

// guard keeps a typo from planning a million runs.
func guard(ctx context.Context, d *draft.Draft, yes bool) error {
	if yes {
		return nil
	}
	limit := d.Spec.MaxRuns
	n, err := d.Grid.Count(ctx)
	if err != nil {
		return err
	}
	if n > limit {
		return unit.Mistake(unit.WithHint(fmt.Errorf("the sweep has %d runs, more than max_runs (%d)", n, limit), "add --yes, or raise max_runs in the sweep file"))
	}
	return nil
}

// due finds the runs to make, as the flags choose and order them.
func (c *cli) due(j *job, f runFlags) (due.List, error) {
	if f.pick != nil {
		ids, err := f.pick(j)
		if err != nil {
			return due.List{}, err
		}
		head, _ := j.Head()
		todo := due.List{Runs: ids, Redone: len(ids), Kept: head.Runs - len(ids)}
		return todo, due.Order(j.Sweep, todo.Runs, f.order)
	}
	how := due.Reprocess(f.reprocess)
	switch how {
	case due.None, due.Failed, due.Stale, due.All:
	default:
		return due.List{}, unit.Mistake(fmt.Errorf("--reprocess %q: want none, failed, stale or all", f.reprocess))
	}
	todo := due.Of(j.Sweep, how, j.Spec().StaleOn)
	if f.only != "" {
		ids, err := query.Matching(j.Sweep, todo.Runs, f.only)
		if err != nil {
			return todo, fmt.Errorf("--only: %w", err)
		}
		todo.Runs = ids
	}
	if err := due.Order(j.Sweep, todo.Runs, f.order); err != nil {
		return todo, unit.Mistake(fmt.Errorf("--order: %w", err))
	}
	if f.limit > 0 && len(todo.Runs) > f.limit {
		todo.Runs = todo.Runs[:f.limit]
	}
	return todo, nil
}

func (c *cli) tellPlan(j *job, todo due.List) {
	if c.json {
		return
	}
	head, _ := j.Head()
	gone := ""
	if j.delta != nil {
		gone = unplannedWords(*j.delta)
	}
	fmt.Fprintf(c.stderr, "%s: %s: %s%s\n", j.Name(), plural(head.Runs, "run"), todo, gone)
	if n := len(todo.Runs); n > 0 {
		fmt.Fprintf(c.stderr, "making %d in %s\n", n, display(j.Where()))
	}
}

// fan makes the due runs.
func (c *cli) fan(ctx context.Context, j *job, todo due.List, f runFlags) (fan.Summary, error) {
	p := newProgress(len(todo.Runs), func(run string) string { return runName(j.Sweep, run) })
	paint := c.newPainter(p, c.settings.GetBool("progress") && !f.noProgress)
	defer paint.stop()
	ex, err := c.executor(ctx, j, todo.Runs)
	if err != nil {
		return fan.Summary{}, err
	}
	defer ex.Close()
	if len(todo.Runs) == 0 && len(j.Orphans()) == 0 {
		return fan.Summary{}, nil
	}
	defer c.refresh(ctx, j)()
	spec := j.Spec()
	retry := spec.Retries
	if n := c.settings.GetInt("retries"); n >= 0 {
		retry.N = n
	}
	return fan.Fan(ctx, j.Sweep, ex, fan.Options{
		Runs: todo.Runs, Jobs: c.settings.GetInt("jobs"),
		Canary: c.settings.GetBool("canary") && !f.noCanary,
		Retry:  fan.Retry{N: retry.N, On: retry.On, Backoff: retry.Backoff, Total: retry.Max},
		Halt:   fan.Halt{When: spec.Halt.When, What: spec.Halt.What, Count: spec.Halt.N, Percent: spec.Halt.Percent},
		Limits: valueLimits(spec.Limits),
		Note:   c.noter(j, paint),
	})
}

func valueLimits(limits []grid.ValueLimit) []fan.ValueLimit {
	var out []fan.ValueLimit
	for _, l := range limits {
		out = append(out, fan.ValueLimit{Name: l.Axis, N: l.N})
	}
	return out
}

// noter tells people what a note means.
func (c *cli) noter(j *job, paint painter) func(sweep.Note) {
	logs := c.settings.GetBool("log_output")
	return func(n sweep.Note) {
		paint.note(n)
		switch {
		case c.json:
		case n.Kind == sweep.NoteEnded && n.Outcome != nil && n.Outcome.Status != outcome.Succeeded && n.Outcome.Status != outcome.Canceled:
			paint.say(c.failure(j.Sweep, n.Run, *n.Outcome))
		case n.Kind == sweep.NoteWord:
			paint.say("fanout: " + clean(n.Text))
		case n.Kind == sweep.NoteLog && logs:
			name := runName(j.Sweep, n.Run)
			for line := range strings.Lines(n.Text) {
				paint.say(name + ": " + clean(strings.TrimRight(line, "\n")))
			}
		}
	}
}

// tellEnd says how it went and where everything is.
func (c *cli) tellEnd(ctx context.Context, j *job, sum fan.Summary) error {
	counts := j.Counts()
	head, _ := j.Head()
	if c.json {
		c.printEnd(j, counts, sum)
	} else {
		c.wordsAtEnd(j, counts, sum, head)
	}
	if cause := context.Cause(ctx); cause != nil {
		who, stopped := stoppedBy(cause)
		if !stopped {
			return cause
		}
		fmt.Fprintf(c.stderr, "stopped by %s; the same command goes on: %s\n", who, c.goOn(j.Sweep))
		return errIncomplete
	}
	if sum.Halted == "" && sum.Unstarted > 0 {
		fmt.Fprintf(c.stderr, "%s came back from the cluster without having begun, again and again\n", plural(sum.Unstarted, "run"))
	}
	if sum.Halted != "" || sum.Unstarted > 0 || incompleteRuns(counts) {
		return errIncomplete
	}
	return nil
}

// incompleteRuns reports whether a planned run was made and did not succeed.
func incompleteRuns(counts map[outcome.Status]int) bool {
	return counts[outcome.Failed]+counts[outcome.TimedOut]+counts[outcome.Canceled]+counts[outcome.Lost]+counts[outcome.Running] > 0
}

func (c *cli) wordsAtEnd(j *job, counts map[outcome.Status]int, sum fan.Summary, head sweep.Head) {
	if sum.Halted != "" {
		fmt.Fprintf(c.stderr, "halted: %s\n", clean(sum.Halted))
	}
	fmt.Fprintf(c.stderr, "%s: %s\n", j.Name(), countWords(counts, head.Runs))
	fmt.Fprintf(c.stderr, "  notebooks  %s\n", place(j.Sweep, "runs"))
	fmt.Fprintf(c.stderr, "  tables     %s\n", place(j.Sweep, "results"))
	summary := place(j.Sweep, mainSummary(j.Sweep))
	fmt.Fprintf(c.stderr, "  summary    %s\n", summary)
	fmt.Fprintln(c.stdout, summary)
}

// countWords says how many runs have which status.
func countWords(counts map[outcome.Status]int, total int) string {
	var parts []string
	for _, s := range outcome.Statuses() {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words(s)))
		}
	}
	return fmt.Sprintf("%s: %s", plural(total, "run"), strings.Join(parts, ", "))
}

// stoppedBy says who stopped the sweep on purpose.
func stoppedBy(cause error) (who string, stopped bool) {
	var sig interrupted
	var asked canceledBy
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

// preflight finds out before anything is written that no kernel could start. A
// cluster has kernels of its own, which the first worker looks for.
func (c *cli) preflight(d *draft.Draft) error {
	if c.settings.GetString("on") == "nomad" {
		return nil
	}
	python := c.settings.GetString("python")
	if python == "" && d.Recipe.Python != "" {
		python = d.Recipe.Python
		if !filepath.IsAbs(python) {
			python = filepath.Join(d.Dir, filepath.FromSlash(python))
		}
	}
	for i, t := range d.Templates {
		name := d.Recipe.Kernel
		if name == "" {
			if doc, err := notebook.Decode(d.TemplateDocs[i]); err == nil {
				name, _ = doc.Kernel()
			}
		}
		if err := local.FindKernel(name, python, c.kernelEnv()); err != nil {
			return unit.Mistake(fmt.Errorf("template %s: %w", t.Path, err))
		}
	}
	return nil
}

// printEnd is the last object of --json.
func (c *cli) printEnd(j *job, counts map[outcome.Status]int, sum fan.Summary) {
	json.NewEncoder(c.stdout).Encode(struct {
		Event   string                 `json:"event"`
		Sweep   string                 `json:"sweep"`
		Counts  map[outcome.Status]int `json:"counts"`
		Made    int                    `json:"made"`
		Retried int                    `json:"retried"`
		Halted  string                 `json:"halted,omitempty"`
		Summary string                 `json:"summary"`
	}{"done", j.Where(), counts, sum.Made, sum.Retried, sum.Halted, store.Join(j.Where(), mainSummary(j.Sweep))})
}
