package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/glob"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Source is where a sweep is drafted from.
type Source struct {
	File     string // path of the sweep file; "-" when it came from elsewhere
	Text     []byte
	Overlays []Overlay
	Set      []string // name=value, for every run
	AsOf     time.Time
	Rows     func(path string) (grid.Rows, error) // reads what `from:` names
}

// An Overlay is a sweep file laid over another.
type Overlay struct {
	File string
	Text []byte
}

// A Draft is a sweep file with everything it names read and checked, ready to
// be planned.
type Draft struct {
	Plan
	Grid     *grid.Grid
	Dir      string // folder that the sweep file's paths are relative to, absolute
	Warnings []string
}

// Read drafts a sweep: it decodes the sweep file and checks it against the
// templates, all mistakes at once. Expand then lists the runs.
func Read(ctx context.Context, src Source) (*Draft, error) {
	d := &Draft{}
	var err error
	if d.Dir, err = folderOf(src.File); err != nil {
		return nil, err
	}
	// A spec with mistakes is read on, so that all of them are told at once.
	if d.Spec, err = decodeSpec(src); d.Spec == nil {
		return nil, err
	}
	declared, unread := d.readTemplates()
	if unread != nil {
		return nil, errors.Join(err, unread)
	}
	in := grid.Inputs{AsOf: src.AsOf, Declared: declared, Rows: map[string]grid.Rows{}}
	for _, path := range d.Spec.Sources() {
		if in.Rows[path], err = src.Rows(d.Path(path)); err != nil {
			return nil, fmt.Errorf("read rows of %s: %w", path, err)
		}
	}
	if d.Grid, err = d.Spec.Grid(in); err != nil {
		return nil, err
	}
	d.Warnings = append(d.Warnings, d.Grid.Warnings()...)
	if err := d.readFiles(); err != nil {
		return nil, err
	}
	d.fillHead(src)
	return d, ctx.Err()
}

func folderOf(file string) (string, error) {
	if file == "-" {
		return os.Getwd()
	}
	return filepath.Abs(filepath.Dir(file))
}

func decodeSpec(src Source) (*grid.Spec, error) {
	var overlays []grid.Source
	for _, o := range src.Overlays {
		overlays = append(overlays, grid.Source{File: o.File, Text: o.Text})
	}
	for _, s := range src.Set {
		o, err := grid.SetOverlay(s)
		if err != nil {
			return nil, err
		}
		overlays = append(overlays, o)
	}
	return grid.Decode(src.File, src.Text, overlays...)
}

// Path makes a path of the sweep file one of this machine.
func (d *Draft) Path(p string) string {
	p = filepath.FromSlash(p)
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(d.Dir, p)
}

// readTemplates reads every template and returns what each declares.
func (d *Draft) readTemplates() (map[string][]grid.Param, error) {
	declared := map[string][]grid.Param{}
	var problems []error
	for _, ref := range d.Spec.Templates {
		params, err := d.readTemplate(ref)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: template %s: %w", d.Spec.Where("template"), ref.Path, err))
			continue
		}
		declared[ref.Slot] = params
	}
	return declared, errors.Join(problems...)
}

func (d *Draft) readTemplate(ref grid.TemplateRef) ([]grid.Param, error) {
	text, err := os.ReadFile(d.Path(ref.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no such file")
	}
	if err != nil {
		return nil, err
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return nil, err
	}
	d.Templates = append(d.Templates, Template{Slot: ref.Slot, Path: ref.Path, Code: doc.CodeDigest(), Text: doc.TextDigest()})
	d.TemplateDocs = append(d.TemplateDocs, text)
	d.Recipe.Modules = union(d.Recipe.Modules, doc.Imports())
	params, found, err := doc.Parameters()
	if err != nil {
		return nil, err
	}
	if !found && len(d.Spec.Names()) > 0 {
		return nil, hintedError{errors.New("it has no cell tagged `parameters`"),
			"tag the cell that holds the default values: in JupyterLab, property inspector, cell tags"}
	}
	if len(d.Spec.Names()) > 0 {
		if err := injectable(doc, d.Spec.Kernel); err != nil {
			return nil, err
		}
	}
	return declaredParams(params), nil
}

// injectable tries on a copy whether parameters can be written in the
// template's language.
func injectable(doc *notebook.Notebook, kernel string) error {
	_, err := doc.Clone().Prepare(notebook.PrepareOptions{Args: []notebook.Argument{{Name: "x", Value: 0}}, Kernel: kernel})
	return err
}

// hintedError carries what to do about it.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Hint() string { return e.hint }

// declaredParams is what the grid checks values against.
func declaredParams(ps []notebook.Parameter) []grid.Param {
	out := []grid.Param{} // known to declare nothing is not the same as unknown
	for _, p := range ps {
		g := grid.Param{Name: p.Name, Type: p.Type}
		if p.HasValue {
			if v, err := value.Of(p.Value); err == nil {
				g.HasDefault, g.Default, g.Kind = true, v, v.Kind()
			}
		}
		for _, c := range p.Choices {
			if v, err := value.Of(c); err == nil {
				g.Choices = append(g.Choices, v)
			}
		}
		out = append(out, g)
	}
	return out
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	sort.Strings(a)
	return a
}

// maxFrozen bounds what is frozen with a sweep, in bytes.
const maxFrozen = 1 << 30

// readFiles reads what `files:` names and the Python modules beside the
// templates that they import.
func (d *Draft) readFiles() error {
	names := map[string]bool{}
	for _, pattern := range d.Spec.Files {
		found, err := filesOf(d.Dir, pattern)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		if len(found) == 0 {
			return fmt.Errorf("files: nothing matches %q in %s", pattern, d.Dir)
		}
		for _, f := range found {
			names[f] = true
		}
	}
	for _, f := range localModules(d.Dir, d.Recipe.Modules) {
		names[f] = true
	}
	total := int64(0)
	for _, name := range sortedKeys(names) {
		f, err := readFile(d.Dir, name)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		if total += int64(len(f.Data)); total > maxFrozen {
			return hintedError{fmt.Errorf("files: more than %d MB would be frozen with the sweep", maxFrozen>>20), "name large data under `inputs:`, which are watched and not copied"}
		}
		d.Bundle = append(d.Bundle, f)
	}
	return nil
}

func sortedKeys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// filesOf lists the files that a pattern of `files:` matches, relative to dir.
func filesOf(dir, pattern string) ([]string, error) {
	if !fs.ValidPath(path.Clean(pattern)) {
		return nil, fmt.Errorf("%q leaves the sweep file's folder", pattern)
	}
	found, err := glob.Files(dir, pattern)
	return slices.DeleteFunc(found, isOwn), err
}

var ownFolder = regexp.MustCompile(`(\.sweep|__pycache__|\.ipynb_checkpoints)/`)

// isOwn reports whether a file belongs to fanout, Python or Jupyter.
func isOwn(name string) bool { return ownFolder.MatchString(name) }

func readFile(dir, name string) (File, error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	b, err := os.ReadFile(path)
	return File{Name: name, Mode: info.Mode(), Data: b}, err
}

// localModules finds the Python files beside the templates that modules name,
// and those that these import in turn.
func localModules(dir string, modules []string) []string {
	var found []string
	seen := map[string]bool{}
	queue := slices.Clone(modules)
	for len(queue) > 0 {
		module := queue[0]
		queue = queue[1:]
		if seen[module] {
			continue
		}
		seen[module] = true
		for _, name := range moduleFiles(dir, module) {
			found = append(found, name)
			if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
				queue = append(queue, notebook.ImportsOf(string(b))...)
			}
		}
	}
	return found
}

// moduleFiles are the files of one top-level module beside the template.
func moduleFiles(dir, module string) []string {
	top, _, _ := strings.Cut(module, ".")
	if info, err := os.Stat(filepath.Join(dir, top+".py")); err == nil && info.Mode().IsRegular() {
		return []string{top + ".py"}
	}
	if _, err := os.Stat(filepath.Join(dir, top, "__init__.py")); err != nil {
		return nil
	}
	files, _ := filesOf(dir, top+"/**/*.py")
	return files
}

// Expand lists the runs.
func (d *Draft) Expand(ctx context.Context) error {
	d.Inputs = map[string]string{}
	inputs := &inputDigester{dir: d.Dir, patterns: d.Spec.Inputs, seen: map[string][]byte{}}
	for p := range d.Grid.Points() {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := NewRun(p)
		own := settingsOf(d.Grid.Settings(p))
		var err error
		if own.Placement, err = d.placementOf(p); err != nil {
			return err
		}
		if own != d.Recipe.Settings {
			r.Settings = &own
		}
		if len(d.Spec.Inputs) > 0 {
			digest, err := inputs.digest(r)
			if err != nil {
				return err
			}
			d.Inputs[r.ID] = digest
		}
		d.Runs = append(d.Runs, r)
	}
	return d.Grid.Err()
}

// placementOf is where a point's run goes, as canonical JSON.
func (d *Draft) placementOf(p grid.Point) (string, error) {
	fields, err := d.Grid.Placement(p)
	if err != nil || len(fields) == 0 {
		return "", err
	}
	all := map[string]any{}
	for _, f := range fields {
		if v := f.Value.Any(); v != nil { // null leaves a field as it is
			all[f.Name] = v
		}
	}
	v, err := value.Of(all)
	return v.String(), err
}

// fillHead copies what executors and readers need of the sweep file.
func (d *Draft) fillHead(src Source) {
	s := d.Spec
	d.Name, d.AsOf, d.Created = s.Name, src.AsOf.UTC(), now()
	d.SpecName = filepath.Base(src.File)
	d.Axes = d.Grid.Axes()
	r := &d.Recipe
	r.Kernel, r.Python, r.Warm, r.SharePrefix = s.Kernel, s.Python, s.Warm, s.SharePrefix
	r.Keep, r.Workdir = s.Keep, s.Workdir
	for _, e := range s.Env {
		r.Env = append(r.Env, e.Name+"="+e.Value)
	}
	for _, secret := range s.Secrets {
		r.Secrets = append(r.Secrets, Secret{secret.Param, secret.Env})
	}
	r.Settings = settingsOf(d.Grid.Defaults())
}

// SetSource records where the sweep file's folder is, relative to the sweep
// at out where that is possible: of a bucket it is not.
func (d *Draft) SetSource(out string) {
	d.Source = filepath.ToSlash(d.Dir)
	if store.IsURL(out) {
		return
	}
	abs, err := filepath.Abs(out)
	if err != nil {
		return
	}
	if rel, err := filepath.Rel(abs, d.Dir); err == nil {
		d.Source = filepath.ToSlash(rel)
	}
}

func settingsOf(g grid.Settings) Settings {
	t := g.Timeout
	return Settings{
		StartTimeout: t.Start.D, CellTimeout: t.Cell.D, RunTimeout: t.Run.D,
		CellPercent: t.Cell.Percent, RunPercent: t.Run.Percent,
		Memory: g.Resources.Memory, CPU: g.Resources.CPU, Kernel: g.Kernel,
	}
}
