package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// manifestKey is the object of an export that lists its files. Readers of data
// sets ignore names that begin with "_".
const manifestKey = "_fanout_export.json"

// manifest says which files of a folder are an export's. While one is being
// written they are those of the export before, too, so that what an
// interrupted one leaves is known to the next.
type manifest struct {
	Format string   `json:"format"`
	Files  []string `json:"files"` // slash-separated, in the folder
}

const manifestFormat = "fanout-export"

// ExportPartitions writes a table as Parquet files in folders by the values of
// some columns (table.Partition) and returns their names. An earlier export to
// the same folder, or bucket's URL, is replaced whole. A folder that holds
// anything else is refused, because readers would take it for part of the table.
func (a *App) ExportPartitions(ctx context.Context, t *table.Table, folder string, by []string) ([]string, error) {
	st, err := a.OpenStore(ctx, folder)
	if err != nil {
		return nil, err
	}
	begin := func(names []string) error { return beginExport(ctx, st, folder, names) }
	names, err := t.Partition(ctx, by, begin, func(name string, write func(io.Writer) error) error {
		return st.Write(ctx, name, write, store.Cached)
	})
	if err != nil {
		return nil, err
	}
	return names, putManifest(ctx, st, names)
}

// beginExport takes the folder over: it removes the files of the export before
// that the next one does not replace, so that no moment shows a row twice.
func beginExport(ctx context.Context, st store.Store, folder string, names []string) error {
	ours, err := readManifest(ctx, st)
	if err != nil {
		return err
	}
	for o, err := range st.List(ctx, "") {
		switch base := path.Base(o.Key); {
		case err != nil:
			return err
		case strings.HasPrefix(base, "_") || strings.HasPrefix(base, "."): // which readers ignore
		case !slices.Contains(ours, o.Key):
			return unit.Mistake(unit.WithHint(fmt.Errorf("%s holds %s, which no export wrote: readers would take it for part of the table", unit.Path(folder), o.Key),
				"export to an empty folder with -o"))
		}
	}
	gone, err := takeOver(ctx, st, ours, names)
	if err != nil {
		return err
	}
	return remove(ctx, st, gone)
}

// takeOver notes which files the next export will write, and returns those of
// ours, the export before, that it will not.
func takeOver(ctx context.Context, st store.Store, ours, names []string) (gone []string, err error) {
	if err := putManifest(ctx, st, slices.Compact(slices.Sorted(slices.Values(slices.Concat(ours, names))))); err != nil {
		return nil, err
	}
	stay := make(map[string]bool, len(names))
	for _, name := range names {
		stay[name] = true
	}
	return slices.DeleteFunc(ours, func(name string) bool { return stay[name] }), nil
}

// finishExport removes what is left of the export before.
func finishExport(ctx context.Context, st store.Store, gone, names []string) error {
	if err := remove(ctx, st, gone); err != nil {
		return err
	}
	return putManifest(ctx, st, names)
}

func remove(ctx context.Context, st store.Store, keys []string) error {
	for _, key := range keys {
		if err := st.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func readManifest(ctx context.Context, st store.Store) ([]string, error) {
	doc, err := st.Get(ctx, manifestKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(doc, &m); err != nil || m.Format != manifestFormat {
		return nil, fmt.Errorf("%s is no list of an export", manifestKey)
	}
	return m.Files, nil
}

func putManifest(ctx context.Context, st store.Store, names []string) error {
	doc, err := json.MarshalIndent(manifest{manifestFormat, names}, "", " ")
	if err != nil {
		return err
	}
	return st.Put(ctx, manifestKey, append(doc, '\n'), store.Cached)
}
