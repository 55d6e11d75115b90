package roots

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// An Entry is a file or a folder.
type Entry struct {
	Name   string `json:"name"`
	Path   string `json:"path"` // from the roots on, slash-separated
	Folder bool   `json:"folder"`
	store.Object
}

// A Folder is what lies in a folder, or the roots.
type Folder struct {
	Entries []Entry
	Sweep   string // id, when the folder is a sweep
	More    bool   // there are more entries than are listed
}

// MaxListed is how many entries of a folder are listed.
const MaxListed = 5000

// Folder lists a folder; "" is the list of roots, unless there is one only.
// What is hidden is left out.
func (r *Roots) Folder(ctx context.Context, name string) (Folder, error) {
	if name == "" && len(r.all) > 1 {
		var f Folder
		for _, o := range r.all {
			f.Entries = append(f.Entries, Entry{Name: o.name, Path: o.name, Folder: true})
		}
		return f, nil
	}
	o, key, err := r.resolve(name)
	if err != nil {
		return Folder{}, err
	}
	folder := key
	if folder != "" {
		folder += "/"
	}
	var f Folder
	for found, err := range o.store.Level(ctx, folder) {
		if err != nil {
			return f, err
		}
		if len(f.Entries) == MaxListed {
			f.More = true
			break
		}
		rest, isFolder := strings.CutSuffix(strings.TrimPrefix(found.Key, folder), "/")
		if strings.HasPrefix(rest, ".") || rest == "" {
			continue
		}
		full := strings.TrimPrefix(name+"/"+rest, "/")
		f.Entries = append(f.Entries, Entry{Name: cmp.Or(unit.Line(rest), "?"), Path: full, Folder: isFolder, Object: found})
	}
	if len(f.Entries) == 0 && key != "" {
		return f, fmt.Errorf("folder %q: %w", name, fs.ErrNotExist)
	}
	slices.SortStableFunc(f.Entries, func(a, b Entry) int {
		switch {
		case a.Folder && !b.Folder:
			return -1
		case b.Folder && !a.Folder:
			return 1
		}
		return 0
	})
	if slices.ContainsFunc(f.Entries, func(e Entry) bool { return e.Name == sweep.KeyFormat && !e.Folder }) {
		w := walk{root: o}
		f.Sweep = w.sweepAt(key).ID
	}
	return f, nil
}

// File finds a file, and the store it is in.
func (r *Roots) File(ctx context.Context, name string) (store.Store, store.Object, error) {
	o, key, err := r.resolve(name)
	if err != nil {
		return nil, store.Object{}, err
	}
	if key == "" {
		return nil, store.Object{}, fmt.Errorf("file %q: %w", name, fs.ErrNotExist)
	}
	for part := range strings.SplitSeq(key, "/") {
		if strings.HasPrefix(part, ".") {
			return nil, store.Object{}, fmt.Errorf("file %q: %w", name, fs.ErrNotExist)
		}
	}
	found, err := o.store.Stat(ctx, key)
	return o.store, found, err
}

// resolve finds the root of a path, and the key beneath it. With one root its
// name is no part of paths, as in other viewers.
func (r *Roots) resolve(name string) (root, string, error) {
	missing := fmt.Errorf("path %q: %w", name, fs.ErrNotExist)
	if name != "" && !fs.ValidPath(name) {
		return root{}, "", missing
	}
	if len(r.all) == 1 {
		return r.all[0], name, nil
	}
	first, rest, _ := strings.Cut(name, "/")
	i := slices.IndexFunc(r.all, func(o root) bool { return o.name == first })
	if i < 0 {
		return root{}, "", missing
	}
	return r.all[i], rest, nil
}
