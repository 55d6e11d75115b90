package draft

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/fanout-dev/fanout/internal/glob"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/unit"
)

// maxFrozen bounds what is frozen with a sweep, in bytes.
const maxFrozen = 1 << 30

// readFiles reads what `files:` names and the Python modules beside the
// templates that they import.
func (d *Draft) readFiles() error {
	names := map[string]bool{}
	for _, pattern := range d.Spec.Files {
		found, err := filesOf(d.Dir, pattern)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		if len(found) == 0 {
			return fmt.Errorf("files: nothing matches %q in %s", pattern, d.Dir)
		}
		for _, f := range found {
			names[f] = true
		}
	}
	for _, f := range localModules(d.Dir, d.Recipe.Modules) {
		names[f] = true
	}
	total := int64(0)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f, err := readFile(d.Dir, name)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		if total += int64(len(f.Data)); total > maxFrozen {
			return unit.WithHint(fmt.Errorf("files: more than %s would be frozen with the sweep", unit.Bytes(maxFrozen)), "name large data under `inputs:`: inputs are watched, not copied")
		}
		d.Files = append(d.Files, f)
	}
	d.FilesDigest = pack.Digest(d.Files)
	return nil
}

// filesOf lists the files that a pattern of `files:` matches, relative to dir.
func filesOf(dir, pattern string) ([]string, error) {
	if !fs.ValidPath(path.Clean(pattern)) {
		return nil, fmt.Errorf("%q leaves the sweep file's folder", pattern)
	}
	found, err := glob.Files(dir, pattern)
	return slices.DeleteFunc(found, isOwn), err
}

var ownFolder = regexp.MustCompile(`(\.sweep|__pycache__|\.ipynb_checkpoints)/`)

// isOwn reports whether a file belongs to fanout, Python or Jupyter.
func isOwn(name string) bool { return ownFolder.MatchString(name) }

func readFile(dir, name string) (pack.File, error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return pack.File{}, err
	}
	b, err := readWhole(path)
	return pack.File{Name: name, Mode: info.Mode(), Data: b}, err
}

// mostFile is the size of the largest file that is read whole: no larger one could be
// kept in a sweep.
const mostFile = 2 << 30

// openRegular opens a file that a sweep file names, which may be somebody else's: to
// open a pipe would wait for ever, and a device may never end.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", unit.Path(path))
	case err == nil && info.Size() > mostFile:
		err = fmt.Errorf("%s has %s, and %s is the limit", unit.Path(path), unit.Bytes(info.Size()), unit.Bytes(int64(mostFile)))
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readWhole reads a file that a sweep file names.
func readWhole(path string) ([]byte, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, mostFile))
}

// localModules finds the Python files beside the templates that modules name,
// and those that these import in turn.
func localModules(dir string, modules []string) []string {
	var found []string
	seen := map[string]bool{}
	queue := slices.Clone(modules)
	for len(queue) > 0 {
		module := queue[0]
		queue = queue[1:]
		if seen[module] {
			continue
		}
		seen[module] = true
		for _, name := range moduleFiles(dir, module) {
			found = append(found, name)
			if b, err := readWhole(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
				queue = append(queue, notebook.ImportsOf(string(b))...)
			}
		}
	}
	return found
}

// moduleFiles are the files of one top-level module beside the template.
func moduleFiles(dir, module string) []string {
	top, _, _ := strings.Cut(module, ".")
	if info, err := os.Stat(filepath.Join(dir, top+".py")); err == nil && info.Mode().IsRegular() {
		return []string{top + ".py"}
	}
	if _, err := os.Stat(filepath.Join(dir, top, "__init__.py")); err != nil {
		return nil
	}
	files, _ := filesOf(dir, top+"/**/*.py")
	return files
}
