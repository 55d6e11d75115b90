// Package cause looks for what runs that failed have in common and others have
// not.
//
// In go the levels of axes by row, and which rows failed; out come conditions
// on the axes, or how often each level failed. It knows no table and no words.
package cause

import (
	"cmp"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// An Axis is a column whose levels may explain failures.
type Axis struct {
	Name      string
	Ordered   bool // ranges of levels count as conditions
	Replicate bool // its levels mean nothing by themselves: no Rates
	At        []int
}

// A Bound is a condition on the level of an axis.
type Bound struct {
	Name, Op string // "=", ">=" or "<="
	Level    int
	at       []int
}

// holds reports whether a row is within a bound.
func (b Bound) holds(row int) bool {
	switch have := b.at[row]; b.Op {
	case ">=":
		return have >= b.Level
	case "<=":
		return have <= b.Level
	default:
		return have == b.Level
	}
}

// minRange is how many failures a range, or three conditions, must explain:
// fewer are always within some.
const minRange = 4

// Separate finds the fewest conditions, up to three, that are true of all failed
// rows and together of none that succeeded. With no success there is nothing to
// tell apart.
func Separate(axes []Axis, failed, succeeded []int) []Bound {
	if len(succeeded) == 0 {
		return nil
	}
	from, most := shared(axes, failed), 2
	if len(failed) >= minRange {
		from, most = append(from, ranges(axes, failed)...), 3
	}
	for n := 1; n <= most; n++ {
		if found := separate(from, nil, succeeded, n); found != nil {
			return found
		}
	}
	return nil
}

// separate chooses n of the bounds so that none of the rows is within them all,
// the earliest first.
func separate(from, chosen []Bound, rows []int, n int) []Bound {
	if n == 0 {
		if len(rows) > 0 {
			return nil
		}
		return chosen
	}
	for i, b := range from {
		left := slices.DeleteFunc(slices.Clone(rows), func(row int) bool { return !b.holds(row) })
		if len(left) == len(rows) {
			continue // it tells nothing apart
		}
		if found := separate(from[i+1:], append(slices.Clone(chosen), b), left, n-1); found != nil {
			return found
		}
	}
	return nil
}

// ends are the lowest and the highest level of some rows.
func (a Axis) ends(rows []int) (low, high int) {
	low, high = a.At[rows[0]], a.At[rows[0]]
	for _, row := range rows {
		low, high = min(low, a.At[row]), max(high, a.At[row])
	}
	return low, high
}

// shared are the levels that all rows have in common.
func shared(axes []Axis, rows []int) []Bound {
	var out []Bound
	for _, a := range axes {
		if low, high := a.ends(rows); low == high {
			out = append(out, Bound{a.Name, "=", low, a.At})
		}
	}
	return out
}

// ranges are those of the ordered axes that all rows lie in.
func ranges(axes []Axis, rows []int) []Bound {
	var out []Bound
	for _, a := range axes {
		if low, high := a.ends(rows); a.Ordered && low < high {
			out = append(out, Bound{a.Name, ">=", low, a.At}, Bound{a.Name, "<=", high, a.At})
		}
	}
	return out
}

// Rates are how often rows failed at each level of an axis.
type Rates struct {
	Name   string
	Uneven bool // more so than chance explains
	Levels []Rate
}

// A Rate is that of one level.
type Rate struct{ Level, Failed, Of int }

func (r Rate) share() float64 { return float64(r.Failed) / float64(r.Of) }

// RatesOf are the rates of every axis with several levels, those whose rates
// differ most first, and of each the highest rate first.
func RatesOf(axes []Axis, failed, succeeded []int) []Rates {
	var out []Rates
	for _, a := range axes {
		if r := a.rates(failed, succeeded); len(r.Levels) > 1 && !a.Replicate {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Rates) int {
		switch {
		case a.Uneven && !b.Uneven:
			return -1
		case b.Uneven && !a.Uneven:
			return 1
		}
		return cmp.Compare(b.reach(), a.reach())
	})
	return out
}

// reach is how far the highest rate is from the lowest.
func (r Rates) reach() float64 { return r.Levels[0].share() - r.Levels[len(r.Levels)-1].share() }

func (a Axis) rates(failed, succeeded []int) Rates {
	byLevel := map[int]Rate{}
	count := func(rows []int, failures int) {
		for _, row := range rows {
			r := byLevel[a.At[row]]
			byLevel[a.At[row]] = Rate{a.At[row], r.Failed + failures, r.Of + 1}
		}
	}
	count(failed, 1)
	count(succeeded, 0)
	out := Rates{Name: a.Name}
	var of []stats.Fraction
	for _, r := range byLevel {
		out.Levels = append(out.Levels, r)
	}
	slices.SortFunc(out.Levels, func(x, y Rate) int { return cmp.Or(cmp.Compare(y.share(), x.share()), cmp.Compare(x.Level, y.Level)) })
	for _, r := range out.Levels {
		of = append(of, stats.Fraction{Hits: float64(r.Failed), Trials: float64(r.Of)})
	}
	out.Uneven = stats.Uneven([][]stats.Fraction{of})
	return out
}
