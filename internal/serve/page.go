package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/actions"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/serve/internal/nights"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/serve/internal/words"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// A view is what a page shows, as data: its JSON is the page's twin.
type view interface{ title() string }

// crumb is one step on the way to a page.
type crumb struct {
	Name string
	Link template.URL
}

// A download is a file in place of a page.
type download http.HandlerFunc

func (download) title() string { return "" }

// A shown is a view as a template sees it.
type shown struct {
	Title  string
	Crumbs []crumb
	V      any
	User   string
	Twin   template.URL // of the page, as JSON; a file has none
	server *Server
}

// tabs are the pages of a sweep, and which one is shown.
type tabs struct {
	Frame shown
	At    string
}

// redirectError sends a browser to another page of ours.
type redirectError struct{ to template.URL }

func (e redirectError) Error() string { return "see " + string(e.to) }

// page registers a page and its twin.
func (s *Server) page(pattern, name string, show func(*http.Request) (view, []crumb, error)) {
	s.guard.Handle("GET "+pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, crumbs, err := show(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if file, isFile := v.(download); isFile {
			file(w, r)
			return
		}
		s.render(w, r, http.StatusOK, name, v, crumbs)
	}))
	s.guard.Handle("GET /api/v1"+pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _, err := show(r)
		var elsewhere redirectError
		if err != nil && !errors.As(err, &elsewhere) {
			s.fail(w, r, err)
			return
		}
		if file, isFile := v.(download); isFile { // its own twin
			file(w, r)
			return
		}
		s.sendJSON(w, r, http.StatusOK, v)
	}))
}

// pages are all templates; they are ours and embedded.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"plural": unit.Plural, "bytes": unit.Bytes, "duration": unit.Duration, "ago": words.Ago, "when": words.When, "line": unit.Line, "cut": unit.Cut, "sentence": words.Capital,
		"static": assets.Path, "term": query.Term,
		"class": func(status any) string { return strings.ReplaceAll(fmt.Sprint(status), "_", "-") },
		"add":   func(a, b int) int { return a + b },
		"scale": func(x float64) string { return strconv.FormatFloat(120*x, 'f', 1, 64) },
		"trace": words.Printable,
		"tabs":  func(f shown, at string) tabs { return tabs{f, at} },
	}).ParseFS(templates.Web, "web/*.html"))
})

func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, v view, crumbs []crumb) {
	f := shown{Title: v.title(), Crumbs: crumbs, V: v, User: guard.User(r.Context()), server: s}
	if status == http.StatusOK && !s.Pages.Written() {
		f.Twin = s.link("api", "v1") + template.URL((&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}).String())
	}
	var body bytes.Buffer
	if err := pages().ExecuteTemplate(&body, name+".html", f); err != nil {
		s.report(fmt.Errorf("render %s: %w", r.URL.Path, err))
		status = http.StatusInternalServerError
		body.Reset()
		body.WriteString("<!doctype html><title>fanout</title><p>This page cannot be shown: the reason is in the server's log.")
	}
	send(w, r, status, "text/html; charset=utf-8", unit.Page(body.Bytes()))
}

// Base is the path beneath which all pages are.
func (f shown) Base() string { return f.server.Access.Base }

// Launches reports whether something can be launched.
func (f shown) Launches() bool { return f.server.actions.On() && !f.File() }

// Nights reports whether a sweep has nights.
func (f shown) Nights(where string) bool {
	o, err := f.server.opened.Get(f.server.ctx, where)
	return err == nil && nights.Has(o)
}

// Report is where the report of a run is; "" where it has none.
func (f shown) Report(place roots.Sweep, run string) template.URL {
	o, err := f.server.opened.Get(f.server.ctx, place.Where)
	if err != nil {
		return ""
	}
	return f.server.reportOf(place, o, run)
}

// File reports whether the page is a file: it asks no server.
func (f shown) File() bool { return f.server.Pages.Written() }

// Written is when the file was written.
func (f shown) Written() time.Time { return f.server.Pages.at }

// Boot is what frames in a file begin as.
func (f shown) Boot() string { return render.Boot() }

// Policy is what a browser may do with a file, which no server sends a policy for.
func (f shown) Policy() string {
	if v, ok := f.V.(runView); ok && v.Sheet != nil {
		return filePolicy + framePolicy
	}
	return filePolicy + "; script-src 'self' file:; style-src 'self' file:; style-src-attr 'unsafe-inline'"
}

// What a browser may do with files. On a disk, 'self' is not always the folder.
// Frames with data addresses inherit what their page may, and say themselves
// that there is no network.
const (
	filePolicy  = "default-src 'none'; img-src 'self' file: data: blob:; form-action 'none'; base-uri 'none'"
	framePolicy = "; script-src 'self' file: 'unsafe-inline' 'unsafe-eval' data:; style-src 'self' file: 'unsafe-inline'; media-src data: blob:; font-src data:; worker-src blob:; frame-src data:"
)

// Libraries are those that the frames of a file use.
func (f shown) Libraries() []string {
	if v, ok := f.V.(runView); ok && v.Sheet != nil {
		return v.Sheet.Libraries
	}
	return nil
}

// Link is the address of a page, whatever its parts hold.
func (f shown) Link(parts ...string) template.URL { return f.server.link(parts...) }

// link is the address of a page: its parts are escaped one by one.
func (s *Server) link(parts ...string) template.URL {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return template.URL(s.Access.Base + strings.Join(escaped, "/"))
}

// linkPath is link for a path whose slashes are its own.
func (s *Server) linkPath(first, path string) template.URL {
	return s.link(append([]string{first}, strings.Split(path, "/")...)...)
}

func withQuery(link template.URL, q url.Values) template.URL {
	if len(q) == 0 {
		return link
	}
	return link + "?" + template.URL(q.Encode())
}

func (s *Server) sendJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		s.report(fmt.Errorf("encode %s: %w", r.URL.Path, err))
		http.Error(w, "this cannot be shown as JSON", http.StatusInternalServerError)
		return
	}
	send(w, r, status, "application/json", body.Bytes())
}

// send writes a whole response: compressed where that is wanted, and not at all
// where the browser has it.
func send(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	if status == http.StatusOK {
		sum := sha256.Sum256(body)
		tag := `W/"` + hex.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	body = assets.Pack(h, r, body)
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// fail answers with an error.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var elsewhere redirectError
	if errors.As(err, &elsewhere) {
		w.Header().Set("Location", string(elsewhere.to))
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	p := guard.Problem{Status: trouble.StatusOf(err), Error: words.Error(err), Hint: unit.Line(unit.HintOf(err))}
	if name := actions.Instead(r, err); name != "" {
		if v, crumbs, wrong := s.scheduleOf(r); wrong == nil {
			v.Wrong, v.Form = p, r.PostForm
			s.render(w, r, p.Status, name, v, crumbs)
			return
		}
	}
	if p.Status >= 500 {
		s.report(fmt.Errorf("%s: %w", r.URL.Path, err))
	}
	s.refuse(w, r, p)
}

func (s *Server) report(err error) {
	if s.Errors != nil {
		s.Errors(err.Error())
	}
}

// problem is the page of a request that is not answered.
type problem struct {
	guard.Problem
	Next string
	Base string
	Back template.URL // to the page whose button it was
}

func (p problem) title() string { return trouble.Title(p.Status) }

// refuse answers a request that is not let in, or that failed.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p guard.Problem) {
	w.Header().Set("Cache-Control", "no-store")
	if !guard.WantsPage(r) {
		s.sendJSON(w, r, p.Status, p)
		return
	}
	next := (&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}).String()
	if r.Method != http.MethodGet {
		next = "/"
	}
	v := problem{p, next, s.Access.Base, ""}
	if id := r.PathValue("sweep"); r.Method != http.MethodGet && sweepID.MatchString(id) {
		v.Back = s.link("s", id)
	}
	s.render(w, r, p.Status, "problem", v, nil)
}
