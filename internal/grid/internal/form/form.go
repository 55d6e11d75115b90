// Package form defines once what the value of a key may be: how it is read, and
// how an editor checks it.
//
// A Form has a reader of YAML nodes and a JSON Schema. Forms of words and
// numbers are combined into lists and maps of keys, so that a key that is
// read cannot be missing from the schema, nor one that is in the schema be
// unknown to the reader.
package form

import (
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
)

// A Schema is a JSON Schema (draft 2020-12), as what json.Marshal takes.
type Schema = map[string]any

// A Form is what a value may be. Read reports mistakes to the reader; the
// schema refuses nothing that Read takes.
type Form[T any] struct {
	What   string // what is wanted, for messages; may be empty
	Read   func(r *yaml.Reader, n *yaml.Node, into *T)
	Schema Schema
}

// A Key is a key of a map that is read into an S.
type Key[S any] struct {
	Name, Doc string
	Form[S]
}

// Field is a key whose value goes into a field of S.
func Field[S, T any](name, doc string, f Form[T], field func(*S) *T) Key[S] {
	return Key[S]{name, doc, Into(f, field)}
}

// Into reads a form into a field of S.
func Into[S, T any](f Form[T], field func(*S) *T) Form[S] {
	return Form[S]{f.What, func(r *yaml.Reader, n *yaml.Node, s *S) { f.Read(r, n, field(s)) }, f.Schema}
}

// Within are the keys of a part of S.
func Within[S, T any](keys []Key[T], part func(*S) *T) []Key[S] {
	out := make([]Key[S], len(keys))
	for i, k := range keys {
		out[i] = Key[S]{k.Name, k.Doc, Into(k.Form, part)}
	}
	return out
}

// Names are the names of keys, in their order.
func Names[S any](keys []Key[S]) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Name)
	}
	return out
}

// Map is a map of these keys and no others.
func Map[S any](keys ...Key[S]) Form[S] {
	names := Names(keys)
	what := "a map with " + strings.Join(names, ", ")
	read := func(r *yaml.Reader, n *yaml.Node, s *S) {
		for _, f := range r.Fields(n, what) {
			if i := slices.Index(names, f.Name); i >= 0 {
				keys[i].Read(r, f.Node, s)
			} else {
				r.Unknown(f, names...)
			}
		}
	}
	return Form[S]{what, read, Object(keys)}
}

// Object is the schema of a map of these keys and no others.
func Object[S any](keys []Key[S]) Schema {
	properties := Schema{}
	for _, k := range keys {
		properties[k.Name] = Described(k.Doc, k.Schema)
	}
	return Schema{"type": "object", "properties": properties, "additionalProperties": false}
}

// Described is a schema with a description, or as it is without one.
func Described(doc string, s Schema) Schema {
	if doc == "" {
		return s
	}
	s = maps.Clone(s)
	s["description"] = doc
	return s
}

// AnyOf is the schema of what one of several takes.
func AnyOf(schemas ...Schema) Schema { return Schema{"anyOf": schemas} }

// Ref is a schema that is defined under a name.
func Ref(name string) Schema { return Schema{"$ref": "#/$defs/" + name} }

// Checked is a form with another check after it was read.
func (f Form[T]) Checked(check func(r *yaml.Reader, n *yaml.Node, x *T)) Form[T] {
	return Form[T]{f.What, func(r *yaml.Reader, n *yaml.Node, into *T) {
		before := r.Mistakes()
		if f.Read(r, n, into); r.Mistakes() == before {
			check(r, n, into)
		}
	}, f.Schema}
}

// Or is a map that has a short form: one word, read into a field of it.
func Or[S, T any](short Form[T], field func(*S) *T, long Form[S]) Form[S] {
	what := short.What + ", or " + long.What
	return Form[S]{what, func(r *yaml.Reader, n *yaml.Node, s *S) {
		switch {
		case r.IsScalar(n):
			short.Read(r, n, field(s))
		case r.IsMap(n):
			long.Read(r, n, s)
		default:
			r.Errorf(n, "want %s, not %s", what, yaml.Describe(n))
		}
	}, AnyOf(short.Schema, long.Schema)}
}

// Text is any scalar that is read as a word.
func Text(what string) Form[string] {
	return Form[string]{what, func(r *yaml.Reader, n *yaml.Node, into *string) { *into = r.Text(n, what) },
		Schema{"type": []string{"string", "number", "boolean"}, "minLength": 1}}
}

// Texts is a list of words; one word is read as a list of it.
func Texts(what string) Form[[]string] {
	word := Text(what).Schema
	return Form[[]string]{what, func(r *yaml.Reader, n *yaml.Node, into *[]string) { *into = r.Texts(n, what) },
		AnyOf(word, Schema{"type": "array", "items": word})}
}

// Word is one of these words.
func Word(words ...string) Form[string] {
	return Form[string]{strings.Join(words, ", "), func(r *yaml.Reader, n *yaml.Node, into *string) { *into = r.OneOf(n, words...) }, Schema{"enum": words}}
}

// Flag is true or false.
func Flag() Form[bool] {
	return Form[bool]{"true or false", func(r *yaml.Reader, n *yaml.Node, into *bool) { *into = r.Flag(n) }, Schema{"type": "boolean"}}
}

// Whole is a whole number from low on.
func Whole(low int) Form[int] {
	return Form[int]{"a number", func(r *yaml.Reader, n *yaml.Node, into *int) { *into = r.Whole(n, low) }, Schema{"type": "integer", "minimum": low}}
}

// List is a list; what names its items.
func List[T any](what string, item Form[T]) Form[[]T] {
	return Form[[]T]{what, func(r *yaml.Reader, n *yaml.Node, into *[]T) {
		*into = nil
		for _, e := range r.Items(n, what) {
			var x T
			item.Read(r, e, &x)
			*into = append(*into, x)
		}
	}, Schema{"type": "array", "items": item.Schema}}
}
