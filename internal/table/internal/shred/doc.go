// Package shred writes typed columns as Parquet: Arrow arrays go in, and come
// out as pages of values with repetition and definition levels.
//
// It promises that the bytes depend on the rows and on how they are batched, on
// nothing else. It reads no Parquet.
//
// Note: arrow's pqarrow was measured with 100,000 rows of 20 columns of mixed
// types. It needs 0.80 s of processor time where this needs 0.37 s, allocates
// four times as much and writes files 16% larger, which differ from one time to
// the next. parquet-go's rows (0.30 s) want the same levels worked out before.
package shred
