package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/serve/internal/roots"
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
	l := &look{server: s, place: place, prints: map[string]*prints{}}
	s.hub.Stream(s.ctx, w, r, place.ID, wants, l.look)
}

const (
	maxWatched = 4       // runs of one stream
	printsOf   = "run/"  // before the id of a run, the name of what it prints
	maxRunning = 40      // running runs that are named
	maxPrinted = 8 << 10 // bytes of what a run printed last
	maxPart    = 64 << 20
)

// A sweepState is what watchers of a sweep see.
type sweepState struct {
	Version  string     `json:"version"`
	State    string     `json:"state"`
	Headline string     `json:"headline"`
	Left     string     `json:"left,omitempty"`
	Holder   string     `json:"holder,omitempty"`
	Bar      []barPart  `json:"bar"`
	Running  []runState `json:"running,omitempty"`
	More     int        `json:"more_running,omitempty"`
}

type barPart struct {
	Status outcome.Status `json:"status"`
	From   float64        `json:"from"`
	Wide   float64        `json:"wide"`
	N      int            `json:"n"`
}

type runState struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Cell  int       `json:"cell,omitempty"`
	Cells int       `json:"cells,omitempty"`
	Where string    `json:"where,omitempty"`
}

// A printState is what a run printed so far.
type printState struct {
	ID      string         `json:"id"`
	Status  outcome.Status `json:"status"`
	Attempt int            `json:"attempt"`
	Cell    int            `json:"cell,omitempty"`
	Cells   int            `json:"cells,omitempty"`
	Text    string         `json:"text"` // its end
	Cut     bool           `json:"cut,omitempty"`
}

// look looks at one sweep for all who watch it.
type look struct {
	server *Server
	place  roots.Sweep

	mu     sync.Mutex
	prints map[string]*prints // by run
}

// prints is how far a run's notebook was read.
type prints struct {
	attempt int
	known   store.Object
	state   printState
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
	for _, p := range v.Shares {
		state.Bar = append(state.Bar, barPart(p))
	}
	state.Running, state.More = running(o)
	if states["sweep"], err = json.Marshal(state); err != nil {
		return nil, again, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range wanted {
		id := strings.TrimPrefix(name, printsOf)
		text, err := l.printed(ctx, o, id)
		if err != nil {
			return nil, again, err
		}
		states[name] = text
	}
	return states, again, nil
}

// running are the runs under way, the latest last.
func running(o *opened.Sweep) (all []runState, more int) {
	for _, st := range o.Runs() {
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

// printed is what a run printed, as far as its notebook was saved.
func (l *look) printed(ctx context.Context, o *opened.Sweep, id string) ([]byte, error) {
	st, ok := o.Run(id)
	if !ok {
		return []byte("null"), nil
	}
	p := l.prints[id]
	if p == nil || p.attempt != st.Attempts {
		p = &prints{attempt: st.Attempts}
		l.prints[id] = p
	}
	p.state.ID, p.state.Status, p.state.Attempt = id, st.Status, st.Attempts
	if st.Attempts > 0 {
		if err := p.read(ctx, o, id); err != nil {
			return nil, err
		}
	}
	return json.Marshal(p.state)
}

func (p *prints) read(ctx context.Context, o *opened.Sweep, id string) error {
	saved, err := o.Saved(ctx, id, p.attempt, p.known)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has just begun
	}
	if err != nil || saved.Text == nil {
		return err
	}
	p.known = saved.Object
	if len(saved.Text) > maxPart {
		p.state.Text, p.state.Cut = "The notebook is too large to be followed here.", true
		return nil
	}
	doc, err := notebook.Decode(saved.Text)
	if err != nil {
		return nil // of whoever is writing it: the next one will be whole
	}
	p.state.Cell, p.state.Cells = progress(doc), doc.CodeCells()
	p.state.Text, p.state.Cut = lastLines(doc)
	return nil
}

// progress is the number of the last code cell that has begun.
func progress(doc *notebook.Notebook) (cell int) {
	for i, c := range doc.Cells {
		record, _ := c.Metadata["papermill"].(map[string]any)
		if status, _ := record["status"].(string); c.Type == "code" && status != "" && status != "pending" {
			cell = doc.CodeCell(i)
		}
	}
	return cell
}

// lastLines is the end of what the cells printed, without what a terminal would
// obey.
func lastLines(doc *notebook.Notebook) (text string, cut bool) {
	var lines []string
	for _, p := range doc.Prints(true) {
		for line := range strings.Lines(p.Text) {
			line = strings.TrimRight(line, "\r\n")
			lines = append(lines, unit.Line(line[strings.LastIndexByte(line, '\r')+1:]))
		}
	}
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if size += len(lines[i]) + 1; size > maxPrinted {
			return strings.Join(lines[i+1:], "\n"), true
		}
	}
	return strings.Join(lines, "\n"), false
}
