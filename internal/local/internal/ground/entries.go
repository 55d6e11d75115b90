package ground

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// An entry is what a folder of a run shows under one name.
type entry struct {
	fs.DirEntry
	path   string
	frozen bool
	under  string // of a frozen folder: the folder of the source that completes it
}

// entries lists what a folder shows: what is frozen, then what is only in source,
// files before folders, each in the order of names. Either folder may be missing
// or unreadable.
func entries(frozen, source string) ([]entry, error) {
	ours, err := read(frozen)
	if err != nil {
		return nil, err
	}
	theirs, err := read(source)
	if err != nil {
		return nil, err
	}
	var files, folders []entry
	add := func(e entry) {
		if e.IsDir() {
			folders = append(folders, e)
		} else {
			files = append(files, e)
		}
	}
	known := map[string]bool{}
	for _, d := range ours {
		e := entry{DirEntry: d, path: filepath.Join(frozen, d.Name()), frozen: true}
		if under := filepath.Join(source, d.Name()); source != "" && d.IsDir() && isDir(under) {
			e.under = under
		}
		known[d.Name()] = true
		add(e)
	}
	for _, d := range theirs {
		if !known[d.Name()] && !hidden(d.Name()) {
			add(entry{DirEntry: d, path: filepath.Join(source, d.Name())})
		}
	}
	return append(files, folders...), nil
}

func read(dir string) ([]fs.DirEntry, error) {
	if dir == "" {
		return nil, nil
	}
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	return list, err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// hidden reports whether runs do not see what has this name: sweeps, and what
// programs write for themselves.
func hidden(name string) bool {
	return strings.HasSuffix(name, ".sweep") || name == "__pycache__" || name == ".ipynb_checkpoints"
}

// tools reports whether a folder belongs to a program that manages it, and may
// hold any number of files: it is not copied.
func tools(folder string) bool {
	switch filepath.Base(folder) {
	case ".git", ".hg", ".svn", "node_modules":
		return true
	}
	_, err := os.Lstat(filepath.Join(folder, "pyvenv.cfg"))
	return err == nil
}

// isLittle reports whether the folders hold no more than is always copied.
func isLittle(frozen, source string) bool {
	left := little
	return left.weigh(frozen, source)
}

// weigh takes the entries of folders from the limits, and reports whether they
// were within them.
func (l *limits) weigh(frozen, source string) bool {
	list, err := entries(frozen, source)
	if err != nil {
		return false
	}
	for _, e := range list {
		if l.files--; l.files < 0 {
			return false
		}
		info, err := os.Stat(e.path)
		switch {
		case err != nil: // a link to nothing, or gone
		case e.IsDir():
			if tools(e.path) {
				return false
			}
			frozen, source := "", e.path
			if e.frozen {
				frozen, source = e.path, e.under
			}
			if !l.weigh(frozen, source) {
				return false
			}
		case info.IsDir(): // a link to a folder
			if !l.weigh("", e.path) {
				return false
			}
		default:
			if l.bytes -= info.Size(); l.bytes < 0 {
				return false
			}
		}
	}
	return true
}
