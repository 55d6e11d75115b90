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
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// mainSummary is the key of the notebook that people are sent to.
func mainSummary(s *sweep.Sweep) string {
	if r := s.Spec().Report; r != nil && r.Template != "" && !r.After {
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
func (c *cli) browse(ctx context.Context, s *sweep.Sweep, key string) error {
	if key == sweep.SummaryNotebook {
		key = sweep.SummaryHTML
	}
	dir, err := os.MkdirTemp("", "fanout-summary-") // the browser reads it when we are gone
	if err != nil {
		return err
	}
	folder, err := filesOf(ctx, s, dir, key)
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
	return unit.WithHint(errors.New("--open: there is no browser to be found"), "set BROWSER, or open %s", file)
}

// ownReport executes the report notebook that the sweep file names. It is
// given where the tables are and what they are of.
func (c *cli) ownReport(ctx context.Context, s *sweep.Sweep) error {
	own := s.Spec().Report
	if own == nil || own.Template == "" {
		return nil
	}
	file := s.Resolve(own.Template)
	text, err := os.ReadFile(file)
	if err != nil {
		return unit.Mistake(fmt.Errorf("read report: %w", err))
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return unit.Mistake(fmt.Errorf("read report %s: %w", own.Template, err))
	}
	temp, err := os.MkdirTemp("", "fanout-report-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	where, err := filesOf(ctx, s, temp, sweep.PrefixResults)
	if err != nil {
		return err
	}
	head, _ := s.Head()
	results := filepath.Join(where, filepath.FromSlash(sweep.PrefixResults))
	args := []notebook.Argument{
		{Name: "results_dir", Value: results}, {Name: "runs_path", Value: filepath.Join(results, "runs.parquet")},
		{Name: "sweep_name", Value: s.Name()}, {Name: "as_of", Value: head.AsOf.Format(time.DateOnly)},
	}
	if _, err := doc.Prepare(notebook.PrepareOptions{Args: args, InputPath: own.Template, OutputPath: sweep.OwnReport}); err != nil {
		return unit.Mistake(fmt.Errorf("prepare report %s: %w", own.Template, err))
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
	temp, err := os.MkdirTemp("", "fanout-report-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	where, err := filesOf(ctx, s, temp, sweep.PrefixResults)
	if err != nil {
		return err
	}
	return c.executeIn(ctx, s, doc, sweep.SummaryNotebook, where)
}

// filesOf returns a folder in which the objects of a sweep are files: the
// sweep's own, or dir, with copies of those whose keys begin with prefix.
func filesOf(ctx context.Context, s *sweep.Sweep, dir, prefix string) (folder string, err error) {
	if !store.IsURL(s.Where()) {
		return filepath.Abs(s.Where())
	}
	copies := store.Dir(dir)
	for o, err := range s.Store().List(ctx, prefix) {
		if err != nil {
			return "", err
		}
		data, err := s.Store().Get(ctx, o.Key)
		if err != nil {
			return "", err
		}
		if err := copies.Put(ctx, o.Key, data, store.Cached); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// executeIn executes a notebook with the sweep's own kernel and writes it into
// the sweep.
func (c *cli) executeIn(ctx context.Context, s *sweep.Sweep, doc *notebook.Notebook, key, cwd string) error {
	head, _ := s.Head()
	put := func(doc []byte) error { return s.Store().Put(context.WithoutCancel(ctx), key, doc, store.Cached) }
	to := output{put, put}
	f := execFlags{kernel: head.Recipe.Kernel, cwd: cwd, startTimeout: 60, autosave: 60}
	if p := head.Recipe.Python; p != "" {
		f.python = s.Resolve(p)
	}
	if err := c.execute(ctx, doc, to, f, nil); err != nil {
		return fmt.Errorf("execute %s: %w", place(s, key), err)
	}
	return nil
}
