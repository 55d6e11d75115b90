package collect

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// buffer keeps what does not belong in memory, frames and pictures above all, in
// a temporary file until the tables are written.
type buffer struct {
	mu   sync.Mutex
	file *os.File
	size int64
}

// stored is a piece in the buffer.
type stored struct{ at, size int64 }

func newBuffer(dir string) (*buffer, error) {
	f, err := tempFile(dir)
	if err != nil {
		return nil, err
	}
	return &buffer{file: f}, nil
}

// tempFile makes a file that has no name, so that nothing of it is left
// however this process ends.
func tempFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "fanout-collect-")
	if err != nil {
		return nil, fmt.Errorf("create a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("create a temporary file: %w", err)
	}
	return f, nil
}

// fullError says where the room is missing.
type fullError struct{ error }

func (e fullError) Unwrap() error { return e.error }

// Hint says what to do about it.
func (fullError) Hint() string {
	return "collect needs room for frames and pictures: TMPDIR=/a/larger/disk fanout collect ..."
}

func tempError(what string, f *os.File, err error) error {
	err = fmt.Errorf("%s in %s: %w", what, filepath.Dir(f.Name()), err)
	if errors.Is(err, syscall.ENOSPC) {
		return fullError{err}
	}
	return err
}

// add may be called from several goroutines.
func (s *buffer) add(b []byte) (stored, error) {
	s.mu.Lock()
	at := s.size
	s.size += int64(len(b))
	s.mu.Unlock()
	if _, err := s.file.WriteAt(b, at); err != nil {
		return stored{}, tempError("keep a scrap", s.file, err)
	}
	return stored{at, int64(len(b))}, nil
}

func (s *buffer) open(p stored) *io.SectionReader { return io.NewSectionReader(s.file, p.at, p.size) }

func (s *buffer) close() error { return s.file.Close() }
