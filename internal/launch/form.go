// Package launch lets people who write no code start what others wrote: a sweep file
// or a template becomes a form, what is filled in becomes an order, and a queue
// executes orders one after the other.
//
// In go the path of a file that the caller found, and texts from a form; out comes an
// order: arguments and a sweep file for the fanout command. It promises that a text
// is data: it can become the value of a parameter that the file declares, of the type
// that it declares, and nothing else; that an order names no path, command,
// environment or interpreter which did not come from the file; and that an accepted
// order is executed although the server is started again.
//
// It knows nothing of browsers, and of who may order what.
package launch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Bounds of what a form takes.
const (
	maxFile   = 32 << 20
	maxText   = 64 << 10 // of a value
	maxShown  = 4000     // of a default, in characters
	maxValues = 1000
	maxDepth  = 5 // of lists in lists
)

// A Form is what may be filled in to launch a file.
type Form struct {
	Title, About string
	Fields       []Field
	Sweep        bool     // the file is a sweep file, else a template
	Templates    []string // of a sweep file

	path string
	name string
}

// A Field is one parameter.
type Field struct {
	Name, Help string
	Kind       string   // Text, Integer, …
	Default    string   // what it is when nothing is filled in, for people
	Part       bool     // Default is only the beginning
	Varies     bool     // the sweep file has several values for it
	Choices    []string // of a Choice, as JSON
}

// The kinds of fields.
const (
	Text    = "text"
	Any     = "number, list or text" // nothing says which
	Integer = "integer"
	Number  = "number"
	Truth   = "true or false"
	Choice  = "choice"
	Date    = "date"
	List    = "list"
	Fixed   = "fixed" // not to be filled in: Default says what it is
)

// FormOf reads the form of a file: a notebook, or a sweep file. A file that is
// neither is a mistake.
func FormOf(ctx context.Context, path string) (Form, error) {
	if strings.HasSuffix(path, ".ipynb") {
		return formOfTemplate(path)
	}
	return formOfSweep(ctx, path)
}

func formOfTemplate(path string) (Form, error) {
	doc, err := decode(path)
	if err != nil {
		return Form{}, unit.Mistake(err)
	}
	declared, found, err := doc.Parameters()
	switch {
	case err != nil:
		return Form{}, unit.Mistake(err)
	case !found:
		return Form{}, unit.Mistake(unit.WithHint(errors.New("this notebook is no template"), "give the cell with its parameters the tag `parameters`"))
	}
	f := Form{path: path, name: nameOf(path)}
	f.Title, f.About = shelf.Heading(doc)
	for _, p := range declared {
		f.Fields = append(f.Fields, fieldOf(p))
	}
	return f, nil
}

func decode(path string) (*notebook.Notebook, error) {
	if info, err := os.Stat(path); err != nil || info.Size() > maxFile {
		return nil, errors.Join(err, fmt.Errorf("read %s: it is no template", unit.Path(path)))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return notebook.Decode(text)
}

// badName is what a sweep of a template's name cannot have in its name.
var badName = regexp.MustCompile(`[^\pL\pN_-]+`)

func nameOf(path string) string {
	name := strings.Trim(badName.ReplaceAllString(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), "-"), "-")
	if name == "" {
		return "launch"
	}
	return unit.Cut(name, 60)
}

func formOfSweep(ctx context.Context, path string) (Form, error) {
	if info, err := os.Stat(path); err != nil || info.Size() > 1<<20 {
		return Form{}, unit.Mistake(errors.Join(err, fmt.Errorf("read %s: it is no sweep file", unit.Path(path))))
	}
	d, err := draft.Read(ctx, draft.Source{File: path, AsOf: time.Now(), Stdin: strings.NewReader("")})
	if err != nil {
		return Form{}, unit.Mistake(err)
	}
	f := Form{path: path, Sweep: true, name: d.Spec.Name}
	declared := map[string]notebook.Parameter{}
	for i, t := range d.Templates {
		f.Templates = append(f.Templates, unit.Line(t.Path))
		doc, err := notebook.Decode(d.TemplateDocs[i])
		if err != nil {
			return Form{}, unit.Mistake(err)
		}
		if f.Title = unit.Line(d.Spec.Name); len(d.Templates) == 1 {
			f.Title, f.About = shelf.Heading(doc)
		}
		ps, _, err := doc.Parameters()
		if err != nil {
			return Form{}, unit.Mistake(err)
		}
		for _, p := range ps {
			if _, twice := declared[p.Name]; !twice {
				f.Fields = append(f.Fields, fieldOf(p))
			}
			declared[p.Name] = p
		}
	}
	for i := range f.Fields {
		f.Fields[i].inSweep(d)
	}
	return f, nil
}

// inSweep is the field as the sweep file has it.
func (f *Field) inSweep(d *draft.Draft) {
	for _, s := range d.Spec.Secrets {
		if s.Param == f.Name {
			f.Kind, f.Default = Fixed, "the secret "+s.Env
		}
	}
	for _, st := range d.Spec.Steps {
		for _, w := range st.With {
			if w.Param == f.Name {
				f.Kind, f.Default = Fixed, "passed to the step "+st.Name+": "+unit.Cut(unit.Line(w.Expr), 200)
			}
		}
	}
	if v, ok := value.Lookup(d.Spec.Parameters, f.Name); ok && f.Kind != Fixed {
		f.Default = shown(v)
	}
	for _, a := range d.Axes {
		if a.Name == f.Name && len(a.Values) > 0 {
			f.Varies, f.Default = true, fmt.Sprintf("%s … %s", shown(a.Values[0]), shown(a.Values[len(a.Values)-1]))
			if len(a.Values) == 1 {
				f.Varies, f.Default = false, shown(a.Values[0])
			}
		}
	}
}

func shown(v value.Value) string { return unit.Cut(v.Text(), 200) }

// Chosen is a choice for people: as a text is written in a notebook, unless that could be
// another choice.
func (f Field) Chosen(choice string) string {
	text := func(json string) string {
		v, err := value.Parse([]byte(json))
		if err != nil {
			return json
		}
		return v.Text()
	}
	same := 0
	for _, c := range f.Choices {
		if text(c) == text(choice) {
			same++
		}
	}
	if same > 1 || text(choice) == "" {
		return choice
	}
	return text(choice)
}

// Long reports whether a field takes more than a line.
func (f Field) Long() bool {
	return f.Kind == Text && (strings.Contains(f.Default, "\n") || len(f.Default) > 80)
}

var isDay = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// fieldOf is the field of a declared parameter.
func fieldOf(p notebook.Parameter) Field {
	f := Field{Name: p.Name, Help: unit.Line(p.Help), Kind: Text}
	v, err := value.Of(p.Value)
	if p.HasValue && err == nil && v.Kind() != value.Null {
		f.Default = unit.Cut(v.Text(), maxShown)
		f.Part = f.Default != v.Text()
	} else if !p.HasValue && p.Default != "" {
		f.Default = unit.Cut(unit.Line(p.Default), 200)
	}
	declared := strings.TrimSpace(strings.NewReplacer("typing.", "", "Optional[", "", "]", "", "| None", "", "None |", "").Replace(p.Type))
	switch {
	case slices.ContainsFunc(p.Choices, func(c any) bool { return c != nil }): // Optional alone allows more than nothing
		f.Kind = Choice
		for _, c := range p.Choices {
			if v, err := value.Of(c); err == nil {
				f.Choices = append(f.Choices, v.String())
			}
		}
	case v.Kind() == value.Bool || declared == "bool":
		f.Kind = Truth
	case v.Kind() == value.Float || declared == "float":
		f.Kind = Number
	case v.Kind() == value.Int || declared == "int":
		f.Kind = Integer
	case v.Kind() == value.Map || strings.HasPrefix(declared, "dict"):
		f.Kind = Fixed // a map in a sweep file may mean something
	case v.Kind() == value.List || strings.HasPrefix(declared, "list"):
		f.Kind = List
	case isDay.MatchString(f.Default):
		f.Kind = Date
	case v.Kind() != value.String && !strings.HasPrefix(strings.ToLower(declared), "str"):
		f.Kind = Any
	}
	return f
}

var isWhole = regexp.MustCompile(`^[+-]?[0-9]{1,300}$`)

// read makes the value of what was filled in. It is never a map: in a sweep file
// those can mean something.
func (f Field) read(text string) (v value.Value, err error) {
	wrong := func(want string) (value.Value, error) {
		return v, unit.Mistake(fmt.Errorf("%s: want %s, not %q", f.Name, want, unit.Cut(unit.Line(text), 100)))
	}
	if len(text) > maxText || !utf8.ValidString(text) {
		return v, unit.Mistake(fmt.Errorf("%s: want a text of up to %s", f.Name, unit.Bytes(maxText)))
	}
	trimmed := strings.TrimSpace(text)
	switch f.Kind {
	case Text:
		return value.Of(text)
	case Date:
		if _, err := time.Parse(time.DateOnly, trimmed); err != nil {
			return wrong("a day such as 2026-03-31")
		}
		return value.Of(trimmed)
	case Integer:
		if !isWhole.MatchString(trimmed) {
			return wrong("a whole number")
		}
		return value.Parse([]byte(wholeJSON(trimmed)))
	case Number:
		x, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return wrong("a number")
		}
		return value.Parse([]byte(value.FloatJSON(x)))
	case Truth:
		if trimmed != "true" && trimmed != "false" {
			return wrong("true or false")
		}
		return value.Of(trimmed == "true")
	case Choice:
		if !slices.Contains(f.Choices, text) {
			return wrong("one of " + unit.Together(f.Choices))
		}
		return value.Parse([]byte(text))
	case Any:
		x, err := value.Decode([]byte(trimmed))
		if list, isList := x.([]any); err != nil || isList && !plainList(list, maxDepth) {
			return value.Of(text)
		}
		if _, isMap := x.(map[string]any); isMap {
			return value.Of(text)
		}
		return value.Of(x)
	case List:
		x, err := value.Decode([]byte(trimmed))
		if list, isList := x.([]any); err != nil || !isList || !plainList(list, maxDepth) {
			return wrong(`a list such as [1, 2] or ["a", "b"], without maps`)
		}
		return value.Of(x)
	}
	return v, unit.Mistake(fmt.Errorf("%q is not for this form to set", f.Name))
}

// wholeJSON is a whole number as JSON spells it.
func wholeJSON(text string) string {
	sign := ""
	if text[0] == '-' {
		sign = "-"
	}
	digits := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0")
	if digits == "" {
		return "0"
	}
	return sign + digits
}

func plainList(list []any, depth int) bool {
	return depth > 0 && !slices.ContainsFunc(list, func(x any) bool {
		switch x := x.(type) {
		case map[string]any:
			return true
		case []any:
			return !plainList(x, depth-1)
		}
		return false
	})
}

// Filled is what somebody filled in: a field that is empty keeps its default.
type Filled struct {
	Values map[string]string
	Axis   string    // the parameter of a template that takes several values
	Along  []string  // these
	Shown  time.Time // when the sweep's name was shown first; zero is not yet
}

// Order makes the order of what was filled in. A name that the form does not have is
// a mistake.
func (f Form) Order(in Filled, now time.Time) (Order, error) {
	var set []value.Binding
	for name := range in.Values {
		if !slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Name == name }) {
			return Order{}, unit.Mistake(fmt.Errorf("there is no parameter %q", unit.Cut(unit.Line(name), 100)))
		}
	}
	for _, field := range f.Fields {
		text := strings.ReplaceAll(in.Values[field.Name], "\r\n", "\n") // as browsers end lines
		if text == "" || text == field.Default && !field.Varies || field.Name == in.Axis {
			continue
		}
		v, err := field.read(text)
		if err != nil {
			return Order{}, err
		}
		set = append(set, value.Binding{Name: field.Name, Value: v})
	}
	o := Order{Kind: Launch, File: f.path, Name: f.name, At: now.UTC(), Stamp: stamp(in.Shown, now)}
	o.Where = filepath.Join(filepath.Dir(f.path), f.name+"-"+o.Stamp+".sweep")
	if f.Sweep {
		if len(set) == 0 {
			o.Stamp = ""
			o.Where = filepath.Join(filepath.Dir(f.path), f.name+".sweep")
		}
		o.Args = []string{"run", f.path, "-o", o.Where}
		for _, b := range set {
			o.Args = append(o.Args, "--set", b.Name+"="+b.Value.String())
			o.Set = append(o.Set, b.Name+"="+b.Value.String())
		}
		return o, nil
	}
	return o, f.orderTemplate(&o, in, set)
}

// shownFor is for how long a name that was shown is kept for a sweep.
const shownFor = 24 * time.Hour

// stamp is the moment in the name of a new sweep: that of the preview, or else now.
func stamp(shown, now time.Time) string {
	if age := now.Sub(shown); age < 0 || age > shownFor {
		shown = now
	}
	return shown.UTC().Format(StampForm)
}

// StampForm is the form of moments in the names of sweeps.
const StampForm = "20060102-150405"

// orderTemplate writes the sweep file of a template.
func (f Form) orderTemplate(o *Order, in Filled, set []value.Binding) error {
	spec := []member{{"name", f.name}, {"template", f.path}}
	var along []value.Value
	if in.Axis != "" {
		i := slices.IndexFunc(f.Fields, func(x Field) bool { return x.Name == in.Axis })
		if i < 0 || len(in.Along) == 0 || len(in.Along) > maxValues {
			return unit.Mistake(fmt.Errorf("several values: choose a parameter, and give 1 to %d values, one a line", maxValues))
		}
		for _, text := range in.Along {
			v, err := f.Fields[i].read(text)
			if err != nil {
				return err
			}
			along = append(along, v)
		}
	}
	for _, b := range set {
		o.Set = append(o.Set, b.Name+"="+b.Value.String())
	}
	if along == nil {
		spec = append(spec, member{"list", []any{object(nil)}})
	} else {
		o.Set = append(o.Set, fmt.Sprintf("%s: %s", in.Axis, unit.Plural(len(along), "value")))
		spec = append(spec, member{"grid", object{{in.Axis, along}}})
	}
	if len(set) > 0 {
		var constants object
		for _, b := range set {
			constants = append(constants, member{b.Name, b.Value})
		}
		spec = append(spec, member{"parameters", constants})
	}
	text, err := marshal(object(spec))
	var indented bytes.Buffer
	err = errors.Join(err, json.Indent(&indented, text, "", "  "))
	o.Stdin = indented.String() + "\n" // JSON is YAML
	o.Args = []string{"run", "-", "-o", o.Where}
	return err
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name string
	v    any
}

func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		name, _ := json.Marshal(m.name)
		v, err := marshal(m.v)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, name...), ':'), v...)
	}
	return append(b, '}'), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Draft reads what an order describes, as the command will.
func (o Order) Draft(ctx context.Context) (*draft.Draft, error) {
	src := draft.Source{File: o.File, AsOf: o.At, Stdin: strings.NewReader(o.Stdin)}
	if o.Stdin != "" {
		src.File = "-"
	}
	for i, a := range o.Args {
		if a == "--set" {
			src.Set = append(src.Set, o.Args[i+1])
		}
	}
	d, err := draft.Read(ctx, src)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	return d, nil
}

// Command is the order as people type it.
func (o Order) Command() string {
	words := make([]string, len(o.Args))
	for i, a := range o.Args {
		words[i] = unit.Quote(a)
	}
	return "fanout " + strings.Join(words, " ")
}
