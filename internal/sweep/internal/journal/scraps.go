package journal

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Scraps are the small recorded values of an attempt, as JSON, in the order of
// their names: a run of many has a few of them.
type Scraps []Scrap

// A Scrap is a value under its name.
type Scrap struct {
	Name string
	Data json.RawMessage
}

// ScrapsOf takes over a map.
func ScrapsOf(of map[string]json.RawMessage) Scraps {
	var s Scraps
	for name, data := range of {
		s = append(s, Scrap{name, data})
	}
	return s.sorted()
}

// sorted puts scraps into the order of their names. Of several of one name the last
// counts.
func (s Scraps) sorted() Scraps {
	slices.SortStableFunc(s, func(a, b Scrap) int { return strings.Compare(a.Name, b.Name) })
	out := s[:0]
	for i, x := range s {
		if i+1 == len(s) || s[i+1].Name != x.Name {
			out = append(out, x)
		}
	}
	return out
}

// Get finds a scrap by its name; it is nil where there is none.
func (s Scraps) Get(name string) (data json.RawMessage, ok bool) {
	for _, x := range s {
		if x.Name == name {
			return x.Data, true
		}
	}
	return nil, false
}

// Text is a scrap as JSON; it is empty where there is none.
func (s Scraps) Text(name string) string {
	data, _ := s.Get(name)
	return string(data)
}

// All yields the scraps in the order of their names.
func (s Scraps) All() iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for _, x := range s {
			if !yield(x.Name, x.Data) {
				return
			}
		}
	}
}

// Names are those of the scraps, sorted.
func (s Scraps) Names() []string {
	names := make([]string, len(s))
	for i, x := range s {
		names[i] = x.Name
	}
	return names
}

// MarshalJSON writes an object.
func (s Scraps) MarshalJSON() ([]byte, error) {
	m := make(map[string]json.RawMessage, len(s))
	for _, x := range s {
		m[x.Name] = x.Data
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(m)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSONFrom reads an object, or null.
func (s *Scraps) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*s = nil
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
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		text := name.String()
		data, err := dec.ReadValue()
		if err != nil {
			return err
		}
		*s = append(*s, Scrap{text, json.RawMessage(bytes.Clone(data))})
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*s = s.sorted()
	return nil
}
