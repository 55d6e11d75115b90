// Package ratio checks that trials were divided among groups as they were meant
// to be: an experiment whose sample ratio is off has lost or doubled some of them,
// and whatever did that may have moved the rates, too.
//
// In go the trials of every group, out comes a warning.
package ratio

import (
	"fmt"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Alpha is how sure one must be: the check is made of every sweep, and most are
// in order.
const Alpha = 0.001

// A Split is the trials of groups that are meant to have the same number in every
// run.
type Split struct {
	names         []string
	trials, share []float64
}

// Add adds a group: its trials, and in how many runs they were counted.
func (s *Split) Add(name string, trials float64, runs int) {
	if runs > 0 {
		s.names, s.trials, s.share = append(s.names, name), append(s.trials, trials), append(s.share, float64(runs))
	}
}

// Warnings is what to say of the trials called name: nothing where they are
// divided as they should be, or where they need not be.
func (s *Split) Warnings(name string, even bool) []string {
	if !even {
		return nil
	}
	p := stats.Divided(s.trials, s.share)
	if !(p < Alpha) {
		return nil
	}
	var each []string
	for i, n := range s.trials {
		each = append(each, unit.Number(n)+" of "+s.names[i])
	}
	return []string{fmt.Sprintf("%s is declared to be divided evenly, and is not: %s (p %s, chi-squared). Something else than the variant decided what was counted: find out what before you trust the rates", name, unit.List(each), unit.P(p))}
}
