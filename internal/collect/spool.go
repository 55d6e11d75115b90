package collect

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// spool keeps what does not belong in memory, frames and pictures above all, in
// a temporary folder until the tables are written.
type spool struct {
	dir  string
	mu   sync.Mutex
	file *os.File
	size int64
}

// stored is a piece in the spool.
type stored struct{ at, size int64 }

func newSpool(dir string) (*spool, error) {
	dir, err := os.MkdirTemp(dir, "fanout-collect-")
	if err != nil {
		return nil, fmt.Errorf("make temporary folder: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, "pieces"))
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	return &spool{dir: dir, file: f}, nil
}

// add may be called from several goroutines.
func (s *spool) add(b []byte) (stored, error) {
	s.mu.Lock()
	at := s.size
	s.size += int64(len(b))
	s.mu.Unlock()
	if _, err := s.file.WriteAt(b, at); err != nil {
		return stored{}, fmt.Errorf("keep a scrap in %s: %w", s.dir, err)
	}
	return stored{at, int64(len(b))}, nil
}

func (s *spool) open(p stored) *io.SectionReader { return io.NewSectionReader(s.file, p.at, p.size) }

func (s *spool) close() error {
	s.file.Close()
	return os.RemoveAll(s.dir)
}
