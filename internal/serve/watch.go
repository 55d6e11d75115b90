package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/ahead"
	"github.com/fanout-dev/fanout/internal/serve/internal/cards"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/prints"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
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
	maxRunning = 40     // running runs that are named
)

// A sweepState is what watchers of a sweep see.
type sweepState struct {
	Version  string     `json:"version"`
	State    string     `json:"state"`
	Headline string     `json:"headline"`
	Left     string     `json:"left,omitempty"`
	Does     string     `json:"does,omitempty"` // what canceling would do
	Holder   string     `json:"holder,omitempty"`
	Bar      []barPart  `json:"bar"`
	Steps    []stepPart `json:"steps,omitempty"`
	Running  []runState `json:"running,omitempty"`
	More     int        `json:"more_running,omitempty"`
}

type barPart struct {
	Status outcome.Status `json:"status"`
	From   float64        `json:"from"`
	Wide   float64        `json:"wide"`
	N      int            `json:"n"`
}

type stepPart struct {
	Name    string    `json:"step"`
	Words   string    `json:"words"`
	Blocked string    `json:"blocked,omitempty"`
	Bar     []barPart `json:"bar"`
}

func barOf(shares []cards.Share) (bar []barPart) {
	for _, p := range shares {
		bar = append(bar, barPart(p))
	}
	return bar
}

type runState struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Cell  int       `json:"cell,omitempty"`
	Cells int       `json:"cells,omitempty"`
	Where string    `json:"where,omitempty"`
}

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
	state := sweepState{Version: v.Version, State: v.State, Headline: v.Headline(), Left: v.Left(), Holder: v.Holder}
	state.Bar = barOf(v.Shares)
	if v.State == shelf.Running {
		state.Does = ahead.Button(o, v.State, l.server.App.Jobs)
	}
	for _, x := range v.Stages {
		state.Steps = append(state.Steps, stepPart{x.Name, x.Words(), x.BlockedWords(), barOf(x.Shares)})
	}
	state.Running, state.More = running(o)
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

// running are the runs under way, the latest last.
func running(o *opened.Sweep) (all []runState, more int) {
	for st := range o.All() {
		if st.Status != outcome.Running || st.Began == nil || st.Run.Unplanned {
			continue
		}
		where := st.Began.Host
		if st.Began.Worker != "" {
			where = st.Began.Worker
		}
		all = append(all, runState{ID: st.Run.ID, Name: o.RunName(st.Run.ID), Since: st.Began.At, Where: unit.Line(where)})
	}
	slices.SortStableFunc(all, func(a, b runState) int { return a.Since.Compare(b.Since) })
	more = max(len(all)-maxRunning, 0)
	return all[more:], more
}
