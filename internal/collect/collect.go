// Package collect turns executed notebooks into typed tables.
//
// In go notebooks: the runs of a sweep, or any pile of files that papermill,
// scrapbook, Jupyter Book or papermillr ever wrote. Out come a table with one
// row for every run (or file), the scraps in long form, the frames that runs
// glued stacked into a table for each name, the pictures they displayed, and
// the problems met on the way.
//
// It promises that every run or file has its row, whatever became of it; that a
// value is never changed in meaning to fit a column (a column whose values
// disagree is text that holds their JSON); that the same input gives the same
// bytes; and that hostile notebooks end in a problem, never in a crash or in
// memory without bound.
//
// It does not say which values are good: that is compare's part. It is the only
// package that knows Arrow and Parquet; others see tables through accessors.
package collect
