// Package shred writes typed columns as Parquet: Arrow arrays go in, and come
// out as pages of values with repetition and definition levels.
//
// It promises that the bytes depend on the rows and on how they are batched, on
// nothing else. It reads no Parquet.
package shred
