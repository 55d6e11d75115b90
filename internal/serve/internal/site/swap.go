package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Mark is the file that tells a site from a folder of somebody else.
const Mark = "-/site.json"

// place is where a site goes: a new folder, an empty one, or that of an earlier
// site.
func place(to string) (string, error) {
	to, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(to); err == nil {
		to = real
	}
	if err := restore(to); err != nil {
		return "", fmt.Errorf("write site: %w", err)
	}
	entries, err := os.ReadDir(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return to, os.MkdirAll(filepath.Dir(to), 0o755)
	case err != nil:
		return "", unit.Mistake(fmt.Errorf("write site: %w", err))
	case len(entries) == 0:
		return to, nil
	}
	if _, err := os.Stat(filepath.Join(to, filepath.FromSlash(Mark))); err != nil {
		return "", unit.Mistake(unit.WithHint(fmt.Errorf("%s is not empty, and no site that fanout wrote", unit.Path(to)), "name a new folder with -o"))
	}
	return to, nil
}

// before is where an earlier site is while another takes its place.
func before(to string) string {
	return filepath.Join(filepath.Dir(to), ".fanout-before-"+filepath.Base(to))
}

// restore puts an earlier site back that a process left aside when it died.
func restore(to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(before(to))
	}
	if err := os.Rename(before(to), to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// swap puts a folder in the place of another.
func swap(made, to string) error {
	if err := os.Rename(to, before(to)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(made, to); err != nil {
		return errors.Join(err, restore(to))
	}
	return os.RemoveAll(before(to))
}
