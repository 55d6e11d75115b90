package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/papermill"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// execFlags are papermill's, and a few of ours.
type execFlags struct {
	papermill.Parameters
	papermill.Log
	prepareOnly, reportMode       bool
	kernel, language, python, cwd string
	startTimeout, cellTimeout     float64 // seconds
	runTimeout                    time.Duration
	autosave                      float64 // seconds
	progress, helpBook, saveCells bool
	engine, upstream              string
}

// savedNever stands for no saves while a notebook runs.
const savedNever = 100 * 365 * 24 * time.Hour

// saveEvery is the time between saves of a running notebook. A notebook that is
// saved after each cell is also saved more often.
func (f execFlags) saveEvery() time.Duration {
	if f.autosave == 0 && !f.saveCells {
		return savedNever
	}
	return seconds(f.autosave)
}

func (c *cli) execCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec IN.ipynb [OUT.ipynb]",
		Short: "Execute one notebook with parameters, as papermill's command does",
		Long: `Exec executes one notebook and writes the result. Flags are those of papermill;
"-" is standard input or output. Exit code 3 means that the notebook failed.`,
		Args:    cobra.RangeArgs(1, 2),
		Version: version(),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.exec(cmd.Context(), args, f) },
	}
	cmd.SetVersionTemplate("fanout {{.Version}}\n")
	fl := cmd.Flags()
	f.Parameters.Add(fl)
	papermill.Toggle(fl, &f.prepareOnly, "prepare-only", "prepare-execute", false, "inject the parameters and execute nothing", "execute the notebook, the default")
	papermill.Toggle(fl, &f.reportMode, "report-mode", "no-report-mode", false, "hide the input of code cells", "show the input of code cells, the default")
	fl.StringVarP(&f.kernel, "kernel", "k", "", "`name` of the kernel to use instead of the notebook's")
	fl.StringVarP(&f.language, "language", "l", "", "`language` of the notebook")
	fl.StringVar(&f.python, "python", "", "`path` of a virtual environment or interpreter whose ipykernel is used")
	fl.StringVar(&f.cwd, "cwd", "", "working `directory` of the kernel (default: this one)")
	fl.Float64Var(&f.startTimeout, "start-timeout", 60, "`seconds` a kernel has to start")
	fl.Float64Var(&f.cellTimeout, "execution-timeout", 0, "`seconds` a cell may take")
	fl.DurationVar(&f.runTimeout, "run-timeout", 0, "`time` the whole notebook may take, such as 30m")
	fl.Float64Var(&f.autosave, "autosave-cell-every", 2, "`seconds` between saves while the notebook runs; 0: as each cell needs")
	papermill.Toggle(fl, &f.saveCells, "request-save-on-cell-execute", "no-request-save-on-cell-execute", true,
		"save while the notebook runs, the default", "with --autosave-cell-every 0: save only at the end")
	f.Log.Add(fl)
	papermill.Toggle(fl, &f.progress, "progress-bar", "no-progress-bar", false, "accepted; exec shows no progress bar", "the default")
	fl.StringVar(&f.engine, "engine", "", "`name` of the engine; only nbclient is accepted, since fanout executes notebooks itself")
	fl.StringVar(&f.upstream, "upstream", "", "`notebook` of a run of a sweep with steps, in its sweep: feed what that run was fed, in upstream/ and as parameters")
	fl.BoolVar(&f.helpBook, "help-notebook", false, "print the parameters the notebook declares")
	fl.SetNormalizeFunc(papermill.NormalizeFlag)
	return cmd
}

// output is where the executed notebook goes: save while it runs, end once.
type output struct{ save, end func(doc []byte) error }

func (c *cli) exec(ctx context.Context, args []string, f execFlags) (err error) {
	if err := papermill.CheckEngine(f.engine); err != nil {
		return unit.Mistake(unit.WithHint(err, "leave --engine out"))
	}
	if err := f.Check(); err != nil {
		return unit.Mistake(err)
	}
	params, err := f.Arguments(args)
	if err != nil {
		return unit.Mistake(err)
	}
	in, out, err := papermill.Paths(args, params)
	if err != nil {
		return unit.Mistake(err)
	}
	text, err := c.readInput(in)
	if err != nil {
		return unit.Mistake(err)
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return unit.Mistake(fmt.Errorf("read %s: %w", in, err))
	}
	if f.helpBook {
		return papermill.PrintHelp(c.stdout, in, doc)
	}
	if f.upstream != "" {
		var remove func() error
		source := c.fedAgain()
		source.Warn = func(text string) {
			if f.Warnings() {
				c.stderr.Println("fanout: warning:", text)
			}
		}
		if params, remove, err = source.Again(ctx, f.upstream, cmp.Or(f.cwd, "."), params); err != nil {
			return err
		}
		if !f.prepareOnly { // whoever opens what was prepared needs it
			defer func() { err = errors.Join(err, remove()) }()
		}
	}
	warnings, err := doc.Prepare(notebook.PrepareOptions{
		Args: params, InputPath: in, OutputPath: out, Kernel: f.kernel, Language: f.language,
		ReportMode: f.reportMode,
	})
	if err != nil {
		return unit.Mistake(fmt.Errorf("prepare %s: %w", in, err))
	}
	for _, w := range warnings {
		if !f.Warnings() {
			break
		}
		c.stderr.Println("fanout: warning:", w)
	}
	to, err := c.outputTo(out)
	if err != nil {
		return unit.Mistake(err)
	}
	if f.prepareOnly {
		return to.end(doc.Encode())
	}
	return c.execute(ctx, doc, to, f, params)
}

func (c *cli) readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.stdin)
	}
	return os.ReadFile(name)
}

// outputTo returns what writes the notebook: whole, or not at all.
func (c *cli) outputTo(name string) (output, error) {
	nothing := func([]byte) error { return nil }
	switch name {
	case "":
		return output{nothing, nothing}, nil
	case "-":
		return output{nothing, func(doc []byte) error { _, err := c.stdout.Data().Write(doc); return err }}, nil
	}
	dir, file := store.Split(name)
	if info, err := os.Stat(dir); !store.IsURL(dir) && (err != nil || !info.IsDir()) {
		return output{}, unit.WithHint(fmt.Errorf("output folder %s does not exist", dir), "mkdir -p %s", unit.Quote(dir))
	}
	st, err := c.openStore(context.Background(), dir)
	if err != nil {
		return output{}, err
	}
	put := func(doc []byte) error { return st.Put(context.Background(), file, doc, store.Cached) }
	return output{put, put}, nil
}

// execute runs a prepared document and prints how it went.
func (c *cli) execute(ctx context.Context, doc *notebook.Notebook, to output, f execFlags, params []notebook.Argument) error {
	log, closeLogs, err := f.Open(c.stderr.Lines())
	if err != nil {
		return unit.Mistake(err)
	}
	defer closeLogs()
	var executed []byte
	status, reason, err := c.executeSingle(ctx, doc, single{
		Kernel: f.kernel, Python: f.python, Dir: f.cwd, Secrets: papermill.Secrets(params),
		StartTimeout: seconds(f.startTimeout), CellTimeout: seconds(f.cellTimeout), RunTimeout: f.runTimeout,
		SaveEvery: f.saveEvery(), Save: to.save, End: func(text []byte) error { executed = text; return to.end(text) }, Log: log,
	})
	if err != nil {
		return err
	}
	if status != outcome.Succeeded {
		if doc, err := notebook.Decode(executed); err == nil {
			describe.Failure(c.stderr, app.FailureOf(doc))
		}
		c.stderr.Printf("fanout: %s: %s\n", status.Words(), reason)
		return errIncomplete
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
