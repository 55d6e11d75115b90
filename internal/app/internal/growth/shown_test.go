package growth

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/decide"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/value"
)

// TestProgressWords: a sweep that grows says how far it is, and what is open.
func TestProgressWords(t *testing.T) {
	running := Progress{Of: "replicates", Max: 60, Looks: []int{5, 8}, Next: 12}
	running.find(decide.Finding{Variant: "b", Metric: "auc", Open: true})
	running.find(decide.Finding{Variant: "c", Metric: "auc", Open: true})
	running.find(decide.Finding{Variant: "b", Metric: "auc", Verdict: compare.Better})
	for want, p := range map[string]*Progress{
		"": nil,
		"; grows to at most 60 replicates, and the first look is at 5":                                                             {Of: "replicates", Max: 60, Next: 5},
		"; grows to at most 60 replicates, 2 looks so far, the last at 8 replicates, the next at 12; 1 of 2 comparisons undecided": &running,
		"; decided after 1 look, at 5 replicates of at most 60":                                                                    {Of: "replicates", Max: 60, Looks: []int{5}, Ended: true, Decided: true},
		"; undecided after 2 looks, at 60 replicates: max, 60 replicates, is reached":                                              {Of: "replicates", Max: 60, Looks: []int{40, 60}, Ended: true, Why: "max, 60 replicates, is reached"},
		"; its looks are unreadable: read looks: unexpected end of JSON input":                                                     {Of: "replicates", Max: 60, Error: "read looks: unexpected end of JSON input"},
	} {
		if got := p.Words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestRoundWords: and so does one that halves.
func TestRoundWords(t *testing.T) {
	for want, p := range map[string]*Progress{
		"; 5 rounds of halving are to come":                               {Of: "rounds", Max: 5},
		"; 2 of 5 rounds of halving have ended, 3 candidates left":        {Of: "rounds", Max: 5, Looks: []int{1, 2}, Rounds: []Round{{Kept: 9}, {Kept: 3}}},
		"; decided in 2 rounds of halving":                                {Of: "rounds", Max: 2, Looks: []int{1, 2}, Rounds: []Round{{Kept: 9}, {Kept: 1}}, Ended: true, Decided: true},
		"; halving ended in round 1 of 5: no candidate has a value of y":  {Of: "rounds", Max: 5, Looks: []int{1}, Rounds: []Round{{}}, Ended: true, Why: "no candidate has a value of y"},
		"; its looks are unreadable: read rounds: unexpected end of JSON": {Of: "rounds", Max: 5, Error: "read rounds: unexpected end of JSON"},
	} {
		if got := p.Words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for n, want := range map[int]int{27: 27 + 9 + 3 + 1 + 1, 10: 10 + 4 + 2 + 1 + 1, 1: 5} {
		h := grid.Halve{Parameter: "epochs", By: 3, Values: make([]value.Value, 5)}
		if got := roundsMost(h, n); got != want {
			t.Errorf("%d candidates take %d runs, want %d", n, got, want)
		}
	}
}
