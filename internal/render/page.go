package render

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/templates"
)

// An Asset is a file that frames load: public, and never another under its name.
type Asset struct {
	Name string // with a digest in it
	Gzip []byte
}

// vendored are the libraries that frames use, and their files.
var vendored = []struct{ name, file string }{
	{"plotly", "plotly.min.js"},
	{"vega", "vega.min.js"},
	{"vega-lite", "vega-lite.min.js"},
	{"vega-embed", "vega-embed.min.js"},
	{"widgets", "widgets.min.js"},
}

var assets = sync.OnceValue(func() map[string]Asset {
	all := map[string]Asset{}
	for _, v := range vendored {
		compressed := templates.VendoredGzip(v.file)
		sum := sha256.Sum256(compressed)
		all[v.name] = Asset{v.name + "-" + hex.EncodeToString(sum[:8]) + ".js", compressed}
	}
	return all
})

func assetFile(library string) string { return assets()[library].Name }

// Assets lists the files that frames load, to be served under the address that
// Respond is given, to everybody and with Access-Control-Allow-Origin: *.
func Assets() []Asset {
	var list []Asset
	for _, v := range vendored {
		list = append(list, assets()[v.name])
	}
	return list
}

// Style is the style sheet of documents.
func Style() string { return templates.NotebookStyle }

// Script is what a page with documents executes: it sizes frames, fills those
// that are in the page, and goes to the failure. Documents read without it.
func Script() string { return templates.NotebookScript }

// notebookPage is parsed once; the template is ours and embedded.
var notebookPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("notebook").Parse(templates.NotebookPage))
})

// bootPolicy is what a frame in a file may do: there is no network unless it is
// online. Frames with data addresses inherit the policy of the page, so that must
// let them execute what they show.
func bootPolicy(online bool) string { return framePolicy(" 'unsafe-eval' data:", online) }

// boot is the address of the document that a frame in a file begins as: it asks
// the page for what it shows.
func boot(policy string) string {
	return "data:text/html;base64," + base64.StdEncoding.EncodeToString([]byte(`<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="`+policy+`"><script>`+
		`addEventListener("message", e => { if (e.source !== parent || parent === self) return; document.open(); document.write(e.data); document.close() }, {once: true}); parent.postMessage({fanout: "ready"}, "*")</script>`))
}

// PagePolicy is what a server says of a file that WritePage wrote, or that somebody put
// in its place: it is of no origin and has no network.
func PagePolicy() string {
	return "sandbox allow-scripts; " + bootPolicy(false) + "; frame-src data:; frame-ancestors 'none'"
}

// Boot is the address of every frame in a file: the value of data-boot of the
// file's body.
func Boot() string { return boot(bootPolicy(false)) }

// Library is a library that frames use, compressed with gzip.
func Library(name string) (gzip []byte, ok bool) {
	a, ok := assets()[name]
	return a.Gzip, ok
}

// WritePage writes documents as one HTML file that needs nothing else. What needs
// a frame is in the file, and shown in a frame whose address is data: such a frame
// has an origin of its own, can be opened nowhere else, and has no network unless a
// document is online.
func WritePage(w io.Writer, title string, documents ...*Document) error {
	var libraries []string
	online := false
	for _, d := range documents {
		online = online || d.options.Online
		for _, name := range d.Libraries() {
			if !slices.Contains(libraries, name) {
				libraries = append(libraries, name)
			}
		}
	}
	policy := bootPolicy(online)
	err := notebookPage().Execute(w, struct {
		Title, Policy string
		Style         template.CSS
		Script        template.JS
		Boot          string
		Documents     []*Document
		Libraries     []sharedLibrary
	}{title, policy + "; frame-src data:", template.CSS(Style()), template.JS(Script()), boot(policy), documents, libraryTexts(libraries)})
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// A sharedLibrary is one that the frames of a file share.
type sharedLibrary struct {
	Name string
	Gzip template.HTML // in base64
}

func libraryTexts(names []string) []sharedLibrary {
	var all []sharedLibrary
	for _, name := range names {
		all = append(all, sharedLibrary{name, template.HTML(base64.StdEncoding.EncodeToString(assets()[name].Gzip))})
	}
	return all
}

// Libraries are the names of those that the document's frames use.
func (d *Document) Libraries() []string {
	var names []string
	for _, i := range d.shown {
		c := d.book.Cells[i]
		for j := range c.Outputs {
			o := &c.Outputs[j]
			mime, ok := d.framedForm(o)
			if !ok {
				continue
			}
			f := framing{shelf: d.frames}
			f.add(o, mime)
			names = append(names, f.libraries...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Byline says in what the notebook is written.
func (d *Document) Byline() string {
	switch {
	case d.Kernel == "":
		return d.Language
	case d.Language == "" || strings.EqualFold(d.Kernel, d.Language):
		return d.Kernel
	}
	return d.Language + ", kernel " + d.Kernel
}
