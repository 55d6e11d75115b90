package serve

import (
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/cards"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
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
	Partial string       `json:"partial,omitempty"` // why some may be missing
	Query   string       `json:"query,omitempty"`
	Found   int          `json:"found"` // before a search
	More    int          `json:"more,omitempty"`
	Reading bool         `json:"reading,omitempty"` // some were not read yet: ask again
}

func (index) title() string { return "Sweeps" }

// Headline is what the front page says first.
func (v index) Headline() string {
	n := map[string]int{}
	for _, c := range v.Sweeps {
		n[c.State]++
	}
	var parts []string
	say := func(state, one, many string) {
		switch {
		case n[state] == 1:
			parts = append(parts, one)
		case n[state] > 1:
			parts = append(parts, unit.Number(float64(n[state]))+" "+many)
		}
	}
	say(cards.Running, "1 sweep is running", "sweeps are running")
	say(cards.Failed, "1 has failures", "have failures")
	say(cards.Unreadable, "1 is not readable", "are not readable")
	switch {
	case v.Found == 0:
		return "No sweeps here yet"
	case len(v.Sweeps) == 0:
		return "No sweep is called that"
	case len(parts) == 0 && v.Reading:
		return unit.Plural(v.Found, "sweep")
	case len(parts) == 0:
		return "Nothing is running, and nothing failed"
	case n[cards.Running] == 0:
		return "Nothing is running; " + strings.Join(parts, ", ")
	}
	return strings.Join(parts, ", ")
}

// maxCards is how many sweeps a front page shows.
const maxCards = 200

func (s *Server) index(r *http.Request) (view, []crumb, error) {
	found, err := s.roots.Sweeps(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if len(found.Sweeps) == 1 && found.Sweeps[0].Path == "" {
		return index{Found: 1, Sweeps: s.cards.Read(r.Context(), found.Sweeps)}, nil, redirectError{s.link("s", found.Sweeps[0].ID)}
	}
	v := index{Partial: found.Partial, Query: unit.Cut(unit.Line(strings.TrimSpace(r.URL.Query().Get("q"))), 200), Found: len(found.Sweeps)}
	wanted := slices.DeleteFunc(found.Sweeps, func(p roots.Sweep) bool { return !matches(p, v.Query) })
	v.Sweeps = s.cards.Read(r.Context(), wanted)
	for _, c := range v.Sweeps {
		v.Reading = v.Reading || c.State == cards.Unread
	}
	slices.SortStableFunc(v.Sweeps, func(a, b cards.Card) int {
		return cmp.Or(slices.Index(cards.Order, a.State)-slices.Index(cards.Order, b.State), b.Ended.Compare(a.Ended), strings.Compare(a.Where, b.Where))
	})
	v.More = max(len(v.Sweeps)-maxCards, 0)
	v.Sweeps = v.Sweeps[:len(v.Sweeps)-v.More]
	return v, nil, nil
}

// matches reports whether every word of a search is in the place of a sweep.
func matches(p roots.Sweep, search string) bool {
	where := strings.ToLower(p.Root + "/" + p.Path)
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(where, word) {
			return false
		}
	}
	return true
}

// crumbOf leads to a sweep.
func (s *Server) crumbOf(p roots.Sweep) crumb { return crumb{p.Name, s.link("s", p.ID)} }
