package align

import (
	"os"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Files are notebooks of the file system as runs, named by their paths.
func Files(paths []string) []Run {
	var runs []Run
	for _, path := range paths {
		runs = append(runs, Run{ID: path, Name: unit.Line(path), Read: func() ([]byte, error) { return os.ReadFile(path) }})
	}
	return runs
}
