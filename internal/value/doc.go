// Package value is one JSON value: a parameter, an axis value or a scrap. It
// owns the canonical text, equality and the order of values, so that two
// packages never disagree on whether two values are the same.
//
// It also owns JSON as Python writes it, with NaN, infinities, halves of
// surrogate pairs and integers of any size: [Scanner] reads it in memory,
// [Stream] walks it in files of any length, [AppendText] and [FloatJSON] spell
// it.
//
// Values come from JSON, YAML and Python; this package reads JSON. It imports
// nothing of fanout.
package value
