// Package assets is the files of ours that pages use: style sheets, scripts and
// the icon, and the libraries that frames of foreign output load.
//
// They are public, tell nothing of what is served, and never change under their
// address: one digest of all names the folder they are in.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/templates"
)

// asset is a file of ours, as it is and compressed.
type asset struct {
	kind          string
	plain, packed []byte
}

// assets are read and compressed once, when the first is asked for. One digest
// of all names the folder they are in, so that a module finds the others beside
// it and a browser never needs to ask twice.
var all = sync.OnceValue(readAssets)

type bundle struct {
	digest string
	files  map[string]func() asset
}

func readAssets() bundle {
	b := bundle{files: map[string]func() asset{}}
	sum := sha256.New()
	texts := map[string][]byte{"notebook.css": documentStyle(), "notebook.js": []byte(render.Script())}
	names, err := fs.Glob(templates.Web, "web/static/*")
	if err != nil {
		panic(err) // a pattern of ours
	}
	for _, name := range names {
		if texts[path.Base(name)], err = fs.ReadFile(templates.Web, name); err != nil {
			panic(err) // embedded
		}
	}
	texts["page.js"] = together(texts, "live.js", "table.js", "plot.js", "pictures.js", "page.js")
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		data := texts[name]
		sum.Write([]byte(name))
		sum.Write(data)
		b.files[name] = sync.OnceValue(func() asset {
			var packed bytes.Buffer
			z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
			z.Write(data)
			z.Close()
			return asset{mime.TypeByExtension(path.Ext(name)), data, packed.Bytes()}
		})
	}
	b.digest = hex.EncodeToString(sum.Sum(nil))[:16]
	return b
}

// together is modules as one script that a page on a disk can load, too: modules
// are not loaded from there. What they import are the names of the others.
func together(texts map[string][]byte, modules ...string) []byte {
	var b bytes.Buffer
	b.WriteString("\"use strict\";\n(() => {\n")
	for _, name := range modules {
		for line := range strings.Lines(string(texts[name])) {
			if !strings.HasPrefix(line, "import ") {
				b.WriteString(strings.TrimPrefix(line, "export "))
			}
		}
		delete(texts, name)
	}
	b.WriteString("})();\n")
	return b.Bytes()
}

// Static answers with a file of ours. Everybody may have it: frames of foreign
// output, which are nobody, use some.
func Static(w http.ResponseWriter, r *http.Request) {
	read, ok := all().files[r.PathValue("file")]
	if !ok || r.PathValue("digest") != all().digest {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	a := read()
	publish(w.Header(), a.kind)
	body := a.plain
	if TakesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = a.packed
	}
	w.Write(body)
}

// publish says of a file of ours that it never changes, and that everybody may
// use it.
func publish(h http.Header, kind string) {
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Vary", "Accept-Encoding")
}

// documentStyle is the style sheet of notebooks, for a part of a page: it holds
// within the part only, whose root is :scope there, and follows the theme that
// somebody chose.
func documentStyle() []byte {
	style := render.Style()
	const dark = "@media screen and (prefers-color-scheme: dark) {"
	light, rest, _ := strings.Cut(style, dark)
	colors, rest, _ := strings.Cut(rest, "\n}\n")
	colors = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(colors), ":root"))
	return []byte("@scope (.sheet) {\n" + strings.NewReplacer(":root {", ":scope {", ".sheet", ":scope").Replace(light+rest) + "}\n" +
		dark + " :root:not([data-theme=\"light\"]) .sheet " + colors + " }\n" +
		"@media screen { :root[data-theme=\"dark\"] .sheet " + colors + " }\n")
}

// Frame answers with a library that frames load.
func Frame(w http.ResponseWriter, r *http.Request) {
	libraries := render.Assets()
	i := slices.IndexFunc(libraries, func(a render.Asset) bool { return a.Name == r.PathValue("file") })
	if i < 0 {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	publish(w.Header(), "text/javascript; charset=utf-8")
	if !TakesGzip(r) {
		http.Error(w, "this file is sent compressed with gzip", http.StatusNotAcceptable)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Write(libraries[i].Gzip)
}

// Library answers with a library for the frames in a file, by its name: a script
// that has it as text, since a page on a disk may read no other file.
func Library(w http.ResponseWriter, file string) {
	name, _ := strings.CutSuffix(file, ".js")
	text, ok := render.Library(name)
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	fmt.Fprintf(w, "(window.fanoutLibraries ??= {})[%q] = \"%s\";\n", name, base64.StdEncoding.EncodeToString(text))
}

// Digest tells two names apart, in few characters.
func Digest(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])[:16]
}

// TakesGzip reports whether a browser reads what is compressed with gzip.
func TakesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if (name == "gzip" || name == "*") && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}

// Path is where a file of ours is, beneath the base path.
func Path(file string) string { return "-/static/" + all().digest + "/" + file }

// worthPacking is from how many bytes on a response is compressed.
const worthPacking = 1024

// Pack compresses a response where that is wanted, and says so in its header.
func Pack(h http.Header, r *http.Request, body []byte) []byte {
	if len(body) <= worthPacking || !TakesGzip(r) {
		return body
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.DefaultCompression)
	z.Write(body)
	z.Close()
	h.Set("Content-Encoding", "gzip")
	return packed.Bytes()
}
