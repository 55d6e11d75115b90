// Package templates holds the files that fanout writes for people: the starter
// sweep of `fanout init`, the module that notebooks record scraps with, the
// summary's words, code and page, the pages of the server, and the jobs for a
// cluster. Each file is valid on its own, so it can be opened, run and tested as
// it is.
package templates

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"io/fs"
)

// Glue is the Python module fanout_glue, which notebooks that fanout executes
// can import.
//
//go:embed fanout_glue.py
var Glue []byte

// SummaryLoad is the summary notebook's cell that loads the tables.
//
//go:embed summary_load.py
var SummaryLoad []byte

// SummaryPage is the summary's page around its body: an html/template with
// Title, text, and Body, HTML.
//
//go:embed summary.html
var SummaryPage string

// CellsPage is the page of the cells in which runs differ: an html/template of a
// report.Cells.
//
//go:embed cells.html
var CellsPage string

// SummaryText is what the summary says: a text/template for each of its parts.
//
//go:embed summary.md.tmpl
var SummaryText string

// NotebookPage is a page with notebooks: an html/template.
//
//go:embed notebook.html
var NotebookPage string

// NotebookStyle is its style sheet.
//
//go:embed notebook.css
var NotebookStyle string

// NotebookScript is what it executes.
//
//go:embed notebook.js
var NotebookScript string

// FrameStyle and FrameScript begin each document that is shown in a frame.
var (
	//go:embed frame.css
	FrameStyle string
	//go:embed frame.js
	FrameScript string
)

//go:embed vendor/*.gz
var vendored embed.FS

// Lexers are grammars of programming languages for chroma, of which
// vendor/README.md says where they are from.
//
//go:embed vendor/lexers/*.xml
var Lexers embed.FS

// VendoredGzip is a file of another project, compressed; vendor/README.md says
// which. There must be one of that name.
func VendoredGzip(name string) []byte {
	b, err := fs.ReadFile(vendored, "vendor/"+name+".gz")
	if err != nil {
		panic(err) // embedded
	}
	return b
}

// Vendored is a file of another project.
func Vendored(name string) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(VendoredGzip(name)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

//go:embed job.nomad.hcl
var nomadJob []byte

// NomadJob is the specification of the job that executes the runs of a sweep on
// Nomad, in HCL.
func NomadJob() []byte { return nomadJob }

//go:embed schedule.nomad.hcl
var nomadSchedule []byte

// NomadSchedule is the specification of the job that extends a sweep on a
// schedule, in HCL.
func NomadSchedule() []byte { return nomadSchedule }

// Dashboard is a dashboard of Grafana's, of the numbers that are exposed to
// Prometheus.
//
//go:embed grafana.json
var Dashboard []byte

//go:embed starter
var starter embed.FS

// A File is one file to write.
type File struct {
	Name string
	Data []byte
}

// Starter are the files of a sweep that runs as it is.
func Starter() []File {
	files := []File{{"fanout_glue.py", Glue}}
	for _, name := range []string{"sweep.yaml", "template.ipynb"} {
		data, err := fs.ReadFile(starter, "starter/"+name)
		if err != nil {
			panic(err) // embedded
		}
		files = append(files, File{name, data})
	}
	return files
}

// Web is what `fanout serve` shows: an html/template for each page in web, and
// the files that the pages use in web/static.
//
//go:embed web
var Web embed.FS
