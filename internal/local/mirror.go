package local

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/glob"
)

// A mirror fills folders with links to the files of another folder.
type mirror struct {
	keep   []string // patterns of files that a run writes: they are copied, so that nothing is written through a link
	copies map[string]fs.FileInfo
}

// folder fills dst with links to the entries of source, or to their frozen
// copies. Folders that hold frozen files or files to keep are real folders,
// mirrored in turn. rel is dst as patterns see it.
func (m *mirror) folder(dst, source, frozen, rel string) error {
	if err := os.Mkdir(dst, 0o777); err != nil {
		return err
	}
	ours, err := entries(frozen)
	if err != nil {
		return err
	}
	theirs, err := entries(source)
	if err != nil {
		return err
	}
	for name, d := range ours {
		from := ""
		if d.IsDir() {
			from = under(source, name, theirs)
		}
		if err := m.entry(filepath.Join(dst, name), filepath.Join(frozen, name), from, path.Join(rel, name), d, true); err != nil {
			return err
		}
	}
	for name, d := range theirs {
		if _, frozen := ours[name]; frozen || unlinked(name) {
			continue
		}
		if err := m.entry(filepath.Join(dst, name), filepath.Join(source, name), "", path.Join(rel, name), d, false); err != nil {
			return err
		}
	}
	return nil
}

// entry makes dst the mirror of from; with is the folder that completes a frozen
// one.
func (m *mirror) entry(dst, from, with, rel string, d fs.DirEntry, frozen bool) error {
	switch {
	case d.IsDir() && frozen:
		return m.folder(dst, with, from, rel)
	case d.IsDir() && opens(m.keep, rel):
		return m.folder(dst, from, "", rel)
	case d.Type().IsRegular() && matches(m.keep, rel):
		return m.copy(dst, from, rel)
	}
	return os.Symlink(from, dst)
}

// copy copies a file that a run may write to. One that has vanished is left out.
func (m *mirror) copy(dst, from, rel string) error {
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	err = errors.Join(copyFile(f, from), f.Close(), os.Chtimes(dst, info.ModTime(), info.ModTime()))
	m.copies[rel] = info
	return err
}

// unchanged reports whether a file is a copy that nobody wrote to.
func (m *mirror) unchanged(rel string, d fs.FileInfo) bool {
	info := m.copies[rel]
	return info != nil && info.Size() == d.Size() && info.ModTime().Equal(d.ModTime())
}

// opens reports whether a pattern may match something inside a folder.
func opens(patterns []string, folder string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return strings.Contains(p, "/") && glob.MayMatchWithin(p, folder)
	})
}

// entries lists a folder that may be missing, or unreadable.
func entries(dir string) (map[string]fs.DirEntry, error) {
	list := map[string]fs.DirEntry{}
	if dir == "" {
		return list, nil
	}
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return list, nil
	}
	for _, d := range all {
		list[d.Name()] = d
	}
	return list, err
}

// under is a folder of source, if there is one.
func under(source, name string, entries map[string]fs.DirEntry) string {
	if d := entries[name]; d != nil && d.IsDir() {
		return filepath.Join(source, name)
	}
	return ""
}

// unlinked reports whether runs must not share a file of that name: a sweep, or
// something that Python would write through the link.
func unlinked(name string) bool {
	return strings.HasSuffix(name, ".sweep") || name == "__pycache__" || name == ".ipynb_checkpoints"
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !strings.Contains(p, "/") {
			return glob.Match(p, path.Base(name))
		}
		return glob.Match(p, name)
	})
}
