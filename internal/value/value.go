package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDigits is how many digits a number may have: what Python reads as one.
const MaxDigits = 4300

// A Kind is the kind of a Value.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"null", "a bool", "an int", "a float", "a string", "a list", "a map"}[k]
}

// A Value is any JSON value, in one canonical form: equal values are ==. An
// int and a float are different values: 1 is not 1.0. The zero Value is null.
type Value struct{ text string }

// ValueOf makes a Value of nil, a bool, an integer, a float, a string, a
// json.Number, a []any or a map[string]any. NaN and infinities are refused.
func Of(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Value{}, nil
	case Value:
		return x, nil
	}
	var b bytes.Buffer
	if err := appendValue(&b, x); err != nil {
		return Value{}, err
	}
	return Value{b.String()}, nil
}

// ParseValue reads JSON.
func Parse(text []byte) (Value, error) {
	if canonical(text) {
		return Value{string(text)}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var x any
	if err := dec.Decode(&x); err != nil {
		return Value{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return Value{}, errors.New("text after the value")
	}
	return Of(x)
}

// canonical recognizes the commonest values in their canonical form: a plan of
// a hundred thousand runs is read back in a moment.
func canonical(text []byte) bool {
	n := len(text)
	if n > 1 && text[0] == '"' && text[n-1] == '"' {
		return PlainText(string(text[1 : n-1]))
	}
	if n == 0 || n > 18 || text[0] < '0' || text[0] > '9' || text[0] == '0' && n > 1 {
		return false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func appendValue(b *bytes.Buffer, x any) error {
	switch x := x.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case int:
		b.WriteString(strconv.Itoa(x))
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case int8, int16, int32, uint, uint8, uint16, uint32, uint64:
		fmt.Fprint(b, x)
	case float32:
		return appendFloat(b, float64(x))
	case *big.Int:
		b.WriteString(x.String())
	case float64:
		return appendFloat(b, x)
	case json.Number:
		return appendNumber(b, string(x))
	case string:
		if !utf8.ValidString(x) {
			return fmt.Errorf("%q is not UTF-8", x)
		}
		appendText(b, x)
	case []string:
		return appendList(b, x)
	case []int:
		return appendList(b, x)
	case []float64:
		return appendList(b, x)
	case Value:
		b.WriteString(x.String())
	case []any:
		return appendList(b, x)
	case map[string]any:
		return appendMap(b, x)
	default:
		return fmt.Errorf("a value cannot be a %T", x)
	}
	return nil
}

func appendList[E any](b *bytes.Buffer, list []E) error {
	b.WriteByte('[')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := appendValue(b, e); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func appendMap(b *bytes.Buffer, m map[string]any) error {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b.WriteByte('{')
	for i, k := range keys {
		if !utf8.ValidString(k) {
			return fmt.Errorf("%q is not UTF-8", k)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		appendText(b, k)
		b.WriteByte(':')
		if err := appendValue(b, m[k]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func appendText(b *bytes.Buffer, s string) {
	if PlainText(s) {
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	enc.Encode(s)
	b.Truncate(b.Len() - 1) // the newline
}

// PlainText reports whether JSON writes a string as it is.
func PlainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendFloat writes the shortest text that reads back the same, and always
// as a float.
func appendFloat(b *bytes.Buffer, x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("%v is not a value: JSON has no such number", x)
	}
	if x == 0 {
		x = 0 // no negative zero
	}
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	b.WriteString(s)
	return nil
}

func appendNumber(b *bytes.Buffer, s string) error {
	if len(s) > MaxDigits {
		return fmt.Errorf("a number of %d digits is too long", len(s))
	}
	if n, ok := new(big.Int).SetString(s, 10); ok {
		b.WriteString(n.String())
		return nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("%s is not a number fanout can hold", s)
	}
	return appendFloat(b, x)
}

// String is the canonical JSON.
func (v Value) String() string {
	if v.text == "" { // so that the zero Value is the only null
		return "null"
	}
	return v.text
}

// Kind says what the value is.
func (v Value) Kind() Kind {
	switch s := v.String(); s[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return List
	case '{':
		return Map
	default:
		if strings.ContainsAny(s, ".e") {
			return Float
		}
		return Int
	}
}

// Any returns nil, a bool, an int64 or *big.Int, a float64, a string, a []any
// or a map[string]any.
func (v Value) Any() any {
	s := v.String()
	switch v.Kind() {
	case Null:
		return nil
	case Bool:
		return s == "true"
	case Int:
		if x, err := strconv.ParseInt(s, 10, 64); err == nil {
			return x
		}
	case Float:
		x, _ := strconv.ParseFloat(s, 64)
		return x
	case String:
		if !strings.ContainsRune(s, '\\') {
			return s[1 : len(s)-1]
		}
	}
	dec := json.NewDecoder(strings.NewReader(v.String()))
	dec.UseNumber()
	var x any
	dec.Decode(&x) // canonical text is JSON
	return Each(x, plainNumber)
}

func plainNumber(x any) any {
	switch x := x.(type) {
	case json.Number:
		if n, ok := new(big.Int).SetString(string(x), 10); ok {
			if n.IsInt64() {
				return n.Int64()
			}
			return n
		}
		f, _ := x.Float64()
		return f
	}
	return x
}

// Each replaces, in place, every value within lists and objects of decoded JSON
// that is neither of them.
func Each(x any, replace func(any) any) any {
	switch x := x.(type) {
	case []any:
		for i := range x {
			x[i] = Each(x[i], replace)
		}
		return x
	case map[string]any:
		for k := range x {
			x[k] = Each(x[k], replace)
		}
		return x
	}
	return replace(x)
}

// Text is the value as people read it: a string as it is, a float as Python and
// the tables write it, and any other value as its JSON.
func (v Value) Text() string {
	switch v.Kind() {
	case String:
		return v.Any().(string)
	case Float:
		return FloatRepr(v.Any().(float64))
	}
	return v.String()
}

// Ints are the n ints from `from`, `step` apart. They share one text, so that
// a million of them cost little more than their digits.
func Ints(from, step int64, n int) []Value {
	var buf [20]byte
	size := 0
	for i := range n {
		size += len(strconv.AppendInt(buf[:0], from+int64(i)*step, 10))
	}
	var all strings.Builder
	all.Grow(size) // so that what is cut from it stays where it is
	out := make([]Value, n)
	for i := range out {
		start := all.Len()
		all.Write(strconv.AppendInt(buf[:0], from+int64(i)*step, 10))
		out[i] = Value{all.String()[start:]}
	}
	return out
}

// MarshalJSON writes the canonical form.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalJSON reads any JSON value.
func (v *Value) UnmarshalJSON(b []byte) (err error) {
	*v, err = Parse(b)
	return err
}

// A Binding is a name with its value.
type Binding struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
}

// Lookup finds a name among bindings.
func Lookup(bs []Binding, name string) (Value, bool) {
	for _, b := range bs {
		if b.Name == name {
			return b.Value, true
		}
	}
	return Value{}, false
}

// Bind sets a name, keeping its place when it is there already.
func Bind(bs []Binding, name string, v Value) []Binding {
	for i := range bs {
		if bs[i].Name == name {
			bs[i].Value = v
			return bs
		}
	}
	return append(bs, Binding{name, v})
}

// ToUTF8 is the text that a Value can hold: what is not UTF-8 is replaced by
// U+FFFD.
func ToUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
