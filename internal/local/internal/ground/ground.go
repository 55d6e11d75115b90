// Package ground makes the working directories of runs.
//
// In go the template's folder and the files that are frozen with the sweep; out
// come folders that show both, one for each run, and afterwards what a run made or
// changed in its own.
//
// It promises that what a run writes in its folder reaches no other run, nor the
// template's folder, nor the frozen files. A folder with little in it is copied;
// for more than that an overlay is mounted. Where this machine cannot mount, files
// are copied up to a limit. What is beyond it is a link, and the one thing that
// runs share: Changed tells which of the linked files were written to.
//
// It does not know what a run is.
package ground

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// limits say how much is copied for one run.
type limits struct {
	files int   // files and folders
	bytes int64 // of all files together; what a file system can clone does not count
}

var (
	// little is copied even where an overlay could be mounted: mounting costs as
	// much as copying two dozen files.
	little = limits{files: 32, bytes: 2e6}
	// most is copied where no overlay can be mounted.
	most = limits{files: 2000, bytes: 64e6}
)

// A Ground is what the folders of runs show. Its methods may be called
// concurrently.
type Ground struct {
	Source, Frozen string // folders, the frozen one above; either may be missing
	Base           string // folder for what all runs have in common
	// Mount mounts an overlay of layers, the first one uppermost, that only kernels
	// see, and Unmount ends it.
	Mount   func(at, upper, work string, layers []string) error
	Unmount func(at string) error

	decide sync.Once
	layers []string // of the overlay; none where files are copied
	amends string   // the layer that hides or replaces entries of Source

	mu     sync.Mutex
	linked map[string]fs.FileInfo // files and folders that runs share, as they were
	links  map[string]string      // links to them, by where they lead; "" if there can be none
	farm   string                 // folder of the links
}

// A Folder is the folder of one run.
type Folder struct {
	ground *Ground
	dir    string
	own    string                 // where the files are that the run made or changed
	copied map[string]fs.FileInfo // by name: the copies, as they were made
	undo   bool                   // dir is a mounted overlay
	state  stamps                 // of all that is in it and all that it was made of; nil if that is not known
}

// Lay makes dir, in which nothing is yet, a folder of its own. room is an empty
// folder on the same file system.
func (g *Ground) Lay(dir, room string) (*Folder, error) {
	g.decide.Do(func() { g.prepare(dir, room) })
	if g.layers != nil {
		f, err := g.overlay(dir, room)
		if err != nil {
			return nil, fmt.Errorf("lay an overlay over %s: %w", g.Source, err)
		}
		return f, nil
	}
	c := g.copier()
	if err := c.folder(dir, g.Frozen, g.Source, "."); err != nil {
		return nil, fmt.Errorf("copy %s: %w", g.Source, err)
	}
	g.share(c.linked)
	f := &Folder{ground: g, dir: dir, own: dir, copied: c.copied, state: c.from}
	f.Watch(c.made...)
	return f, nil
}

// prepare decides how folders are made: all in the same way, because only
// processes started after the first overlay see any.
func (g *Ground) prepare(dir, room string) {
	g.linked = map[string]fs.FileInfo{}
	if g.Mount == nil || isLittle(g.Frozen, g.Source) {
		return
	}
	layers, err := g.overlayLayers()
	if err != nil {
		return
	}
	g.layers = layers
	try, err := g.overlay(dir+"-try", filepath.Join(room, "try"))
	if err != nil {
		g.layers = nil
		return
	}
	try.Close()
}

// overlay mounts.
func (g *Ground) overlay(dir, room string) (*Folder, error) {
	upper, work := filepath.Join(room, "own"), filepath.Join(room, "scratch")
	for _, d := range []string{dir, upper, work} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			return nil, err
		}
	}
	if err := g.Mount(dir, upper, work, g.layers); err != nil {
		return nil, err
	}
	return &Folder{ground: g, dir: dir, own: upper, undo: true}, nil
}

// Of reports whether it was made by g.
func (f *Folder) Of(g *Ground) bool { return f.ground == g }

// Watch has Untouched look at paths, too.
func (f *Folder) Watch(paths ...string) {
	if f.state != nil && !f.state.take(paths...) {
		f.state = nil
	}
}

// Untouched reports whether nothing was done to the folder, nor to what it is a copy
// of: it is what Lay would make now, and another run may have it.
func (f *Folder) Untouched() bool { return f.state != nil && f.state.same() }

// Close ends what Lay made; the caller removes the folders.
func (f *Folder) Close() {
	if f.undo {
		f.ground.Unmount(f.dir)
	}
}

// Made calls do with every regular file that the run made or changed. Links are
// not followed.
func (f *Folder) Made(do func(name, file string, info fs.FileInfo)) error {
	return Regular(f.own, func(name, file string, info fs.FileInfo) {
		was := f.copied[name]
		if was == nil || was.Size() != info.Size() || !was.ModTime().Equal(info.ModTime()) {
			do(name, file, info)
		}
	})
}

// Regular calls do with every regular file beneath dir, in the order of their
// names. Links are not followed. Folders that cannot be read are left out, and
// are the error.
func Regular(dir string, do func(name, file string, info fs.FileInfo)) error {
	var unread []error
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil && d != nil && d.IsDir():
			unread = append(unread, err)
			return fs.SkipDir
		case err != nil:
			return err
		case !d.Type().IsRegular():
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
	return errors.Join(append(unread, err)...)
}

// watched bounds how many linked files are looked at after a run.
const watched = 1000

// share remembers files that runs share, as they were when they were first linked.
func (g *Ground) share(linked map[string]fs.FileInfo) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for file, info := range linked {
		if g.linked[file] == nil && len(g.linked) < watched {
			g.linked[file] = info
		}
	}
}

// Changed returns the files that runs share, because they are too large to be
// copied, and that were written to since the first run began; and the folders, if
// entries came or went. It returns each of them once.
func (f *Folder) Changed() (files []string) {
	g := f.ground
	g.mu.Lock()
	defer g.mu.Unlock()
	for file, was := range g.linked {
		info, err := os.Stat(file)
		if err == nil && info.Size() == was.Size() && info.ModTime().Equal(was.ModTime()) {
			continue
		}
		files = append(files, file)
		delete(g.linked, file)
	}
	slices.Sort(files)
	return files
}
