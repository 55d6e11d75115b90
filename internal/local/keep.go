package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// cached: artifacts survive the death of this process, as partial notebooks do.
const cached = false

// keep stores the files that the sweep keeps. Those of a success are never
// replaced by those of a failure. unkept says which could not be kept because of
// what they are; the error is of the store.
func (a *attempt) keep(o outcome.Outcome) (unkept string, err error) {
	if b := a.before.BestOut; b != nil && b.Status == outcome.Succeeded && o.Status != outcome.Succeeded {
		return "", nil
	}
	files, left, unread := a.workdir.files()
	if o.Status == outcome.Succeeded {
		a.leftBehind(left)
	}
	bad := badNames(files)
	if unread != nil {
		bad = append(bad, whyUnread(unread))
	}
	prefix := sweep.PrefixArtifacts + a.run.ID + "/"
	earlier, err := a.artifacts(prefix)
	if err != nil {
		return "", err
	}
	now, folders := map[string]bool{}, map[string]bool{}
	for name := range files {
		key := path.Join(prefix, name)
		now[key] = true
		for folder := range foldersOf(key) {
			folders[folder] = true
		}
	}
	if earlier, err = a.forget(earlier, func(key string) bool { return inTheWay(key, now, folders) }); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		key := path.Join(prefix, name)
		err := a.sweep().Store().Write(a.ctx, key, func(w io.Writer) error { return copyFile(w, files[name]) }, cached)
		switch file := (*fileError)(nil); {
		case errors.As(err, &file):
			bad = append(bad, fmt.Sprintf("%s (%s)", unit.Line(name), whyUnread(file.err)))
			delete(now, key)
		case err != nil:
			return "", fmt.Errorf("keep %s of run %s: %w", name, a.run.ID, err)
		}
	}
	if len(bad) > 0 {
		unkept = "these files could not be kept: " + unit.Cut(unit.List(bad), maxUnkept)
	}
	_, err = a.forget(earlier, func(key string) bool { return !now[key] })
	return unkept, err
}

// maxUnkept is how many characters of a list of files are worth reading.
const maxUnkept = 500

// badNames takes out of files those whose names no store has, and lists them.
func badNames(files map[string]string) (bad []string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !utf8.ValidString(name) {
			bad = append(bad, unit.Line(strings.ToValidUTF8(name, "\uFFFD"))+" (its name is not UTF-8)")
			delete(files, name)
		}
	}
	return bad
}

// inTheWay reports whether an artifact of an earlier attempt has the name of a
// folder of new ones, or is in a folder with the name of a new one.
func inTheWay(key string, now, folders map[string]bool) bool {
	for folder := range foldersOf(key) {
		if now[folder] {
			return true
		}
	}
	return folders[key]
}

// foldersOf yields the folders that an object is in, the innermost first.
func foldersOf(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key = path.Dir(key); key != "." && yield(key); key = path.Dir(key) {
		}
	}
}

// artifacts lists what earlier attempts at the run kept.
func (a *attempt) artifacts(prefix string) (keys []string, err error) {
	if a.before.Attempts == 0 {
		return nil, nil
	}
	for o, err := range a.sweep().Store().List(a.ctx, prefix) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// forget deletes artifacts and returns the others.
func (a *attempt) forget(keys []string, gone func(key string) bool) (left []string, err error) {
	for _, key := range keys {
		if !gone(key) {
			left = append(left, key)
			continue
		}
		if err := a.sweep().Store().Delete(a.ctx, key); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// fileError says that a file of the run could not be read: not the store's fault.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }

// whyUnread is why a file could not be read, without its path, which is gone with the
// run.
func whyUnread(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		return path.Base(unit.Line(of.Path)) + ": " + of.Err.Error()
	}
	return unit.Line(err.Error())
}

func copyFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return &fileError{err}
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
