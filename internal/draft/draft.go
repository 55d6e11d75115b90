// Package draft reads what a user wrote to describe a sweep and drafts its
// plan: the sweep file with its overlays, the templates, the rows that `from:`
// names, the files and modules that travel with the runs, and the state of
// their inputs. Read checks all of it, reports every mistake with its place and
// writes nothing; Expand lists the runs. The Plan in a Draft is what package
// sweep stores; once it is stored, a sweep needs none of these files.
//
// Package draft is the only one that reads the user's files to plan with.
package draft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/page"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Source is where a sweep is drafted from.
type Source struct {
	File     string    // path of the sweep file; "-" is standard input
	Overlays []string  // paths of sweep files laid over it, in order
	Set      []string  // name=value, for every run
	AsOf     time.Time // the logical date
	Stdin    io.Reader // the sweep file or rows, whichever is called "-"
}

// ParseAsOf reads a logical date: a day, or a time with a zone.
func ParseAsOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Add(12 * time.Hour), nil // noon UTC is that day in nearly every zone
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q: want a date such as 2026-03-31 or 2026-03-31T02:00:00Z", text)
}

// A Draft is a sweep file with everything it names read and checked, ready to
// be planned.
type Draft struct {
	sweep.Plan
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
	// The templates are read even if the sweep file has mistakes, so that all
	// mistakes are reported at once.
	if d.Spec, err = decodeSpec(src); d.Spec == nil {
		return nil, err
	}
	declared, unread := d.readTemplates()
	if unread != nil {
		return nil, errors.Join(err, unread)
	}
	in := grid.Inputs{AsOf: src.AsOf, Declared: declared, Rows: map[string]grid.Rows{}}
	for _, path := range d.Spec.Sources() {
		if in.Rows[path], err = src.rows(d.Path(path)); err != nil {
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
	text, err := readSpec(src)
	if err != nil {
		return nil, unit.WithHint(fmt.Errorf("read sweep file: %w", err), "`fanout init` writes one to start from")
	}
	var overlays []grid.Source
	for _, file := range src.Overlays {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read overlay: %w", err)
		}
		overlays = append(overlays, grid.Source{File: file, Text: text})
	}
	for _, s := range src.Set {
		o, err := grid.SetOverlay(s)
		if err != nil {
			return nil, err
		}
		overlays = append(overlays, o)
	}
	return grid.Decode(src.File, text, overlays...)
}

func readSpec(src Source) ([]byte, error) {
	if src.File == "-" {
		return io.ReadAll(src.Stdin)
	}
	return os.ReadFile(src.File)
}

// Path turns a path of the sweep file into one of this machine.
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
		if ref.Path == "" {
			continue // which is a mistake of the sweep file
		}
		params, err := d.readTemplate(ref)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: template %s: %w", d.Spec.WhereTemplate(), ref.Path, err))
			continue
		}
		declared[ref.Slot] = params
	}
	return declared, errors.Join(problems...)
}

func (d *Draft) readTemplate(ref grid.TemplateRef) ([]grid.Param, error) {
	text, err := readWhole(d.Path(ref.Path))
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
	d.Templates = append(d.Templates, sweep.Template{Slot: ref.Slot, Path: ref.Path, Code: doc.CodeDigest(), Text: doc.TextDigest()})
	d.TemplateDocs = append(d.TemplateDocs, text)
	d.Recipe.Modules = union(d.Recipe.Modules, doc.Imports())
	params, found, err := doc.Parameters()
	if err != nil {
		return nil, err
	}
	names := d.Spec.NamesFor(ref.Slot)
	if !found && len(names) > 0 {
		return nil, unit.WithHint(errors.New("it has no cell tagged `parameters`"),
			"tag the cell that holds the default values: in JupyterLab, property inspector, cell tags")
	}
	if len(names) > 0 {
		if err := injectable(doc, names, d.Spec.Kernel); err != nil {
			return nil, err
		}
	}
	return declaredParams(params), nil
}

// injectable tries on a copy whether parameters can be written in the
// template's language, and stay what they are.
func injectable(doc *notebook.Notebook, names []string, kernel string) error {
	args := make([]notebook.Argument, len(names))
	for i, name := range names {
		args[i] = notebook.Argument{Name: name, Value: 0}
	}
	_, err := doc.Clone().Prepare(notebook.PrepareOptions{Args: args, Kernel: kernel})
	return err
}

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

// Expand lists the runs.
func (d *Draft) Expand(ctx context.Context) error {
	d.Inputs = map[string]string{}
	inputs := d.inputDigester()
	if n, err := d.Grid.Count(ctx); err == nil {
		d.Runs = make([]sweep.Run, 0, n)
	}
	points := d.Grid.Points()
	if d.Spec.Grows() {
		points = d.Grid.Reserve()
	}
	for p := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := sweep.NewRun(p)
		own := settingsOf(d.Grid.Settings(p))
		var err error
		if own.Placement, err = d.placementOf(p); err != nil {
			return err
		}
		if own != d.Recipe.Settings {
			kept := own // of its own: most runs need none
			r.Settings = &kept
		}
		if err := d.noteInputs(inputs, r); err != nil {
			return err
		}
		d.Runs = append(d.Runs, r)
	}
	if err := errors.Join(d.Grid.Err(), inputs.unused()); err != nil {
		return err
	}
	if _, err := page.Names(d.Spec.HTML.Page(), d.Runs); err != nil || !d.Spec.Grows() {
		return err
	}
	return d.begin()
}

// begin plans what a sweep that grows begins with. A replicate, or a point, of
// all variants comes before the next one, so that a slow hour meets them all.
func (d *Draft) begin() error {
	d.Reserve = d.Runs
	slices.SortStableFunc(d.Reserve, func(a, b sweep.Run) int {
		return cmp.Or(cmp.Compare(a.Round, b.Round), cmp.Compare(a.Replicate, b.Replicate))
	})
	d.Runs = slices.DeleteFunc(slices.Clone(d.Reserve), func(r sweep.Run) bool {
		switch s := d.Spec; {
		case s.Halve.Grows():
			return r.Round > 0
		case s.Sample.Grows():
			return r.Round >= s.Sample.N
		default:
			return r.Replicate >= s.Repeat.N
		}
	})
	return d.checkMax()
}

// checkMax finds a `max` that where and exclude do not leave, for any variant.
func (d *Draft) checkMax() error {
	points, replicates := 0, 0
	for _, r := range d.Reserve {
		points, replicates = max(points, r.Round+1), max(replicates, r.Replicate+1)
	}
	s := d.Spec
	switch {
	case points < s.Sample.Max:
		return unit.WithHint(fmt.Errorf("%s: `max` is %d, and the grid has %s to take", s.Where("sample"), s.Sample.Max, unit.Plural(points, "point")), "lower `max`")
	case len(d.Reserve) > 0 && replicates < s.Repeat.Max:
		return unit.WithHint(fmt.Errorf("%s: `max` is %d, and `where` leaves %s", s.Where("repeat"), s.Repeat.Max, unit.Plural(replicates, "replicate")), "lower `max`")
	}
	return nil
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
	d.Name, d.AsOf, d.Created = s.Name, src.AsOf.UTC(), time.Now().UTC()
	d.SpecName = filepath.Base(src.File)
	d.Axes = d.Grid.Axes()
	r := &d.Recipe
	r.Kernel, r.Python, r.Warm, r.SharePrefix = s.Kernel, s.Python, s.Warm, s.SharePrefix
	r.Keep, r.Workdir = s.Keep, s.Workdir
	for _, e := range s.Env {
		r.Env = append(r.Env, e.Name+"="+e.Value)
	}
	for _, secret := range s.Secrets {
		x := sweep.Secret{Param: secret.Param, Env: secret.Env}
		for _, st := range s.Steps {
			if d.Grid.Takes(st.Name, secret.Param) {
				x.Steps = append(x.Steps, st.Name)
			}
		}
		r.Secrets = append(r.Secrets, x)
	}
	r.Settings = settingsOf(d.Grid.Defaults())
	for _, st := range s.Steps {
		d.Steps = append(d.Steps, d.stepOf(st))
	}
}

// stepOf is what executors and readers need of a step.
func (d *Draft) stepOf(st grid.Step) sweep.Step {
	out := sweep.Step{Name: st.Name, Axes: d.Grid.StepAxes(st.Name), Keep: st.Keep}
	for _, n := range st.Needs {
		out.Needs = append(out.Needs, needs.Need{Step: n.Step, Share: n.Share})
	}
	for _, w := range st.With {
		x := sweep.With{Param: w.Param, Expr: w.Expr}
		if x.Float = w.Wants == value.Float; w.Wants != value.Null {
			x.Kind = w.Wants.String()
		}
		out.With = append(out.With, x)
	}
	return out
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

func settingsOf(g grid.Settings) sweep.Settings {
	t := g.Timeout
	return sweep.Settings{
		StartTimeout: t.Start.D, CellTimeout: t.Cell.D, RunTimeout: t.Run.D,
		CellPercent: t.Cell.Percent, RunPercent: t.Run.Percent,
		Memory: g.Resources.Memory, CPU: g.Resources.CPU, Kernel: g.Kernel,
	}
}
