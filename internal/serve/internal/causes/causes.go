// Package causes groups the runs of a sweep that did not succeed by what went wrong.
//
// In go a sweep; out come the causes, the most frequent first, each with an
// expression that is true of its runs. Nothing is written.
package causes

import (
	"cmp"
	"encoding/json"
	"html/template"
	"slices"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Cause is the runs that failed in one way. Where is for whoever links to them.
type Cause struct {
	Kind   outcome.Kind    `json:"kind,omitempty"`
	Error  string          `json:"error"` // the class of an exception, or the reason
	Reason string          `json:"reason"`
	Runs   int             `json:"runs"`
	First  []query.Failure `json:"first"`
	Where  template.URL    `json:"-"`
}

// Limits of what is shown of failures.
const (
	maxCauses = 12
	maxFirst  = 3
)

// Of are the causes of a sweep's failures.
func Of(s *sweep.Sweep) []Cause {
	type kind struct {
		kind  outcome.Kind
		error string
	}
	at := map[kind]int{}
	var all []Cause
	for _, f := range query.Failures(s) {
		st, _ := s.Run(f.Run)
		k := kind{f.Kind, st.Last.Ename}
		if k.error == "" {
			k.error = f.Reason
		}
		i, known := at[k]
		if !known {
			i = len(all)
			at[k] = i
			all = append(all, Cause{Kind: f.Kind, Error: unit.Cut(unit.Line(k.error), 200), Reason: unit.Cut(unit.Line(f.Reason), 400)})
		}
		if all[i].Runs++; len(all[i].First) < maxFirst {
			all[i].First = append(all[i].First, f)
		}
	}
	slices.SortStableFunc(all, func(a, b Cause) int { return cmp.Compare(b.Runs, a.Runs) })
	return all[:min(len(all), maxCauses)]
}

// Expr is an expression that is true of the runs of a cause.
func (c Cause) Expr() string {
	where := `run_status in ["failed", "timed_out", "canceled", "lost"]`
	if c.Kind != "" {
		where = "run_reason_kind == " + Literal(string(c.Kind))
	}
	if c.Kind == outcome.Exception {
		where += " and run_error contains " + Literal(c.Error)
	}
	return where
}

// Literal is a text in the language of expressions.
func Literal(text string) string {
	b, _ := json.Marshal(text) // of a string
	return string(b)
}
