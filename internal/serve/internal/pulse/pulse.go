// Package pulse is what whoever watches a sweep sees of it as it goes on, as JSON.
//
// In go an opened sweep and how it stands; out comes its state: whole each time, so that one that
// was missed does not matter.
package pulse

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/serve/internal/cards"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/unit"
)

// maxRunning is how many running runs are named.
const maxRunning = 40

// A State is what watchers of a sweep see.
type State struct {
	Version  string `json:"version"`
	State    string `json:"state"`
	Headline string `json:"headline"`
	Left     string `json:"left,omitempty"`
	Does     string `json:"does,omitempty"` // what canceling would do
	Holder   string `json:"holder,omitempty"`
	Bar      []Part `json:"bar"`
	Steps    []Step `json:"steps,omitempty"`
	Running  []Run  `json:"running,omitempty"`
	More     int    `json:"more_running,omitempty"`
}

// A Part is that of a bar of 1000 units.
type Part struct {
	Status outcome.Status `json:"status"`
	From   float64        `json:"from"`
	Wide   float64        `json:"wide"`
	N      int            `json:"n"`
}

// A Step is how the runs of a step stand.
type Step struct {
	Name    string `json:"step"`
	Words   string `json:"words"`
	Blocked string `json:"blocked,omitempty"`
	Bar     []Part `json:"bar"`
}

func barOf(shares []cards.Share) (bar []Part) {
	for _, p := range shares {
		bar = append(bar, Part(p))
	}
	return bar
}

// A Run is one under way.
type Run struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Cell  int       `json:"cell,omitempty"`
	Cells int       `json:"cells,omitempty"`
	Where string    `json:"where,omitempty"`
}

// Of is the state of a sweep but for what its page says in words.
func Of(o *opened.Sweep, shares []cards.Share, stages []cards.Stage) (s State) {
	s.Bar = barOf(shares)
	for _, x := range stages {
		s.Steps = append(s.Steps, Step{x.Name, x.Words(), x.BlockedWords(), barOf(x.Shares)})
	}
	s.Running, s.More = running(o)
	return s
}

// running are the runs under way, the latest last.
func running(o *opened.Sweep) (all []Run, more int) {
	for st := range o.All() {
		if st.Status != outcome.Running || st.Began == nil || st.Run.Unplanned {
			continue
		}
		where := st.Began.Host
		if st.Began.Worker != "" {
			where = st.Began.Worker
		}
		all = append(all, Run{ID: st.Run.ID, Name: o.RunName(st.Run.ID), Since: st.Began.At, Where: unit.Line(where)})
	}
	slices.SortStableFunc(all, func(a, b Run) int { return a.Since.Compare(b.Since) })
	more = max(len(all)-maxRunning, 0)
	return all[more:], more
}
