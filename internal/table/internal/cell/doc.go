// Package cell is the value of one cell of a table, and the type of a column.
//
// A Shape is what has been seen of a column's values; it resolves to the Type
// that holds them all. Values go into Arrow builders of that type, and come back
// out of Arrow arrays. It promises that no value changes its meaning on the way.
package cell
