// Package contents is files as Jupyter's contents API describes them.
//
// In go the entries of a folder, or the bytes of a file; out come its models, for
// reading: nothing here is writable. It opens no file itself.
package contents

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/roots"
)

// A Model is a file in Jupyter's contents API.
type Model struct {
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

// OfFile is the model of a file with its content.
func OfFile(name string, at time.Time, body []byte) Model {
	m := modelOf(name, at)
	m.fill(body)
	return m
}

func modelOf(name string, at time.Time) Model {
	m := Model{Name: path.Base("/" + name), Path: name, Type: "file", Created: at.UTC(), LastModified: at.UTC()}
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
func (m *Model) fill(body []byte) {
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

// OfFolder is the model of a folder.
func OfFolder(name string, f roots.Folder) Model {
	m := modelOf(name, time.Time{})
	format, entries := "json", []Model{}
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
