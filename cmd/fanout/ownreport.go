package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// mainSummary is the key of the notebook that people are sent to.
func mainSummary(spec *grid.Spec) string {
	if r := spec.Report; r != nil && r.Template != "" && !r.After {
		return sweep.OwnReport
	}
	return sweep.SummaryNotebook
}

// checkSections says which section of the summary there is not.
func checkSections(spec *grid.Spec) error {
	if spec.Report == nil {
		return nil
	}
	for _, name := range spec.Report.Sections {
		if !slices.Contains(report.Sections(), name) {
			return fmt.Errorf("%s: report.sections: there is no section %q; there are %s", spec.Where("report"), name, strings.Join(report.Sections(), ", "))
		}
	}
	return nil
}

// browse opens the page beside a summary, or the notebook where there is none,
// with what the system has for it.
func (c *cli) browse(ctx context.Context, dir, key string) error {
	if key == sweep.SummaryNotebook {
		key = sweep.SummaryHTML
	}
	file, err := filepath.Abs(filepath.Join(dir, key))
	if err != nil {
		return err
	}
	for _, name := range []string{os.Getenv("BROWSER"), "xdg-open", "open"} {
		if path, err := exec.LookPath(name); err == nil {
			return exec.CommandContext(ctx, path, file).Run()
		}
	}
	return withHint(errors.New("--open: there is no browser to be found"), "set BROWSER, or open %s", file)
}

// ownReport executes the report notebook that the sweep file names. It is
// given where the tables are and what they are of.
func (c *cli) ownReport(ctx context.Context, s *sweep.Sweep, spec *grid.Spec) error {
	if spec.Report == nil || spec.Report.Template == "" {
		return nil
	}
	file := s.Resolve(spec.Report.Template)
	text, err := os.ReadFile(file)
	if err != nil {
		return usageError{fmt.Errorf("read report: %w", err)}
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return usageError{fmt.Errorf("read report %s: %w", spec.Report.Template, err)}
	}
	where, err := filepath.Abs(s.Where())
	if err != nil {
		return err
	}
	head, _ := s.Head()
	results := filepath.Join(where, filepath.FromSlash(sweep.PrefixResults))
	args := []notebook.Argument{
		{Name: "results_dir", Value: results}, {Name: "runs_path", Value: filepath.Join(results, "runs.parquet")},
		{Name: "sweep_name", Value: s.Name()}, {Name: "as_of", Value: head.AsOf.Format(time.DateOnly)},
	}
	if _, err := doc.Prepare(notebook.PrepareOptions{Args: args, InputPath: spec.Report.Template, OutputPath: sweep.OwnReport}); err != nil {
		return usageError{fmt.Errorf("prepare report %s: %w", spec.Report.Template, err)}
	}
	return c.executeIn(ctx, s, doc, sweep.OwnReport, filepath.Dir(file))
}

// executeSummary runs the code of the summary notebook and keeps what it puts
// out.
func (c *cli) executeSummary(ctx context.Context, s *sweep.Sweep) error {
	text, err := s.Object(ctx, sweep.SummaryNotebook)
	if err != nil {
		return err
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return err
	}
	return c.executeIn(ctx, s, doc, sweep.SummaryNotebook, s.Where())
}

// executeIn executes a notebook with the sweep's own kernel and writes it into
// the sweep.
func (c *cli) executeIn(ctx context.Context, s *sweep.Sweep, doc *notebook.Notebook, key, cwd string) error {
	head, _ := s.Head()
	to, err := c.outputTo(filepath.Join(s.Where(), key))
	if err != nil {
		return err
	}
	f := execFlags{kernel: head.Recipe.Kernel, cwd: cwd, startTimeout: 60, autosave: 60}
	if p := head.Recipe.Python; p != "" {
		f.python = s.Resolve(p)
	}
	if err := c.execute(ctx, doc, to, f, nil); err != nil {
		return fmt.Errorf("execute %s: %w", filepath.Join(display(s.Where()), key), err)
	}
	return nil
}
