package ground

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// surveyed bounds how many entries of a source are looked at for links.
const surveyed = 50_000

// overlayLayers makes the layers of overlays: the frozen files, what has to be
// different from the source, the source.
func (g *Ground) overlayLayers() ([]string, error) {
	g.amends = filepath.Join(g.Base, "amends")
	if err := os.MkdirAll(g.amends, 0o777); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(g.amends, "")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, err
	}
	g.amends = dir
	var layers []string
	if isDir(g.Frozen) {
		layers = append(layers, g.Frozen)
	}
	if isDir(g.Source) {
		if err := g.amend(); err != nil {
			return nil, err
		}
		layers = append(layers, g.amends, g.Source)
	} else {
		layers = append(layers, g.amends)
	}
	return layers, nil
}

// amend hides what runs must not see, and links that lead out of the source: an
// overlay passes them through, and writing with them. What they lead to is copied
// once, as far as the limits go.
func (g *Ground) amend() error {
	c, n := g.copier(), 0
	err := filepath.WalkDir(g.Source, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == g.Source {
			return nil // unreadable: so it is for runs
		}
		if n++; n > surveyed {
			return filepath.SkipAll
		}
		rel, err := filepath.Rel(g.Source, path)
		if err != nil {
			return err
		}
		switch {
		case !strings.Contains(rel, string(filepath.Separator)) && hidden(rel):
			err = whiteout(filepath.Join(g.amends, rel))
		case d.Type()&fs.ModeSymlink != 0:
			return g.amendLink(c, path, rel)
		case !d.IsDir() || !tools(path):
			return nil
		}
		if err == nil && d.IsDir() {
			err = filepath.SkipDir
		}
		return err
	})
	g.share(c.linked)
	return err
}

func (g *Ground) amendLink(c *copier, path, rel string) error {
	to, inside, err := follow(path, rel)
	if inside && err == nil {
		return nil
	}
	dst := filepath.Join(g.amends, rel)
	if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
		return err
	}
	if err != nil {
		return whiteout(dst)
	}
	if within(to, c.root) {
		return relink(dst, to, filepath.Join(c.root, filepath.Dir(rel)))
	}
	c.left.files--
	err = c.link(dst, path, rel)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// relink makes an absolute link into the source one that stays in the overlay.
func relink(dst, to, from string) error {
	rel, err := filepath.Rel(from, to)
	if err != nil {
		return err
	}
	return os.Symlink(rel, dst)
}
