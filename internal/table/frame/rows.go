package frame

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// ReadRows reads a whole Parquet file of another program: the names of its
// columns and its rows, a value a column. Values are nil, bool, int64,
// float64, json.Number (an integer beyond int64), string, []any or
// map[string]any; days, times and decimals are strings in their ISO form.
// Numbers that stand for something else are an error, as is a name that two
// columns have.
func ReadRows(r io.ReaderAt, size int64) (names []string, rows [][]any, err error) {
	f, err := checkFrame(r, size, frameBytes)
	if err != nil {
		return nil, nil, err
	}
	defer recovered("read frame", &err)
	if wrong := f.changed(); len(wrong) > 0 {
		return nil, nil, fmt.Errorf("read frame: %s", wrong[0])
	}
	err = f.each(func(row []any) bool {
		rows = append(rows, row)
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	return f.names(), rows, nil
}

func (f *File) names() (names []string) {
	for _, n := range f.columns {
		names = append(names, n.name)
	}
	return names
}

// each calls yield with row after row, until it returns false.
func (f *File) each(yield func(row []any) bool) error {
	fr := &frameReader{file: f}
	n := 0
	for _, g := range f.file.RowGroups() {
		if g.NumRows() == 0 {
			continue
		}
		if err := fr.open(g); err != nil {
			return err
		}
		for range g.NumRows() {
			n++
			row, err := fr.row()
			if err != nil {
				fr.close()
				return fmt.Errorf("read frame: row %d: %w", n, err)
			}
			if !yield(row) {
				fr.close()
				return nil
			}
		}
		fr.close()
	}
	return nil
}

// row is the next row as Go values.
func (r *frameReader) row() ([]any, error) {
	row := make([]any, len(r.file.columns))
	for i, n := range r.file.columns {
		v, err := r.tree(n)
		if err != nil {
			return nil, ended(err)
		}
		row[i] = value.Each(v, rowValue)
	}
	return row, nil
}

// rowValue gives a value a form that needs no knowledge of ours.
func rowValue(v any) any {
	switch v := v.(type) {
	case *big.Int:
		return json.Number(v.String())
	case cell.JSONText:
		return string(v)
	}
	return v
}
