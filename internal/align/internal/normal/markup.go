package normal

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
)

var (
	svgDate   = pattern.Of(`<dc:date>[^<]*</dc:date>`)
	ids       = pattern.Of(`\bid=["']([A-Za-z_][^"'\s<>]{4,80})["']`)
	chosen    = pattern.Of(`^[a-z]{1,7}$|^[A-Za-z]+(?:[-_][A-Za-z]+)+$`) // as people write ids
	bokehIDs  = pattern.Of(`\bp\d{4,7}\b`)
	maxMarkup = 4 << 20 // bytes; what is larger is a library and not what it draws
)

// markup normalises HTML, SVG and scripts. Ids, which nobody sees, are numbered
// in the order in which they appear.
func markup(s string) string {
	if len(s) > maxMarkup {
		return s
	}
	if strings.Contains(s, "<dc:date>") {
		s = svgDate().ReplaceAllString(s, "<dc:date></dc:date>")
	}
	s = renamed(normalised(s))
	if strings.Contains(s, "okeh") {
		s = renumbered(s)
	}
	return s
}

// renamed replaces the ids that a program chose.
func renamed(s string) string {
	const most = 5000
	if !strings.Contains(s, "id=") {
		return s
	}
	names := map[string]string{}
	for _, m := range ids().FindAllStringSubmatch(s, most) {
		if id := m[1]; names[id] == "" && !chosen().MatchString(id) && !strings.Contains(id, "#") {
			names[id] = "#" + strconv.Itoa(len(names)+1)
		}
	}
	if len(names) == 0 {
		return s
	}
	long := make([]string, 0, len(names))
	for id := range names {
		long = append(long, id)
	}
	slices.SortFunc(long, func(a, b string) int { // an id may begin with another one
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, id := range long {
		pairs = append(pairs, id, names[id])
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// renumbered numbers Bokeh's models anew: they are counted through all cells.
func renumbered(s string) string {
	seen := map[string]string{}
	return bokehIDs().ReplaceAllStringFunc(s, func(id string) string {
		if seen[id] == "" {
			seen[id] = "p#" + strconv.Itoa(len(seen)+1)
		}
		return seen[id]
	})
}
