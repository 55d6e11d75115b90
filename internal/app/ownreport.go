package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// MainSummary is the key of the notebook that people are sent to.
func MainSummary(s *sweep.Sweep) string {
	if r := s.Spec().Report; r != nil && r.Template != "" && !r.After {
		return sweep.OwnReport
	}
	return sweep.SummaryNotebook
}

// ownReport executes the report notebook that the sweep file names. Its
// parameters are where the tables are and what sweep they are of.
func (a *App) ownReport(ctx context.Context, s *sweep.Sweep) error {
	spec := s.Spec()
	if spec.Report == nil || spec.Report.Template == "" {
		return nil
	}
	file := s.Resolve(spec.Report.Template)
	text, err := os.ReadFile(file)
	if err != nil {
		return unit.Mistake(fmt.Errorf("read report: %w", err))
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return unit.Mistake(fmt.Errorf("read report %s: %w", spec.Report.Template, err))
	}
	where, remove, err := tablesAsFiles(ctx, s)
	if err != nil {
		return err
	}
	defer remove()
	head, _ := s.Head()
	results := filepath.Join(where, filepath.FromSlash(sweep.PrefixResults))
	args := []notebook.Argument{
		{Name: "results_dir", Value: results}, {Name: "runs_path", Value: filepath.Join(results, "runs.parquet")},
		{Name: "sweep_name", Value: s.Name()}, {Name: "as_of", Value: head.AsOf.Format(time.DateOnly)},
	}
	if _, err := doc.Prepare(notebook.PrepareOptions{Args: args, InputPath: spec.Report.Template, OutputPath: sweep.OwnReport}); err != nil {
		return unit.Mistake(fmt.Errorf("prepare report %s: %w", spec.Report.Template, err))
	}
	return a.executeIn(ctx, s, doc, sweep.OwnReport, filepath.Dir(file))
}

// executeSummary runs the code of the summary notebook and keeps its outputs.
func (a *App) executeSummary(ctx context.Context, s *sweep.Sweep) error {
	text, err := s.Object(ctx, sweep.SummaryNotebook)
	if err != nil {
		return err
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return err
	}
	where, remove, err := tablesAsFiles(ctx, s)
	if err != nil {
		return err
	}
	defer remove()
	return a.executeIn(ctx, s, doc, sweep.SummaryNotebook, where)
}

// tablesAsFiles is a folder in which the tables of a sweep are files, until
// remove is called.
func tablesAsFiles(ctx context.Context, s *sweep.Sweep) (folder string, remove func(), err error) {
	temp, err := os.MkdirTemp("", "fanout-report-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(temp) }
	if folder, err = FilesOf(ctx, s, temp, sweep.PrefixResults); err != nil {
		remove()
	}
	return folder, remove, err
}

// FilesOf returns a folder in which the objects of a sweep are files: the
// sweep's own, or dir, with copies of those whose keys begin with prefix.
func FilesOf(ctx context.Context, s *sweep.Sweep, dir, prefix string) (folder string, err error) {
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
func (a *App) executeIn(ctx context.Context, s *sweep.Sweep, doc *notebook.Notebook, key, dir string) error {
	head, _ := s.Head()
	o := Single{Kernel: head.Recipe.Kernel, Dir: dir, Recipe: &head.Recipe, Save: func(doc []byte) error {
		return s.Store().Put(context.WithoutCancel(ctx), key, doc, store.Cached)
	}}
	if p := head.Recipe.Python; p != "" {
		o.Python = s.Resolve(p)
	}
	status, reason, err := a.Machines.ExecuteSingle(ctx, doc, o)
	switch {
	case err != nil:
		return fmt.Errorf("execute %s: %w", PlaceOf(s, key), err)
	case status != outcome.Succeeded:
		return &NotebookError{PlaceOf(s, key), status, reason}
	}
	return nil
}

// NotebookError is a report or a summary whose code did not succeed. What it
// did until then is kept.
type NotebookError struct {
	Where  string
	Status outcome.Status
	Reason string
}

func (e *NotebookError) Error() string {
	return fmt.Sprintf("execute %s: %s: %s", e.Where, e.Status.Words(), unit.Line(e.Reason))
}
