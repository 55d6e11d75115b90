package serve

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/contents"
	"github.com/fanout-dev/fanout/internal/serve/internal/foreign"
	"github.com/fanout-dev/fanout/internal/serve/internal/reports"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of files.
const (
	maxFile     = 512 << 20 // that are sent
	maxContents = 64 << 20  // in the JSON of /api/contents
	largeFile   = 16 << 20  // of which few are held at once
)

// foreign answers with the bytes of a file that somebody else wrote; report says that it is
// the report of a run.
func (s *Server) foreign(w http.ResponseWriter, r *http.Request, st store.Store, o store.Object, report bool) {
	if o.Size > largeFile {
		select {
		case s.heavy <- struct{}{}:
			defer func() { <-s.heavy }()
		case <-r.Context().Done():
			return
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Minute))
	}
	body, err := books.Read(r.Context(), st, o.Key, maxFile)
	if err != nil {
		s.fail(w, r, trouble.NoFile(err))
		return
	}
	stored := r.URL.Query().Get("download") == "1"
	if report && !stored {
		send(w, r, http.StatusOK, foreign.DescribeReport(w.Header()), body)
		return
	}
	send(w, r, http.StatusOK, foreign.Describe(w.Header(), o.Key, stored), body)
}

// file answers with a file beneath the roots, as commuter's /files does.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	st, o, err := s.roots.File(r.Context(), r.PathValue("path"))
	if err != nil {
		s.fail(w, r, trouble.NoFile(err))
		return
	}
	s.foreign(w, r, st, o, false)
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
			return nil, nil, trouble.NoFile(err)
		case books.IsNotebook(name):
			return s.notebookPage(r, name, st, o.Key)
		}
		if folder, key, is := reports.In(name); is {
			if up, err := s.roots.Folder(r.Context(), folder); err == nil && up.Sweep != "" {
				return folderView{Path: name}, nil, redirectError{s.stored(roots.Sweep{ID: up.Sweep}, key)}
			}
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
		return s.linkPath("part", part+"/"+name)
	}
	table := func(part string) template.URL { return s.linkPath("table", part+"/"+name) }
	v := folderView{Path: name, Raw: s.linkPath("files", name), Sheet: b.Sheet(books.Look{Title: path.Base(name), Part: part, Table: table, File: func(beside string) string {
		beside = path.Join(path.Dir(name), beside)
		if !fs.ValidPath(beside) {
			return ""
		}
		return string(s.linkPath("files", beside))
	}})}
	return v, s.crumbsOf(name), nil
}

// fileBook opens the notebook, no run's, that a request is about.
func (s *Server) fileBook(r *http.Request) (store.Store, *books.Book, error) {
	st, o, err := s.roots.File(r.Context(), r.PathValue("path"))
	if err != nil {
		return nil, nil, err
	}
	b, err := s.books.Open(r.Context(), st, o.Key)
	return st, b, err
}

// filePart answers with a frame or a picture of a notebook that is no run's.
func (s *Server) filePart(w http.ResponseWriter, r *http.Request) {
	_, b, err := s.fileBook(r)
	if err != nil {
		s.fail(w, r, trouble.NoFile(err))
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
		s.sendJSON(w, r, http.StatusOK, contents.OfFolder(name, f))
		return
	}
	st, o, err := s.roots.File(r.Context(), name)
	var body []byte
	if err == nil {
		body, err = books.Read(r.Context(), st, o.Key, maxContents)
	}
	if err != nil {
		s.fail(w, r, trouble.NoFile(err))
		return
	}
	s.sendJSON(w, r, http.StatusOK, contents.OfFile(name, o.ModTime, body))
}
