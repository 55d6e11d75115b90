package serve

import (
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/actions"
	"github.com/fanout-dev/fanout/internal/serve/internal/cards"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
	"github.com/fanout-dev/fanout/internal/unit"
)

// The forms of ids.
var (
	sweepID = regexp.MustCompile(`^[a-z2-7]{16}$`)
	runID   = sweepID
)

var errNoSweep = unit.WithHint(trouble.Missing("no such sweep"), "it may have been removed or moved: the front page lists what is there")

// sweepOf is the sweep that a request names.
func (s *Server) sweepOf(r *http.Request) (roots.Sweep, *opened.Sweep, error) {
	place, err := s.placeOf(r)
	if err != nil {
		return place, nil, err
	}
	o, err := s.opened.Get(r.Context(), place.Where)
	if errors.Is(err, fs.ErrNotExist) {
		s.roots.Gone(place.ID)
		err = errNoSweep
	}
	return place, o, err
}

// placeOf is where the sweep of a request is; nothing need be planned in it.
func (s *Server) placeOf(r *http.Request) (roots.Sweep, error) {
	id := r.PathValue("sweep")
	if !sweepID.MatchString(id) {
		return roots.Sweep{}, errNoSweep
	}
	place, ok := s.roots.Find(r.Context(), id)
	if !ok {
		return place, errNoSweep
	}
	return place, nil
}

type index struct {
	cards.Front
	Launch []actions.File `json:"launch,omitempty"` // what a search finds that can be launched
}

func (index) title() string { return "Sweeps" }

func (s *Server) index(r *http.Request) (view, []crumb, error) {
	found, err := s.roots.Sweeps(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if len(found.Sweeps) == 1 && found.Sweeps[0].Path == "" {
		return index{Front: cards.Front{Found: 1, Matches: 1, Sweeps: cards.Of(s.shelf.Read(r.Context(), found.Sweeps))}}, nil, redirectError{s.link("s", found.Sweeps[0].ID)}
	}
	search := func(query string) template.URL { return withQuery(s.link(), url.Values{"q": {query}}) }
	q := r.URL.Query().Get("q")
	v := index{Front: cards.FrontOf(r.Context(), s.shelf, found, q, search)}
	if q != "" {
		launches, err := s.actions.List(r.Context(), q)
		if err != nil {
			return nil, nil, err
		}
		v.Launch = launches.Files[:min(len(launches.Files), maxLaunch)]
	}
	return v, nil, nil
}

// maxLaunch is how much of what can be launched stands beside the sweeps that were found.
const maxLaunch = 6

// crumbOf leads to a sweep.
func (s *Server) crumbOf(p roots.Sweep) crumb { return crumb{p.Name, s.link("s", p.ID)} }
