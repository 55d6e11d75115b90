package notebook

import (
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/scrap"
)

type (
	// A Scrap is one value that a notebook recorded under a name.
	Scrap = scrap.Scrap
	// A Problem is what a reader of the scraps must know.
	Problem = scrap.Problem
)

// ProblemChanged is the kind of a problem that says that a scrap is not quite
// what was to be recorded, as a column that became text.
const ProblemChanged = scrap.Changed

// Scraps returns what the notebook recorded, in the order in which names first
// appear, whatever became of the outputs: see Keep. Data and display of a name
// are one scrap. Of a name recorded twice the last value counts, and that is a
// problem.
func (n *Notebook) Scraps() ([]Scrap, []Problem) {
	var all []Scrap
	var problems []Problem
	numbers := n.CodeNumbers()
	for i, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		ss, ps := c.recorded(numbers[i])
		all, problems = append(all, ss...), append(problems, ps...)
	}
	merged, more := scrap.Merge(all)
	problems = append(problems, more...)
	known := map[string]bool{}
	for _, s := range merged {
		known[s.Name] = true
	}
	shown, more := n.inWidgets()
	for _, s := range shown {
		if !known[s.Name] {
			merged = append(merged, s)
		}
	}
	for _, p := range more {
		if !known[p.Name] {
			problems = append(problems, p)
		}
	}
	return merged, problems
}

// ScrapsOf returns what one output of the code cell with the number cell recorded,
// in every form there ever was.
func ScrapsOf(cell int, o Output) ([]Scrap, []Problem) { return scrapsOf(cell, 1, o) }

// scrapsOf is ScrapsOf of an output that came several times, of which it is the
// last.
func scrapsOf(cell, times int, o Output) ([]Scrap, []Problem) {
	if o.Type != "display_data" && o.Type != "execute_result" {
		return nil, nil
	}
	return scrap.Of(cell, times, scrap.Output{Data: o.Data, Metadata: o.Metadata})
}

// ScrapNames are the scraps of an output or of an update to one, sorted, nil when
// there are none. Each is its kind, a colon and its name: an output with the same
// list replaces this one.
func ScrapNames(o Output) []string {
	return scrap.Names(scrap.Output{Data: o.Data, Metadata: o.Metadata})
}

// PlainNames are the names in what ScrapNames returned.
func PlainNames(names []string) []string {
	var plain []string
	for _, n := range names {
		_, name, _ := strings.Cut(n, ":")
		plain = append(plain, name)
	}
	slices.Sort(plain)
	return slices.Compact(plain)
}

// HoldsScraps reports whether an output may hold scraps.
func (o Output) HoldsScraps() bool {
	return scrap.Output{Data: o.Data, Metadata: o.Metadata}.Holds()
}

// IsScrapType reports whether a MIME type is one of scraps.
func IsScrapType(mime string) bool { return scrap.IsType(mime) }

// ScrapBytes decodes the base64 of a frame or a picture.
func ScrapBytes(text string) ([]byte, error) { return scrap.Bytes(text) }

// IsScrapKey reports whether a key of an output's metadata may name a scrap.
func IsScrapKey(key string) bool { return scrap.IsKey(key) }
