package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/ahead"
	"github.com/fanout-dev/fanout/internal/serve/internal/prints"
	"github.com/fanout-dev/fanout/internal/serve/internal/pulse"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
)

// How often a sweep is looked at while somebody watches.
const (
	lookOnDisk   = time.Second
	lookInBucket = 5 * time.Second
	lookAtRest   = 30 * time.Second
)

// events streams what becomes of a sweep and, with ?run=, of what a run prints.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	place, _, err := s.sweepOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var wants []string
	for _, id := range r.URL.Query()["run"] {
		if runID.MatchString(id) && len(wants) < maxWatched {
			wants = append(wants, printsOf+id)
		}
	}
	l := &look{server: s, place: place, prints: prints.New()}
	s.hub.Stream(s.ctx, w, r, place.ID, wants, l.look)
}

const (
	maxWatched = 4      // runs of one stream
	printsOf   = "run/" // before the id of a run, the name of what it prints
)

// look looks at one sweep for all who watch it.
type look struct {
	server *Server
	place  roots.Sweep
	prints *prints.Prints
}

func (l *look) look(ctx context.Context, wanted []string) (map[string][]byte, time.Duration, error) {
	again := lookOnDisk
	if store.IsURL(l.place.Where) {
		again = lookInBucket
	}
	o, err := l.server.opened.Get(ctx, l.place.Where)
	if err != nil {
		return nil, again, err
	}
	if !o.Moves() {
		again = lookAtRest
	}
	states := map[string][]byte{}
	v := l.server.sweepViewOf(l.place, o)
	state := pulse.Of(o, v.Shares, v.Stages)
	state.Version, state.State, state.Headline, state.Left, state.Holder = v.Version, v.State, v.Headline(), v.Left(), v.Holder
	if v.State == shelf.Running {
		state.Does = ahead.Button(o, v.State, l.server.App.Jobs)
	}
	if states["sweep"], err = json.Marshal(state); err != nil {
		return nil, again, err
	}
	for _, name := range wanted {
		id := strings.TrimPrefix(name, printsOf)
		state, err := l.prints.Of(ctx, o, id)
		if err != nil {
			return nil, again, err
		}
		if states[name], err = json.Marshal(state); err != nil {
			return nil, again, err
		}
	}
	return states, again, nil
}
