package yaml

import (
	"bytes"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// Editing never changes a node: it returns another that shares the rest, so that
// everything keeps its place.

// Without is a map without a key.
func Without(m *Node, key string) *Node {
	i := keyIndex(m, key)
	if i < 0 {
		return m
	}
	out := *m
	out.Content = slices.Concat(m.Content[:i], m.Content[i+2:])
	return &out
}

// Merge lays one map over another: it keeps what base has and over has not.
// Below the second level values are replaced: an axis is one thing.
func Merge(base, over *Node) *Node { return merge(base, over, 0) }

func merge(base, over *Node, depth int) *Node {
	base = Target(base)
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode || depth > 1 {
		return over
	}
	out := *base
	out.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		if j := keyIndex(&out, over.Content[i].Value); j >= 0 {
			out.Content[j+1] = merge(out.Content[j+1], over.Content[i+1], depth+1)
		} else {
			out.Content = append(out.Content, over.Content[i], over.Content[i+1])
		}
	}
	return &out
}

// Get is the value of a key, or nil where n is not a map or has no such key.
func Get(n *Node, key string) *Node {
	if i := keyIndex(n, key); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

// IsEmptyMap reports whether a node is a map without keys.
func IsEmptyMap(n *Node) bool { return n != nil && n.Kind == yaml.MappingNode && len(n.Content) == 0 }

func keyIndex(m *Node, key string) int {
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

// With changes the value of a key, where the map has it.
func With(m *Node, key string, change func(*Node) *Node) *Node {
	i := keyIndex(m, key)
	if i < 0 {
		return m
	}
	out := *m
	out.Content = slices.Clone(m.Content)
	out.Content[i+1] = change(Target(out.Content[i+1]))
	return &out
}

// Only is a map with one of its keys, or nil where n is not a map or has no such
// key.
func Only(n *Node, key string) *Node {
	i := keyIndex(n, key)
	if i < 0 {
		return nil
	}
	out := *n
	out.Content = n.Content[i : i+2]
	return &out
}

// Replace replaces a key of m by another key with its value.
func Replace(m *Node, old, key string, v *Node) *Node {
	i := keyIndex(m, old)
	out := *m
	out.Content = slices.Clone(m.Content)
	out.Content[i] = &Node{Kind: yaml.ScalarNode, Value: key, Line: m.Content[i].Line, Column: m.Content[i].Column}
	out.Content[i+1] = v
	return &out
}

// KeepItems changes or drops the items of a list. Other nodes stay as they are.
func KeepItems(n *Node, keep func(*Node) (*Node, bool)) *Node {
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

// WithoutEmpty drops a key whose list or map is empty.
func WithoutEmpty(m *Node, key string) *Node {
	if n := Get(m, key); n != nil && n.Kind != yaml.ScalarNode && n.Kind != yaml.AliasNode && len(n.Content) == 0 {
		return Without(m, key)
	}
	return m
}

// NewMap is a map of one key, without a place.
func NewMap(key string, v *Node) *Node {
	return &Node{Kind: yaml.MappingNode, Content: []*Node{{Kind: yaml.ScalarNode, Value: key}, v}}
}

// NewValue is a value as a node, without a place.
func NewValue(v value.Value) *Node {
	switch x := v.Any().(type) {
	case []any:
		n := &Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range x {
			ev, _ := value.Of(e)
			n.Content = append(n.Content, NewValue(ev))
		}
		return n
	case map[string]any:
		n := &Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			ev, _ := value.Of(x[k])
			n.Content = append(n.Content, &Node{Kind: yaml.ScalarNode, Value: k, Style: yaml.DoubleQuotedStyle}, NewValue(ev))
		}
		return n
	case string:
		return &Node{Kind: yaml.ScalarNode, Value: x, Style: yaml.DoubleQuotedStyle}
	}
	return &Node{Kind: yaml.ScalarNode, Value: v.String()}
}

// Encode writes a document that was edited. What cannot be written was refused
// when it was read.
func Encode(root *Node) []byte {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if enc.Encode(root) != nil || enc.Close() != nil {
		return nil
	}
	return b.Bytes()
}
