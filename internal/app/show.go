package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/app/internal/growth"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Description is all that is known of one run.
type Description struct {
	Run       query.Run
	Attempts  []Attempt   // oldest first
	Failure   *FailedCell // of the last attempt; nil when it succeeded, or shows no error
	Fed       []Fed       // parameters that the last attempt was passed, besides the run's own
	Artifacts []string    // keys of kept files
	Reproduce string      // the command that executes the run by itself
}

// Fed is a parameter that was computed from what other runs left.
type Fed struct {
	Param string `json:"parameter"`
	Expr  string `json:"expression"`
	Value any    `json:"value"`
}

// An Attempt is one try at a run that ended.
type Attempt struct {
	Number   int             `json:"attempt"`
	Outcome  outcome.Outcome `json:"outcome"`
	Notebook string          `json:"notebook"` // key
	Log      string          `json:"log,omitempty"`
	Unread   string          `json:"unread,omitempty"` // why the notebook cannot be read, and the outcome is not known
}

// FailedCell is the cell that failed.
type FailedCell struct {
	Cell      int      `json:"cell"`  // among code cells, from 1
	Cells     int      `json:"cells"` // code cells
	Source    string   `json:"source"`
	Traceback []string `json:"traceback,omitempty"`
}

// Describe reads what is known of a run.
func Describe(ctx context.Context, s *sweep.Sweep, id string) (Description, error) {
	st, _ := s.Run(id)
	d := Description{Run: query.RunOf(s, st), Reproduce: Reproduce(s, st.Run)}
	past, err := s.History(ctx, id)
	if err != nil {
		return d, err
	}
	for _, p := range past {
		a := Attempt{Number: p.Attempt, Outcome: p.Outcome, Notebook: p.Key, Log: p.Log}
		if p.Unread != nil {
			a.Unread = p.Unread.Error()
		}
		d.Attempts = append(d.Attempts, a)
	}
	for o, err := range s.Store().List(ctx, sweep.PrefixArtifacts+id+"/") {
		if err != nil {
			return d, err
		}
		d.Artifacts = append(d.Artifacts, o.Key)
	}
	if n := len(past); n > 0 && past[n-1].Unread == nil {
		err = d.look(ctx, s, past[n-1])
	}
	return d, err
}

// look reads out of an attempt's notebook the cell that failed, and what it was fed.
func (d *Description) look(ctx context.Context, s *sweep.Sweep, p sweep.Past) error {
	head, _ := s.Head()
	step, _ := head.Step(d.Run.Run.Step())
	if p.Outcome.Status == outcome.Succeeded && len(step.With) == 0 {
		return nil
	}
	b, err := s.Object(ctx, p.Key)
	if err != nil {
		return err
	}
	doc, err := notebook.Decode(b)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.Key, err)
	}
	if p.Outcome.Status != outcome.Succeeded {
		d.Failure = FailureOf(doc)
	}
	args, _ := doc.Arguments()
	for _, w := range step.With {
		if i := slices.IndexFunc(args, func(a notebook.Argument) bool { return a.Name == w.Param }); i >= 0 {
			d.Fed = append(d.Fed, Fed{w.Param, w.Expr, args[i].Value})
		}
	}
	return nil
}

// FailureOf is the cell that failed in an executed notebook; nil when none did.
func FailureOf(doc *notebook.Notebook) *FailedCell {
	f, failed := doc.Failure()
	if !failed {
		return nil
	}
	return &FailedCell{
		Cell: doc.CodeCell(f.Cell), Cells: doc.CodeCells(), Source: doc.Cells[f.Cell].Source, Traceback: f.Traceback,
	}
}

// UpTo says to how many of n runs a draft may grow; empty where it does not.
func UpTo(d *draft.Draft, n int) string { return growth.UpTo(d.Spec, n) }

// A Progress is how far a sweep that grows has come.
type Progress = growth.Progress

// Growing is the progress of a sweep that grows, nil of another.
func Growing(s *sweep.Sweep) *Progress { return growth.ProgressOf(s) }
