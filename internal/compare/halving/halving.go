// Package halving says which candidates of a sweep go on, and which are dropped.
//
// In go the table of a sweep, a metric with a goal and the candidates of a round,
// all executed with the same value of the parameter that says how much is spent
// on them; out comes a Round, with the candidates in the order of their values,
// the best first. Nothing is tested: what is dropped was behind in this round,
// and not shown to be worse in the end.
//
// Package halving is pure: the same table gives the same Round. It plans and
// executes nothing.
package halving

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/reading"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Round is how the candidates did with one value of the parameter.
type Round struct {
	At         value.Value `json:"at"`
	Candidates []Candidate `json:"candidates"`    // the best first, those without a value last
	Why        string      `json:"why,omitempty"` // none goes on, though another round was to come
}

// A Candidate is what runs of one round differ in.
type Candidate struct {
	Unit  string   `json:"unit"` // the same in all rounds
	Name  string   `json:"name"`
	Runs  int      `json:"runs"`            // whose value counts
	Value *float64 `json:"value,omitempty"` // of the metric; nil where no run has one
	Kept  bool     `json:"kept,omitempty"`  // it goes on or, in the last round, is the best
}

// An Entrant is a candidate that begins a round, with the rows of its runs that
// succeeded and are not stale.
type Entrant struct {
	Unit, Name string
	Rows       []int
}

// Rounds are those that have ended, the first first.
type Rounds []Round

// Decode reads what Encode wrote; of nothing it is no round.
func Decode(text []byte) (Rounds, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var out Rounds
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("read rounds: %w", err)
	}
	return out, nil
}

// Encode is the rounds as JSON.
func (r Rounds) Encode() ([]byte, error) { return json.Marshal([]Round(r)) }

// Enters reports whether a candidate takes part in a round, which counts from 0.
func (r Rounds) Enters(unit string, round int) bool {
	if round == 0 {
		return true
	}
	return round <= len(r) && slices.ContainsFunc(r[round-1].Candidates, func(c Candidate) bool { return c.Kept && c.Unit == unit })
}

// Ended reports whether no further round is to come, of as many as there are
// values of the parameter.
func (r Rounds) Ended(values int) bool {
	return len(r) > 0 && (len(r) == values || r[len(r)-1].Why != "")
}

// Left are the candidates that are in the sweep still, the best first.
func (r Rounds) Left() []Candidate {
	if len(r) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r[len(r)-1].Candidates), func(c Candidate) bool { return !c.Kept })
}

// Take puts the candidates of a round in order, and keeps as many. Of equal ones
// the first is the better one. Where there are several runs of a candidate, its
// value is their median or, where the metric is compared by means or ratios, that.
func Take(t *table.Table, m metric.Metric, at value.Value, entrants []Entrant, keep int) Round {
	round := Round{At: at}
	read := reader(t, m)
	for _, e := range entrants {
		c := Candidate{Unit: e.Unit, Name: e.Name}
		c.Value, c.Runs = read(e.Rows)
		round.Candidates = append(round.Candidates, c)
	}
	slices.SortStableFunc(round.Candidates, func(a, b Candidate) int { return order(m, a, b) })
	for i := range round.Candidates {
		c := &round.Candidates[i]
		c.Kept = i < keep && c.Value != nil
	}
	switch {
	case len(entrants) == 0:
		round.Why = "none of those that went on has a run"
	case !round.Candidates[0].Kept:
		round.Why = "no candidate has a value of " + m.Name
	}
	return round
}

// order is below 0 where a is better than b.
func order(m metric.Metric, a, b Candidate) int {
	switch {
	case a.Value == nil && b.Value == nil:
		return 0
	case b.Value == nil:
		return -1
	case a.Value == nil:
		return 1
	case *a.Value == *b.Value:
		return 0
	case *a.Value*float64(m.Wanted()) > *b.Value*float64(m.Wanted()):
		return -1
	}
	return 1
}

// reader reads the value of a candidate from its rows, and how many of them have
// one.
func reader(t *table.Table, m metric.Metric) func(rows []int) (*float64, int) {
	col, ok := t.Column(m.Name)
	per := col
	if ok && m.Over() != "" {
		per, ok = t.Column(m.Over())
	}
	if !ok {
		return func([]int) (*float64, int) { return nil, 0 }
	}
	return func(rows []int) (*float64, int) {
		var values []float64
		hits, trials := 0.0, 0.0
		for _, row := range rows {
			x, good := reading.Finite(col, row)
			if m.Over() != "" {
				f, isRatio := reading.Ratio(col, per, row)
				if good = isRatio; good {
					hits, trials = hits+f.Hits, trials+f.Trials
				}
			}
			if good {
				values = append(values, x)
			}
		}
		if len(values) == 0 {
			return nil, 0
		}
		slices.Sort(values)
		x := stats.Median(values)
		switch {
		case m.Over() != "":
			x = hits / trials
		case m.ByMean():
			x = stats.Mean(values)
		}
		x = stats.Minus(x, 0) // equal candidates are not told apart by how sums are rounded
		return &x, len(values)
	}
}

// Words are how a round went, for people: parameter is what at is a value of.
func (r Round) Words(m metric.Metric, parameter string, show func(float64) string) string {
	kept := 0
	for _, c := range r.Candidates {
		if c.Kept {
			kept++
		}
	}
	text := fmt.Sprintf("at %s = %s, %d of %d candidates are kept", parameter, r.At, kept, len(r.Candidates))
	if last, dropped := r.Cut(); dropped != nil {
		text += fmt.Sprintf(": the last of them has %s %s, the best that is dropped %s", m.Name, show(*last.Value), show(*dropped.Value))
		if *last.Value == *dropped.Value {
			text += ", the same; the first in the plan counts as the better one"
		}
	}
	if n := r.Without(); n > 0 {
		text += fmt.Sprintf("; %d without a value of %s", n, m.Name)
	}
	return text
}

// Cut is the last candidate that was kept, and the best of those that were dropped
// though they have a value; nil where there is none.
func (r Round) Cut() (last, dropped *Candidate) {
	for i := range r.Candidates {
		switch c := &r.Candidates[i]; {
		case c.Kept:
			last = c
		case c.Value != nil && dropped == nil:
			dropped = c
		}
	}
	if last == nil {
		dropped = nil
	}
	return last, dropped
}

// Without counts the candidates that have no value.
func (r Round) Without() int {
	n := 0
	for _, c := range r.Candidates {
		if c.Value == nil {
			n++
		}
	}
	return n
}
