package serve

import (
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/cards"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/unit"
)

// The forms of ids.
var (
	sweepID = regexp.MustCompile(`^[a-z2-7]{16}$`)
	runID   = sweepID
)

var errNoSweep = unit.WithHint(missing("no such sweep"), "it may have been removed or moved: the front page lists what is there")

// sweepOf is the sweep that a request names.
func (s *Server) sweepOf(r *http.Request) (roots.Sweep, *opened.Sweep, error) {
	id := r.PathValue("sweep")
	if !sweepID.MatchString(id) {
		return roots.Sweep{}, nil, errNoSweep
	}
	place, ok := s.roots.Find(r.Context(), id)
	if !ok {
		return place, nil, errNoSweep
	}
	o, err := s.opened.Get(r.Context(), place.Where)
	if errors.Is(err, fs.ErrNotExist) {
		s.roots.Gone(id)
		err = errNoSweep
	}
	return place, o, err
}

// index is the front page.
type index struct {
	Sweeps  []cards.Card `json:"sweeps"`
	Facets  []facet      `json:"facets,omitempty"`  // how the found ones can be narrowed
	Partial string       `json:"partial,omitempty"` // why some may be missing
	Query   string       `json:"query,omitempty"`
	Wrong   string       `json:"wrong,omitempty"` // what is wrong with the query
	Found   int          `json:"found"`           // before a search
	Matches int          `json:"matches"`
	More    int          `json:"more,omitempty"`
	Reading bool         `json:"reading,omitempty"` // some were not read yet: ask again
	counts  map[string]int
}

// A facet narrows a search.
type facet struct {
	shelf.Facet
	Links []template.URL `json:"-"`
}

func (index) title() string { return "Sweeps" }

// Headline is what the front page says first.
func (v index) Headline() string {
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

// maxCards is how many sweeps a front page shows.
const maxCards = 100

func (s *Server) index(r *http.Request) (view, []crumb, error) {
	found, err := s.roots.Sweeps(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if len(found.Sweeps) == 1 && found.Sweeps[0].Path == "" {
		return index{Found: 1, Matches: 1, Sweeps: cards.Of(s.shelf.Read(r.Context(), found.Sweeps))}, nil, redirectError{s.link("s", found.Sweeps[0].ID)}
	}
	v := index{Partial: found.Partial, Query: unit.Cut(unit.Line(strings.TrimSpace(r.URL.Query().Get("q"))), 200), Found: len(found.Sweeps), counts: map[string]int{}}
	q, err := shelf.Parse(v.Query)
	if err != nil {
		v.Wrong = sentence(err) + ": " + unit.HintOf(err)
		return v, nil, nil
	}
	for _, k := range s.shelf.Read(r.Context(), found.Sweeps) {
		v.Reading = v.Reading || k.State == shelf.Unread
	}
	answer := s.shelf.Find(q, found.Sweeps)
	for _, k := range answer.Sweeps {
		v.counts[k.State]++
	}
	v.Matches = len(answer.Sweeps)
	v.More = max(v.Matches-maxCards, 0)
	v.Sweeps = cards.Of(answer.Sweeps[:v.Matches-v.More])
	for _, f := range answer.Facets {
		v.Facets = append(v.Facets, s.narrowing(f, v.Query))
	}
	return v, nil, nil
}

// narrowing leads to a search with one condition more.
func (s *Server) narrowing(f shelf.Facet, query string) facet {
	v := facet{Facet: f}
	for _, c := range f.Counts {
		text := c.Value
		if strings.ContainsAny(text, " \t") {
			text = `"` + strings.ReplaceAll(text, `"`, "") + `"`
		}
		v.Links = append(v.Links, withQuery(s.link(), url.Values{"q": {strings.TrimSpace(query + " " + f.Key + ":" + text)}}))
	}
	return v
}

// crumbOf leads to a sweep.
func (s *Server) crumbOf(p roots.Sweep) crumb { return crumb{p.Name, s.link("s", p.ID)} }
