package table

import (
	"encoding/json"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
)

// Type is the kind of the values in a column.
type Type = cell.Kind

// The types of columns.
const (
	Null      = cell.Null      // no value was ever seen
	Bool      = cell.Bool      //
	Int       = cell.Int       // 64 bits, signed
	Float     = cell.Float     // double
	String    = cell.String    //
	JSON      = cell.JSON      // text that holds the JSON form of values that share no type
	Date      = cell.Date      // a calendar day
	Time      = cell.Time      // an instant, shown in the column's zone
	LocalTime = cell.LocalTime // a date and time without a zone
	Clock     = cell.Clock     // a time of day
	Duration  = cell.Duration  //
	Decimal   = cell.Decimal   // an exact decimal number
	Bytes     = cell.Bytes     //
	List      = cell.List      //
	Struct    = cell.Struct    //
)

// DecimalText is an exact decimal number, as "12.50".
type DecimalText = cell.DecimalText

// JSONText is the JSON of a value, which goes into a table as it is.
type JSONText = cell.JSONText

// ParseJSON reads one JSON value into a form that Set takes: integers stay exact
// whatever their size; NaN, Infinity and -Infinity, which Python writes, are
// read as what they are.
func ParseJSON(raw []byte) (any, error) { return cell.ParseJSON(raw) }

// Number is a value that Set takes, or that ParseJSON returns, as a number; ok is
// false if it is none.
func Number(v any) (x float64, ok bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	case json.Number:
		x, err := n.Float64()
		return x, err == nil
	}
	return 0, false
}

// AppendJSON writes a value that Set takes as JSON: keys sorted, a float keeps
// its point, what JSON has no number for is a string.
func AppendJSON(b []byte, v any) []byte { return cell.AppendJSON(b, v) }
