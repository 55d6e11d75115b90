package grid

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// overlay lays a source over a document: maps are merged, all else replaced.
// One way to say the points replaces another.
func (d *decoder) overlay(root *yaml.Node, o Source) (*yaml.Node, error) {
	if len(o.set) > 0 {
		for _, b := range o.set {
			root = d.overlaySet(root, b, o.File)
		}
		return root, nil
	}
	top, err := parseYAML(o.Text)
	if err != nil {
		return nil, Errors{yamlError(o.File, err)}
	}
	if top == nil {
		return root, nil
	}
	d.came(top, o.File)
	d.measure(top)
	if top.Kind == yaml.MappingNode && root.Kind == yaml.MappingNode {
		root = withoutOtherSources(root, top)
	}
	return merge(root, top, 0), nil
}

// withoutOtherSources drops the base's way to say the points when the overlay
// has another.
func withoutOtherSources(base, over *yaml.Node) *yaml.Node {
	says := func(m *yaml.Node) (found []string) {
		for _, k := range sourceKeys {
			if keyIndex(m, k) >= 0 {
				found = append(found, k)
			}
		}
		return found
	}
	if len(says(over)) == 0 {
		return base
	}
	for _, k := range says(base) {
		if keyIndex(over, k) < 0 {
			base = without(base, k)
		}
	}
	return base
}

// without is a map without a key.
func without(m *yaml.Node, key string) *yaml.Node {
	i := keyIndex(m, key)
	if i < 0 {
		return m
	}
	out := *m
	out.Content = append(append([]*yaml.Node(nil), m.Content[:i]...), m.Content[i+2:]...)
	return &out
}

// merge keeps what base has and over has not. Below the second level values
// are replaced: an axis is one thing.
func merge(base, over *yaml.Node, depth int) *yaml.Node {
	for base.Kind == yaml.AliasNode {
		base = base.Alias
	}
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode || depth > 1 {
		return over
	}
	out := *base
	out.Content = append([]*yaml.Node(nil), base.Content...)
	for i := 0; i+1 < len(over.Content); i += 2 {
		if j := keyIndex(&out, over.Content[i].Value); j >= 0 {
			out.Content[j+1] = merge(out.Content[j+1], over.Content[i+1], depth+1)
		} else {
			out.Content = append(out.Content, over.Content[i], over.Content[i+1])
		}
	}
	return &out
}

func keyIndex(m *yaml.Node, key string) int {
	if m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// overlaySet fixes a name for every run. A value of a bundle or a template
// chooses it; any other name becomes a constant and is no axis any more.
func (d *decoder) overlaySet(root *yaml.Node, b value.Binding, file string) *yaml.Node {
	if root.Kind != yaml.MappingNode {
		return root
	}
	if chosen, ok := d.choose(root, b, file); ok {
		return chosen
	}
	top := mapNode("parameters", mapNode(b.Name, jsonNode(b.Value)))
	d.came(top, file)
	root = merge(root, top, 0)
	root = withoutAxis(root, b.Name)
	root = with(root, "derive", func(n *yaml.Node) *yaml.Node { return without(n, b.Name) })
	return fixPartials(withoutEmpty(root, "derive"), b)
}

func mapNode(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: key}, value}}
}

// jsonNode is a value as a node without a place.
func jsonNode(v value.Value) *yaml.Node {
	switch x := v.Any().(type) {
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range x {
			ev, _ := value.Of(e)
			n.Content = append(n.Content, jsonNode(ev))
		}
		return n
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, k := range sortedKeys(x) {
			ev, _ := value.Of(x[k])
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: k, Style: yaml.DoubleQuotedStyle}, jsonNode(ev))
		}
		return n
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: x, Style: yaml.DoubleQuotedStyle}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
}

// with changes the value of a key, where the map has it.
func with(m *yaml.Node, key string, change func(*yaml.Node) *yaml.Node) *yaml.Node {
	i := keyIndex(m, key)
	if i < 0 {
		return m
	}
	out := *m
	out.Content = append([]*yaml.Node(nil), m.Content...)
	n := out.Content[i+1]
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	out.Content[i+1] = change(n)
	return &out
}

// withoutAxis takes a name out of the ways to say the points that a map has.
// Where nothing varies any more one point is left.
func withoutAxis(m *yaml.Node, name string) *yaml.Node {
	for _, k := range []string{"grid", "zip"} {
		before := keyIndex(m, k)
		m = with(m, k, func(n *yaml.Node) *yaml.Node { return without(n, name) })
		if before >= 0 && keyIndex(withoutEmpty(m, k), k) < 0 && m.Content[before+1].Kind == yaml.MappingNode {
			out := *m
			out.Content = append([]*yaml.Node(nil), m.Content...)
			out.Content[before] = &yaml.Node{Kind: yaml.ScalarNode, Value: "list", Line: m.Content[before].Line, Column: m.Content[before].Column}
			out.Content[before+1] = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{{Kind: yaml.MappingNode, Style: yaml.FlowStyle}}}
			return &out
		}
	}
	m = with(m, "list", func(n *yaml.Node) *yaml.Node {
		return keepItems(n, func(e *yaml.Node) (*yaml.Node, bool) { return without(e, name), true })
	})
	return with(m, "any_of", func(n *yaml.Node) *yaml.Node {
		return keepItems(n, func(e *yaml.Node) (*yaml.Node, bool) { return withoutAxis(e, name), true })
	})
}

// choose keeps one value of a bundle or one of several templates.
func (d *decoder) choose(root *yaml.Node, b value.Binding, file string) (*yaml.Node, bool) {
	value, isText := b.Value.Any().(string)
	only := func(n *yaml.Node) *yaml.Node {
		i := keyIndex(n, value)
		if n.Kind != yaml.MappingNode || !isText || i < 0 {
			d.errs = append(d.errs, &Error{File: file, Msg: fmt.Sprintf("`%s` has no value %s", b.Name, b.Value)})
			return n
		}
		out := *n
		out.Content = n.Content[i : i+2]
		return &out
	}
	chosen := false
	root = with(root, "template", func(n *yaml.Node) *yaml.Node {
		if i := keyIndex(n, "axis"); n.Kind == yaml.MappingNode && i >= 0 && n.Content[i+1].Value == b.Name {
			chosen = true
			return with(n, "of", only)
		}
		return n
	})
	for _, k := range []string{"grid", "zip"} {
		root = with(root, k, func(n *yaml.Node) *yaml.Node {
			return with(n, b.Name, func(axis *yaml.Node) *yaml.Node {
				if axis.Kind == yaml.MappingNode && keyIndex(axis, "bundle") >= 0 {
					chosen = true
					return with(axis, "bundle", only)
				}
				return axis
			})
		})
	}
	return root, chosen
}

// fixPartials takes a fixed name out of partial points: where they agree it
// goes without saying, where they do not they can match nothing.
func fixPartials(root *yaml.Node, b value.Binding) *yaml.Node {
	for _, k := range []string{"include", "exclude"} {
		root = with(root, k, func(n *yaml.Node) *yaml.Node {
			return keepItems(n, func(e *yaml.Node) (*yaml.Node, bool) { return fixPartial(e, b) })
		})
		root = withoutEmpty(root, k)
	}
	root = with(root, "overrides", func(n *yaml.Node) *yaml.Node {
		return keepItems(n, func(e *yaml.Node) (*yaml.Node, bool) {
			agrees := true
			e = with(e, "match", func(m *yaml.Node) (fixed *yaml.Node) {
				fixed, agrees = fixPartial(m, b)
				return fixed
			})
			return e, agrees
		})
	})
	root = withoutEmpty(root, "overrides")
	root = with(root, "baseline", func(n *yaml.Node) *yaml.Node {
		if fixed, agrees := fixPartial(n, b); agrees {
			return fixed
		}
		return &yaml.Node{Kind: yaml.MappingNode}
	})
	root = withoutEmpty(root, "baseline")
	root = with(root, "limits", func(n *yaml.Node) *yaml.Node { return without(n, b.Name) })
	root = withoutEmpty(root, "limits")
	return with(root, "repeat", func(n *yaml.Node) *yaml.Node {
		if i := keyIndex(n, "as"); i >= 0 && n.Content[i+1].Value == b.Name {
			return without(n, "as")
		}
		return n
	})
}

// fixPartial takes a name out of a partial point; agrees is false when the
// point says something else of it.
func fixPartial(n *yaml.Node, b value.Binding) (fixed *yaml.Node, agrees bool) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	i := keyIndex(n, b.Name)
	if i < 0 {
		return n, true
	}
	d := &decoder{}
	d.measure(n.Content[i+1])
	if !value.Equal(d.value(n.Content[i+1]), b.Value) {
		return n, false
	}
	return without(n, b.Name), true
}

func keepItems(n *yaml.Node, keep func(*yaml.Node) (*yaml.Node, bool)) *yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return n
	}
	out := *n
	out.Content = nil
	for _, e := range n.Content {
		if e, ok := keep(e); ok {
			out.Content = append(out.Content, e)
		}
	}
	return &out
}

// withoutEmpty drops a key that nothing is left of.
func withoutEmpty(m *yaml.Node, key string) *yaml.Node {
	if i := keyIndex(m, key); i >= 0 && m.Content[i+1].Kind != yaml.ScalarNode && len(m.Content[i+1].Content) == 0 && m.Content[i+1].Kind != yaml.AliasNode {
		return without(m, key)
	}
	return m
}
