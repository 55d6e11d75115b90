package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
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
writes the same tables, a row for every file, into the folder -o names, in place of
those that an earlier collect wrote there.

With --format, --partition-by or -o -, only the table of runs is exported.
"-o -" writes an Arrow stream to standard output, or the format that --format names.`,
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
	cmd.Flags().StringArrayVar(&require, "require", nil, "exit 5 when a successful run lacks this `scrap` (repeatable)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`folder` for the tables of notebooks that belong to no sweep; for an export, its file, or - for standard output")
	cmd.Flags().StringVar(&ex.format, "format", "", "`form` to export the table of runs in: csv, json or arrow")
	cmd.Flags().BoolVar(&ex.cells, "spreadsheet", false, "with --format csv: put ' before text that a spreadsheet would compute, such as =1+1")
	cmd.Flags().StringSliceVar(&ex.partition, "partition-by", nil, "export the table of runs as Parquet files in folders by these `columns`")
	return cmd
}

func (c *cli) collectOne(ctx context.Context, args, require []string) error {
	s, err := c.app.OpenPlanned(ctx, args[0])
	if errors.Is(err, sweep.ErrNotASweep) {
		return unit.Mistake(unit.WithHint(err, "to collect notebooks that belong to no sweep, say where the tables go: fanout collect %s -o TABLES", unit.Quote(args[0])))
	}
	if err != nil {
		return err
	}
	res, err := c.app.Collect(ctx, s, require)
	if err != nil {
		return err
	}
	defer res.Close()
	c.stdout.Println(app.PlaceOf(s, "results"))
	return asGate(app.Required(res))
}

// collectFiles writes tables of any notebooks.
func (c *cli) collectFiles(ctx context.Context, paths []string, output string, require []string) error {
	res, err := c.app.CollectNotebooks(ctx, paths, output, require)
	if err != nil {
		return err
	}
	defer res.Close()
	c.stderr.Printf("%s, %s\n", unit.Plural(res.Table.Len(), "notebook"), unit.Plural(len(res.Table.Problems()), "problem"))
	c.stdout.Println(store.Join(output, "runs.parquet"))
	return asGate(app.Required(res))
}

func (c *cli) reportCommand() *cobra.Command {
	var execute, show bool
	cmd := &cobra.Command{
		Use:   "report DIR.sweep",
		Short: "Write the summary of a sweep again",
		Long: `Report writes the tables and the summary again. It executes nothing of the sweep.
With --execute, the code cells of the summary and the report notebook that the sweep
file names are executed, and their outputs kept.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.report(cmd.Context(), args[0], execute, show)
		},
	}
	cmd.Flags().BoolVar(&show, "open", false, "show the summary in the browser")
	cmd.Flags().BoolVar(&execute, "execute", false, "execute the summary's code cells, and the sweep's own report")
	return cmd
}

func (c *cli) report(ctx context.Context, dir string, execute, show bool) error {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	if err := c.app.Report(ctx, s, execute); err != nil {
		return err
	}
	c.stdout.Println(app.PlaceOf(s, app.MainSummary(s)))
	if show {
		return c.browse(ctx, s, app.MainSummary(s))
	}
	return nil
}

// browse opens the page beside a summary, or the notebook where there is none,
// with what the system has for it.
func (c *cli) browse(ctx context.Context, s *sweep.Sweep, key string) error {
	if key == sweep.SummaryNotebook {
		key = sweep.SummaryHTML
	}
	dir, err := os.MkdirTemp("", "fanout-summary-") // the browser reads it when we are gone
	if err != nil {
		return err
	}
	folder, err := app.FilesOf(ctx, s, dir, key)
	if folder != dir {
		os.Remove(dir)
	}
	if err != nil {
		return err
	}
	file := filepath.Join(folder, key)
	for _, name := range []string{os.Getenv("BROWSER"), "xdg-open", "open"} {
		if path, err := exec.LookPath(name); err == nil {
			return exec.CommandContext(ctx, path, file).Run()
		}
	}
	return unit.WithHint(errors.New("--open: no browser was found"), "set BROWSER, or open %s", file)
}
