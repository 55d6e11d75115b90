package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/papermill"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// execFlags are papermill's, and a few of ours.
type execFlags struct {
	params, raw, secrets          []string // name NUL value
	files, yaml, base64           []string
	injectIn, injectOut, inject   bool
	prepareOnly, reportMode       bool
	kernel, language, python, cwd string
	startTimeout, cellTimeout     float64 // seconds
	runTimeout                    time.Duration
	autosave                      float64 // seconds
	stdoutFile, stderrFile        string
	logOutput, progress, helpBook bool
	saveCells                     bool
	engine, logLevel              string
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
	fl.StringArrayVarP(&f.params, "parameters", "p", nil, "parameter `name value`, typed as it looks")
	fl.StringArrayVarP(&f.raw, "parameters_raw", "r", nil, "parameter `name value`, always a string")
	fl.StringArrayVarP(&f.files, "parameters_file", "f", nil, "YAML `file` of parameters, or a notebook that was executed with them")
	fl.StringArrayVarP(&f.yaml, "parameters_yaml", "y", nil, "YAML `text` of parameters")
	fl.StringArrayVarP(&f.base64, "parameters_base64", "b", nil, "base64 `text` of YAML of parameters")
	fl.StringArrayVar(&f.secrets, "secret", nil, "parameter `name variable`, read from the environment where the notebook runs")
	fl.BoolVar(&f.injectIn, "inject-input-path", false, "pass the input's path as PAPERMILL_INPUT_PATH")
	fl.BoolVar(&f.injectOut, "inject-output-path", false, "pass the output's path as PAPERMILL_OUTPUT_PATH")
	fl.BoolVar(&f.inject, "inject-paths", false, "pass both paths")
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
	fl.StringVar(&f.stdoutFile, "stdout-file", "", "`file` to write what cells print to stdout to")
	fl.StringVar(&f.stderrFile, "stderr-file", "", "`file` to write what cells print to stderr to")
	papermill.Toggle(fl, &f.logOutput, "log-output", "no-log-output", false, "print what the cells print", "print nothing of the cells, the default")
	fl.StringVar(&f.logLevel, "log-level", "INFO", "`level` from which to print: WARNING leaves out what cells print to stdout, ERROR warnings, too")
	papermill.Toggle(fl, &f.progress, "progress-bar", "no-progress-bar", false, "accepted; exec shows no progress bar", "the default")
	fl.StringVar(&f.engine, "engine", "", "`name` of the engine; only nbclient is accepted, since fanout executes notebooks itself")
	fl.BoolVar(&f.helpBook, "help-notebook", false, "print the parameters the notebook declares")
	fl.SetNormalizeFunc(papermill.NormalizeFlag)
	return cmd
}

// output is where the executed notebook goes: save while it runs, end once.
type output struct{ save, end func(doc []byte) error }

func (c *cli) exec(ctx context.Context, args []string, f execFlags) error {
	if err := papermill.CheckEngine(f.engine); err != nil {
		return unit.Mistake(unit.WithHint(err, "leave --engine out"))
	}
	level, err := papermill.LevelOf(f.logLevel)
	if err != nil {
		return unit.Mistake(err)
	}
	params, err := f.arguments(args)
	if err != nil {
		return unit.Mistake(err)
	}
	in, out, err := formatPaths(args, params)
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
		return c.helpNotebook(in, doc)
	}
	warnings, err := doc.Prepare(notebook.PrepareOptions{
		Args: params, InputPath: in, OutputPath: out, Kernel: f.kernel, Language: f.language,
		ReportMode: f.reportMode,
	})
	if err != nil {
		return unit.Mistake(fmt.Errorf("prepare %s: %w", in, err))
	}
	for _, w := range warnings {
		if !level.Stderr() {
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
	return c.execute(ctx, doc, to, f, level, params)
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
func (c *cli) execute(ctx context.Context, doc *notebook.Notebook, to output, f execFlags, level papermill.Level, params []notebook.Argument) error {
	log, closeLogs, err := c.execLog(f, level)
	if err != nil {
		return unit.Mistake(err)
	}
	defer closeLogs()
	var executed []byte
	status, reason, err := c.executeSingle(ctx, doc, single{
		Kernel: f.kernel, Python: f.python, Dir: f.cwd, Secrets: masks(params),
		StartTimeout: seconds(f.startTimeout), CellTimeout: seconds(f.cellTimeout), RunTimeout: f.runTimeout,
		SaveEvery: f.saveEvery(), Save: to.save, End: func(text []byte) error { executed = text; return to.end(text) }, Log: log,
	})
	if err != nil {
		return err
	}
	if status != outcome.Succeeded {
		if doc, err := notebook.Decode(executed); err == nil {
			printFailure(c.stderr, app.FailureOf(doc))
		}
		c.stderr.Printf("fanout: %s: %s\n", status.Words(), reason)
		return errIncomplete
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// masks are the values of secret parameters, which must not be written.
func masks(params []notebook.Argument) []string {
	var out []string
	for _, p := range params {
		if p.Secret != "" {
			out = append(out, os.Getenv(p.Secret))
		}
	}
	return out
}

// execLog is where what the cells print goes.
func (c *cli) execLog(f execFlags, level papermill.Level) (log func(stream string, text []byte) error, closeFiles func(), err error) {
	to := map[string]io.Writer{"stdout": io.Discard, "stderr": io.Discard}
	if f.logOutput && level.Stdout() {
		to["stdout"] = c.stderr.Lines()
	}
	if f.logOutput && level.Stderr() {
		to["stderr"] = c.stderr.Lines()
	}
	var files []*os.File
	closeFiles = func() {
		for _, file := range files {
			file.Close()
		}
	}
	for stream, name := range map[string]string{"stdout": f.stdoutFile, "stderr": f.stderrFile} {
		if name == "" {
			continue
		}
		file, err := os.Create(name)
		if err != nil {
			closeFiles()
			return nil, nil, err
		}
		files = append(files, file)
		to[stream] = file
	}
	return func(stream string, text []byte) error {
		w := to["stdout"]
		if stream == "stderr" {
			w = to["stderr"]
		}
		_, err := w.Write(text)
		return err
	}, closeFiles, nil
}

// arguments merges parameters as papermill does: later ones win and keep the
// place of the first.
func (f execFlags) arguments(args []string) ([]notebook.Argument, error) {
	var merged []notebook.Argument
	set := func(a notebook.Argument) {
		if i := slices.IndexFunc(merged, func(m notebook.Argument) bool { return m.Name == a.Name }); i >= 0 {
			merged[i] = a
			return
		}
		merged = append(merged, a)
	}
	f.injected(args, set)
	if err := f.documents(set); err != nil {
		return nil, err
	}
	for _, pairs := range []struct {
		flag string
		of   []string
		make func(name, value string) notebook.Argument
	}{
		{"-p", f.params, func(n, v string) notebook.Argument { return notebook.Argument{Name: n, Value: papermill.Typed(v)} }},
		{"-r", f.raw, func(n, v string) notebook.Argument { return notebook.Argument{Name: n, Value: v} }},
		{"--secret", f.secrets, func(n, v string) notebook.Argument { return notebook.Argument{Name: n, Secret: v} }},
	} {
		for _, pair := range pairs.of {
			name, value, ok := strings.Cut(pair, papermill.Separator)
			if !ok {
				return nil, fmt.Errorf("%s takes two arguments, a name and a value", pairs.flag)
			}
			set(pairs.make(name, value))
		}
	}
	return merged, nil
}

func (f execFlags) injected(args []string, set func(notebook.Argument)) {
	if f.injectIn || f.inject {
		set(notebook.Argument{Name: "PAPERMILL_INPUT_PATH", Value: args[0]})
	}
	if (f.injectOut || f.inject) && len(args) > 1 {
		set(notebook.Argument{Name: "PAPERMILL_OUTPUT_PATH", Value: args[1]})
	}
}

// givenTo takes the parameters that a notebook was executed with.
func givenTo(name string, text []byte, set func(notebook.Argument)) error {
	n, err := notebook.Decode(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	args, found := n.Arguments()
	if !found {
		return fmt.Errorf("%s was not executed with parameters", name)
	}
	for _, a := range args {
		set(a)
	}
	return nil
}

// documents reads the YAML forms: base64, files, text.
func (f execFlags) documents(set func(notebook.Argument)) error {
	type document struct{ name, text string }
	var docs []document
	for _, b := range f.base64 {
		text, err := base64.StdEncoding.DecodeString(b)
		if err != nil {
			return fmt.Errorf("-b: %w", err)
		}
		docs = append(docs, document{"-b", string(text)})
	}
	for _, name := range f.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("-f: %w", err)
		}
		if strings.HasSuffix(name, ".ipynb") {
			if err := givenTo(name, text, set); err != nil {
				return fmt.Errorf("-f: %w", err)
			}
			continue
		}
		docs = append(docs, document{name, string(text)})
	}
	for _, text := range f.yaml {
		docs = append(docs, document{"-y", text})
	}
	for _, d := range docs {
		bindings, err := grid.DecodeBindings(d.name, []byte(d.text))
		if err != nil {
			return err
		}
		for _, b := range bindings {
			set(notebook.Argument{Name: b.Name, Value: b.Value.Any()})
		}
	}
	return nil
}

// formatPaths fills the fields of the paths, as papermill does.
func formatPaths(args []string, params []notebook.Argument) (in, out string, err error) {
	id := strings.ToLower(rand.Text())
	now := time.Now()
	if in, err = notebook.FormatPath(args[0], params, id, now); err != nil || len(args) == 1 {
		return in, "", err
	}
	out, err = notebook.FormatPath(args[1], params, id, now)
	return in, out, err
}

// helpNotebook prints what a notebook declares.
func (c *cli) helpNotebook(name string, doc *notebook.Notebook) error {
	ps, found, err := doc.Parameters()
	if err != nil {
		return err
	}
	c.stdout.Printf("Usage: fanout exec [flags] %s OUT.ipynb\n\nParameters inferred for notebook '%s':\n", name, name)
	if !found {
		c.stdout.Println("  No cell tagged 'parameters'")
		return errors.New("the notebook has no cell tagged `parameters`")
	}
	for _, p := range ps {
		kind := p.Type
		if kind == "" {
			kind = "Unknown type"
		}
		def := fmt.Sprintf("  %s: %s (default %s)", p.Name, kind, p.Default)
		switch {
		case len(def) > 30 && p.Help != "":
			c.stdout.Printf("%s\n%34s%s\n", def, "", p.Help)
		default:
			c.stdout.Printf("%-34s%s\n", def, p.Help)
		}
	}
	return nil
}
