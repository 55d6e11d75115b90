// Package cause looks for what runs that failed have in common and others have
// not.
//
// In go the levels of axes by row, and which rows failed; out come conditions
// on the axes, or how often each level failed.
package cause

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/value"
)

// An Axis is a column whose levels may explain failures.
type Axis struct {
	*factor.Factor
	Name      string
	Ordered   bool // ranges of levels count as conditions
	Replicate bool // its levels mean nothing by themselves: no Rates
}

// A Condition is one thing true of a run.
type Condition struct {
	Name  string
	Op    string // "=", or ">=" or "<=" of an ordered axis
	Value value.Value
}

// Rates are how often runs failed at each value of an axis, the highest rate
// first.
type Rates struct {
	Axis   string
	Uneven bool // more so than chance explains
	Values []Rate
}

// A Rate is that of one value: how many of the runs that ended.
type Rate struct {
	Value      string
	Failed, Of int
}

func (r Rate) share() float64 { return float64(r.Failed) / float64(r.Of) }

// digits and quoted differ between occurrences of one mistake.
var (
	digits = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+`)
	quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// Signature is a failure without what differs from run to run.
func Signature(kind, reason string) string {
	return kind + "\x00" + digits.ReplaceAllString(quoted.ReplaceAllString(reason, "…"), "#")
}

// A bound is a condition on the level of an axis.
type bound struct {
	Condition
	level int
	at    []int
}

func (a Axis) bound(op string, level int) bound {
	return bound{Condition{a.Name, op, a.Levels[level]}, level, a.At}
}

// holds reports whether a row is within a bound.
func (b bound) holds(row int) bool {
	switch have := b.at[row]; b.Op {
	case ">=":
		return have >= b.level
	case "<=":
		return have <= b.level
	default:
		return have == b.level
	}
}

// minRange is how many failures a range, or three conditions, may explain
// without more ado: fewer are often within some by chance.
const minRange = 4

// chanceAlpha is how sure one must be that conditions of fewer failures are not
// chance.
const chanceAlpha = 0.05

// Separate finds the fewest conditions, up to three, that are true of all failed
// rows and together of none that succeeded. With no success there is nothing to
// tell apart.
func Separate(axes []Axis, failed, succeeded []int) []Condition {
	if len(succeeded) == 0 {
		return nil
	}
	equal := shared(axes, failed)
	all := slices.Concat(equal, ranges(axes, failed))
	if len(failed) >= minRange {
		return fewest(all, succeeded, 3)
	}
	if found := fewest(equal, succeeded, 2); found != nil {
		return found
	}
	if found := fewest(all, succeeded, 3); chance(axes, found, failed, succeeded) < chanceAlpha {
		return found
	}
	return nil
}

// fewest are the fewest of the bounds, up to a number, that none of the rows is
// within.
func fewest(from []bound, rows []int, most int) []Condition {
	for n := 1; n <= most; n++ {
		if found := separate(from, nil, rows, n); found != nil {
			return found
		}
	}
	return nil
}

// chance is at most how likely it is that some conditions like these would be
// true of just the failed rows, had any others been as likely to fail: how many
// such conditions there are, by how many sets of rows.
func chance(axes []Axis, found []Condition, failed, succeeded []int) float64 {
	ways, bounded := 1.0, 0
	for _, a := range axes {
		ops := ""
		for _, c := range found {
			if c.Name == a.Name {
				ops += c.Op
			}
		}
		switch n := float64(a.levels(failed, succeeded)); ops {
		case "":
			continue
		case ">=", "<=":
			ways *= 2 * n
		default: // one level, or a range that ends where there are rows enough
			ways *= n
		}
		bounded++
	}
	return ways * binomial(len(axes), bounded) / binomial(len(failed)+len(succeeded), len(failed))
}

// binomial is how many sets of k there are of n.
func binomial(n, k int) float64 {
	ways := 1.0
	for i := range k {
		ways *= float64(n-i) / float64(i+1)
	}
	return ways
}

// levels is how many of them rows have.
func (a Axis) levels(rows ...[]int) int {
	has := map[int]bool{}
	for _, row := range slices.Concat(rows...) {
		has[a.At[row]] = true
	}
	return len(has)
}

// separate chooses n of the bounds so that none of the rows is within them all,
// the earliest first.
func separate(from []bound, chosen []Condition, rows []int, n int) []Condition {
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
		if found := separate(from[i+1:], append(slices.Clone(chosen), b.Condition), left, n-1); found != nil {
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
func shared(axes []Axis, rows []int) []bound {
	var out []bound
	for _, a := range axes {
		if low, high := a.ends(rows); low == high {
			out = append(out, a.bound("=", low))
		}
	}
	return out
}

// ranges are those of the ordered axes that all rows lie in.
func ranges(axes []Axis, rows []int) []bound {
	var out []bound
	for _, a := range axes {
		if low, high := a.ends(rows); a.Ordered && low < high {
			out = append(out, a.bound(">=", low), a.bound("<=", high))
		}
	}
	return out
}

// RatesOf are the rates of every axis with several levels, those whose rates
// differ most first.
func RatesOf(axes []Axis, failed, others []int) []Rates {
	var out []Rates
	for _, a := range axes {
		if r := a.rates(failed, others); len(r.Values) > 1 && !a.Replicate {
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
func (r Rates) reach() float64 { return r.Values[0].share() - r.Values[len(r.Values)-1].share() }

func (a Axis) rates(failed, others []int) Rates {
	rates := make([]Rate, len(a.Levels))
	for level, text := range a.Texts {
		rates[level].Value = text
	}
	for _, row := range failed {
		rates[a.At[row]].Failed++
		rates[a.At[row]].Of++
	}
	for _, row := range others {
		rates[a.At[row]].Of++
	}
	rates = slices.DeleteFunc(rates, func(r Rate) bool { return r.Of == 0 })
	slices.SortStableFunc(rates, func(x, y Rate) int { return cmp.Compare(y.share(), x.share()) })
	of := make([]stats.Fraction, len(rates))
	for i, r := range rates {
		of[i] = stats.Fraction{Hits: float64(r.Failed), Trials: float64(r.Of)}
	}
	return Rates{a.Name, stats.RatesOf([][]stats.Fraction{of}).Uneven, rates}
}
