package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fanout-dev/fanout/internal/store"
)

// A Kit is all the files that planning a sweep takes on a machine that has
// none of them.
type Kit struct {
	Spec    string   // name of the sweep file among them
	Files   []File   // named relative to a folder that holds them all
	Outside []string // paths that the sweep file gives absolutely: they are not in the kit
}

// Kit gathers what the sweep file names: templates, rows, frozen files and
// others, which are paths as the sweep file has them.
func (d *Draft) Kit(others ...string) (Kit, error) {
	var k Kit
	paths := append(d.Spec.Sources(), others...)
	for _, t := range d.Templates {
		paths = append(paths, t.Path)
	}
	inside := map[string]bool{}
	for _, p := range paths {
		if filepath.IsAbs(filepath.FromSlash(p)) {
			k.Outside = append(k.Outside, p)
			continue
		}
		inside[path.Clean(filepath.ToSlash(p))] = true
	}
	for _, f := range d.Bundle {
		delete(inside, f.Name)
	}
	names := sortedKeys(inside)
	folder := d.above(names)
	k.Spec = path.Join(folder, d.SpecName)
	k.Files = append(k.Files, File{Name: k.Spec, Mode: 0o644, Data: d.Spec.Text()})
	for _, name := range names {
		f, err := readFile(d.Dir, name)
		if err != nil {
			return k, fmt.Errorf("read %s: %w", name, err)
		}
		f.Name = path.Join(folder, name)
		k.Files = append(k.Files, f)
	}
	for _, f := range d.Bundle {
		f.Name = path.Join(folder, f.Name)
		k.Files = append(k.Files, f)
	}
	return k, nil
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

// PutKit stores a kit in the sweep and returns its key.
func (s *Sweep) PutKit(ctx context.Context, k Kit) (key string, err error) {
	b, err := packFiles(k.Files)
	if err != nil {
		return "", err
	}
	key = keyKit(Digest(b))
	err = s.store.Create(ctx, key, b, store.Synced)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("store %s: %w", key, err)
	}
	return key, nil
}

// UnpackKit writes the files of a stored kit into a new folder.
func UnpackKit(ctx context.Context, st store.Store, key, folder string) error {
	b, err := st.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if key != keyKit(Digest(b)) {
		return fmt.Errorf("read %s: it does not hold what its name says", key)
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return err
	}
	if err := unpackFiles(b, folder); err != nil {
		return fmt.Errorf("unpack %s: %w", key, err)
	}
	return nil
}
