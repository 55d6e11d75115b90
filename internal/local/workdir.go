package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A workdir is where one attempt runs: a working directory, a folder for its
// output, and a log.
type workdir struct {
	root  string // removed with all that is in it
	dir   string // working directory of the kernel
	out   string // FANOUT_OUTPUT_DIR
	log   *os.File
	env   []string
	run   string
	n     int // of the attempt
	kind  kind
	spare *spare // a kernel started ahead of time; nil if there is none

	keep   []string // patterns
	copies mirror
}

// newWorkdir creates the folders. source is the template's folder, frozen has the
// files of it that are frozen with the sweep; either may be missing. With shared
// the working directory is source itself.
func newWorkdir(base, source, frozen string, shared bool, keep []string) (*workdir, error) {
	root, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return nil, err
	}
	s := &workdir{root: root, keep: keep, copies: mirror{keep, map[string]fs.FileInfo{}}, dir: filepath.Join(root, "work"), out: filepath.Join(root, "output")}
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

// namelessFile opens a file without a name, which nobody else can open and which
// is gone with this process: a kernel may print secrets into it.
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

func (s *workdir) remove() {
	if s.spare != nil {
		s.spare.discard()
	}
	if s.log != nil {
		s.log.Close()
	}
	removeAll(s.root)
}

// removeAll also removes what a notebook left read-only.
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

// kept lists the files to keep, by their name among the run's artifacts: all
// of the output folder, and the files the run created or changed in its working
// directory that match a pattern. A pattern without a slash matches the name
// of a file at any depth.
func (s *workdir) kept() (map[string]string, error) {
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
