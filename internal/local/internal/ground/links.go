package ground

import (
	"os"
	"path/filepath"
	"strconv"
)

// mostLinks bounds how many links are kept for further folders.
const mostLinks = 200_000

// link makes dst a link to a path. Nothing changes a link once it is there, so
// that one serves the folders of all runs under many names: a further name is ten
// times cheaper than a further link.
func (g *Ground) link(dst, path string) error {
	if kept := g.keptLink(path); kept != "" && os.Link(kept, dst) == nil {
		return nil
	}
	return os.Symlink(path, dst)
}

// keptLink is a link to a path outside all folders, or "".
func (g *Ground) keptLink(path string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if kept, known := g.links[path]; known || g.Base == "" || len(g.links) >= mostLinks {
		return kept
	}
	if g.links == nil {
		g.links = map[string]string{}
	}
	kept, err := g.newLink(path)
	if err != nil {
		kept = "" // each folder has one of its own
	}
	g.links[path] = kept
	return kept
}

func (g *Ground) newLink(path string) (string, error) {
	if g.farm == "" {
		farm, err := os.MkdirTemp(g.Base, "links-")
		if err != nil {
			return "", err
		}
		g.farm = farm
	}
	kept := filepath.Join(g.farm, strconv.Itoa(len(g.links)))
	return kept, os.Symlink(path, kept)
}
