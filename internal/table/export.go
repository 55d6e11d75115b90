package table

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// WriteCSV writes the table as RFC 4180 CSV with a header: a null is an empty
// field, an empty text is "" in quotes, lists and structs are JSON.
func (t *Table) WriteCSV(w io.Writer) error {
	return t.WriteCSVCells(w, func(text string) string { return text })
}

// WriteCSVCells is WriteCSV with every name and value as change makes it.
func (t *Table) WriteCSVCells(w io.Writer, change func(text string) string) error {
	b := bufio.NewWriter(w)
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = change(c.Name())
	}
	// Note: csv.Writer never quotes an empty field, which would make empty
	// texts null; and some readers take a lone empty line for no row at all.
	header := csv.NewWriter(b)
	if err := header.Write(names); err != nil {
		return err
	}
	header.Flush()
	for row := range t.rows {
		for i, c := range t.columns {
			if i > 0 {
				b.WriteByte(',')
			}
			if !c.Null(row) {
				b.WriteString(csvField(change(c.Text(row))))
			}
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

func csvField(s string) string {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// WriteJSON writes an object a line, nulls included. NaN and the infinities are
// texts.
func (t *Table) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	var line []byte
	for row := range t.rows {
		line = append(line[:0], '{')
		for i, c := range t.columns {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(value.AppendText(line, c.Name()), ':')
			if c.typ.Kind == JSON && !c.Null(row) {
				line = append(line, c.Text(row)...)
			} else {
				line = cell.AppendJSON(line, c.Any(row))
			}
		}
		line = append(line, '}', '\n')
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Partition writes the table as Parquet files in folders named after the values
// of some columns, as Hive lays them out: day=2026-01-01/region=eu/part-0.parquet.
// The files lack those columns; readers take them from the folders. Names are
// given to begin first, all of them, and then one by one to put, which must
// store the file whole or not at all.
func (t *Table) Partition(ctx context.Context, by []string, begin func(names []string) error, put func(name string, write func(io.Writer) error) error) ([]string, error) {
	var keys []Column
	for _, name := range by {
		c, ok := t.Column(name)
		if !ok {
			return nil, fmt.Errorf("partition table: there is no column %q", name)
		}
		switch c.Type() {
		case List, Struct, JSON, Bytes:
			return nil, fmt.Errorf("partition table: column %q is %s, which names no folder", name, c.typ)
		}
		keys = append(keys, c)
	}
	rows := map[string][]int{}
	for row := range t.rows {
		folder := ""
		for _, c := range keys {
			folder += hiveName(c, row) + "/"
		}
		rows[folder] = append(rows[folder], row)
	}
	folders := slices.Sorted(maps.Keys(rows))
	names := make([]string, len(folders))
	for i, folder := range folders {
		names[i] = folder + "part-0.parquet"
	}
	if err := begin(names); err != nil {
		return nil, err
	}
	for i, folder := range folders {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part, err := t.pick(rows[folder], by)
		if err != nil {
			return nil, err
		}
		if err := put(names[i], part.WriteParquet); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// hiveName is key=value with what a path cannot hold percent-encoded.
func hiveName(c Column, row int) string {
	value := "__HIVE_DEFAULT_PARTITION__"
	if !c.Null(row) {
		value = hiveEscape(c.Text(row))
	}
	return hiveEscape(c.Name()) + "=" + value
}

func hiveEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < 0x20 || strings.IndexByte(`"#%'*/:=?\{}[]^`, c) >= 0 || c == 0x7F {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// pick is the table of some rows, without some columns.
func (t *Table) pick(rows []int, without []string) (*Table, error) {
	var fields []arrow.Field
	var specs []ColumnSpec
	var types []cell.Type
	part := &Table{rows: len(rows)}
	var columns []Column
	for i, c := range t.columns {
		if !slices.Contains(without, c.Name()) {
			fields = append(fields, t.schema.Field(i))
			specs, types, columns = append(specs, c.spec), append(types, c.typ), append(columns, c)
		}
	}
	part.schema = arrow.NewSchema(fields, &tableMetadata)
	for start := 0; start < len(rows); start += cell.BatchRows {
		some := rows[start:min(len(rows), start+cell.BatchRows)]
		arrays := make([]arrow.Array, len(columns))
		for i, c := range columns {
			b := array.NewBuilder(memory.DefaultAllocator, c.typ.Arrow())
			for _, row := range some {
				if err := cell.AppendTo(b, c.typ, c.cellValue(row)); err != nil {
					return nil, fmt.Errorf("partition column %q: %w", c.Name(), err)
				}
			}
			arrays[i] = b.NewArray()
			b.Release()
		}
		part.starts = append(part.starts, start)
		part.batches = append(part.batches, array.NewRecord(part.schema, arrays, int64(len(some))))
	}
	part.index(specs, types)
	return part, nil
}
