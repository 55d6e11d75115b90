// Package roots finds what lies in the folders and buckets that a server
// shows: sweeps, and files beside them.
//
// In go the places that were named at the start; out come sweeps with an id
// that a URL can hold, and the entries of a folder. It promises to read level
// by level and never more than its bounds, not to look into a sweep, and to
// write nothing. Ids are digests of places, so a path never comes from outside:
// who asks for a sweep can only have been given its id.
package roots

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Bounds of what is looked at to find sweeps.
const (
	maxDepth   = 8
	maxFolders = 20_000
	maxEntries = 20_000 // of one folder
	maxSweeps  = 5_000
	maxFiles   = 5_000
	scanFor    = 30 * time.Second
)

// How long a list of sweeps is believed.
const (
	freshOnDisk   = 5 * time.Second
	freshInBucket = time.Minute
)

// Roots are the places that are shown.
type Roots struct {
	all  []root
	open func(ctx context.Context, where string) (store.Store, error)

	mu      sync.Mutex
	sweeps  map[string]Sweep // by id
	files   map[string]File  // by id
	at      time.Time        // of the list
	partial string           // why it is not whole
	failed  error
	busy    chan struct{} // closed when a scan that is under way ends
}

type root struct {
	name  string // first part of the paths of its files
	where string // as it was named, or absolute
	store store.Store
}

// A Sweep is a place that holds one.
type Sweep struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`  // last part of its place, without ".sweep"
	Path  string    `json:"path"`  // beneath its root, for people; "" for a root that is a sweep
	Root  string    `json:"root"`  // name of the root
	Where string    `json:"where"` // its place
	Seen  time.Time `json:"-"`
}

// Beneath is the path of a file on this machine from the root of the sweep on, for people;
// a path that leads elsewhere stays as it is.
func (s Sweep) Beneath(name string) string {
	root, isFolder := strings.CutSuffix(s.Where, string(filepath.Separator)+filepath.FromSlash(s.Path))
	short, err := filepath.Rel(root, name)
	if s.Path == "" || !isFolder || !filepath.IsAbs(name) || err != nil || !filepath.IsLocal(short) {
		return name
	}
	return filepath.ToSlash(short)
}

// A File is a notebook or a file of YAML on this machine, beside the sweeps.
type File struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Path  string `json:"path"` // from the roots on, as an Entry has it
	Root  string `json:"root"`
	Where string `json:"-"` // its path on this machine

	store.Object `json:"-"`
}

// New names the roots. Two of the same name are told apart by a number.
func New(ctx context.Context, places []string, open func(ctx context.Context, where string) (store.Store, error)) (*Roots, error) {
	r := &Roots{open: open}
	for _, place := range places {
		where, err := store.Absolute(place)
		if err != nil {
			return nil, err
		}
		if !store.IsURL(where) {
			if info, err := os.Stat(where); err != nil || !info.IsDir() {
				return nil, unit.Mistake(unit.WithHint(fmt.Errorf("read %s: %w", unit.Path(where), cmp.Or(err, errNoFolder)), "name a folder or a bucket with sweeps or notebooks"))
			}
		}
		st, err := open(ctx, where)
		if err != nil {
			return nil, err
		}
		for _, err := range st.Level(ctx, "") {
			if err != nil {
				return nil, unit.Mistake(fmt.Errorf("read %s: %w", unit.Path(where), err))
			}
			break
		}
		r.all = append(r.all, root{r.unused(baseOf(where)), where, st})
	}
	return r, nil
}

func baseOf(where string) string {
	where, _, _ = strings.Cut(where, "?")
	name := path.Base(filepath.ToSlash(where))
	if name == "/" || name == "." || name == "" {
		return "root"
	}
	return name
}

func (r *Roots) unused(name string) string {
	taken := func(n string) bool { return slices.ContainsFunc(r.all, func(o root) bool { return o.name == n }) }
	if !taken(name) {
		return name
	}
	for i := 2; ; i++ {
		if n := fmt.Sprintf("%s-%d", name, i); !taken(n) {
			return n
		}
	}
}

var errNoFolder = errors.New("not a folder")

// remote reports whether looking at a root costs requests.
func (r *Roots) remote() bool {
	return slices.ContainsFunc(r.all, func(o root) bool { return store.IsURL(o.where) })
}

// A Listing is what was found.
type Listing struct {
	Sweeps  []Sweep
	Partial string // why some may be missing; "" when none is
}

// Sweeps lists the sweeps beneath all roots, by place. A list that is old is
// answered while another is made; the first is waited for.
func (r *Roots) Sweeps(ctx context.Context) (Listing, error) {
	r.mu.Lock()
	fresh := freshOnDisk
	if r.remote() {
		fresh = freshInBucket
	}
	first := r.sweeps == nil
	if (first || time.Since(r.at) > fresh) && r.busy == nil {
		r.busy = make(chan struct{})
		go r.scan(context.WithoutCancel(ctx))
	}
	busy := r.busy
	r.mu.Unlock()
	if first {
		select {
		case <-ctx.Done():
			return Listing{}, ctx.Err()
		case <-busy:
		}
	} else if busy != nil {
		select { // most scans are quick, and news is worth a moment
		case <-ctx.Done():
		case <-busy:
		case <-time.After(200 * time.Millisecond):
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found := Listing{Partial: r.partial}
	for _, s := range r.sweeps {
		found.Sweeps = append(found.Sweeps, s)
	}
	slices.SortFunc(found.Sweeps, func(a, b Sweep) int { return strings.Compare(a.Where, b.Where) })
	if len(found.Sweeps) == 0 {
		return found, r.failed
	}
	return found, nil
}

// Find is the sweep of an id.
func (r *Roots) Find(ctx context.Context, id string) (Sweep, bool) {
	r.mu.Lock()
	s, ok := r.sweeps[id]
	r.mu.Unlock()
	if ok {
		return s, true
	}
	if _, err := r.Sweeps(ctx); err != nil {
		return Sweep{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok = r.sweeps[id]
	return s, ok
}

// Files lists the notebooks and files of YAML beneath all roots that are folders,
// by place.
func (r *Roots) Files(ctx context.Context) ([]File, error) {
	if _, err := r.Sweeps(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Collect(maps.Values(r.files))
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Where, b.Where) })
	return all, nil
}

// Gone takes a sweep off the list that turned out not to be there.
func (r *Roots) Gone(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sweeps, id)
}

// Changed says that there may be new sweeps: the next who asks has them looked for.
func (r *Roots) Changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = time.Time{}
}

// Open opens the store of a sweep.
func (r *Roots) Open(ctx context.Context, s Sweep) (store.Store, error) { return r.open(ctx, s.Where) }

func (r *Roots) scan(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, scanFor)
	defer cancel()
	found, files, partial := map[string]Sweep{}, map[string]File{}, ""
	var failed error
	folders := 0
	for _, o := range r.all {
		w := walk{root: o, found: found, files: files, folders: &folders}
		if len(r.all) > 1 {
			w.prefix = o.name + "/"
		}
		if err := w.all(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("read %s: %w", unit.Path(o.where), err))
			partial = "not all folders were readable: " + unit.Line(err.Error())
		}
		if w.partial != "" {
			partial = w.partial
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if failed != nil { // a bucket that is away, or slow, still has what it had
		seen := found
		found = maps.Clone(r.sweeps)
		if found == nil {
			found = map[string]Sweep{}
		}
		maps.Copy(found, seen)
	}
	r.files = files
	r.sweeps, r.partial, r.failed, r.at = found, partial, failed, time.Now()
	close(r.busy)
	r.busy = nil
}

type walk struct {
	root
	prefix string // of the paths of files

	mu      sync.Mutex
	found   map[string]Sweep
	files   map[string]File
	folders *int
	partial string
}

// listAtOnce is how many folders of a bucket are listed at once: each takes as long as a
// request. One of a disk takes none.
const listAtOnce = 16

// all looks at the root and, unless it is a sweep, at the folders in it, level by level.
func (w *walk) all(ctx context.Context) (err error) {
	level := []string{""}
	for depth := 0; len(level) > 0 && err == nil; depth++ {
		level, err = w.level(ctx, level, depth)
	}
	return err
}

// level looks at folders and returns those in them.
func (w *walk) level(ctx context.Context, folders []string, depth int) (beneath []string, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slots := make(chan struct{}, 1)
	if store.IsURL(w.where) {
		slots = make(chan struct{}, listAtOnce)
	}
	var all sync.WaitGroup
	for _, folder := range folders {
		if !w.enters(depth) {
			break
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			in, err := w.folder(ctx, folder, depth)
			if err != nil {
				stop(err)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			beneath = append(beneath, in...)
		})
	}
	all.Wait()
	return beneath, context.Cause(ctx)
}

// enters reports whether another folder is looked at.
func (w *walk) enters(depth int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *w.folders++; *w.folders > maxFolders || len(w.found) >= maxSweeps || depth > maxDepth {
		w.partial = "there are more folders than are looked at: name the one with your sweeps when you start the server"
		return false
	}
	return true
}

// folder looks at a folder and returns those in it, unless it is a sweep.
func (w *walk) folder(ctx context.Context, folder string, depth int) (beneath []string, err error) {
	var files []File
	n, partial := 0, ""
	for o, err := range w.store.Level(ctx, folder) {
		if err != nil && depth > 0 && errors.Is(err, fs.ErrPermission) {
			w.takes(nil, "some folders are not readable for this server")
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		name, isFolder := strings.CutSuffix(strings.TrimPrefix(o.Key, folder), "/")
		switch {
		case !isFolder && name == sweep.KeyFormat:
			w.has(w.sweepAt(strings.TrimSuffix(folder, "/")))
			return nil, nil
		case isFolder && !hidden(name):
			beneath = append(beneath, o.Key)
		case !isFolder && w.isFile(name):
			files = append(files, w.fileAt(name, o))
		}
		if n++; n > maxEntries {
			partial = "a folder has more entries than are looked at"
			break
		}
	}
	w.takes(files, partial)
	return beneath, ctx.Err()
}

// has notes a sweep.
func (w *walk) has(s Sweep) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found[s.ID] = s
}

// takes notes files, and why there may be more; "" is no reason.
func (w *walk) takes(files []File, partial string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range files {
		if len(w.files) < maxFiles {
			w.files[f.ID] = f
		}
	}
	w.partial = cmp.Or(partial, w.partial)
}

// isFile reports whether a file may describe runs on this machine.
func (w *walk) isFile(name string) bool {
	return !store.IsURL(w.where) && !strings.HasPrefix(name, ".") && slices.Contains([]string{".ipynb", ".yaml", ".yml"}, path.Ext(name))
}

func (w *walk) fileAt(name string, o store.Object) File {
	where := beneath(w.where, o.Key)
	return File{ID: ID(where), Name: name, Path: w.prefix + o.Key, Root: w.name, Where: where, Object: o}
}

// hidden reports whether a folder is nothing that people look for.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules" || name == "__pycache__"
}

func (w *walk) sweepAt(folder string) Sweep {
	s := Sweep{Path: folder, Root: w.name, Where: w.where, Seen: time.Now()}
	if folder != "" {
		s.Where = beneath(w.where, folder)
	}
	s.Name = strings.TrimSuffix(baseOf(s.Where), ".sweep")
	s.ID = ID(s.Where)
	return s
}

// beneath is the place of a folder in a place; a bucket keeps its parameters.
func beneath(where, folder string) string {
	if !store.IsURL(where) {
		return filepath.Join(where, filepath.FromSlash(folder))
	}
	where, parameters, has := strings.Cut(where, "?")
	where = strings.TrimSuffix(where, "/") + "/" + folder
	if has {
		where += "?" + parameters
	}
	return where
}

// ID is the id of a place: it stays when the server is started again.
func ID(where string) string {
	sum := sha256.Sum256([]byte(where))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}
