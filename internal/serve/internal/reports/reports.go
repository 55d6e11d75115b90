// Package reports knows the pages of runs that a sweep file asks for with `html:`: those
// for readers, not those of the server.
//
// In go an opened sweep, or the key of an object; out come keys. It reads no page.
package reports

import (
	"path"
	"strings"

	"github.com/fanout-dev/fanout/internal/page"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Key is the key of the report of a run; "" where it has none.
func Key(o *opened.Sweep, run string) string {
	if o.Spec() == nil || o.Spec().HTML == nil {
		return ""
	}
	names, err := opened.Memo(o, "reports", func() (map[string]string, error) { return named(o.Sweep) })
	if err != nil || names[run] == "" {
		return "" // what is wrong with the names, planning says
	}
	return page.Prefix + names[run]
}

// named are the names of the reports that there are, by run.
func named(s *sweep.Sweep) (map[string]string, error) {
	var runs []sweep.Run
	for st := range s.All() {
		runs = append(runs, st.Run)
	}
	names, err := page.Names(s.Spec().HTML.Page(), runs)
	if err != nil {
		return nil, err
	}
	for st := range s.All() {
		if st.Best == 0 {
			delete(names, st.Run.ID)
		}
	}
	return names, nil
}

// Index is the key of the page that leads to all reports of a sweep.
const Index = page.Prefix + page.Index

// Is reports whether a key is that of a report.
func Is(key string) bool { return strings.HasPrefix(key, page.Prefix) && path.Ext(key) == ".html" }

// In is the folder of the sweep that a path beneath the roots would be a report of, and the
// key of the report there; ok is false where it is none.
func In(name string) (folder, key string, ok bool) {
	at := strings.LastIndex("/"+name, "/"+page.Prefix)
	if at < 0 {
		return "", "", false
	}
	folder, key = strings.TrimSuffix(name[:max(at, 0)], "/"), name[at:]
	return folder, key, Is(key)
}
