package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/local/internal/exit"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/unit"
)

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
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := a.Keep(a.ctx, name, func(w io.Writer) error { return copyFile(w, files[name]) })
		switch file, taken := (*fileError)(nil), (*exit.NameError)(nil); {
		case errors.As(err, &taken):
			bad = append(bad, taken.Error())
		case errors.As(err, &file):
			bad = append(bad, fmt.Sprintf("%s (%s)", unit.Line(name), whyUnread(file.err)))
		case err != nil:
			return "", err
		}
	}
	if len(bad) > 0 {
		unkept = "these files could not be kept: " + unit.Cut(a.exit.Text(unit.List(bad)), maxUnkept)
	}
	return unkept, nil
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
