package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// export is the form of a table that goes elsewhere.
type export struct {
	format    string
	partition []string
	cells     bool // of CSV, as a spreadsheet needs them
}

func (e export) wanted(output string) bool {
	return e.format != "" || e.cells || len(e.partition) > 0 || output == "-"
}

// export writes the table of runs in the form the flags ask for: of a sweep,
// or of any notebooks.
func (c *cli) export(ctx context.Context, args []string, output string, e export, require []string) error {
	write, err := e.writer()
	if err != nil {
		return unit.Mistake(err)
	}
	if output == "" && len(e.partition) > 0 {
		return unit.Mistake(unit.WithHint(errors.New("--partition-by needs a folder"), "add -o FOLDER"))
	}
	res, err := c.app.Gather(ctx, args, require)
	if err != nil {
		return err
	}
	defer res.Close()
	switch {
	case len(e.partition) > 0:
		err = c.partition(ctx, res.Table, output, e.partition)
	case output == "" || output == "-":
		err = write(res.Table, c.stdout.Data())
	default:
		err = c.writeTo(ctx, output, func(w io.Writer) error { return write(res.Table, w) })
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return asGate(app.Required(res))
}

// writeTo writes a file, or an object of a bucket.
func (c *cli) writeTo(ctx context.Context, name string, write func(io.Writer) error) error {
	where, key := store.Split(name)
	st, err := c.openStore(ctx, where)
	if err != nil {
		return err
	}
	return st.Write(ctx, key, write, store.Cached)
}

func (e export) writer() (func(*table.Table, io.Writer) error, error) {
	if e.cells && e.format != "csv" {
		return nil, errors.New("--spreadsheet is for --format csv")
	}
	switch e.format {
	case "csv":
		if e.cells {
			return func(t *table.Table, w io.Writer) error { return t.WriteCSVCells(w, unit.Cell) }, nil
		}
		return (*table.Table).WriteCSV, nil
	case "json":
		return (*table.Table).WriteJSON, nil
	case "", "arrow":
		return (*table.Table).WriteStream, nil
	}
	return nil, fmt.Errorf("--format %q: want csv, json or arrow", e.format)
}

func (c *cli) partition(ctx context.Context, t *table.Table, folder string, by []string) error {
	names, err := c.app.ExportPartitions(ctx, t, folder, by)
	if err == nil {
		c.stderr.Printf("%s\n", unit.Plural(len(names), "file"))
	}
	return err
}
