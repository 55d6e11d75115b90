package query

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Failure is a planned run that ended without success.
type Failure struct {
	Run      string         `json:"run"`
	Name     string         `json:"name"`
	Status   outcome.Status `json:"status"`
	Kind     outcome.Kind   `json:"kind,omitempty"`
	Reason   string         `json:"reason"`
	Cell     int            `json:"cell,omitempty"`
	Attempts int            `json:"attempts"`
	Notebook string         `json:"notebook"`        // key; in a notification its place
	Known    bool           `json:"known,omitempty"` // in a notification: it failed before, and nothing has changed since
}

// Failures lists the failures of a sweep in the order of its plan.
func Failures(s *sweep.Sweep) []Failure {
	var all []Failure
	for st := range s.All() {
		if st.Run.Unplanned || !WentWrong(st) {
			continue
		}
		all = append(all, Failure{
			Run: st.Run.ID, Name: s.RunName(st.Run.ID), Status: st.Last.Status, Kind: st.Last.Kind,
			Reason: st.Last.Reason, Cell: st.Last.Cell, Attempts: st.Attempts, Notebook: sweep.RunKey(st.Run.ID),
		})
	}
	return all
}

// A Reason is what several failures say.
type Reason struct {
	Text  string
	Count int
}

// Reasons counts failures by what they say, the most frequent first.
func Reasons(failures []Failure) []Reason {
	count := map[string]int{}
	for _, f := range failures {
		count[f.Reason]++
	}
	var all []Reason
	for text, n := range count {
		all = append(all, Reason{text, n})
	}
	slices.SortFunc(all, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
	})
	return all
}
