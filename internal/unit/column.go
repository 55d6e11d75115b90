package unit

import (
	"math"
	"strconv"
	"strings"
)

// Numbers is how to write the numbers of one column: all with the same decimals,
// as many as give the largest four digits and the smallest three, but the largest
// no more than seven, without those that are zero throughout. Exponents stand where all are ten
// million or more, or all below 0.0001; numbers too far apart for one form are
// written like Number. What is nothing beside the largest is zero.
func Numbers(column ...float64) func(float64) string {
	const noise = 1e-9
	largest := 0.0
	for _, x := range column {
		if isFinite(x) {
			largest = math.Max(largest, math.Abs(x))
		}
	}
	smallest := largest
	for _, x := range column {
		if abs := math.Abs(x); abs > largest*noise {
			smallest = math.Min(smallest, abs)
		}
	}
	if largest == 0 {
		return Number
	}
	format, digits := byte('f'), max(min(max(3-exponent(largest), 2-exponent(smallest)), 6-exponent(largest)), 0)
	switch {
	case smallest >= 1e7 || largest < 1e-4:
		format, digits = 'e', 3
	case exponent(smallest)+digits < 1 && !whole(column): // fewer than two digits are left
		return Number
	}
	text := func(x float64, digits int) string {
		if math.Abs(x) <= largest*noise {
			x = 0
		}
		return minus(strconv.FormatFloat(x, format, digits, 64))
	}
	used := 0
	for _, x := range column {
		if isFinite(x) {
			mantissa, _, _ := strings.Cut(text(x, digits), "e")
			_, decimals, _ := strings.Cut(trimZeros(mantissa), ".")
			used = max(used, len(decimals))
		}
	}
	return func(x float64) string {
		if !isFinite(x) {
			return Number(x)
		}
		return text(x, used)
	}
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func whole(column []float64) bool {
	for _, x := range column {
		if isFinite(x) && x != math.Trunc(x) {
			return false
		}
	}
	return true
}

// Signed puts a plus before what Number, or a function of Numbers, writes of a gain.
func Signed(number func(float64) string) func(float64) string {
	return func(x float64) string {
		s := number(x)
		if x > 0 && strings.ContainsAny(s, "123456789∞") {
			return "+" + s
		}
		return s
	}
}

// Bridge joins the ends of an interval, which no table tears apart.
const Bridge = "\u00a0…\u00a0"

// Interval writes the ends of one, empty where they are not known. An unbounded one
// says why there is none: flat because nothing varies.
func Interval(lo, hi float64, flat bool, number func(float64) string) string {
	switch {
	case math.IsNaN(lo):
		return ""
	case flat:
		return "unvarying"
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return "too few"
	}
	return number(lo) + Bridge + number(hi)
}
