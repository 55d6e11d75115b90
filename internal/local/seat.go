package local

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
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
}

// newSeat makes the folders. source is the template's folder, frozen holds
// the files frozen with the sweep that belong into it; either may be missing.
// shared works in source itself.
func newSeat(base, source, frozen string, shared bool) (*seat, error) {
	root, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return nil, err
	}
	s := &seat{root: root, dir: filepath.Join(root, "work"), out: filepath.Join(root, "output")}
	if err = os.Mkdir(s.out, 0o777); err == nil {
		s.log, err = namelessFile(root)
	}
	switch {
	case err != nil:
	case shared:
		s.dir = source
	default:
		err = mirror(s.dir, source, frozen)
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

// mirror makes dst a folder of links to the entries of source, those that are
// frozen in place of their originals. Folders that hold frozen files are real
// folders, mirrored in turn.
func mirror(dst, source, frozen string) error {
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
		to, from := filepath.Join(dst, name), filepath.Join(frozen, name)
		if d.IsDir() {
			err = mirror(to, under(source, name, theirs), from)
		} else {
			err = os.Symlink(from, to)
		}
		if err != nil {
			return err
		}
	}
	for name := range theirs {
		if _, frozen := ours[name]; frozen || unlinked(name) {
			continue
		}
		if err := os.Symlink(filepath.Join(source, name), filepath.Join(dst, name)); err != nil {
			return err
		}
	}
	return nil
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
// of the output folder, and files the run made in its working directory that
// match a pattern. A pattern without a slash matches the name of a file at
// any depth.
func (s *seat) kept(patterns []string) (map[string]string, error) {
	files := map[string]string{}
	err := regular(s.out, func(name, file string) { files[name] = file })
	if err != nil || len(patterns) == 0 || !strings.HasPrefix(s.dir, s.root) {
		return files, err
	}
	return files, regular(s.dir, func(name, file string) {
		if matches(patterns, name) {
			files[name] = file
		}
	})
}

// regular walks the regular files beneath dir; links are not followed.
func regular(dir string, do func(name, file string)) error {
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
		if err == nil {
			do(filepath.ToSlash(rel), file)
		}
		return err
	})
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		subject := name
		if !strings.Contains(p, "/") {
			subject = path.Base(name)
		}
		if ok, err := path.Match(strings.TrimPrefix(p, "./"), subject); ok && err == nil {
			return true
		}
	}
	return false
}
