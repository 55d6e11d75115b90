// Package cards is how sweeps stand, for pages: bars and words.
package cards

import (
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/shelf"
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
