package align

import (
	"os"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Files are notebooks of the file system as runs, named by their paths.
func Files(paths []string) []Run {
	var runs []Run
	for _, path := range paths {
		r := Run{ID: path, Name: unit.Line(path), Read: func() ([]byte, error) { return os.ReadFile(path) }}
		if info, err := os.Stat(path); err == nil { // otherwise reading it says why
			r.Size = info.Size()
		}
		runs = append(runs, r)
	}
	return runs
}
