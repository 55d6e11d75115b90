package cell

import (
	"maps"
	"math/big"
	"slices"
	"strings"
)

// A Shape is what has been seen of a column's values: a set of atoms, and for
// lists and objects the shapes of their parts. Joining shapes is a union, so it
// does not matter in which order, or in which groups, values are met; the type
// is computed from the whole at the end.
type Shape struct {
	Seen   Seen
	Zone   string // of the instants; "UTC" when they differ
	Whole  int32  // most digits before the point of a decimal
	Scale  int32  // most digits after it
	Elem   *Shape
	Fields map[string]*Shape
	Ragged bool // objects with different keys were seen
}

// Seen is a set of the sorts of values that were met.
type Seen uint32

// The sorts of values.
const (
	SawBool    Seen = 1 << iota
	SawInt53        // an integer that a double holds exactly
	SawInt64        // a larger one that fits 64 bits
	SawInt128       // a larger one of at most 38 digits
	SawIntBig       // a larger one yet
	SawFloat        //
	SawDecimal      //
	SawDate         //
	SawLocal        // a date and time without zone
	SawTime         // an instant
	SawNano         // … of which nanoseconds matter
	SawClock        //
	SawSpan         // a duration
	SawText         //
	SawBytes        //
	SawList         //
	SawObject       //
	SawOdd          // something no column type holds
)

// Sorts that share a type, and limits.
const (
	SawInts  = SawInt53 | SawInt64
	SawWhole = SawInts | SawInt128
	SawWords = SawDate | SawLocal | SawTime | SawText

	MaxDigits = 38  // of Arrow's and Parquet's 128-bit decimals
	maxFields = 256 // a wider object is JSON text
	MaxDepth  = 8   // a deeper value is JSON text
)

// Join adds what other has seen. other is not changed, nor kept.
func (s *Shape) Join(other *Shape) {
	if other == nil {
		return
	}
	s.joinObject(other)
	s.joinZone(other)
	s.Seen |= other.Seen
	s.Whole = max(s.Whole, other.Whole)
	s.Scale = max(s.Scale, other.Scale)
	if other.Elem != nil {
		s.element().Join(other.Elem)
	}
}

func (s *Shape) joinZone(other *Shape) {
	switch {
	case other.Seen&SawTime == 0:
	case s.Seen&SawTime == 0:
		s.Zone = other.Zone
	case s.Zone != other.Zone:
		s.Zone = "UTC"
	}
}

func (s *Shape) joinObject(other *Shape) {
	if other.Seen&SawObject == 0 {
		return
	}
	switch {
	case s.Ragged:
	case other.Ragged:
		s.Ragged = true
	case s.Seen&SawObject != 0 && !sameKeys(s.Fields, other.Fields):
		s.Ragged = true
	}
	if s.Ragged {
		s.Fields = nil // nothing that is seen later makes it regular again
		return
	}
	if s.Fields == nil {
		s.Fields = make(map[string]*Shape, len(other.Fields))
	}
	for name, f := range other.Fields {
		if s.Fields[name] == nil {
			s.Fields[name] = &Shape{}
		}
		s.Fields[name].Join(f)
	}
}

func (s *Shape) element() *Shape {
	if s.Elem == nil {
		s.Elem = &Shape{}
	}
	return s.Elem
}

func sameKeys(a, b map[string]*Shape) bool {
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

// Resolve is the narrowest type that holds every value seen without changing
// what it means.
func (s *Shape) Resolve() Type { return s.resolveAt(0) }

func (s *Shape) resolveAt(depth int) Type {
	seen := s.Seen &^ SawNano
	nano := s.Seen&SawNano != 0
	only := func(a Seen) bool { return seen&^a == 0 }
	switch {
	case depth > MaxDepth:
		return Type{Kind: JSON}
	case seen == 0:
		return Type{Kind: Null}
	case only(SawBool):
		return Type{Kind: Bool}
	case only(SawInts):
		return Type{Kind: Int}
	case only(SawInt53 | SawFloat):
		return Type{Kind: Float}
	case only(SawWhole | SawDecimal):
		return s.resolveDecimal()
	case only(SawDate):
		return Type{Kind: Date}
	case only(SawLocal):
		return Type{Kind: LocalTime, Nano: nano}
	case only(SawTime):
		return Type{Kind: Time, Zone: s.Zone, Nano: nano}
	case only(SawClock):
		return Type{Kind: Clock, Nano: nano}
	case only(SawSpan):
		return Type{Kind: Duration, Nano: nano}
	case only(SawWords):
		return Type{Kind: String}
	case only(SawBytes):
		return Type{Kind: Bytes}
	case only(SawList):
		return s.resolveList(depth)
	case only(SawObject):
		return s.resolveStruct(depth)
	}
	return Type{Kind: JSON}
}

func (s *Shape) resolveDecimal() Type {
	whole := s.Whole
	if s.Seen&SawInt53 != 0 {
		whole = max(whole, 16)
	}
	if s.Seen&SawInt64 != 0 {
		whole = max(whole, 19)
	}
	if s.Seen&SawInt128 != 0 {
		whole = MaxDigits
	}
	if whole+s.Scale > MaxDigits {
		return Type{Kind: JSON}
	}
	return Type{Kind: Decimal, Precision: MaxDigits, Scale: s.Scale}
}

func (s *Shape) resolveList(depth int) Type {
	if s.Elem == nil {
		return Type{Kind: JSON}
	}
	elem := s.Elem.resolveAt(depth + 1)
	if elem.Kind == JSON || elem.Kind == Null {
		return Type{Kind: JSON}
	}
	return Type{Kind: List, Elem: &elem}
}

func (s *Shape) resolveStruct(depth int) Type {
	if s.Ragged || len(s.Fields) == 0 || len(s.Fields) > maxFields || foldsTogether(s.Fields) {
		return Type{Kind: JSON}
	}
	d := Type{Kind: Struct}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		d.Fields = append(d.Fields, Field{name, s.Fields[name].resolveAt(depth + 1)})
	}
	return d
}

// foldsTogether reports whether two names differ only in case, which some
// readers take for the same field.
func foldsTogether(fields map[string]*Shape) bool {
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

// Exact is the size up to which integers are exact in a double.
const Exact = 1 << 53

// SawIntOf is the sort of an integer.
func SawIntOf(n int64) Seen {
	if n >= -Exact && n <= Exact {
		return SawInt53
	}
	return SawInt64
}

func bigAtom(n *big.Int) Seen {
	switch {
	case n.IsInt64():
		return SawIntOf(n.Int64())
	case len(new(big.Int).Abs(n).String()) <= MaxDigits:
		return SawInt128
	}
	return SawIntBig
}

// See adds one value in the form that Of gives.
func (s *Shape) See(v any) {
	switch v := v.(type) {
	case nil:
	case bool:
		s.Seen |= SawBool
	case int64:
		s.Seen |= SawIntOf(v)
	case *big.Int:
		s.Seen |= bigAtom(v)
	case float64:
		s.Seen |= SawFloat
	case string:
		s.seeText(v)
	case instant:
		s.Join(&Shape{Seen: SawTime, Zone: v.zone})
	case DecimalText:
		s.Seen |= SawDecimal
		whole, scale := v.digits()
		s.Whole, s.Scale = max(s.Whole, whole), max(s.Scale, scale)
	case []any:
		s.Seen |= SawList
		for _, e := range v {
			s.element().See(e)
		}
	case map[string]any:
		s.seeObject(v)
	default:
		s.Seen |= SawOdd
	}
}

func (s *Shape) seeText(v string) {
	kind, zone := classify(v)
	if kind == SawTime {
		s.Join(&Shape{Seen: SawTime, Zone: zone})
	}
	s.Seen |= kind
}

func (s *Shape) seeObject(v map[string]any) {
	if len(v) > maxFields {
		s.Seen |= SawObject
		s.Ragged, s.Fields = true, nil
		return
	}
	one := &Shape{Seen: SawObject, Fields: make(map[string]*Shape, len(v))}
	for name, e := range v {
		f := &Shape{}
		f.See(e)
		one.Fields[name] = f
	}
	s.Join(one)
}

// Kinds are the words for what has been seen, those that widen into each other
// counted once.
func (s *Shape) Kinds() []string {
	var k []string
	for _, w := range []struct {
		a    Seen
		word string
	}{
		{SawBool, "bool"}, {SawWhole | SawIntBig, "integer"}, {SawFloat, "double"}, {SawDecimal, "decimal"}, {SawDate, "date"}, {SawLocal, "local time"},
		{SawTime, "time"}, {SawClock, "clock"}, {SawSpan, "duration"}, {SawText, "text"}, {SawBytes, "bytes"}, {SawList, "list"}, {SawObject, "struct"},
	} {
		if s.Seen&w.a != 0 {
			k = append(k, w.word)
		}
	}
	return k
}
