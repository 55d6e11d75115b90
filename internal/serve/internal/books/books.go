// Package books keeps the notebooks that somebody looks at, decoded and rendered.
//
// In go a store and a key; out come notebooks as parts of a page, and the parts
// that have an address of their own. It promises that a notebook is decoded once
// for its page, its frames and its pictures, and that one which is too large is
// refused before it is read.
package books

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/notebook/zeppelin"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of notebooks that are shown.
const (
	Most      = 256 << 20 // bytes
	maxBooks  = 96 << 20  // of all that are kept decoded
	booksKeep = 2 * time.Minute
)

// Books are the notebooks that somebody looks at: a page of one is followed by
// requests for each of its frames and pictures.
type Books struct {
	mu  sync.Mutex
	all map[string]*Book // by place and key
}

// A Book is a decoded notebook. Its lock is held while it is read.
type Book struct {
	mu     sync.Mutex
	object store.Object
	doc    *notebook.Notebook
	used   time.Time
}

// Open decodes a notebook, or finds it decoded.
func (b *Books) Open(ctx context.Context, st store.Store, key string) (*Book, error) {
	o, err := st.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	name := st.String() + "\x00" + key
	b.mu.Lock()
	kept := b.all[name]
	b.mu.Unlock()
	if kept != nil && kept.object == o {
		b.keep(name, kept)
		return kept, nil
	}
	text, err := Read(ctx, st, key, Most)
	if err != nil {
		return nil, err
	}
	doc, err := zeppelin.Read(key, text)
	if err != nil {
		return nil, unit.Mistake(fmt.Errorf("this is no notebook that can be shown: %w", err))
	}
	read := &Book{object: o, doc: doc}
	b.keep(name, read)
	return read, nil
}

// IsNotebook tells by its name whether a file is shown as a notebook.
func IsNotebook(name string) bool { return strings.HasSuffix(name, ".ipynb") || zeppelin.IsNote(name) }

// keep notes that a notebook is used, and gives up the others beyond the limits.
func (b *Books) keep(name string, kept *Book) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string]*Book{}
	}
	kept.used = time.Now()
	b.all[name] = kept
	b.tidy(kept)
}

// tidy is called with the lock; keep stays.
func (b *Books) tidy(keep *Book) {
	for {
		total, oldest, at := int64(0), "", time.Now()
		for name, k := range b.all {
			total += k.object.Size
			if k != keep && k.used.Before(at) {
				oldest, at = name, k.used
			}
		}
		if oldest == "" || total <= maxBooks && time.Since(at) < booksKeep {
			return
		}
		delete(b.all, oldest)
	}
}

// Tidy gives up what nobody looks at any more.
func (b *Books) Tidy() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy(nil)
}

// A Sheet is a notebook in a page of ours.
type Sheet struct {
	Byline  string
	Outline []render.Heading
	Given   []render.Given
	Failure *render.Failure
	Note    string
	Cells   []template.HTML

	Brief     bool     // the page says why it failed
	Libraries []string // that its frames use, where they stand in the page
}

// A Look is how a notebook is shown.
type Look struct {
	Title  string
	NoCode bool
	Brief  bool                      // the page says itself why the notebook failed
	Part   func(string) template.URL // the address of one of its parts; nil: they are in the page
	File   func(string) string       // the address of a picture beside it
	Table  func(string) template.URL // the address of the page of a table that it shows; nil: there is none
}

// Sheet renders a notebook.
func (b *Book) Sheet(l Look) *Sheet {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := render.Options{Title: l.Title, NoCode: l.NoCode, File: l.File}
	if l.Part != nil {
		o.Address = func(p render.Part) string {
			return string(l.Part(partName(p))) + "?v=" + strconv.FormatInt(b.object.ModTime.UnixNano()^b.object.Size, 36)
		}
	}
	if l.Table != nil {
		o.Table = func(p render.Part) string { return string(l.Table(partName(p))) }
	}
	d := render.New(b.doc, o)
	s := &Sheet{Byline: d.Byline(), Outline: d.Outline, Given: d.Given, Failure: d.Failure, Note: d.Note, Brief: l.Brief}
	for c := range d.Cells() {
		s.Cells = append(s.Cells, c.HTML)
	}
	if l.Part == nil {
		s.Libraries = d.Libraries()
	}
	return s
}

// partName is the last part of the address of a part of a notebook.
func partName(p render.Part) string {
	kind := strings.TrimPrefix(p.MIME, "image/")
	switch {
	case p.Online:
		kind = "online"
	case p.MIME == "text/html":
		kind = "html"
	case p.MIME == resource:
		kind = "table"
	}
	return fmt.Sprintf("%d-%d-%s", p.Cell, p.Output, kind)
}

// resource is the type of a table of data.
const resource = "application/vnd.dataresource+json"

// Table is a table that the notebook shows, as JSON, by its name in an address, and
// the code cell that shows it.
func (b *Book) Table(name string) (raw json.RawMessage, code int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.parsePart(name)
	if !ok || p.Cell < 0 || p.Cell >= len(b.doc.Cells) || p.Output >= len(b.doc.Cells[p.Cell].Outputs) {
		return nil, 0, fs.ErrNotExist
	}
	raw = b.doc.Cells[p.Cell].Outputs[p.Output].Data[resource]
	if raw == nil {
		return nil, 0, fs.ErrNotExist
	}
	return raw, b.doc.CodeCell(p.Cell), nil
}

// Object is the file that the notebook was read from.
func (b *Book) Object() store.Object { return b.object }

// PictureName is the last part of the address of a picture, by the numbers of its
// code cell and of its output in it, from 1.
func PictureName(code, output int, mime string) string {
	return fmt.Sprintf("code%d-%d-%s", code, output-1, strings.TrimPrefix(mime, "image/"))
}

var partForm = pattern.Of(`^(code)?(\d{1,6})-(\d{1,6})-([a-z0-9.+]{1,20})$`)

// parsePart is the inverse of partName and of PictureName.
func (b *Book) parsePart(name string) (p render.Part, ok bool) {
	m := partForm().FindStringSubmatch(name)
	if m == nil {
		return p, false
	}
	p.Cell, _ = strconv.Atoi(m[2])
	p.Output, _ = strconv.Atoi(m[3])
	if m[1] != "" {
		p.Cell = b.codeCell(p.Cell)
	}
	p.Online = m[4] == "online"
	if p.MIME = "image/" + m[4]; m[4] == "html" || p.Online {
		p.MIME = "text/html"
	}
	return p, true
}

// codeCell is the place of the nth code cell among all; -1 if there is none.
func (b *Book) codeCell(n int) int {
	for i, c := range b.doc.Cells {
		if c.Type == "code" {
			if n--; n == 0 {
				return i
			}
		}
	}
	return -1
}

// Part answers a request for a part of the notebook, by its name in an address.
// static is where frames have their libraries.
func (b *Book) Part(name, static string) (render.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.parsePart(name)
	if !ok {
		return render.Response{}, fs.ErrNotExist
	}
	return render.Respond(b.doc, p, static)
}

// Len is how many notebooks are kept.
func (b *Books) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

// ErrTooLarge reports an object that is larger than what is shown.
var ErrTooLarge = errors.New("it is larger than what is shown here")

// Read reads an object that is not larger than most.
func Read(ctx context.Context, st store.Store, key string, most int64) ([]byte, error) {
	o, err := st.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if o.Size > most {
		return nil, fmt.Errorf("%s has %s, and at most %s are read: %w", unit.Line(key), unit.Bytes(o.Size), unit.Bytes(most), ErrTooLarge)
	}
	return st.Get(ctx, key)
}
