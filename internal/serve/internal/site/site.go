// Package site writes the pages of a handler as files.
//
// In go a handler, its first page and the names of files; out comes a folder that
// any host of files serves, and that opens from a disk. It asks the handler as a
// browser would, from the first page on, and follows the addresses that begin
// with the handler's base. Addresses become relative; a link to what is no file
// becomes its text. It promises that the folder is whole or as it was, that
// nothing is written outside it, and that what is written is bounded.
package site

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/scratch"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of a site.
const (
	MaxFiles = 100_000
	maxBytes = 16 << 30
)

// A Source is what is written.
type Source struct {
	Handler http.Handler
	// Base is what every address of the handler begins with, and nothing else
	// does: it holds a word that nobody could guess.
	Base string
	// First is the first page, beneath Base.
	First string
	// Name is the file of an address beneath Base, with slashes, and whether it is
	// a page, whose addresses are followed; "" is what a site does not have.
	Name func(*url.URL) (file string, page bool)
}

// A Result is what was written.
type Result struct {
	Pages, Files int // Files are those that are no pages
	Bytes        int64
}

// Write writes a site to a folder, in place of one that is there already. A
// folder with anything else in it is a mistake.
func Write(ctx context.Context, s Source, to string) (Result, error) {
	to, err := place(to)
	if err != nil {
		return Result{}, err
	}
	folder, err := scratch.Make(filepath.Dir(to), ".fanout-site-")
	if err != nil {
		return Result{}, fmt.Errorf("write site: %w", err)
	}
	defer folder.Remove()
	made := filepath.Join(folder.Path, "site")
	w := &writer{Source: s, dir: made, known: map[string]bool{}, missing: map[string]bool{}}
	if err := w.all(ctx); err != nil {
		return Result{}, fmt.Errorf("write site: %w", err)
	}
	if err := swap(made, to); err != nil {
		return Result{}, fmt.Errorf("write site: %w", err)
	}
	return w.Result, nil
}

type writer struct {
	Source
	Result
	dir     string
	known   map[string]bool // files that are written, or will be
	missing map[string]bool // files that the handler does not have
	queue   []string        // addresses of pages
}

func (w *writer) all(ctx context.Context) error {
	w.follow(w.First)
	for len(w.queue) > 0 {
		next := w.queue[0]
		w.queue = w.queue[1:]
		if err := w.page(ctx, next); err != nil {
			return err
		}
	}
	return w.write(Mark, []byte("{\"generator\": \"fanout\"}\n"))
}

// follow is the file of an address; a page is written later. "" is what the
// site does not have.
func (w *writer) follow(address string) (file string, page bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	if file, page = w.Name(u); file == "" || !filepath.IsLocal(file) {
		return "", false
	}
	if page && !w.known[file] {
		w.known[file] = true
		w.queue = append(w.queue, address)
	}
	return file, page
}

// page writes a page, and the files that it shows or links.
func (w *writer) page(ctx context.Context, address string) error {
	got, err := w.get(ctx, address)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("page %s: %s", address, http.StatusText(got.status))
	}
	file, _ := w.follow(address)
	body, err := w.rewrite(ctx, file, got.body.Bytes())
	if err != nil {
		return err
	}
	w.Pages++
	return w.write(file, body)
}

// Anchors and other addresses in pages of ours, which html/template wrote: no
// attribute holds a ">", and anchors are not in each other.
var (
	anchor  = pattern.Of(`(?s)<a\b([^>]*)>(.*?)</a>`)
	address = pattern.Of(`\b(href|src)="([^"]*)"`)
	class   = pattern.Of(`\bclass="[^"]*"`)
)

// rewrite makes the addresses of a page relative to its file.
func (w *writer) rewrite(ctx context.Context, file string, body []byte) (_ []byte, err error) {
	relative := func(found []byte) []byte {
		m := address().FindSubmatch(found)
		to, ours := strings.CutPrefix(html.UnescapeString(string(m[2])), w.Base)
		if !ours || err != nil {
			return found
		}
		var name string
		if name, err = w.file(ctx, to); err != nil {
			return found
		}
		if name == "" {
			return nil
		}
		return []byte(string(m[1]) + `="` + html.EscapeString(between(file, name)) + `"`)
	}
	body = anchor().ReplaceAllFunc(body, func(found []byte) []byte {
		m := anchor().FindSubmatch(found)
		if !bytes.Contains(m[1], []byte(`href="`+w.Base)) {
			return found
		}
		attributes := address().ReplaceAllFunc(m[1], relative)
		if !address().Match(attributes) {
			return fmt.Appendf(nil, "<span %s>%s</span>", class().Find(m[1]), m[2])
		}
		return fmt.Appendf(nil, "<a%s>%s</a>", attributes, m[2])
	})
	body = address().ReplaceAllFunc(body, relative)
	if err == nil && bytes.Contains(body, []byte(w.Base)) {
		err = fmt.Errorf("page %s names the server", file)
	}
	return body, err
}

// file is the file of an address, written if it is no page; "" is none.
func (w *writer) file(ctx context.Context, address string) (string, error) {
	name, page := w.follow(address)
	if name == "" || page || w.known[name] {
		return name, nil
	}
	if w.missing[name] {
		return "", nil
	}
	got, err := w.get(ctx, address)
	if err != nil {
		return "", err
	}
	switch got.status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusRequestEntityTooLarge:
		w.missing[name] = true
		return "", nil
	default:
		return "", fmt.Errorf("file %s: %s", address, http.StatusText(got.status))
	}
	w.known[name] = true
	w.Files++
	return name, w.write(name, got.body.Bytes())
}

func (w *writer) get(ctx context.Context, address string) (*response, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Base+address, nil)
	if err != nil {
		return nil, err
	}
	r.Host = "localhost"
	r.Header.Set("Accept", "text/html")
	got := &response{header: http.Header{}, status: http.StatusOK}
	w.Handler.ServeHTTP(got, r)
	return got, nil
}

// ErrTooLarge reports a site that is larger than what is written.
var ErrTooLarge = errors.New("there is more than fits in a site")

const hint = "fanout serve shows sweeps of any size"

// Fits is an error if there will be more pages than most, or than a site has: it is
// known before one is written.
func Fits(pages, most int) error {
	if most = cmp.Or(most, MaxFiles); pages > most {
		return unit.Mistake(unit.WithHint(fmt.Errorf("%d pages, and a site has at most %d: %w", pages, most, ErrTooLarge), hint))
	}
	return nil
}

func (w *writer) write(file string, body []byte) error {
	if w.Bytes += int64(len(body)); w.Bytes > maxBytes || w.Pages+w.Files > MaxFiles {
		return unit.WithHint(fmt.Errorf("%d pages and files of %s: %w", w.Pages+w.Files, unit.Bytes(w.Bytes), ErrTooLarge), hint)
	}
	name := filepath.Join(w.dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, body, 0o644)
}

// between is the way from one file to another.
func between(from, to string) string {
	up := strings.Repeat("../", strings.Count(from, "/"))
	return up + (&url.URL{Path: path.Clean(to)}).EscapedPath()
}

// A response keeps what a handler answers.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *response) Header() http.Header         { return r.header }
func (r *response) WriteHeader(status int)      { r.status = status }
func (r *response) Write(b []byte) (int, error) { return r.body.Write(b) }
