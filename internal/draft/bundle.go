package draft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Fetched begins the names of the folders in which a firing has its bundle: what lies
// in one is gone when the firing has ended.
const Fetched = "fanout-firing-"

// A Bundle is all the files that drafting a sweep takes, for a machine that
// has none of them.
type Bundle struct {
	Spec    string      // name of the sweep file among them
	Files   []pack.File // named relative to a folder that holds them all
	Outside []string    // paths that the sweep file gives absolutely: they are not in it
}

// Bundle gathers what the sweep file names: templates, rows, frozen files, the
// report and others, which are paths as the sweep file has them. A sweep file
// that depends on where its folder is, is an error.
func (d *Draft) Bundle(others ...string) (Bundle, error) {
	if err := d.selfContained(); err != nil {
		return Bundle{}, err
	}
	var b Bundle
	paths := append(d.Spec.Sources(), others...)
	for _, t := range d.Templates {
		paths = append(paths, t.Path)
	}
	if r := d.Spec.Report; r != nil && r.Template != "" {
		paths = append(paths, r.Template)
	}
	inside := map[string]bool{}
	for _, p := range paths {
		if filepath.IsAbs(filepath.FromSlash(p)) {
			b.Outside = append(b.Outside, p)
			continue
		}
		inside[path.Clean(filepath.ToSlash(p))] = true
	}
	for _, f := range d.Files {
		delete(inside, f.Name)
	}
	names := slices.Sorted(maps.Keys(inside))
	folder := d.above(names)
	b.Spec = path.Join(folder, d.SpecName)
	b.Files = append(b.Files, pack.File{Name: b.Spec, Mode: 0o644, Data: d.Spec.Text()})
	for _, name := range names {
		f, err := readFile(d.Dir, name)
		if err != nil {
			return b, fmt.Errorf("read %s: %w", name, err)
		}
		f.Name = path.Join(folder, name)
		b.Files = append(b.Files, f)
	}
	for _, f := range d.Files {
		f.Name = path.Join(folder, f.Name)
		b.Files = append(b.Files, f)
	}
	return b, nil
}

// above is the sweep file's folder relative to the folder that holds all of
// the files, which is further up when some are.
func (d *Draft) above(names []string) string {
	up := 0
	for _, name := range names {
		up = max(up, strings.Count(name+"/", "../"))
	}
	parts := strings.Split(strings.Trim(filepath.ToSlash(d.Dir), "/"), "/")
	return path.Join(parts[max(0, len(parts)-up):]...)
}

// selfContained refuses what depends on where the sweep file's folder is.
func (d *Draft) selfContained() error {
	relative := func(p string) bool { return !filepath.IsAbs(p) && !strings.Contains(p, "://") }
	where := d.Spec.Where
	if p := d.Spec.Python; p != "" && relative(p) {
		return unit.WithHint(fmt.Errorf("%s: python: %s is relative to the sweep file, and only the file itself is sent to the clients", where("python"), p), "give its path on the clients")
	}
	if d.Spec.Workdir == "shared" {
		return unit.WithHint(fmt.Errorf("%s: workdir: shared needs the template's folder, and only its files are sent to the clients", where("workdir")), "leave it out, and name what the runs read under `files:`")
	}
	for _, p := range d.Spec.Inputs {
		if relative(p) {
			return unit.WithHint(fmt.Errorf("%s: inputs: %s is relative to the sweep file, and inputs are not copied to the clients", where("inputs"), p), "give its path on the clients, or name it under `files:`")
		}
	}
	return nil
}

// Put stores the bundle in a sweep and returns its key.
func (b Bundle) Put(ctx context.Context, s *sweep.Sweep) (key string, err error) {
	archive, err := pack.Files(b.Files)
	if err != nil {
		return "", err
	}
	key = keyOf(archive)
	err = s.Store().Create(ctx, key, archive, store.Synced)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("store %s: %w", key, err)
	}
	return key, nil
}

func keyOf(archive []byte) string { return sweep.PrefixBundles + sweep.Digest(archive) + ".tar.zst" }

// Unbundle writes the files of a bundle that Put stored into a new folder.
func Unbundle(ctx context.Context, st store.Store, key, folder string) error {
	archive, err := st.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if key != keyOf(archive) {
		return fmt.Errorf("read %s: it does not hold what its name says", key)
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return err
	}
	if err := pack.Unpack(archive, folder); err != nil {
		return fmt.Errorf("unpack %s: %w", key, err)
	}
	return nil
}
