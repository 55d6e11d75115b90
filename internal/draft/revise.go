package draft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Revision is the plan in force of a sweep with the templates, files and
// inputs as they are now where its sweep file is. The runs are the same.
type Revision struct {
	sweep.Plan
	Changed []string // what a kernel would see of it: paths of templates and files; where something is gone, of those that are there
	Gone    error    // what is not there any more, so that there is no such plan
}

// Revise looks at the templates and files of a sweep that OpenPlanned opened.
// It writes nothing. A template that cannot be read, or that declares its
// parameters otherwise, is an error.
func Revise(ctx context.Context, s *sweep.Sweep) (Revision, error) {
	head, _ := s.Head()
	d := &Draft{Dir: s.SourceDir()}
	d.Plan = sweep.Plan{Head: head, Spec: s.Spec()}
	for _, t := range head.Templates {
		if _, err := os.Stat(d.Path(t.Path)); errors.Is(err, fs.ErrNotExist) {
			return d.without(ctx, s, fmt.Errorf("%s is no longer in %s", t.Path, unit.Path(d.Dir)))
		}
	}
	d.Templates, d.Recipe.Modules, d.Head.Files, d.Created = nil, nil, "", time.Now().UTC()
	declared, err := d.readTemplates()
	if err != nil {
		return Revision{}, err
	}
	if err := d.readFiles(); err != nil {
		return d.without(ctx, s, err)
	}
	if err := d.keepRuns(ctx, s); err != nil {
		return Revision{}, err
	}
	changed, err := d.changed(ctx, s, head, declared)
	return Revision{Plan: d.Plan, Changed: changed}, err
}

// without is a revision of which something is gone: what is there may have been
// edited all the same.
func (d *Draft) without(ctx context.Context, s *sweep.Sweep, gone error) (Revision, error) {
	r := Revision{Gone: gone}
	head, _ := s.Head()
	for _, t := range head.Templates {
		if text, err := readWhole(d.Path(t.Path)); err == nil {
			if doc, err := notebook.Decode(text); err != nil || doc.CodeDigest() != t.Code {
				r.Changed = append(r.Changed, t.Path)
			}
		}
	}
	frozen, names, err := frozenFiles(ctx, s)
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(frozen)
	for _, name := range names {
		if now, err := readFile(d.Dir, name); err == nil && !isFrozen(frozen, now) {
			r.Changed = append(r.Changed, name)
		}
	}
	return r, nil
}

// frozenFiles unpacks the files frozen with a sweep into a folder, which the
// caller removes.
func frozenFiles(ctx context.Context, s *sweep.Sweep) (folder string, names []string, err error) {
	if folder, err = os.MkdirTemp("", "fanout-frozen-"); err != nil {
		return "", nil, err
	}
	if err = s.Unpack(ctx, folder); err == nil {
		names, err = filesOf(folder, "**")
	}
	if err != nil {
		os.RemoveAll(folder)
	}
	return folder, names, err
}

// isFrozen reports whether a file is as it was frozen.
func isFrozen(frozen string, f pack.File) bool {
	old, err := readFile(frozen, f.Name)
	return err == nil && bytes.Equal(old.Data, f.Data)
}

// changed names the templates and files that differ from the frozen ones.
func (d *Draft) changed(ctx context.Context, s *sweep.Sweep, head sweep.Head, declared map[string][]grid.Param) ([]string, error) {
	var names []string
	for _, old := range head.Templates {
		i := slices.IndexFunc(d.Templates, func(t sweep.Template) bool { return t.Slot == old.Slot })
		if i < 0 || d.Templates[i].Code == old.Code {
			continue
		}
		names = append(names, old.Path)
		if err := d.declaresSame(ctx, s, old, declared[old.Slot]); err != nil {
			return nil, err
		}
	}
	if d.FilesDigest == head.FilesDigest {
		return names, nil
	}
	files, err := d.changedFiles(ctx, s)
	return append(names, files...), err
}

// declaresSame refuses a template whose declared types would give the same runs
// other values.
func (d *Draft) declaresSame(ctx context.Context, s *sweep.Sweep, old sweep.Template, now []grid.Param) error {
	text, err := s.Object(ctx, old.Key)
	if err != nil {
		return err
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return err
	}
	params, _, err := doc.Parameters()
	if err != nil {
		return err
	}
	was := declaredParams(params)
	for _, name := range d.Spec.Names() {
		a, had := declaredIn(was, name)
		b, has := declaredIn(now, name)
		if had != has || a.Type != b.Type || a.Kind != b.Kind {
			return unit.WithHint(fmt.Errorf("%s declares the parameter %s otherwise than when the sweep was planned", old.Path, name),
				"plan the sweep again: fanout run %s", unit.Quote(unit.Path(d.Path(d.SpecName))))
		}
	}
	return nil
}

func declaredIn(params []grid.Param, name string) (grid.Param, bool) {
	i := slices.IndexFunc(params, func(p grid.Param) bool { return p.Name == name })
	if i < 0 {
		return grid.Param{}, false
	}
	return params[i], true
}

// changedFiles names the files that differ from the frozen ones, on either
// side.
func (d *Draft) changedFiles(ctx context.Context, s *sweep.Sweep) ([]string, error) {
	frozen, were, err := frozenFiles(ctx, s)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(frozen)
	var names []string
	for _, f := range d.Files {
		were = slices.DeleteFunc(were, func(name string) bool { return name == f.Name })
		if !isFrozen(frozen, f) {
			names = append(names, f.Name)
		}
	}
	return append(names, were...), nil
}

// keepRuns plans the runs that are planned, with the state of their inputs.
func (d *Draft) keepRuns(ctx context.Context, s *sweep.Sweep) (err error) {
	d.Inputs = map[string]string{}
	inputs := d.inputDigester()
	if d.Reserve, err = s.Reserve(ctx); err != nil {
		return err
	}
	for _, r := range d.Reserve {
		if err := d.noteInputs(inputs, r); err != nil {
			return err
		}
	}
	for st := range s.All() {
		if st.Run.Unplanned {
			continue
		}
		if err := d.noteInputs(inputs, st.Run); err != nil {
			return err
		}
		d.Runs = append(d.Runs, st.Run)
	}
	return nil
}
