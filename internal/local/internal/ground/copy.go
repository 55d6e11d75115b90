package ground

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A copier makes folders of copies, as far as the limits go, and of links beyond.
type copier struct {
	ground *Ground
	left   limits
	root   string                 // the source itself, whatever links its path goes through
	copied map[string]fs.FileInfo // by name
	from   stamps                 // what was copied; nil once something is no plain copy
	made   []string               // paths of the copies
	linked map[string]fs.FileInfo // by path
	base   string                 // folder that is never copied: it holds the copies
	buffer []byte
}

// copier copies most.
func (g *Ground) copier() *copier {
	root, err := filepath.EvalSymlinks(g.Source)
	if err != nil {
		root = g.Source
	}
	return &copier{ground: g, left: most, root: root, base: g.Base, copied: map[string]fs.FileInfo{}, from: stamps{}, linked: map[string]fs.FileInfo{}, buffer: make([]byte, 64<<10)}
}

// note notes that dst becomes a copy of path, where there is one.
func (c *copier) note(dst, path string) {
	if c.from == nil {
		return
	}
	c.made = append(c.made, dst)
	if path != "" && !c.from.take(path) {
		c.from = nil
	}
}

// folder makes dst, which is called rel, a copy of frozen and source.
func (c *copier) folder(dst, frozen, source, rel string) error {
	c.note(dst, source)
	if err := os.Mkdir(dst, 0o777); err != nil {
		return err
	}
	list, err := entries(frozen, source)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.path == c.base {
			continue
		}
		if err := c.entry(filepath.Join(dst, e.Name()), e, filepath.Join(rel, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) entry(dst string, e entry, rel string) error {
	c.left.files--
	switch {
	case e.IsDir() && e.frozen:
		return c.folder(dst, e.path, e.under, rel)
	case e.IsDir() && tools(e.path):
		c.from = nil
		return os.Symlink(e.path, dst)
	case e.IsDir() && c.left.files < 0:
		return c.share(dst, e.path)
	case e.IsDir():
		return c.folder(dst, "", e.path, rel)
	case e.Type()&fs.ModeSymlink != 0:
		return c.link(dst, e.path, rel)
	case e.Type().IsRegular():
		return c.file(dst, e.path, rel)
	}
	return os.Symlink(e.path, dst) // a socket, a device
}

// link copies what a link leads to, unless that is within the folder. A link that
// leads nowhere is left out: a run would create its target.
func (c *copier) link(dst, path, rel string) error {
	c.from = nil
	to, inside, err := follow(path, rel)
	if err != nil {
		return nil
	}
	if inside {
		return os.Symlink(to, dst)
	}
	info, err := os.Stat(to)
	switch {
	case err != nil:
		return nil
	case info.Mode().IsRegular():
		return c.file(dst, to, rel)
	case info.IsDir() && c.left.files >= 0 && !tools(to) && !within(c.root, to):
		return c.folder(dst, "", to, rel)
	}
	return os.Symlink(to, dst)
}

// follow returns where a link leads: if that is inside the folder whose entry is
// rel, the text of the link, otherwise the path of the target.
func follow(path, rel string) (to string, inside bool, err error) {
	text, err := os.Readlink(path)
	if err != nil {
		return "", false, err
	}
	to, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", false, err
	}
	if !filepath.IsAbs(text) && filepath.IsLocal(filepath.Join(filepath.Dir(rel), text)) {
		return text, true, nil
	}
	to, err = filepath.Abs(to)
	return to, false, err
}

// within reports whether path is folder, or in it.
func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// file makes dst a copy of a file, or a link to one that is too large, one too many,
// or cannot be read. One that has vanished is left out.
func (c *copier) file(dst, path, rel string) error {
	if c.left.files < 0 {
		return c.share(dst, path)
	}
	from, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrPermission):
		return os.Symlink(path, dst)
	case err != nil:
		return err
	}
	defer from.Close()
	was, err := from.Stat()
	if err != nil {
		return err
	}
	if was.Size() > c.left.bytes {
		if c.clone(dst, from, was, rel) {
			return nil
		}
		return c.share(dst, path)
	}
	c.left.bytes -= was.Size()
	c.note(dst, path)
	to, err := create(dst, was)
	if err != nil {
		return err
	}
	if was.Size() <= int64(len(c.buffer)) {
		// Two calls of the system in place of the dozen that look for a better way.
		_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, c.buffer)
	} else {
		_, err = io.Copy(to, from)
	}
	return errors.Join(err, c.done(to, was, rel))
}

// share makes dst a link to a file or folder, whose state is remembered.
func (c *copier) share(dst, path string) error {
	c.from = nil
	if len(c.linked) < watched {
		if was, err := os.Stat(path); err == nil {
			c.linked[path] = was
		}
	}
	return c.ground.link(dst, path)
}

// clone shares the blocks of a file until one of its copies is written to, where
// the file system can.
func (c *copier) clone(dst string, from *os.File, was fs.FileInfo, rel string) bool {
	c.from = nil
	to, err := create(dst, was)
	if err != nil {
		return false
	}
	err = cloneFile(to, from)
	if err = errors.Join(err, c.done(to, was, rel)); err != nil {
		os.Remove(dst)
		delete(c.copied, rel)
	}
	return err == nil
}

func create(dst string, like fs.FileInfo) (*os.File, error) {
	return os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, like.Mode().Perm()|0o200)
}

// done closes a copy and gives it the time of its original.
func (c *copier) done(to *os.File, was fs.FileInfo, rel string) error {
	c.copied[filepath.ToSlash(rel)] = was
	return errors.Join(to.Close(), os.Chtimes(to.Name(), was.ModTime(), was.ModTime()))
}
