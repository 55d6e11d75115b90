package growth

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/decide"
)

// TestProgressWords: a sweep that grows says how far it is, and what is open.
func TestProgressWords(t *testing.T) {
	running := Progress{Max: 60, Looks: []int{5, 8}, Next: 12}
	running.find(decide.Finding{Variant: "b", Metric: "auc", Open: true})
	running.find(decide.Finding{Variant: "c", Metric: "auc", Open: true})
	running.find(decide.Finding{Variant: "b", Metric: "auc", Verdict: compare.Better})
	for want, p := range map[string]*Progress{
		"": nil,
		"; grows to at most 60 replicates, and the first look is at 5":                                                             {Max: 60, Next: 5},
		"; grows to at most 60 replicates, 2 looks so far, the last at 8 replicates, the next at 12; 1 of 2 comparisons undecided": &running,
		"; decided after 1 look, at 5 replicates of at most 60":                                                                    {Max: 60, Looks: []int{5}, Ended: true, Decided: true},
		"; undecided after 2 looks, at 60 replicates: max, 60 replicates, is reached":                                              {Max: 60, Looks: []int{40, 60}, Ended: true, Why: "max, 60 replicates, is reached"},
		"; its looks are unreadable: read looks: unexpected end of JSON input":                                                     {Max: 60, Error: "read looks: unexpected end of JSON input"},
	} {
		if got := p.Words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
