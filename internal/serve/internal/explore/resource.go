package explore

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/unit"
)

// resource reads a table of data that a notebook shows, of the Frictionless kind: pandas
// and nteract write it.
func resource(raw json.RawMessage) (d Data, err error) {
	if len(raw) > maxTable {
		return d, fmt.Errorf("a table of %s: %w", unit.Bytes(int64(len(raw))), books.ErrTooLarge)
	}
	var of struct {
		Schema struct {
			Fields []struct{ Name string }
		}
		Data []map[string]any
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&of); err != nil || len(of.Schema.Fields) == 0 {
		return d, unit.Mistake(fmt.Errorf("this table cannot be explored: its schema has no fields, or its rows are no objects"))
	}
	seen := map[string]bool{}
	for _, f := range of.Schema.Fields {
		if !seen[f.Name] {
			d.Names = append(d.Names, f.Name)
		}
		seen[f.Name] = true
	}
	if len(of.Data)*len(d.Names) > maxCells {
		return d, fmt.Errorf("%d rows of %d columns: %w", len(of.Data), len(d.Names), books.ErrTooLarge)
	}
	for _, values := range of.Data {
		row := make([]any, len(d.Names))
		for i, name := range d.Names {
			row[i] = plain(values[name])
		}
		d.Rows = append(d.Rows, row)
	}
	return d, nil
}

// plain is a JSON value as those of tables are: a whole number is an integer, and one that
// is too large for a number is a text.
func plain(v any) any {
	number, is := v.(json.Number)
	if !is {
		return v
	}
	if n, err := number.Int64(); err == nil {
		return n
	}
	if x, err := number.Float64(); err == nil {
		return x
	}
	return number.String()
}
