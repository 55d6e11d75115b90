package growth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/halving"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// roundsOf are the rounds of halving that the plan in force holds.
func roundsOf(s *sweep.Sweep) (halving.Rounds, error) {
	head, _ := s.Head()
	return halving.Decode(head.Looks)
}

// halve ends a round whose runs have ended; ok is false where none is to come.
func halve(ctx context.Context, s *sweep.Sweep, t *table.Table) (next step, ok bool, err error) {
	h := s.Spec().Halve
	rounds, err := roundsOf(s)
	if n := len(rounds); n > 0 && rounds[n-1].Why != "" {
		rounds = rounds[:n-1] // which is judged again when it has values
	}
	if err != nil || rounds.Ended(len(h.Values)) {
		return next, false, err
	}
	entrants := entrantsOf(s, t, len(rounds))
	keep := h.Kept(len(entrants))
	if len(rounds) == len(h.Values)-1 {
		keep = 1 // nothing is left to go on to: the best is what was looked for
	}
	round := halving.Take(t, judge(s.Spec()), h.Values[len(rounds)], entrants, keep)
	rounds = append(slices.Clone(rounds), round)
	text, err := rounds.Encode()
	if err == nil {
		next, err = follow(ctx, s, text)
	}
	next.words = fmt.Sprintf("round %d of %d, ", len(rounds), len(h.Values)) + round.Words(judge(s.Spec()), h.Parameter, unit.Number)
	next.last = rounds.Ended(len(h.Values))
	switch {
	case round.Why != "":
		next.words += "; " + round.Why + "; no runs are added"
	case len(next.added) > 0:
		next.words += fmt.Sprintf("; %s more", unit.Plural(len(next.added), "run"))
	}
	return next, true, err
}

// judge is the metric by which candidates are kept.
func judge(spec *grid.Spec) compare.Metric {
	name := spec.Halve.Judge(spec.Metrics)
	i := slices.IndexFunc(spec.Metrics, func(m compare.Metric) bool { return m.Name == name })
	if i < 0 {
		return compare.Metric{Name: name}
	}
	return spec.Metrics[i]
}

// entrantsOf are the candidates of a round, in the order of the plan.
func entrantsOf(s *sweep.Sweep, t *table.Table, round int) []halving.Entrant {
	rows := map[string]int{}
	if ids, ok := t.Column("run_id"); ok {
		for row := range t.Len() {
			rows[ids.Text(row)] = row
		}
	}
	var out []halving.Entrant
	at := map[string]int{} // by unit
	for st := range s.All() {
		if st.Run.Unplanned || st.Run.Round != round {
			continue
		}
		i, known := at[st.Run.Unit]
		if !known {
			i, out = len(out), append(out, halving.Entrant{Unit: st.Run.Unit, Name: candidateName(s, st.Run)})
			at[st.Run.Unit] = i
		}
		if row, ok := rows[st.Run.ID]; ok && st.Status == outcome.Succeeded && len(s.Stale(st, s.Spec().StaleOn)) == 0 {
			out[i].Rows = append(out[i].Rows, row)
		}
	}
	return out
}

// candidateName names what the runs of a candidate share.
func candidateName(s *sweep.Sweep, r sweep.Run) string {
	head, _ := s.Head()
	axes := slices.DeleteFunc(slices.Clone(head.Axes), func(a grid.Axis) bool {
		return a.Name == s.Spec().Halve.Parameter || a.Kind == "replicate"
	})
	return r.Name(axes)
}

// roundsMost is how many runs a sweep of n candidates comes to have in all rounds.
func roundsMost(h grid.Halve, n int) int {
	all := 0
	for range h.Values {
		all += n
		n = h.Kept(n)
	}
	return all
}

// concludeRounds is what follows from rounds, as one sentence. It says no more than
// that a candidate is the best that was seen.
func concludeRounds(rounds halving.Rounds, m compare.Metric, h grid.Halve) string {
	if len(rounds) == 0 {
		return ""
	}
	left, all := rounds.Left(), len(rounds[0].Candidates)
	at := fmt.Sprintf("%s = %s", h.Parameter, rounds[len(rounds)-1].At)
	switch {
	case !rounds.Ended(len(h.Values)):
		return fmt.Sprintf("Not decided yet: %s of %d left after %s.", unit.Plural(len(left), "candidate"), all, at)
	case len(left) == 0:
		return fmt.Sprintf("No candidate is left after %s: %s.", at, rounds[len(rounds)-1].Why)
	}
	in := len(rounds[len(rounds)-1].Candidates)
	return fmt.Sprintf("Take %s: %s %s at %s, the best of %s of %d; what was dropped before had less spent on it, and no difference is tested.",
		left[0].Name, m.Name, unit.Number(*left[0].Value), at, unit.Plural(in, "candidate")+" left", all)
}

// A Round is how one round of halving went.
type Round struct {
	At         any      `json:"at"` // of the parameter
	Candidates int      `json:"candidates"`
	Kept       int      `json:"kept"`
	Without    int      `json:"without_value,omitempty"`
	Best       *float64 `json:"best,omitempty"`
	Last       *float64 `json:"last_kept,omitempty"`
	Dropped    *float64 `json:"best_dropped,omitempty"`
}

func roundOf(r halving.Round) Round {
	out := Round{At: r.At.Any(), Candidates: len(r.Candidates), Without: r.Without()}
	for _, c := range r.Candidates {
		if c.Kept {
			out.Kept++
		}
	}
	if len(r.Candidates) > 0 {
		out.Best = r.Candidates[0].Value
	}
	last, dropped := r.Cut()
	if last != nil {
		out.Last = last.Value
	}
	if dropped != nil {
		out.Dropped = dropped.Value
	}
	return out
}

// halvingProgress is how far a sweep that halves has come.
func halvingProgress(s *sweep.Sweep) *Progress {
	h := s.Spec().Halve
	p := &Progress{Of: "rounds", Max: len(h.Values), Looks: []int{}}
	rounds, err := roundsOf(s)
	if err != nil {
		p.Error = err.Error()
		return p
	}
	for i, r := range rounds {
		p.Looks, p.Why = append(p.Looks, i+1), r.Why
		p.Rounds = append(p.Rounds, roundOf(r))
	}
	if p.Ended = rounds.Ended(len(h.Values)); !p.Ended {
		p.Next = len(rounds) + 1
	}
	p.Decided = p.Ended && p.Why == ""
	p.Best = strings.TrimSuffix(concludeRounds(rounds, judge(s.Spec()), h), ".")
	return p
}

func (p *Progress) roundWords() string {
	n := len(p.Looks)
	switch {
	case n == 0:
		return fmt.Sprintf("; %d rounds of halving are to come", p.Max)
	case p.Ended && p.Why != "":
		return fmt.Sprintf("; halving ended in round %d of %d: %s", n, p.Max, p.Why)
	case p.Ended:
		return fmt.Sprintf("; decided in %d rounds of halving", n)
	}
	return fmt.Sprintf("; %d of %d rounds of halving have ended, %s left", n, p.Max, unit.Plural(p.Rounds[n-1].Kept, "candidate"))
}

// shownRounds are the rounds of a sweep that halves, for its summary.
func shownRounds(s *sweep.Sweep, r *compare.Report) (*report.Growth, error) {
	rounds, err := roundsOf(s)
	if err != nil {
		return nil, err
	}
	h, m := s.Spec().Halve, judge(s.Spec())
	for i := range r.Metrics {
		r.Metrics[i].Effects = nil // the better candidates have more of the parameter: what drives what cannot be told
	}
	g := &report.Growth{Most: len(h.Values), Times: len(rounds), Ended: rounds.Ended(len(h.Values)), By: h.By, Parameter: h.Parameter, Metric: m.Name}
	g.Head = []string{"round", h.Parameter, "candidates", "without a value", "kept", "best", "last kept", "best dropped"}
	show := func(x *float64) string {
		if x == nil {
			return ""
		}
		return unit.Number(*x)
	}
	for i, x := range rounds {
		c := roundOf(x)
		g.Why = x.Why
		g.Rows = append(g.Rows, []string{fmt.Sprint(i + 1), x.At.String(), fmt.Sprint(c.Candidates), fmt.Sprint(c.Without), fmt.Sprint(c.Kept), show(c.Best), show(c.Last), show(c.Dropped)})
	}
	return g, nil
}
