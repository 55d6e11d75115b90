package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Tally says how the planned runs of a sweep stand.
type Tally struct {
	Runs   int                    `json:"runs"`
	Counts map[outcome.Status]int `json:"counts"`
	Stale  int                    `json:"stale,omitempty"`       // of those that succeeded
	Parts  []string               `json:"stale_parts,omitempty"` // in which they are stale, sorted
}

// TallyOf counts the runs of a sweep that OpenPlanned opened.
func TallyOf(s *sweep.Sweep) Tally {
	head, _ := s.Head()
	t, parts := Tally{Runs: head.Runs, Counts: s.Counts()}, staleOn(s)
	for st := range s.All() {
		if st.Run.Unplanned || st.Status != outcome.Succeeded {
			continue
		}
		stale := s.Stale(st, parts)
		if len(stale) > 0 {
			t.Stale++
		}
		for _, part := range stale {
			if i, known := slices.BinarySearch(t.Parts, part); !known {
				t.Parts = slices.Insert(t.Parts, i, part)
			}
		}
	}
	return t
}

// String is the tally for people: "3 runs: 2 succeeded (1 of them stale: code), 1 failed".
func (t Tally) String() string {
	return unit.Plural(t.Runs, "run") + ": " + strings.Join(t.Words(), ", ")
}

// Words say how many runs have which status.
func (t Tally) Words() []string {
	var words []string
	for _, s := range outcome.Statuses() {
		n := t.Counts[s]
		if n == 0 {
			continue
		}
		word := fmt.Sprintf("%d %s", n, s.Words())
		if s == outcome.Succeeded && t.Stale > 0 {
			word += fmt.Sprintf(" (%d of them stale: %s)", t.Stale, strings.Join(t.Parts, ", "))
		}
		words = append(words, word)
	}
	return words
}
