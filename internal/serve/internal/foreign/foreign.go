// Package foreign says how files that somebody else wrote are sent to a browser.
//
// In go the name of a file; out come the headers of a response with its bytes. It promises
// that what is shown is of no origin, that it executes nothing unless it is the report of a
// run, and that everything else a browser could execute is stored instead of shown.
package foreign

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Policy is that of foreign files: opened by themselves they are of no origin, and run
// nothing.
const Policy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"

// shown are the types of what a browser may show, by its ending; all else is stored.
var shown = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp",
	".txt": "text/plain", ".log": "text/plain", ".md": "text/plain", ".csv": "text/plain", ".json": "text/plain", ".jsonl": "text/plain",
	".py": "text/plain", ".r": "text/plain", ".jl": "text/plain", ".sql": "text/plain", ".yaml": "text/plain", ".yml": "text/plain", ".toml": "text/plain",
}

// Shown reports whether a browser may show a file of that name.
func Shown(name string) bool { return shown[strings.ToLower(path.Ext(name))] != "" }

// Describe sets the headers of a response with a file, all but its length, and returns
// its type. store has the browser store it in any case.
func Describe(h http.Header, name string, store bool) (kind string) {
	kind = shown[strings.ToLower(path.Ext(name))]
	if store || kind == "" {
		Attach(h, path.Base(name))
	}
	h.Set("Content-Security-Policy", Policy)
	switch {
	case kind == "":
		return "application/octet-stream"
	case strings.HasPrefix(kind, "text/"):
		return kind + "; charset=utf-8"
	}
	return kind
}

// DescribeReport is Describe for the page of a run that a sweep file asked for: it is
// shown. Its scripts, which size what it frames, are of no origin, and so are those that
// somebody else put there.
func DescribeReport(h http.Header) (kind string) {
	h.Set("Content-Security-Policy", render.PagePolicy())
	return "text/html; charset=utf-8"
}

// Attach makes a browser store a response under a name instead of showing it.
func Attach(h http.Header, name string) {
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(unit.Cut(unit.Line(name), 200)))
}
