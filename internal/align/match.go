package align

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/align/internal/delta"
)

// A row is one cell of the template and where each run has it.
type row struct {
	cell sheetCell // of the run it was first seen in
	at   []int     // by run: index in its sheet, -1 where it has no such cell
}

// rowsOf aligns the cells of runs. The sheet of most runs comes first; sheets
// that look the same are aligned together, so that runs of one template cost
// one step a cell.
func rowsOf(sheets []*sheet) []row {
	shapes := shapesOf(sheets)
	var rows []row
	for _, runs := range shapes {
		first := sheets[runs[0]]
		place := match(rows, first.cells)
		rows = merge(rows, first.cells, place, runs, len(sheets))
	}
	return rows
}

// shapesOf are the runs by what their sheets look like, the most common first.
func shapesOf(sheets []*sheet) [][]int {
	index := map[[16]byte]int{}
	var shapes [][]int
	for run, s := range sheets {
		i, known := index[s.shape]
		if !known {
			i = len(shapes)
			index[s.shape], shapes = i, append(shapes, nil)
		}
		shapes[i] = append(shapes[i], run)
	}
	slices.SortStableFunc(shapes, func(a, b []int) int { return len(b) - len(a) })
	return shapes
}

// maxPairs is how many pairs of cells are looked at to align two notebooks.
const maxPairs = 16 << 20

// match finds the row of each cell, -1 where there is none: rows with equal
// code in their order, between them those with equal ids, and what is left
// where as many cells are left as rows.
func match(rows []row, cells []sheetCell) []int {
	place := make([]int, len(cells))
	for i := range place {
		place[i] = -1
	}
	if len(rows) == 0 || len(rows)*len(cells) > maxPairs {
		for i := range min(len(rows), len(cells)) {
			place[i] = i
		}
		return place
	}
	a, b := make([]string, len(rows)), make([]string, len(cells))
	for i, r := range rows {
		a[i] = string(r.cell.code[:])
	}
	for i, c := range cells {
		b[i] = string(c.code[:])
	}
	r, c := 0, 0
	for _, m := range append(delta.Common(a, b), [2]int{len(rows), len(cells)}) {
		matchGap(rows[r:m[0]], cells[c:m[1]], r, place[c:m[1]])
		if m[1] < len(cells) {
			place[m[1]] = m[0]
		}
		r, c = m[0]+1, m[1]+1
	}
	return place
}

// matchGap aligns rows and cells none of which have equal code.
func matchGap(rows []row, cells []sheetCell, offset int, place []int) {
	next := 0
	for i, c := range cells {
		for r := next; r < len(rows); r++ {
			if rows[r].cell.id == c.id {
				place[i], next = offset+r, r+1
				break
			}
		}
	}
	if next == 0 && len(rows) == len(cells) {
		for i := range cells {
			place[i] = offset + i
		}
	}
}

// merge adds the cells that some runs have to rows, and rows for those that
// have none; all is how many runs there are.
func merge(rows []row, cells []sheetCell, place, runs []int, all int) []row {
	merged := make([]row, 0, len(rows)+len(cells))
	next := 0
	for i, c := range cells {
		if place[i] < 0 {
			merged = append(merged, row{c, slices.Repeat([]int{-1}, all)})
		} else {
			merged = append(merged, rows[next:place[i]+1]...)
			next = place[i] + 1
		}
		for _, run := range runs {
			merged[len(merged)-1].at[run] = i
		}
	}
	return append(merged, rows[next:]...)
}
