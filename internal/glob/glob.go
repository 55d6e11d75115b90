// Package glob is the one dialect of patterns: of files in `files:`, `inputs:`
// and `keep:` of a sweep file, and of texts in `retries:`.
//
// In a pattern * and ? stand for characters of one name, [a-z] for one of
// them, {a,b} for either and ** for any number of folders, none included. They
// match hidden names, too. Patterns and names are slash-separated.
//
// In goes a pattern and a folder or a name, out come the files that match.
// A search is bounded: a link that leads back to a folder above it is not
// followed, and a search that looks at too many files is an error. Package
// glob imports nothing of fanout and knows nothing of sweeps.
package glob

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// maxLooked bounds how many entries of folders one search looks at.
var maxLooked = 1_000_000

// Check reports what is wrong with a pattern.
func Check(pattern string) error {
	if !doublestar.ValidatePattern(pattern) {
		return fmt.Errorf("%q is not a pattern: a bracket or brace is open", pattern)
	}
	return nil
}

// Files lists the files that a pattern matches, links to files included. The
// pattern is relative to dir, and so are the names, unless it is absolute.
// The order depends only on the names. Folders are never listed, and what
// cannot be read is left out.
func Files(dir, pattern string) ([]string, error) {
	if err := Check(pattern); err != nil {
		return nil, err
	}
	base, rest := doublestar.SplitPattern(path.Clean(pattern))
	root := base
	if !path.IsAbs(base) {
		root = filepath.Join(dir, filepath.FromSlash(base))
	}
	t := &tree{root: root, folders: map[string]fs.FileInfo{}}
	found, err := doublestar.Glob(t, rest, doublestar.WithFilesOnly())
	if err == nil && t.looked > maxLooked {
		err = fmt.Errorf("%q looks at more than %d files", pattern, maxLooked)
	}
	for i, name := range found {
		found[i] = path.Join(base, name)
	}
	return distinct(found), err // a pattern with several ** finds a file several times
}

// Tree lists the files that a pattern matches and then all files in the folders
// that it matches. It is otherwise like Files.
func Tree(dir, pattern string) ([]string, error) {
	files, err := Files(dir, pattern)
	if err != nil {
		return nil, err
	}
	inFolders, err := Files(dir, pattern+"/**")
	return distinct(append(files, inFolders...)), err
}

// distinct keeps the first of equal names.
func distinct(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		before := seen[name]
		seen[name] = true
		return before
	})
}

// Match reports whether a pattern matches a name. A pattern that Check refuses
// matches nothing.
func Match(pattern, name string) bool {
	ok, err := doublestar.Match(path.Clean(pattern), name)
	return ok && err == nil
}

// MatchText reports whether a pattern matches a text that is no name: * and ?
// stand for any characters, a slash is one like the others.
func MatchText(pattern, text string) bool {
	plain := strings.NewReplacer("/", "\x00")
	ok, err := doublestar.Match(plain.Replace(pattern), plain.Replace(text))
	return ok && err == nil
}

// tree is a folder as a search sees it.
type tree struct {
	root    string
	folders map[string]fs.FileInfo // read so far
	looked  int                    // entries read
}

func (t *tree) path(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

func (t *tree) Open(name string) (fs.File, error)     { return os.Open(t.path(name)) }
func (t *tree) Stat(name string) (fs.FileInfo, error) { return os.Stat(t.path(name)) }

// ReadDir lists a folder, unless it is one of those above it or the search has
// looked at too much.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := t.Stat(name)
	if err != nil || t.looked > maxLooked || t.isAbove(info, name) {
		return nil, err
	}
	t.folders[name] = info
	entries, err := os.ReadDir(t.path(name))
	t.looked += len(entries)
	return entries, err
}

func (t *tree) isAbove(folder fs.FileInfo, name string) bool {
	for name != "." {
		name = path.Dir(name)
		if above := t.folders[name]; above != nil && os.SameFile(above, folder) {
			return true
		}
	}
	return false
}
