package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) collectCommand() *cobra.Command {
	var require []string
	var output string
	var ex export
	cmd := &cobra.Command{
		Use:   "collect DIR.sweep | NOTEBOOKS… -o TABLES",
		Short: "Read the scraps of a sweep, or of any notebooks, into tables",
		Long: `Collect writes the tables of a sweep again. Given notebooks, or folders of them,
it reads whatever papermill, scrapbook or Jupyter Book recorded in them and
writes the same tables, a row for every file, into the folder -o names.

With --format, --partition-by or -o - the table of runs is exported, and nothing
else is written: "-o -" is an Arrow stream on standard output, or what --format
says.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if ex.wanted(output) {
				return c.export(ctx, args, output, ex, require)
			}
			if output != "" {
				return c.collectFiles(ctx, args, output, require)
			}
			return c.collectOne(ctx, args, require)
		},
	}
	cmd.Flags().StringArrayVar(&require, "require", nil, "exit 5 when a run that succeeded lacks this `scrap` (repeatable)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`folder` for the tables of notebooks that belong to no sweep; of an export its file, or -")
	cmd.Flags().StringVar(&ex.format, "format", "", "export the table of runs as csv, json or arrow")
	cmd.Flags().StringSliceVar(&ex.partition, "partition-by", nil, "export the table of runs as Parquet files in folders by these `columns`")
	return cmd
}

func (c *cli) collectOne(ctx context.Context, args, require []string) error {
	s, err := c.openPlanned(ctx, args[0])
	if errors.Is(err, sweep.ErrNotASweep) {
		return unit.Mistake(unit.WithHint(err, "to collect notebooks that belong to no sweep, say where the tables go: fanout collect %s -o TABLES", quote(args[0])))
	}
	if err != nil {
		return err
	}
	res, err := c.collectSweep(ctx, s, require)
	if err != nil {
		return err
	}
	defer res.Close()
	fmt.Fprintln(c.stdout, place(s, "results"))
	return checkRequired(res)
}

// collectFiles makes tables of any notebooks. Paths are those of the user, so
// run_id says what they typed.
func (c *cli) collectFiles(ctx context.Context, paths []string, output string, require []string) error {
	res, err := c.readFiles(ctx, paths, require)
	if err != nil {
		return err
	}
	defer res.Close()
	st, err := c.openStore(ctx, output)
	if err != nil {
		return err
	}
	if _, err := res.Write(ctx, func(name string, write func(io.Writer) error) error {
		return st.Write(ctx, name, write, store.Cached)
	}); err != nil {
		return unit.WithHint(fmt.Errorf("write tables: %w", err), "tables that were there and are not written again stand as they were; make room and repeat the command")
	}
	fmt.Fprintf(c.stderr, "%s, %s\n", plural(res.Table.Len(), "notebook"), plural(len(res.Table.Problems()), "problem"))
	fmt.Fprintln(c.stdout, store.Join(output, "runs.parquet"))
	return checkRequired(res)
}

func (c *cli) readFiles(ctx context.Context, paths, require []string) (*collect.Result, error) {
	for i, p := range paths {
		paths[i] = filepath.ToSlash(filepath.Clean(p))
		if _, err := os.Stat(p); err != nil {
			return nil, unit.Mistake(fmt.Errorf("find notebooks: %w", err))
		}
	}
	return collect.Files(ctx, anywhere{}, paths, collect.Options{Require: require})
}

// anywhere is the file system by the paths that people type, ".." and "/"
// among them.
type anywhere struct{}

func (anywhere) Open(name string) (fs.File, error) { return os.Open(filepath.FromSlash(name)) }

func (c *cli) reportCommand() *cobra.Command {
	var execute, show bool
	cmd := &cobra.Command{
		Use:   "report DIR.sweep",
		Short: "Write the summary again from what is there",
		Long: `Report writes the summary again, and executes the report notebook that the sweep
file names, if it names one. With --execute the summary's own code is run, and its
outputs are kept.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.report(cmd.Context(), args[0], execute, show)
		},
	}
	cmd.Flags().BoolVar(&show, "open", false, "show the summary in the browser")
	cmd.Flags().BoolVar(&execute, "execute", false, "run the code cells of the summary notebook")
	return cmd
}

func (c *cli) report(ctx context.Context, dir string, execute, show bool) error {
	s, err := c.openPlanned(ctx, dir)
	if err != nil {
		return err
	}
	res, err := c.collectSweep(ctx, s, nil)
	if err != nil {
		return err
	}
	defer res.Close()
	if _, err := c.reportSweep(ctx, s, res); err != nil {
		return err
	}
	if execute && mainSummary(s) == sweep.SummaryNotebook {
		if err := c.executeSummary(ctx, s); err != nil {
			return err
		}
	}
	if err := c.ownReport(ctx, s); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, place(s, mainSummary(s)))
	if show {
		return c.browse(ctx, s, mainSummary(s))
	}
	return nil
}

// collectSweep reads the scraps and writes the tables. What an earlier
// collect left and this one did not write is removed.
func (c *cli) collectSweep(ctx context.Context, s *sweep.Sweep, require []string) (*collect.Result, error) {
	res, err := collect.Sweep(ctx, s, collectOptions(s, require))
	if err != nil {
		return nil, fmt.Errorf("collect %s: %w", display(s.Where()), err)
	}
	names, err := res.Write(ctx, func(name string, write func(io.Writer) error) error {
		return s.Store().Write(ctx, sweep.PrefixResults+name, write, store.Cached)
	})
	if err != nil {
		res.Close()
		return nil, unit.WithHint(fmt.Errorf("write tables: %w", err), "the old tables stand; make room and type: fanout collect %s", quote(display(s.Where())))
	}
	_ = res.Keep(ctx, s) // a cache: where it cannot be written the next collect reads more
	return res, removeOthers(ctx, s.Store(), names)
}

func removeOthers(ctx context.Context, st store.Store, written []string) error {
	keep := map[string]bool{}
	for _, n := range written {
		keep[sweep.PrefixResults+n] = true
	}
	for o, err := range st.List(ctx, sweep.PrefixResults) {
		if err != nil {
			return err
		}
		if !keep[o.Key] {
			if err := st.Delete(ctx, o.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRequired makes a missing scrap a violated gate.
func checkRequired(res *collect.Result) error {
	missing := 0
	var first table.Problem
	for _, p := range res.Table.Problems() {
		if p.Kind == "missing" {
			if missing++; missing == 1 {
				first = p
			}
		}
	}
	if missing == 0 {
		return nil
	}
	return gateError{fmt.Errorf("%d required scraps are missing; the first: %s of run %s", missing, first.Name, first.Run)}
}

// reportSweep writes the summary, unless the user's own report stands in its
// place, and returns what it compared.
func (c *cli) reportSweep(ctx context.Context, s *sweep.Sweep, res *collect.Result) (*compare.Report, error) {
	in, err := c.summaryInput(ctx, s, res)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	if mainSummary(s) != sweep.SummaryNotebook {
		return in.Compare, nil
	}
	sum, err := report.New(in)
	if err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	page, err := sum.HTML()
	if err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	for _, f := range []struct {
		key  string
		data []byte
	}{{sweep.SummaryNotebook, sum.Notebook().Encode()}, {sweep.SummaryMarkdown, sum.Markdown()}, {sweep.SummaryHTML, page}} {
		if err := s.Store().Put(ctx, f.key, f.data, store.Cached); err != nil {
			return nil, fmt.Errorf("write summary: %w", err)
		}
	}
	return in.Compare, nil
}
