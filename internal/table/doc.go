// Package table holds typed tables.
//
// In go rows of values, each value as it was met; out come columns, each of the
// narrowest type that holds all its values, as Arrow, Parquet, CSV or JSON, and
// back from Arrow. Frames that other programs wrote are stacked into one table
// (Stack); package frame reads them.
//
// It promises that no value is changed in meaning to fit a column (a column
// whose values disagree is text that holds their JSON); that the order in which
// values are met does not matter to the type; and that the same rows give the
// same bytes.
//
// It is the only home of Arrow and Parquet; others see tables through accessors.
// What rows mean, and which of them are good, is not its business.
package table
