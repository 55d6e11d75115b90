// Package value is one JSON value: a parameter, an axis value or a scrap. It
// owns the canonical text, equality and the order of values, so that two
// packages never disagree on whether two values are the same.
//
// Values come from JSON, YAML and Python; this package reads JSON, and writes
// the canonical form alone. It imports nothing of fanout.
package value
