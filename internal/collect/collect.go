// Package collect turns executed notebooks into typed tables.
//
// In go notebooks: the runs of a sweep, or any pile of files that papermill,
// scrapbook, Jupyter Book or papermillr ever wrote. Out come a table with one
// row for every run (or file), the scraps in long form, the frames that runs
// glued stacked into a table for each name, the pictures they displayed, and
// the problems met on the way.
//
// It promises that every run or file has its row, whatever became of it; that
// the same input gives the same bytes; and that hostile notebooks end in a
// problem, never in a crash or in memory without bound.
//
// It does not say which values are good: that is compare's part. How tables are
// typed and stored is package table's.
package collect
