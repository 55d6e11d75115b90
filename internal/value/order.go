package value

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Float is the number that an int or a float holds, as near as a float64
// comes to it; ok is false for every other kind.
func (v Value) Float() (x float64, ok bool) {
	switch v.Kind() {
	case Int, Float:
		x, err := strconv.ParseFloat(v.String(), 64)
		return x, err == nil
	}
	return 0, false
}

// Equal reports whether a and b are the same value to people: the number 1 is
// the number 1.0, however it is spelled, and neither is the text "1". Lists
// and maps are equal when their elements are.
func Equal(a, b Value) bool {
	switch ka, kb := a.Kind(), b.Kind(); {
	case a == b:
		return true
	case ka == kb && ka < List: // one canonical text each
		return false
	}
	return Compare(a, b) == 0
}

// Compare orders values: null, bools, numbers by size, texts as people order
// them (see compareText), lists by their elements, maps. It is 0 exactly for
// values that are Equal.
func Compare(a, b Value) int {
	if a == b {
		return 0
	}
	if a.isNumber() && b.isNumber() {
		return compareNumbers(a.String(), b.String())
	}
	if d := cmp.Compare(a.rank(), b.rank()); d != 0 {
		return d
	}
	switch a.Kind() {
	case String:
		return compareText(a.Text(), b.Text())
	case List:
		return slices.CompareFunc(a.elements(), b.elements(), Compare)
	case Map:
		return compareMaps(a, b)
	}
	return strings.Compare(a.String(), b.String()) // false before true
}

func (v Value) isNumber() bool { k := v.Kind(); return k == Int || k == Float }

// rank is the place of a value's kind among the kinds.
func (v Value) rank() int {
	if v.isNumber() {
		return int(Int)
	}
	return int(v.Kind())
}

// compareNumbers is exact: as a float64, 2^53 equals its neighbor. Decimals of 15
// digits are all different as float64, and most numbers are no longer.
func compareNumbers(a, b string) int {
	if isShort(a) && isShort(b) {
		x, err1 := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		if err1 == nil && err2 == nil {
			return cmp.Compare(x, y)
		}
	}
	x, ok1 := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	if !ok1 || !ok2 { // canonical text is a number
		return strings.Compare(a, b)
	}
	return x.Cmp(y)
}

func isShort(number string) bool { return len(number) <= 15 && !strings.ContainsAny(number, "eE") }

func (v Value) elements() []Value {
	list, _ := v.Any().([]any)
	out := make([]Value, len(list))
	for i, e := range list {
		out[i], _ = Of(e) // it came out of a Value
	}
	return out
}

func compareMaps(a, b Value) int {
	x, y := a.members(), b.members()
	return slices.CompareFunc(x, y, func(p, q Binding) int {
		return cmp.Or(strings.Compare(p.Name, q.Name), Compare(p.Value, q.Value))
	})
}

// members are the entries of a map, by name.
func (v Value) members() []Binding {
	m, _ := v.Any().(map[string]any)
	out := make([]Binding, 0, len(m))
	for name, e := range m {
		x, _ := Of(e)
		out = append(out, Binding{name, x})
	}
	slices.SortFunc(out, func(p, q Binding) int { return strings.Compare(p.Name, q.Name) })
	return out
}

// compareText orders texts as people do: texts that are numbers by size and
// before all others, and numbers within texts by size, so that day2 comes
// before day10. It is 0 only for equal texts.
func compareText(a, b string) int {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	switch {
	case err1 == nil && err2 == nil && x != y:
		return cmp.Compare(x, y)
	case err1 == nil && err2 != nil:
		return -1
	case err1 != nil && err2 == nil:
		return 1
	}
	return cmp.Or(compareChunks(a, b), strings.Compare(a, b)) // 7 and 07
}

func compareChunks(a, b string) int {
	for a != "" && b != "" {
		m, n := digitsAt(a), digitsAt(b)
		if m > 0 && n > 0 {
			x, y := strings.TrimLeft(a[:m], "0"), strings.TrimLeft(b[:n], "0")
			if d := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); d != 0 {
				return d
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digitsAt is how many digits a text begins with.
func digitsAt(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
