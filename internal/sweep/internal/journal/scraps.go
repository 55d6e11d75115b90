package journal

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"unique"

	"github.com/go-json-experiment/json/jsontext"
)

// Scraps are named values as JSON, in the order of their names, each once. Of
// hundreds of thousands of runs most have the same names, which are kept once.
type Scraps struct {
	names  unique.Handle[string] // each followed by between; undefined without scraps
	values string                // each followed by after
}

// What is not part of a name or of a value: a byte that is no UTF-8, and one that is no
// JSON.
const (
	between = "\xff"
	after   = "\x00"
)

// ScrapsOf are scraps by name.
func ScrapsOf(of map[string]json.RawMessage) Scraps {
	var names, values []byte
	for name, data := range of {
		names = append(append(names, strings.ToValidUTF8(name, "\uFFFD")...), between...)
		values = append(append(values, bytes.ReplaceAll(data, []byte(after), []byte(`\u0000`))...), after...)
	}
	return scrapsOf(names, values)
}

// scrapsOf are scraps whose names and values are joined, in any order. Of a name that
// is there twice the last value counts.
func scrapsOf(names, values []byte) Scraps {
	if len(values) == 0 {
		return Scraps{}
	}
	s := Scraps{unique.Make(string(names)), string(values)}
	if s.inOrder() {
		return s
	}
	type scrap struct{ name, data string }
	var all []scrap
	for name, data := range s.texts() {
		all = append(all, scrap{name, data})
	}
	slices.SortStableFunc(all, func(a, b scrap) int { return strings.Compare(a.name, b.name) })
	names, values = names[:0], values[:0]
	for i, x := range all {
		if i+1 == len(all) || all[i+1].name != x.name {
			names, values = append(append(names, x.name...), between...), append(append(values, x.data...), after...)
		}
	}
	return Scraps{unique.Make(string(names)), string(values)}
}

func (s Scraps) inOrder() bool {
	last, first := "", true
	for name := range s.texts() {
		if !first && name <= last {
			return false
		}
		last, first = name, false
	}
	return true
}

// texts yields names and values as they lie in memory.
func (s Scraps) texts() iter.Seq2[string, string] {
	return func(yield func(name, data string) bool) {
		if s.values == "" {
			return
		}
		names := s.names.Value()
		for values := s.values; values != ""; {
			var name, data string
			name, names, _ = strings.Cut(names, between)
			data, values, _ = strings.Cut(values, after)
			if !yield(name, data) {
				return
			}
		}
	}
}

// Len is how many there are.
func (s Scraps) Len() int { return strings.Count(s.values, after) }

// Equal reports whether both are the same names with the same JSON.
func (s Scraps) Equal(t Scraps) bool { return s == t }

// Get finds a scrap by its name; it is nil where there is none.
func (s Scraps) Get(name string) (data json.RawMessage, ok bool) {
	for n, data := range s.texts() {
		if n == name {
			return json.RawMessage(data), true
		}
	}
	return nil, false
}

// Text is a scrap as JSON; it is empty where there is none.
func (s Scraps) Text(name string) string {
	for n, data := range s.texts() {
		if n == name {
			return data
		}
	}
	return ""
}

// All yields the scraps in the order of their names.
func (s Scraps) All() iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for name, data := range s.texts() {
			if !yield(name, json.RawMessage(data)) {
				return
			}
		}
	}
}

// Names are those of the scraps, sorted.
func (s Scraps) Names() []string {
	names := make([]string, 0, s.Len())
	for name := range s.texts() {
		names = append(names, name)
	}
	return names
}

// MarshalJSON writes an object.
func (s Scraps) MarshalJSON() ([]byte, error) {
	m := make(map[string]json.RawMessage, s.Len())
	for name, data := range s.All() {
		m[name] = data
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(m)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSONFrom reads an object, or null.
func (s *Scraps) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*s = Scraps{}
	if dec.PeekKind() != '{' {
		var none map[string]json.RawMessage
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &none)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var names, values []byte
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		names, _ = jsontext.AppendUnquote(names, name) // it complains of what is no UTF-8, and replaces it
		data, err := dec.ReadValue()
		if err != nil {
			return err
		}
		names, values = append(names, between...), append(append(values, data...), after...)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*s = scrapsOf(names, values)
	return nil
}
