package collect

import (
	"maps"
	"math/big"
	"slices"
	"strings"
)

// A shape is what has been seen of a column's values: a set of atoms, and for
// lists and objects the shapes of their parts. Joining shapes is a union, so it
// does not matter in which order, or in which groups, values are met; the type
// is computed from the whole at the end.
type shape struct {
	seen   atoms
	zone   string // of the instants; "UTC" when they differ
	whole  int32  // most digits before the point of a decimal
	scale  int32  // most digits after it
	elem   *shape
	fields map[string]*shape
	ragged bool // objects with different keys were seen
}

type atoms uint32

const (
	aBool    atoms = 1 << iota
	aInt53         // an integer that a double holds exactly
	aInt64         // a larger one that fits 64 bits
	aInt128        // a larger one of at most 38 digits
	aIntBig        // a larger one yet
	aFloat         //
	aDecimal       //
	aDate          //
	aLocal         // a date and time without zone
	aTime          // an instant
	aNano          // … of which nanoseconds matter
	aClock         //
	aSpan          // a duration
	aText          //
	aBytes         //
	aList          //
	aObject        //
	aOdd           // something no column type holds
)

const (
	aInts  = aInt53 | aInt64
	aWhole = aInts | aInt128
	aWords = aDate | aLocal | aTime | aText

	maxDigits = 38  // of Arrow's and Parquet's 128-bit decimals
	maxFields = 256 // a wider object is JSON text
	maxDepth  = 8   // a deeper value is JSON text
)

// join adds what other has seen. other is not changed, nor kept.
func (s *shape) join(other *shape) {
	if other == nil {
		return
	}
	s.joinObject(other)
	s.joinZone(other)
	s.seen |= other.seen
	s.whole = max(s.whole, other.whole)
	s.scale = max(s.scale, other.scale)
	if other.elem != nil {
		s.element().join(other.elem)
	}
}

func (s *shape) joinZone(other *shape) {
	switch {
	case other.seen&aTime == 0:
	case s.seen&aTime == 0:
		s.zone = other.zone
	case s.zone != other.zone:
		s.zone = "UTC"
	}
}

func (s *shape) joinObject(other *shape) {
	if other.seen&aObject == 0 {
		return
	}
	switch {
	case s.ragged:
	case other.ragged:
		s.ragged = true
	case s.seen&aObject != 0 && !sameKeys(s.fields, other.fields):
		s.ragged = true
	}
	if s.ragged {
		s.fields = nil // nothing that is seen later makes it regular again
		return
	}
	if s.fields == nil {
		s.fields = make(map[string]*shape, len(other.fields))
	}
	for name, f := range other.fields {
		if s.fields[name] == nil {
			s.fields[name] = &shape{}
		}
		s.fields[name].join(f)
	}
}

func (s *shape) element() *shape {
	if s.elem == nil {
		s.elem = &shape{}
	}
	return s.elem
}

func sameKeys(a, b map[string]*shape) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return true
}

// resolve is the narrowest type that holds every value seen without changing
// what it means.
func (s *shape) resolve() dtype { return s.resolveAt(0) }

func (s *shape) resolveAt(depth int) dtype {
	seen := s.seen &^ aNano
	nano := s.seen&aNano != 0
	only := func(a atoms) bool { return seen&^a == 0 }
	switch {
	case depth > maxDepth:
		return dtype{kind: JSON}
	case seen == 0:
		return dtype{kind: Null}
	case only(aBool):
		return dtype{kind: Bool}
	case only(aInts):
		return dtype{kind: Int}
	case only(aInt53 | aFloat):
		return dtype{kind: Float}
	case only(aWhole | aDecimal):
		return s.resolveDecimal()
	case only(aDate):
		return dtype{kind: Date}
	case only(aLocal):
		return dtype{kind: LocalTime, nano: nano}
	case only(aTime):
		return dtype{kind: Time, zone: s.zone, nano: nano}
	case only(aClock):
		return dtype{kind: Clock, nano: nano}
	case only(aSpan):
		return dtype{kind: Duration, nano: nano}
	case only(aWords):
		return dtype{kind: String}
	case only(aBytes):
		return dtype{kind: Bytes}
	case only(aList):
		return s.resolveList(depth)
	case only(aObject):
		return s.resolveStruct(depth)
	}
	return dtype{kind: JSON}
}

func (s *shape) resolveDecimal() dtype {
	whole := s.whole
	if s.seen&aInt53 != 0 {
		whole = max(whole, 16)
	}
	if s.seen&aInt64 != 0 {
		whole = max(whole, 19)
	}
	if s.seen&aInt128 != 0 {
		whole = maxDigits
	}
	if whole+s.scale > maxDigits {
		return dtype{kind: JSON}
	}
	return dtype{kind: Decimal, precision: maxDigits, scale: s.scale}
}

func (s *shape) resolveList(depth int) dtype {
	if s.elem == nil {
		return dtype{kind: JSON}
	}
	elem := s.elem.resolveAt(depth + 1)
	if elem.kind == JSON || elem.kind == Null {
		return dtype{kind: JSON}
	}
	return dtype{kind: List, elem: &elem}
}

func (s *shape) resolveStruct(depth int) dtype {
	if s.ragged || len(s.fields) == 0 || len(s.fields) > maxFields || foldsTogether(s.fields) {
		return dtype{kind: JSON}
	}
	d := dtype{kind: Struct}
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		d.fields = append(d.fields, field{name, s.fields[name].resolveAt(depth + 1)})
	}
	return d
}

// foldsTogether reports whether two names differ only in case, which some
// readers take for the same field.
func foldsTogether(fields map[string]*shape) bool {
	folded := make(map[string]bool, len(fields))
	for name := range fields {
		f := strings.ToLower(name)
		if folded[f] || name == "" {
			return true
		}
		folded[f] = true
	}
	return false
}

// Integers up to this size are exact in a double.
const exact = 1 << 53

func intAtom(n int64) atoms {
	if n >= -exact && n <= exact {
		return aInt53
	}
	return aInt64
}

func bigAtom(n *big.Int) atoms {
	switch {
	case n.IsInt64():
		return intAtom(n.Int64())
	case len(new(big.Int).Abs(n).String()) <= maxDigits:
		return aInt128
	}
	return aIntBig
}

// see adds one value in the form decodeCell gives.
func (s *shape) see(v any) {
	switch v := v.(type) {
	case nil:
	case bool:
		s.seen |= aBool
	case int64:
		s.seen |= intAtom(v)
	case *big.Int:
		s.seen |= bigAtom(v)
	case float64:
		s.seen |= aFloat
	case string:
		s.seeText(v)
	case instant:
		s.join(&shape{seen: aTime, zone: v.zone})
	case DecimalText:
		s.seen |= aDecimal
		whole, scale := v.digits()
		s.whole, s.scale = max(s.whole, whole), max(s.scale, scale)
	case []any:
		s.seen |= aList
		for _, e := range v {
			s.element().see(e)
		}
	case map[string]any:
		s.seeObject(v)
	default:
		s.seen |= aOdd
	}
}

func (s *shape) seeText(v string) {
	kind, zone := classify(v)
	if kind == aTime {
		s.join(&shape{seen: aTime, zone: zone})
	}
	s.seen |= kind
}

func (s *shape) seeObject(v map[string]any) {
	if len(v) > maxFields {
		s.seen |= aObject
		s.ragged, s.fields = true, nil
		return
	}
	one := &shape{seen: aObject, fields: make(map[string]*shape, len(v))}
	for name, e := range v {
		f := &shape{}
		f.see(e)
		one.fields[name] = f
	}
	s.join(one)
}

// kinds are the words for what has been seen, those that widen into each other
// counted once.
func (s *shape) kinds() []string {
	var k []string
	for _, w := range []struct {
		a    atoms
		word string
	}{
		{aBool, "bool"}, {aWhole | aIntBig, "integer"}, {aFloat, "double"}, {aDecimal, "decimal"}, {aDate, "date"}, {aLocal, "local time"},
		{aTime, "time"}, {aClock, "clock"}, {aSpan, "duration"}, {aText, "text"}, {aBytes, "bytes"}, {aList, "list"}, {aObject, "struct"},
	} {
		if s.seen&w.a != 0 {
			k = append(k, w.word)
		}
	}
	return k
}
