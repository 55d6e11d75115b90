// Package reading reads numbers and counts out of a column of scraps.
//
// It decides which columns can be compared as numbers, and which of their values
// are none.
package reading

import (
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/table"
)

// Comparable reports whether a column holds numbers, if only beside other values
// in some rows.
func Comparable(col table.Column, rows []int) bool {
	return Numeric(col) || col.Type() == table.JSON && slices.ContainsFunc(rows, func(row int) bool {
		_, isNumber := Number(col, row)
		return isNumber
	})
}

// Number is the value of a row as a number, also of a column of mixed values.
func Number(col table.Column, row int) (float64, bool) {
	if col.Type() == table.JSON {
		return col.Value(row).Float()
	}
	return col.Float(row)
}

// Finite is Number, and not ok where that is not finite.
func Finite(col table.Column, row int) (x float64, ok bool) {
	x, ok = Number(col, row)
	return x, ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// Numeric reports whether a column holds nothing but numbers.
func Numeric(col table.Column) bool {
	switch col.Type() {
	case table.Bool, table.Int, table.Float, table.Decimal, table.Duration:
		return true
	}
	return false
}

// Ratio reads a run's two numbers; it is not ok where they have no ratio.
func Ratio(of, per table.Column, row int) (f stats.Fraction, ok bool) {
	x, ok1 := Finite(of, row)
	n, ok2 := Finite(per, row)
	return stats.Fraction{Hits: x, Trials: n}, ok1 && ok2 && n > 0 && !math.IsInf(x/n, 0)
}

// Fraction reads a run's counts; it is not ok when they are no counts.
func Fraction(hits, trials table.Column, row int) (f stats.Fraction, ok bool) {
	h, ok1 := hits.Float(row)
	n, ok2 := trials.Float(row)
	return stats.Fraction{Hits: h, Trials: n}, ok1 && ok2 && n > 0 && h >= 0 && h <= n && !math.IsInf(n, 0) && h == math.Trunc(h) && n == math.Trunc(n)
}
