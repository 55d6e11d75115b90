package draft

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/table/frame"
	"github.com/fanout-dev/fanout/internal/value"
)

// rows reads what `from:` names: CSV, JSON lines, Parquet, or standard input
// when that is "-" and the sweep file is not.
func (src Source) rows(path string) (grid.Rows, error) {
	switch {
	case filepath.Base(path) == "-" && !exists(path):
		if src.File == "-" {
			return nil, errors.New("standard input is the sweep file already")
		}
		text, err := io.ReadAll(src.Stdin)
		if err != nil {
			return nil, err
		}
		return grid.ReadRows("-", text)
	case strings.EqualFold(filepath.Ext(path), ".parquet"):
		return readParquet(path)
	}
	text, err := readWhole(path)
	if err != nil {
		return nil, err
	}
	return grid.ReadRows(path, text)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func readParquet(path string) (grid.Rows, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, table, err := frame.ReadRows(f, info.Size())
	if err != nil {
		return nil, err
	}
	rows := make(grid.Rows, len(table))
	for i, values := range table {
		rows[i] = make([]value.Binding, len(names))
		for j, v := range values {
			x, err := value.Of(v)
			if err != nil {
				return nil, fmt.Errorf("row %d: column %q: %w", i+1, names[j], err)
			}
			rows[i][j] = value.Binding{Name: names[j], Value: x}
		}
	}
	return rows, nil
}
