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

// A seat is where one attempt works: a working directory, a folder for its
// output, and a log that has no name.
type seat struct {
	root  string // removed with all that is in it
	dir   string // working directory of the kernel
	out   string // FANOUT_OUTPUT_DIR
	log   *os.File
	env   []string
	run   string
	n     int // of the attempt
	kind  kind
	spare *spare // a kernel started ahead of time; nil when none was

	keep   []string // patterns
	copies mirror
}

// newSeat makes the folders. source is the template's folder, frozen holds
// the files frozen with the sweep that belong into it; either may be missing.
// shared works in source itself.
func newSeat(base, source, frozen string, shared bool, keep []string) (*seat, error) {
	root, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return nil, err
	}
	s := &seat{root: root, keep: keep, copies: mirror{keep, map[string]fs.FileInfo{}}, dir: filepath.Join(root, "work"), out: filepath.Join(root, "output")}
	if err = os.Mkdir(s.out, 0o777); err == nil {
		s.log, err = namelessFile(root)
	}
	switch {
	case err != nil:
	case shared:
		s.dir = source
	default:
		err = s.copies.folder(s.dir, source, frozen, "")
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// namelessFile is a file that nobody else can open and that ends with us: a
// kernel may print its secrets into it.
func namelessFile(dir string) (*os.File, error) {
	if f, err := tempFile(dir); err == nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, "log-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func (s *seat) remove() {
	if s.spare != nil {
		s.spare.discard()
	}
	if s.log != nil {
		s.log.Close()
	}
	removeAll(s.root)
}

// removeAll removes also what a notebook made read-only.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// A mirror makes folders of links.
type mirror struct {
	keep   []string // patterns of what a run writes: those files are copied, so that nothing is written through a link
	copies map[string]fs.FileInfo
}

// folder makes dst a folder of links to the entries of source, those that are
// frozen in place of their originals. Folders that hold frozen files, or files
// to keep, are real folders, mirrored in turn. rel is dst as patterns see it.
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

// entry makes dst stand for from; with is the folder that a frozen folder is
// mirrored with.
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

// copy copies a file that a run may write to. One that vanishes meanwhile was
// never there.
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

// unlinked are names that runs must not share: sweeps, and what Python would
// write through the link.
func unlinked(name string) bool {
	return strings.HasSuffix(name, ".sweep") || name == "__pycache__" || name == ".ipynb_checkpoints"
}

// kept lists the files to keep, by their name among the run's artifacts: all
// of the output folder, and the files the run made or changed in its working
// directory that match a pattern. A pattern without a slash matches the name
// of a file at any depth.
func (s *seat) kept() (map[string]string, error) {
	files := map[string]string{}
	err := regular(s.out, func(name, file string, _ fs.FileInfo) { files[name] = file })
	if err != nil || len(s.keep) == 0 || !strings.HasPrefix(s.dir, s.root) {
		return files, err
	}
	return files, regular(s.dir, func(name, file string, info fs.FileInfo) {
		if matches(s.keep, name) && !s.copies.unchanged(name, info) {
			files[name] = file
		}
	})
}

// regular walks the regular files beneath dir; links are not followed.
func regular(dir string, do func(name, file string, info fs.FileInfo)) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && file == dir {
				return nil
			}
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			do(filepath.ToSlash(rel), file, info)
		}
		return err
	})
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !strings.Contains(p, "/") {
			return glob.Match(p, path.Base(name))
		}
		return glob.Match(p, name)
	})
}
