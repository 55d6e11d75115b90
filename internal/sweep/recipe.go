package sweep

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
)

// Resolve makes a path of the sweep file, slash-separated and relative to its
// folder, a path of this machine. The folder may be gone.
func (s *Sweep) Resolve(path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.SourceDir(), path)
}

// SourceDir is the folder of the sweep file, as far as the sweep knows: it
// moves with the sweep when both lie together.
func (s *Sweep) SourceDir() string {
	h, _ := s.Head()
	source := filepath.FromSlash(h.Source)
	if filepath.IsAbs(source) {
		return source
	}
	if store.IsURL(s.store.String()) {
		return unknownSource
	}
	return filepath.Join(s.store.String(), source)
}

// unknownSource stands for the folder of the sweep file of a sweep that was
// carried to a bucket from the directory beside it.
const unknownSource = "/the folder of the sweep file is not known"

// TemplateOf returns the plan's template for a run, and a notebook of its own
// to execute.
func (s *Sweep) TemplateOf(ctx context.Context, r Run) (Template, *notebook.Notebook, error) {
	h, _ := s.Head()
	for _, t := range h.Templates {
		if t.Slot != r.Template {
			continue
		}
		doc, err := s.template(ctx, t.Key)
		return t, doc, err
	}
	return Template{}, nil, fmt.Errorf("run %s: the plan has no template %s", r.ID, r.Template)
}

// template decodes a frozen template once and hands out clones.
func (s *Sweep) template(ctx context.Context, key string) (*notebook.Notebook, error) {
	s.mu.Lock()
	doc := s.templates[key]
	s.mu.Unlock()
	if doc != nil {
		return doc.Clone(), nil
	}
	text, err := s.Object(ctx, key)
	if err != nil {
		return nil, err
	}
	if doc, err = notebook.Decode(text); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.templates[key] = doc
	s.mu.Unlock()
	return doc.Clone(), nil
}

// SettingsOf are the limits of one run.
func (s *Sweep) SettingsOf(r Run) Settings {
	out := s.plannedSettings(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runLimit != nil {
		out.RunTimeout, out.RunPercent = s.runLimit.D, s.runLimit.Percent
	}
	return out
}

func (s *Sweep) plannedSettings(r Run) Settings {
	if r.Settings != nil {
		return *r.Settings
	}
	h, _ := s.Head()
	return h.Recipe.Settings
}

// LimitRuns replaces the run timeout of every run while this process has the
// sweep open. The plan stays as it is.
func (s *Sweep) LimitRuns(limit grid.Limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runLimit = &limit
}

// Unpack writes the files frozen with the sweep into folder, which exists.
func (s *Sweep) Unpack(ctx context.Context, folder string) error {
	if s.head.Files == "" {
		return nil
	}
	b, err := s.Object(ctx, s.head.Files)
	if err != nil {
		return err
	}
	if err := pack.Unpack(b, folder); err != nil {
		return fmt.Errorf("unpack %s: %w", s.head.Files, err)
	}
	return nil
}
