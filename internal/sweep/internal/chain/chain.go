// Package chain is what the runs of a sweep with steps need of each other, and
// how that stands: which needed runs succeeded, and the digest of what they
// left. It looks at states it is given, and reads and writes nothing.
package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Chain knows the planned runs of a sweep with steps. That of a sweep without
// steps is nil: no run of it needs another.
type Chain struct {
	*needs.Graph
	head   plan.Head
	states []*journal.RunState
	byID   map[string]*journal.RunState
	passes map[string]string // by step, see passed
}

// New indexes the planned runs, which come first among states; byID finds them. It
// is nil where there are no steps.
func New(head plan.Head, states []*journal.RunState, byID map[string]*journal.RunState) *Chain {
	if len(head.Steps) == 0 {
		return nil
	}
	c := &Chain{head: head, states: states[:min(head.Runs, len(states))], byID: byID, passes: map[string]string{}}
	steps := make([]needs.Step, len(head.Steps))
	for i, s := range head.Steps {
		steps[i] = needs.Step{Name: s.Name, Axes: s.Axes, Needs: s.Needs}
		c.passes[s.Name] = passed(s)
	}
	texts := plan.Texts{}
	c.Graph = needs.New(steps, len(c.states), func(i int) string { return c.states[i].Run.Template },
		func(i int, axis string) string { return texts.On(c.states[i].Run, axis) })
	return c
}

// Number is the place of a planned run.
func (c *Chain) Number(id string) (int, bool) {
	if c == nil {
		return 0, false
	}
	st := c.byID[id]
	if st == nil || st.Place >= len(c.states) || c.states[st.Place] != st {
		return 0, false // unknown, or planned no more
	}
	return st.Place, true
}

// ID is the run at a place.
func (c *Chain) ID(i int) string { return c.states[i].Run.ID }

// A Need is the runs of one step that a run needs, as they are now.
type Need struct {
	Step  string
	Share float64 // of them that must have succeeded
	One   bool    // the axes allow no more than one
	Runs  []journal.RunState
}

// Lacking are the runs that did not succeed, and whether they are too many.
func (n Need) Lacking() (lacking []journal.RunState, blocks bool) {
	for _, st := range n.Runs {
		if st.Status != outcome.Succeeded {
			lacking = append(lacking, st)
		}
	}
	return lacking, n.Lacks(len(lacking))
}

// Lacks reports whether too few runs remain where so many do not succeed.
func (n Need) Lacks(lacking int) bool {
	return needs.Lacks(n.Share, len(n.Runs), len(n.Runs)-lacking)
}

// Needed are the needs of a run.
func (c *Chain) Needed(id string) []Need {
	i, ok := c.Number(id)
	if !ok {
		return nil
	}
	var out []Need
	for _, set := range c.Graph.Needed(i) {
		n := Need{Step: set.Step, Share: set.Share, One: c.one(c.states[i].Run.Template, set.Step), Runs: make([]journal.RunState, len(set.Runs))}
		for k, j := range set.Runs {
			n.Runs[k] = *c.states[j]
		}
		out = append(out, n)
	}
	return out
}

// one reports whether a run of one step needs no more than one run of another:
// it has all of its axes.
func (c *Chain) one(from, to string) bool {
	a, _ := c.head.Step(from)
	b, _ := c.head.Step(to)
	have := map[string]bool{}
	for _, axis := range a.Axes {
		have[axis] = true
	}
	for _, axis := range b.Axes {
		if !have[axis] {
			return false
		}
	}
	return true
}

// Beyond are the ids of all runs that some runs feed, directly or through
// others, or with up those that they need; themselves included.
func (c *Chain) Beyond(ids []string, up bool) []string {
	if c == nil {
		return ids
	}
	next := c.Graph.Fed
	if up {
		next = func(i int) (out []int) {
			for _, set := range c.Graph.Needed(i) {
				out = append(out, set.Runs...)
			}
			return out
		}
	}
	var starts []int
	for _, id := range ids {
		if i, ok := c.Number(id); ok {
			starts = append(starts, i)
		}
	}
	return c.ids(needs.Reach(starts, next))
}

// Feeds are the ids of the runs that need a run themselves.
func (c *Chain) Feeds(id string) []string {
	i, ok := c.Number(id)
	if !ok {
		return nil
	}
	return c.ids(c.Graph.Fed(i))
}

func (c *Chain) ids(runs []int) []string {
	out := make([]string, len(runs))
	for k, i := range runs {
		out[k] = c.states[i].Run.ID
	}
	return out
}

// Upstream digests what a run would be fed now: which of the runs that it needs
// succeeded, and what those left, and behind a dot what of that it would be passed. It is
// empty for a run that needs none.
func (c *Chain) Upstream(id string) string {
	i, ok := c.Number(id)
	if !ok {
		return ""
	}
	sets := c.Graph.Needed(i)
	if len(sets) == 0 {
		return ""
	}
	h := sha256.New()
	for _, set := range sets {
		fmt.Fprintf(h, "%s\n", set.Step)
		for _, j := range set.Runs {
			left := "-"
			if st := c.states[j]; st.Status == outcome.Succeeded {
				left = st.BestOut.Left
			}
			fmt.Fprintf(h, "%s %s\n", c.states[j].Run.ID, left)
		}
	}
	return hex.EncodeToString(h.Sum(nil)) + "." + c.passes[c.states[i].Run.Template]
}

// passed digests what a step passes its runs of what they are fed; it is empty for
// nothing.
func passed(step plan.Step) string {
	if len(step.With) == 0 {
		return ""
	}
	h := sha256.New()
	for _, w := range step.With {
		fmt.Fprintf(h, "%q %q\n", w.Param, w.Expr)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Waits says for whom a run waits, in a phrase: "needs extract region=eu:
// failed, KeyError". It is empty for a run that may begin.
func (c *Chain) Waits(id string) string {
	i, ok := c.Number(id)
	if !ok {
		return ""
	}
	var parts []string
	for _, set := range c.Graph.Needed(i) {
		var first *journal.RunState
		lacking := 0
		for _, j := range set.Runs {
			if st := c.states[j]; st.Status != outcome.Succeeded {
				if lacking++; first == nil {
					first = st
				}
			}
		}
		if !needs.Lacks(set.Share, len(set.Runs), len(set.Runs)-lacking) {
			continue
		}
		part := first.Run.Name(c.head.Axes) + ": " + Went(*first)
		runs := unit.Plural(len(set.Runs), "run")
		switch more := lacking - 1; {
		case set.Share < 1 && more > 0:
			part += fmt.Sprintf(", and %d more (%.4g%% of %s must succeed)", more, 100*set.Share, runs)
		case set.Share < 1:
			part += fmt.Sprintf(" (%.4g%% of %s must succeed)", 100*set.Share, runs)
		case more > 0:
			part += fmt.Sprintf(", and %d more of %s", more, runs)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return "needs " + strings.Join(parts, "; ")
}

// Went is how a run that did not succeed stands: "failed, KeyError".
func Went(st journal.RunState) string {
	if st.Last != nil && st.Last.Status == st.Status && st.Last.Ename != "" {
		return st.Status.Words() + ", " + st.Last.Ename
	}
	if st.Status == outcome.Planned {
		return "did not begin"
	}
	return st.Status.Words()
}
