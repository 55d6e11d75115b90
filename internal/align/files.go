package align

import (
	"errors"
	"os"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Files are notebooks of the file system as runs, named by their paths.
func Files(paths []string) []Run {
	var runs []Run
	for _, path := range paths {
		r := Run{ID: path, Name: unit.Line(path), Read: func() ([]byte, error) { return os.ReadFile(path) }}
		switch info, err := os.Stat(path); {
		case err != nil: // reading it says why
		case info.Mode().IsRegular() || info.IsDir():
			r.Size = info.Size()
		default: // a pipe may never say anything, and a device never end
			r.Read = func() ([]byte, error) { return nil, errors.New("it is no regular file") }
		}
		runs = append(runs, r)
	}
	return runs
}
