// Package grid reads sweep files and expands them into points.
//
// In goes the text of a sweep file, and what its templates declare; out comes
// a Grid that yields every point once, lazily, in an order the file fixes, and
// every mistake of the file at once, with its place. Values keep one canonical
// form, so a point has an identity that neither the order of axes nor the
// spelling of numbers changes.
//
// Package grid is pure: rows of files that the grid draws on are handed in. How
// YAML, dates, rows, axes and settings are read are packages beneath it; package
// grid knows what they mean together.
package grid

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/overlay"
	"github.com/fanout-dev/fanout/internal/grid/internal/rows"
	"github.com/fanout-dev/fanout/internal/grid/internal/settings"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Spec is a sweep file as written: decoded and checked, nothing expanded.
type Spec struct {
	settings.Sweep
	Templates    []TemplateRef   // of steps, where there are any: a slot each
	TemplateAxis string          // name of the axis, when there are several templates
	Parameters   []value.Binding // constants
	Secrets      []Secret
	Baseline     []value.Binding
	Limits       []ValueLimit
	Placement    []value.Binding // Nomad field ← expression
	Repeat       Repeat
	Sample       Sample
	Halve        Halve
	Steps        []Step // each after those it needs; none where one template, or a template axis, is all

	source    axes.Source
	include   []partial
	exclude   []partial
	where     *placedExpr
	derive    []derived
	overrides []override
	baseline  partial
	placement []*placedExpr // by field of Placement; nil when its value is fixed

	text       []byte
	reader     *yaml.Reader          // with the mistakes that Decode found
	nodes      map[string]*yaml.Node // top-level keys
	paramNodes map[string]*yaml.Node // keys of parameters
	limitNodes map[string]*yaml.Node // keys of limits
}

// A TemplateRef names a template notebook. Slot is its value on the template
// axis, or its step; empty when there is one template.
type TemplateRef struct{ Slot, Path string }

// A Secret is a parameter read from the environment where a run executes.
type Secret struct{ Param, Env string }

// A ValueLimit bounds how many runs with one value execute at once.
type ValueLimit struct {
	Axis string
	N    int
}

// Settings of the sweep file that other packages name.
type (
	// Settings has the settings of one point.
	Settings = settings.Point
	// Limit is a duration, or a percentage of the median of finished runs.
	Limit = settings.Limit
	// Retries defines which failures are retried.
	Retries = settings.Retries
	// Notice is sent when a sweep has ended.
	Notice = settings.Notice
	// Mail is who gets the summary of a sweep by mail, and through which server.
	Mail = settings.Mail
)

// ParseLimit reads a duration, or a percentage of the median: "30m", "300%".
func ParseLimit(text string) (Limit, error) { return settings.ParseLimit(text) }

// Text is the sweep file as it was read.
func (s *Spec) Text() []byte { return s.text }

// Where is the place of a top-level key, for messages: "sweep.yaml:3:1".
func (s *Spec) Where(key string) string {
	e := s.reader.At(s.nodes[key])
	return strings.TrimSuffix(e.Error(), ": ")
}

// WhereTemplate is the place of what names the templates.
func (s *Spec) WhereTemplate() string {
	if len(s.Steps) > 0 {
		return s.Where("steps")
	}
	return s.Where("template")
}

// Errors are all mistakes of a file, each with its place.
type Errors = diagnostic.Errors

// A Source is a sweep file laid over another, or values set for every run.
type Source = overlay.Source

// SetOverlay reads "name=value" into a source that sets a parameter for every
// run, instead of an axis of that name. The value is YAML; text that is not YAML
// is a string. The error is Errors.
func SetOverlay(pair string) (Source, error) { return overlay.Set(pair) }

// DecodeBindings reads a YAML map of parameters, in its order. The error is
// Errors.
func DecodeBindings(file string, text []byte) ([]value.Binding, error) {
	return overlay.Bindings(file, text)
}

// Rows are points read from a file, in its order.
type Rows = [][]value.Binding

// ReadRows reads the points of a file of rows: comma- or tab-separated values
// with a line of names, or JSON objects, one a line. The ending of the name
// decides which; for any other ending, the text does. Values of a table are
// strings until Grid gives them the types that the template declares, and an
// empty field is null. The error is Errors.
func ReadRows(file string, text []byte) (Rows, error) { return rows.Read(file, text) }

// Decode reads a sweep file and what is laid over it. The error is Errors. The
// spec is not nil whenever the file is YAML: its templates are known as far as
// they could be read, and Grid then reports these mistakes together with those
// that it can find itself.
func Decode(file string, text []byte, overlays ...Source) (*Spec, error) {
	r := yaml.NewReader(file)
	root, err := r.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, Errors{{File: file, Msg: "the file is empty", Help: "`fanout init` writes one to start from"}}
	}
	for _, o := range overlays {
		if root, err = o.Apply(r, root, axes.Ways); err != nil {
			return nil, err
		}
	}
	s := &Spec{
		Sweep: settings.Default(), Repeat: Repeat{N: 1}, text: text, reader: r,
		nodes: map[string]*yaml.Node{}, paramNodes: map[string]*yaml.Node{}, limitNodes: map[string]*yaml.Node{},
	}
	if s.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)); file == "-" {
		s.Name = "sweep"
	}
	s.decode(r, root)
	if err := r.Err(); err != nil {
		return s, err
	}
	if len(overlays) > 0 {
		s.text = yaml.Encode(root)
	}
	return s, nil
}

func (s *Spec) decode(r *yaml.Reader, root *yaml.Node) {
	names := form.Names(keys)
	var sources []yaml.Field
	for _, f := range r.Fields(root, "a map with the keys of a sweep file") {
		s.nodes[f.Name] = f.Key
		switch i := slices.Index(names, f.Name); {
		case i >= 0:
			keys[i].Read(r, f.Node, s)
		case slices.Contains(axes.Ways, f.Name):
			sources = append(sources, f)
		default:
			r.Errorf(f.Key, "unknown key `%s`%s", f.Name, diagnostic.DidYouMean(f.Name, slices.Concat(names, axes.Ways)))
		}
	}
	s.checkStepsOrTemplate(r, root)
	s.decodeSource(r, root, sources)
	if s.Halve.Grows() {
		s.source = axes.Across(s.source, s.Halve.Axis())
	}
}

func (s *Spec) decodeSource(r *yaml.Reader, root *yaml.Node, found []yaml.Field) {
	switch len(found) {
	case 0:
		s.source = axes.Nothing()
		if len(s.include) > 0 {
			return // they are all the points there are
		}
		if s.Repeat.N > 1 && s.nodes["grid"] == nil {
			s.source = axes.Once(s.nodes["repeat"]) // one point, again and again
			return
		}
		r.Hintf(root, "add `grid:` with an axis, such as `grid: {seed: [1, 2, 3]}`", "`grid` is missing")
	case 1:
		s.source = axes.Read(r, found[0])
	default:
		s.source = axes.Nothing()
		r.Hintf(found[1].Key, "join them under `any_of`", "`%s` and `%s` both define the points", found[0].Name, found[1].Name)
	}
}
