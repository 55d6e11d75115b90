// Package cards is how sweeps and their steps stand, for pages: bars and words.
package cards

import (
	"html/template"
	"time"

	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Card is a sweep on the front page.
type Card struct {
	shelf.Record
	Words  []string  `json:"words,omitempty"`
	Next   time.Time `json:"next,omitzero"` // when it is due next
	Shares []Share   `json:"-"`
}

// Of makes the cards of records.
func Of(records []shelf.Record) []Card {
	all := make([]Card, len(records))
	for i, r := range records {
		all[i] = Card{Record: r, Words: r.Tally.Words(), Shares: Shares(r.Tally)}
		if r.Schedule != nil {
			all[i].Next = r.Schedule.Next()
		}
	}
	return all
}

// A Share is the part of a sweep's runs that have one status.
type Share struct {
	Status     outcome.Status
	From, Wide float64 // of 1000
	N          int
}

// Shares are the parts of a bar of 1000 units.
func Shares(t query.Tally) (all []Share) {
	at := 0.0
	for _, status := range outcome.Statuses() {
		n := t.Counts[status]
		if n == 0 || t.Runs == 0 {
			continue
		}
		wide := 1000 * float64(n) / float64(t.Runs)
		all = append(all, Share{status, at, wide, n})
		at += wide
	}
	return all
}

// A Stage is a step of a sweep, and how its runs stand. Where is for whoever links to
// them.
type Stage struct {
	lineage.Step
	Shares []Share      `json:"-"`
	Where  template.URL `json:"-"`
}

// NeedWords are the steps that it needs: "90% of report".
func (s Stage) NeedWords() (words []string) {
	for _, n := range s.Needs {
		words = append(words, lineage.NeedWord(n))
	}
	return words
}

// Stages are the steps of a sweep; none where it has no steps.
func Stages(s *sweep.Sweep) (all []Stage) {
	for _, step := range lineage.Chain(s) {
		all = append(all, Stage{Step: step, Shares: Shares(query.Tally{Runs: step.Runs, Counts: step.Counts})})
	}
	return all
}
