// Package publish writes pages as files: to mail, or to put on any host that
// serves files. Names of notebooks and runs go in, whole HTML files come out. It
// changes no sweep.
package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/notebook/zeppelin"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// MaxNotebook is the size of the largest notebook that is read, in bytes.
const MaxNotebook = 512 << 20

// A Book is a notebook, and what it is called.
type Book struct {
	Name     string
	Notebook *notebook.Notebook
}

// An Opener opens the store at a place.
type Opener func(ctx context.Context, where string) (store.Store, error)

// Read reads notebooks by their paths or URLs, or, if the first name is a
// sweep's, the best attempt at each of the runs that the other names begin. What
// cannot be found or read is a mistake.
func Read(ctx context.Context, open Opener, names []string) ([]Book, error) {
	if len(names) > 0 && !isNotebook(names[0]) {
		return runs(ctx, open, names[0], names[1:])
	}
	var books []Book
	for _, name := range names {
		where, key := store.Split(name)
		st, err := open(ctx, where)
		if err != nil {
			return nil, err
		}
		n, err := read(ctx, st, key)
		if err != nil {
			return nil, unit.Mistake(fmt.Errorf("read %s: %w", name, err))
		}
		books = append(books, Book{strings.TrimSuffix(path.Base(key), ".ipynb"), n})
	}
	return books, nil
}

// isNotebook tells the name of a notebook from that of a sweep.
func isNotebook(name string) bool {
	if strings.HasSuffix(name, ".ipynb") || zeppelin.IsNote(name) {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

func runs(ctx context.Context, open Opener, where string, names []string) ([]Book, error) {
	st, err := open(ctx, where)
	if err != nil {
		return nil, err
	}
	s, err := sweep.OpenPlanned(ctx, st)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, unit.Mistake(unit.WithHint(errors.New("no run is named"), "fanout ls %s lists them", unit.Quote(where)))
	}
	ids, err := query.Resolve(s, names)
	if err != nil {
		return nil, err
	}
	var books []Book
	for _, id := range ids {
		state, _ := s.Run(id)
		if state.Best == 0 {
			return nil, unit.Mistake(unit.WithHint(fmt.Errorf("run %s has no notebook yet", id), "fanout show %s %s", unit.Quote(where), id))
		}
		n, err := read(ctx, st, sweep.RunKey(id))
		if err != nil {
			return nil, fmt.Errorf("read run %s: %w", id, err)
		}
		books = append(books, Book{s.RunName(id), n})
	}
	return books, nil
}

func read(ctx context.Context, st store.Store, key string) (*notebook.Notebook, error) {
	info, err := st.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if info.Size > MaxNotebook {
		return nil, fmt.Errorf("it has %s, and %s is the most that is rendered", unit.Bytes(info.Size), unit.Bytes(MaxNotebook))
	}
	b, err := st.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return zeppelin.Read(key, b)
}

// Page writes notebooks as one HTML file, one after the other.
func Page(w io.Writer, books []Book, o render.Options) error {
	var documents []*render.Document
	for i, b := range books {
		each := o
		each.Title = b.Name
		if len(books) > 1 {
			each.Anchor = fmt.Sprintf("n%d-", i+1)
		}
		documents = append(documents, render.New(b.Notebook, each))
	}
	title := documents[0].Title
	if len(documents) > 1 {
		title += fmt.Sprintf(" and %d more", len(documents)-1)
	}
	return render.WritePage(w, title, documents...)
}
