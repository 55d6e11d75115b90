// Package overlay changes a sweep file before it is read: by files laid over
// it, and by values set for every run.
//
// In goes a document and what is laid over it, out comes one document with the
// overlays applied, in which every node keeps its place.
package overlay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Source is a sweep file laid over another, or values set for every run.
type Source struct {
	File string
	Text []byte
	set  []value.Binding
}

// Set reads "name=value" into a source that sets a parameter for every run, instead
// of an axis of that name. The value is YAML; text that is not YAML is a
// string. The error is diagnostic.Errors.
func Set(pair string) (Source, error) {
	file := "--set " + pair
	name, text, ok := strings.Cut(pair, "=")
	if !ok || name == "" {
		return Source{}, diagnostic.Errors{{File: file, Msg: "want name=value"}}
	}
	r := yaml.NewReader(file)
	v, err := value.Of(text)
	switch n, bad := r.Parse(file, []byte(text)); {
	case yaml.IsNull(text):
		v = value.Value{}
	case n != nil && bad == nil:
		v, err = r.Value(n), r.Err()
	}
	return Source{File: file, set: []value.Binding{{Name: name, Value: v}}}, withoutPlaces(file, err)
}

// withoutPlaces are the mistakes of a text that is not a file.
func withoutPlaces(file string, err error) error {
	var es diagnostic.Errors
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &es):
		return diagnostic.Errors{{File: file, Msg: err.Error()}}
	}
	for _, e := range es {
		e.Line, e.Col = 0, 0
	}
	return es
}

// Apply lays a source over a document: maps are merged, all else is replaced.
// One way to define the points replaces another. The error is that of
// reading the source.
func (s Source) Apply(r *yaml.Reader, root *yaml.Node, ways []string) (*yaml.Node, error) {
	if len(s.set) > 0 {
		for _, b := range s.set {
			root = fix(r, root, b, s.File)
		}
		return root, nil
	}
	top, err := r.Parse(s.File, s.Text)
	if top == nil || err != nil {
		return root, err
	}
	if r.IsMap(top) && r.IsMap(root) {
		root = withoutOtherWays(root, top, ways)
	}
	return yaml.Merge(root, top), nil
}

// withoutOtherWays drops the base's definition of the points when the overlay
// has another.
func withoutOtherWays(base, over *yaml.Node, ways []string) *yaml.Node {
	has := func(k string) bool { return yaml.Get(over, k) != nil }
	if !slices.ContainsFunc(ways, has) {
		return base
	}
	for _, k := range ways {
		if !has(k) {
			base = yaml.Without(base, k)
		}
	}
	return base
}

// fix sets a name for every run. A value of a bundle or a template chooses it;
// any other name becomes a constant and is no longer an axis.
func fix(r *yaml.Reader, root *yaml.Node, b value.Binding, file string) *yaml.Node {
	if !r.IsMap(root) {
		return root
	}
	if chosen, ok := choose(r, root, b, file); ok {
		return chosen
	}
	top := yaml.NewMap("parameters", yaml.NewMap(b.Name, yaml.NewValue(b.Value)))
	r.Adopt(top, file)
	root = yaml.Merge(root, top)
	root = withoutAxis(root, b.Name)
	root = yaml.With(root, "derive", func(n *yaml.Node) *yaml.Node { return yaml.Without(n, b.Name) })
	return fixPartials(yaml.WithoutEmpty(root, "derive"), b)
}

var (
	noPoint, _  = value.Of(map[string]any{})
	onePoint, _ = value.Of([]any{map[string]any{}}) // without parameters
)

// withoutAxis removes a name from the definition of the points in a map. Where
// nothing varies any more, one point is left.
func withoutAxis(m *yaml.Node, name string) *yaml.Node {
	for _, k := range []string{"grid", "zip"} {
		m = yaml.With(m, k, func(n *yaml.Node) *yaml.Node { return yaml.Without(n, name) })
		if yaml.IsEmptyMap(yaml.Get(m, k)) {
			return yaml.Replace(m, k, "list", yaml.NewValue(onePoint))
		}
	}
	m = yaml.With(m, "list", func(n *yaml.Node) *yaml.Node {
		return yaml.KeepItems(n, func(e *yaml.Node) (*yaml.Node, bool) { return yaml.Without(e, name), true })
	})
	return yaml.With(m, "any_of", func(n *yaml.Node) *yaml.Node {
		return yaml.KeepItems(n, func(e *yaml.Node) (*yaml.Node, bool) { return withoutAxis(e, name), true })
	})
}

// choose keeps one value of a bundle or one of several templates.
func choose(r *yaml.Reader, root *yaml.Node, b value.Binding, file string) (*yaml.Node, bool) {
	only := func(n *yaml.Node) *yaml.Node {
		if text, isText := b.Value.Any().(string); isText {
			if chosen := yaml.Only(n, text); chosen != nil {
				return chosen
			}
		}
		r.Add(&diagnostic.Error{File: file, Msg: fmt.Sprintf("`%s` has no value %s", b.Name, b.Value)})
		return n
	}
	chosen := false
	root = yaml.With(root, "template", func(n *yaml.Node) *yaml.Node {
		if axis := yaml.Get(n, "axis"); axis != nil && axis.Value == b.Name {
			chosen = true
			return yaml.With(n, "of", only)
		}
		return n
	})
	for _, k := range []string{"grid", "zip"} {
		root = yaml.With(root, k, func(n *yaml.Node) *yaml.Node {
			return yaml.With(n, b.Name, func(axis *yaml.Node) *yaml.Node {
				if yaml.Get(axis, "bundle") != nil {
					chosen = true
					return yaml.With(axis, "bundle", only)
				}
				return axis
			})
		})
	}
	return root, chosen
}

// fixPartials takes a fixed name out of partial points: where they agree it
// is redundant, where they do not they can match nothing.
func fixPartials(root *yaml.Node, b value.Binding) *yaml.Node {
	for _, k := range []string{"include", "exclude"} {
		root = yaml.With(root, k, func(n *yaml.Node) *yaml.Node {
			return yaml.KeepItems(n, func(e *yaml.Node) (*yaml.Node, bool) { return fixPartial(e, b) })
		})
		root = yaml.WithoutEmpty(root, k)
	}
	root = yaml.With(root, "overrides", func(n *yaml.Node) *yaml.Node {
		return yaml.KeepItems(n, func(e *yaml.Node) (*yaml.Node, bool) {
			agrees := true
			e = yaml.With(e, "match", func(m *yaml.Node) (fixed *yaml.Node) {
				fixed, agrees = fixPartial(m, b)
				return fixed
			})
			return e, agrees
		})
	})
	root = yaml.WithoutEmpty(root, "overrides")
	root = yaml.With(root, "baseline", func(n *yaml.Node) *yaml.Node {
		fixed, agrees := fixPartial(n, b)
		if !agrees {
			return yaml.NewValue(noPoint)
		}
		return fixed
	})
	root = yaml.WithoutEmpty(root, "baseline")
	root = yaml.With(root, "limits", func(n *yaml.Node) *yaml.Node { return yaml.Without(n, b.Name) })
	root = yaml.WithoutEmpty(root, "limits")
	return yaml.With(root, "repeat", func(n *yaml.Node) *yaml.Node {
		if as := yaml.Get(n, "as"); as != nil && as.Value == b.Name {
			return yaml.Without(n, "as")
		}
		return n
	})
}

// fixPartial takes a name out of a partial point; agrees is false when the
// point has another value for it.
func fixPartial(n *yaml.Node, b value.Binding) (fixed *yaml.Node, agrees bool) {
	n = yaml.Target(n)
	said := yaml.Get(n, b.Name)
	if said == nil {
		return n, true
	}
	if !value.Equal(yaml.ValueOf(said), b.Value) {
		return n, false
	}
	return yaml.Without(n, b.Name), true
}

// Bindings reads a map of parameters, in its order.
func Bindings(file string, text []byte) ([]value.Binding, error) {
	r := yaml.NewReader(file)
	n, err := r.Parse(file, text)
	if err != nil {
		return nil, err
	}
	var out []value.Binding
	for _, f := range r.Fields(n, "a map of parameters") {
		out = append(out, value.Binding{Name: f.Name, Value: r.Value(f.Node)})
	}
	return out, r.Err()
}
