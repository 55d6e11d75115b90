package cards

import (
	"context"
	"html/template"
	"strings"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Front is the front page: the sweeps that fit a search.
type Front struct {
	Sweeps  []Card  `json:"sweeps"`
	Facets  []Facet `json:"facets,omitempty"`  // how the found ones can be narrowed
	Partial string  `json:"partial,omitempty"` // why some may be missing
	Query   string  `json:"query,omitempty"`
	Wrong   string  `json:"wrong,omitempty"` // what is wrong with the query
	Found   int     `json:"found"`           // before a search
	Matches int     `json:"matches"`
	More    int     `json:"more,omitempty"`
	Reading bool    `json:"reading,omitempty"` // some were not read yet: ask again

	counts map[string]int
}

// A Facet narrows a search.
type Facet struct {
	shelf.Facet
	Links []template.URL `json:"-"`
}

// Headline is what the front page says first.
func (v Front) Headline() string {
	var parts []string
	say := func(state, one, many string) {
		switch n := v.counts[state]; {
		case n == 1:
			parts = append(parts, one)
		case n > 1:
			parts = append(parts, unit.Number(float64(n))+" "+many)
		}
	}
	say(shelf.Running, "1 sweep is running", "sweeps are running")
	say(shelf.Failed, "1 has failures", "have failures")
	say(shelf.Unreadable, "1 is not readable", "are not readable")
	say(unusual, "1 has unusual values", "have unusual values")
	switch {
	case v.Found == 0:
		return "No sweeps here yet"
	case v.Wrong != "":
		return "That is no question"
	case v.Matches == 0:
		return "No sweep fits that"
	case len(parts) == 0 && v.Reading:
		return unit.Plural(v.Found, "sweep")
	case len(parts) == 0:
		return "Nothing is running, and nothing failed"
	case v.counts[shelf.Running] == 0:
		return "Nothing is running; " + strings.Join(parts, ", ")
	}
	return strings.Join(parts, ", ")
}

// unusual counts the sweeps that have unusual values, whatever their state.
const unusual = "unusual"

// Bounds of the front page.
const (
	maxCards = 100
	maxQuery = 200
)

// FrontOf is the front page of a search among the sweeps that are listed. link leads
// to another search.
func FrontOf(ctx context.Context, s *shelf.Shelf, listed roots.Listing, query string, link func(query string) template.URL) Front {
	v := Front{Partial: listed.Partial, Query: unit.Cut(unit.Line(strings.TrimSpace(query)), maxQuery), Found: len(listed.Sweeps), counts: map[string]int{}}
	q, err := shelf.Parse(v.Query)
	if err != nil {
		v.Wrong = err.Error() + ": " + unit.HintOf(err)
		return v
	}
	read := s.Read
	if v.Query != "" {
		read = s.Recall // people type
	}
	for _, k := range read(ctx, listed.Sweeps) {
		v.Reading = v.Reading || k.State == shelf.Unread
	}
	answer := s.Find(q, listed.Sweeps)
	for _, k := range answer.Sweeps {
		v.counts[k.State]++
		if len(k.Unusual) > 0 {
			v.counts[unusual]++
		}
	}
	v.Matches = len(answer.Sweeps)
	v.More = max(v.Matches-maxCards, 0)
	v.Sweeps = Of(answer.Sweeps[:v.Matches-v.More])
	for _, f := range answer.Facets {
		v.Facets = append(v.Facets, narrowing(f, v.Query, link))
	}
	return v
}

// narrowing leads to searches with one condition more.
func narrowing(f shelf.Facet, query string, link func(string) template.URL) Facet {
	v := Facet{Facet: f}
	for _, c := range f.Counts {
		text := c.Value
		if strings.ContainsAny(text, " \t") {
			text = `"` + strings.ReplaceAll(text, `"`, "") + `"`
		}
		v.Links = append(v.Links, link(strings.TrimSpace(query+" "+f.Key+":"+text)))
	}
	return v
}
