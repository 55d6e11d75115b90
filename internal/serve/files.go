package serve

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/roots"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of files.
const (
	maxFile     = 512 << 20 // that are sent
	maxContents = 64 << 20  // in the JSON of /api/contents
	largeFile   = 16 << 20  // of which few are held at once
)

// Foreign is the policy of foreign files: opened by themselves they are of no
// origin, and run nothing.
const foreignPolicy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"

// shownTypes are what a browser may show of foreign files, by their ending;
// all others are stored.
var shownTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp",
	".txt": "text/plain", ".log": "text/plain", ".md": "text/plain", ".csv": "text/plain", ".json": "text/plain", ".jsonl": "text/plain",
	".py": "text/plain", ".r": "text/plain", ".jl": "text/plain", ".sql": "text/plain", ".yaml": "text/plain", ".yml": "text/plain", ".toml": "text/plain",
}

// foreign answers with the bytes of a file that somebody else wrote.
func (s *Server) foreign(w http.ResponseWriter, r *http.Request, st store.Store, o store.Object) {
	if o.Size > largeFile {
		select {
		case s.heavy <- struct{}{}:
			defer func() { <-s.heavy }()
		case <-r.Context().Done():
			return
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Minute))
	}
	kind := shownTypes[strings.ToLower(path.Ext(o.Key))]
	switch {
	case kind == "":
		kind = "application/octet-stream"
		attach(w, path.Base(o.Key))
	case strings.HasPrefix(kind, "text/"):
		kind += "; charset=utf-8"
	}
	if r.URL.Query().Get("download") == "1" {
		attach(w, path.Base(o.Key))
	}
	w.Header().Set("Content-Security-Policy", foreignPolicy)
	body, err := books.Read(r.Context(), st, o.Key, maxFile)
	if err != nil {
		w.Header().Del("Content-Disposition")
		s.fail(w, r, noFile(err))
		return
	}
	send(w, r, http.StatusOK, kind, body)
}

// file answers with a file beneath the roots, as commuter's /files does.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	st, o, err := s.roots.File(r.Context(), r.PathValue("path"))
	if err != nil {
		s.fail(w, r, noFile(err))
		return
	}
	s.foreign(w, r, st, o)
}

// A folderView is a folder, or a file in it that is no notebook.
type folderView struct {
	Path    string        `json:"path"`
	Entries []folderEntry `json:"entries"`
	Sweep   string        `json:"sweep,omitempty"`
	More    bool          `json:"more,omitempty"`
	Sheet   *books.Sheet  `json:"-"` // of a notebook
	Raw     template.URL  `json:"-"`
}

type folderEntry struct {
	Name     string       `json:"name"`
	Path     string       `json:"path"`
	Folder   bool         `json:"folder,omitempty"`
	Size     int64        `json:"size,omitempty"`
	Modified time.Time    `json:"modified,omitzero"`
	Link     template.URL `json:"-"`
	Raw      template.URL `json:"-"`
}

func (v folderView) title() string {
	if v.Path == "" {
		return "Files"
	}
	return path.Base(v.Path)
}

// Headline is what the page says first.
func (v folderView) Headline() string {
	if v.Sheet != nil {
		return path.Base(v.Path)
	}
	n := unit.Plural(len(v.Entries), "entry")
	if len(v.Entries) != 1 {
		n = fmt.Sprintf("%d entries", len(v.Entries))
	}
	if v.More {
		n = "The first " + n
	}
	return n
}

func (s *Server) folderPage(r *http.Request) (view, []crumb, error) {
	name := strings.TrimSuffix(r.PathValue("path"), "/")
	f, err := s.roots.Folder(r.Context(), name)
	if err != nil {
		st, o, err := s.roots.File(r.Context(), name)
		switch {
		case err != nil:
			return nil, nil, noFile(err)
		case strings.HasSuffix(name, ".ipynb"):
			return s.notebookPage(r, name, st, o.Key)
		}
		return folderView{Path: name}, nil, redirectError{s.linkPath("files", name)}
	}
	v := folderView{Path: name, Sweep: f.Sweep, More: f.More}
	for _, e := range f.Entries {
		shown := folderEntry{Name: e.Name, Path: e.Path, Folder: e.Folder, Size: e.Size, Modified: e.ModTime, Link: s.linkPath("view", e.Path)}
		if !e.Folder {
			shown.Raw = s.linkPath("files", e.Path)
		}
		v.Entries = append(v.Entries, shown)
	}
	return v, s.crumbsOf(name), nil
}

// notebookPage is the page of a notebook that is no run's.
func (s *Server) notebookPage(r *http.Request, name string, st store.Store, key string) (view, []crumb, error) {
	b, err := s.books.Open(r.Context(), st, key)
	if err != nil {
		return nil, nil, err
	}
	part := func(part string) template.URL {
		return s.link(append([]string{"part", part}, strings.Split(name, "/")...)...)
	}
	v := folderView{Path: name, Raw: s.linkPath("files", name), Sheet: b.Sheet(path.Base(name), false, part, func(beside string) string {
		beside = path.Join(path.Dir(name), beside)
		if !fs.ValidPath(beside) {
			return ""
		}
		return string(s.linkPath("files", beside))
	})}
	return v, s.crumbsOf(name), nil
}

// filePart answers with a frame or a picture of a notebook that is no run's.
func (s *Server) filePart(w http.ResponseWriter, r *http.Request) {
	st, o, err := s.roots.File(r.Context(), r.PathValue("path"))
	var b *books.Book
	if err == nil {
		b, err = s.books.Open(r.Context(), st, o.Key)
	}
	if err != nil {
		s.fail(w, r, noFile(err))
		return
	}
	s.respond(w, r, b)
}

// crumbsOf leads to a folder.
func (s *Server) crumbsOf(name string) []crumb {
	all := []crumb{{"Files", s.link("view") + "/"}}
	parts := strings.Split(name, "/")
	for i := range parts[:len(parts)-1] {
		all = append(all, crumb{parts[i], s.linkPath("view", strings.Join(parts[:i+1], "/"))})
	}
	if name == "" {
		return nil
	}
	return all
}

// contents answers as Jupyter's contents API does, for reading.
func (s *Server) contents(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(r.PathValue("path"), "/")
	if f, err := s.roots.Folder(r.Context(), name); err == nil {
		s.sendJSON(w, r, http.StatusOK, contentsOfFolder(name, f))
		return
	}
	st, o, err := s.roots.File(r.Context(), name)
	var body []byte
	if err == nil {
		body, err = books.Read(r.Context(), st, o.Key, maxContents)
	}
	if err != nil {
		s.fail(w, r, noFile(err))
		return
	}
	m := modelOf(name, o.ModTime)
	m.fill(body)
	s.sendJSON(w, r, http.StatusOK, m)
}

// A model is a file in Jupyter's contents API.
type model struct {
	Name         string    `json:"name"`
	Path         string    `json:"path"`
	Type         string    `json:"type"` // directory, file or notebook
	Writable     bool      `json:"writable"`
	Created      time.Time `json:"created"`
	LastModified time.Time `json:"last_modified"`
	Mimetype     *string   `json:"mimetype"`
	Content      any       `json:"content"`
	Format       *string   `json:"format"`
}

func modelOf(name string, at time.Time) model {
	m := model{Name: path.Base("/" + name), Path: name, Type: "file", Created: at.UTC(), LastModified: at.UTC()}
	if name == "" {
		m.Name = ""
	}
	if strings.HasSuffix(name, ".ipynb") {
		m.Type = "notebook"
	} else if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		m.Mimetype = &kind
	}
	return m
}

// fill adds the content of a file.
func (m *model) fill(body []byte) {
	format := "text"
	switch {
	case m.Type == "notebook" && json.Valid(body):
		format, m.Content = "json", json.RawMessage(body)
	case utf8.Valid(body):
		m.Type, m.Content = "file", string(body)
	default:
		format, m.Content = "base64", base64.StdEncoding.EncodeToString(body)
	}
	m.Format = &format
}

func contentsOfFolder(name string, f roots.Folder) model {
	m := modelOf(name, time.Time{})
	format, entries := "json", []model{}
	m.Type, m.Format, m.Mimetype = "directory", &format, nil
	for _, e := range f.Entries {
		entry := modelOf(e.Path, e.ModTime)
		if e.Folder {
			entry.Type, entry.Mimetype = "directory", nil
		}
		entries = append(entries, entry)
	}
	m.Content = entries
	return m
}
