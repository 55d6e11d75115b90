// Package page knows what the pages of runs are called.
//
// In go the name that a sweep file gives and the runs of a sweep; out come the names of
// files, beneath Prefix of the sweep. It promises that a name is one that every host and
// file system takes, whatever the values of a run are, that it is bounded, and that no
// two planned runs have one name, also where case does not count.
package page

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Where a sweep has its pages, and the page that leads to them.
const (
	Prefix = "pages/"
	Index  = "index.html"
)

// Bounds of names, in bytes.
const (
	maxValue = 60
	maxName  = 180
)

var (
	placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	unsafe      = regexp.MustCompile(`[^\pL\pN_.,+=@ -]+`)
)

// Names are the names of the pages of runs, by their ids. In a sweep with steps, runs
// that lack a parameter of the name have no page. Two runs of one name are a mistake,
// except that those which are not planned any more give way.
func Names(pattern string, runs []sweep.Run) (map[string]string, error) {
	if pattern == "" {
		return nil, nil
	}
	names, taken, gone := map[string]string{}, map[string]sweep.Run{}, []sweep.Run{}
	missing := ""
	for _, r := range runs {
		if r.Unplanned {
			gone = append(gone, r)
			continue
		}
		name, lacks := nameOf(pattern, r)
		if lacks != "" {
			missing = lacks
			continue
		}
		key := strings.ToLower(name)
		if other, twice := taken[key]; twice || key == Index {
			return nil, collision(name, r, other)
		}
		taken[key], names[r.ID] = r, name
	}
	if missing != "" && len(names) == 0 {
		return nil, unit.Mistake(unit.WithHint(fmt.Errorf("html: name %q: no parameter or axis is called {%s}", pattern, missing), "{run_id} is the id of the run, {replicate} its replicate"))
	}
	for _, r := range gone {
		name, lacks := nameOf(pattern, r)
		if _, twice := taken[strings.ToLower(name)]; lacks == "" && !twice {
			taken[strings.ToLower(name)], names[r.ID] = r, name
		}
	}
	return names, nil
}

func collision(name string, a, b sweep.Run) error {
	if b.ID == "" {
		return unit.Mistake(fmt.Errorf("html: the page of run %s would be called %s, and so is the page that leads to all", a.ID, name))
	}
	hint := "add another axis to the name, or {run_id}"
	if a.Replicate != b.Replicate {
		hint = "add {replicate} to the name"
	}
	return unit.Mistake(unit.WithHint(fmt.Errorf("html: the pages of two runs would be called %s, %s and %s", name, b.ID, a.ID), "%s", hint))
}

// nameOf is the name of a run's page; lacks is a name that the run does not have.
func nameOf(pattern string, r sweep.Run) (name, lacks string) {
	values := map[string]string{"run_id": r.ID, "replicate": fmt.Sprint(r.Replicate)}
	for _, list := range [][]value.Binding{r.Params, r.Labels} {
		for _, b := range list {
			values[b.Name] = clean(b.Value.Text())
		}
	}
	if r.Template != "" {
		values["step"] = clean(r.Template)
	}
	name = placeholder.ReplaceAllStringFunc(pattern, func(m string) string {
		v, known := values[m[1:len(m)-1]]
		if !known {
			lacks = m[1 : len(m)-1]
		}
		return v
	})
	base := strings.TrimLeft(unsafe.ReplaceAllString(strings.TrimSuffix(name, ".html"), "-"), ". -")
	if base == "" || reserved.MatchString(base) {
		base = "_" + base
	}
	return short(base, maxName-len(".html")) + ".html", lacks
}

// reserved are names that Windows keeps for its devices.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$`)

// clean is a value as a part of a name.
func clean(text string) string {
	return short(strings.Trim(unsafe.ReplaceAllString(text, "-"), ". -"), maxValue)
}

// short is a text of at most so many bytes, cut between characters.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
