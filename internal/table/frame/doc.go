// Package frame reads Parquet files that other programs wrote: the frames that
// notebooks record, and files of rows.
//
// In go foreign bytes; out come what the columns hold, and rows. It promises
// that a hostile file ends in an error, never in a crash or in memory without
// bound: every page is unpacked within limits before its values are read.
//
// It writes nothing.
package frame
