// Package templates holds the files that fanout writes for people: the starter
// sweep of `fanout init`, the module that notebooks record scraps with, the
// summary's words, code and page, and the jobs for a cluster. Each file is valid
// on its own, so it can be opened, run and tested as it is.
package templates

import (
	"embed"
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

// SummaryText is what the summary says: a text/template for each of its parts.
//
//go:embed summary.md.tmpl
var SummaryText string

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
