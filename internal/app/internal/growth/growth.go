// Package growth plans the runs of a sweep that grows.
//
// In go a sweep, a plan of it and its table; out come the plan with as many
// replicates or points of each variant as the looks so far ask for, or the rounds
// of halving, and the next look or round with the plan that follows from it. A look and the runs it adds are one plan, so
// that a sweep has both or neither, whatever is killed. Package growth reads the
// sweep and writes nothing; what is decided is package decide's.
package growth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/decide"
	"github.com/fanout-dev/fanout/internal/compare/halving"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// RuleOf is when a sweep that is looked at need not grow any more; ok is false where
// it does not grow like that.
func RuleOf(spec *grid.Spec) (rule decide.Rule, ok bool) {
	if spec == nil {
		return rule, false
	}
	rule, until := decide.Rule{First: spec.Repeat.N, Most: spec.Repeat.Max, Of: "replicates"}, spec.Repeat.Until
	if s := spec.Sample; s.Grows() {
		rule, until = decide.Rule{First: s.N, Most: s.Max, Of: "points"}, s.Until
	}
	rule.Width, rule.Below, rule.Relative = until.Width, until.Below, until.Relative
	return rule, until != grid.Until{}
}

// PathOf is the looks at a sweep that the plan in force holds.
func PathOf(s *sweep.Sweep) (decide.Path, error) {
	head, _ := s.Head()
	return decide.Decode(head.Looks)
}

// Carry makes a plan with a Reserve go on from the looks of the plan in force, if
// it still asks the same: the same metrics, baseline and replicates, of the same
// code, files and inputs as far as they make runs stale. Otherwise it begins anew.
func Carry(s *sweep.Sweep, p *sweep.Plan) error {
	if p.Spec == nil || !p.Spec.Grows() {
		return nil
	}
	question, err := questionOf(p)
	if err != nil {
		return err
	}
	p.Looks, p.Question = nil, question
	if head, planned := s.Head(); planned && head.Question == question {
		p.Looks = head.Looks
	}
	p.Runs, err = planned(p.Reserve, p.Looks, p.Spec)
	return err
}

// questionOf digests what the looks at a plan answer.
func questionOf(p *sweep.Plan) (string, error) {
	spec := p.Spec
	var q struct {
		Metrics  any
		Baseline []value.Binding
		Repeat   grid.Repeat
		Sample   *grid.Sample `json:",omitempty"`
		Halve    *grid.Halve  `json:",omitempty"`
		Codes    []string
		Files    string
		Runs     []string
	}
	q.Metrics, q.Baseline, q.Repeat = spec.Metrics, spec.Baseline, spec.Repeat
	if spec.Sample.Grows() {
		q.Sample = &spec.Sample
	}
	if spec.Halve.Grows() {
		q.Halve = &spec.Halve
	}
	matters := func(part string) bool { return slices.Contains(spec.StaleOn, part) }
	if matters("code") {
		for _, t := range p.Templates {
			q.Codes = append(q.Codes, t.Slot+" "+t.Code)
		}
	}
	if matters("files") {
		q.Files = p.FilesDigest
	}
	for _, r := range p.Reserve {
		id := r.ID
		if matters("inputs") {
			id += " " + p.Inputs[r.ID]
		}
		q.Runs = append(q.Runs, id)
	}
	text, err := json.Marshal(q)
	return sweep.Digest(text), err
}

// planned are the runs that looks, or rounds of halving, ask for.
func planned(reserve []sweep.Run, looks []byte, spec *grid.Spec) ([]sweep.Run, error) {
	wanted, err := wantedBy(looks, spec)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(reserve), func(r sweep.Run) bool { return !wanted(r) }), nil
}

func wantedBy(looks []byte, spec *grid.Spec) (func(sweep.Run) bool, error) {
	if spec.Halve.Grows() {
		rounds, err := halving.Decode(looks)
		return func(r sweep.Run) bool { return rounds.Enters(r.Unit, r.Round) }, err
	}
	path, err := decide.Decode(looks)
	rule, _ := RuleOf(spec)
	var axes []string
	if len(path) > 0 {
		axes = path[0].Axes
	}
	return func(r sweep.Run) bool {
		return numberOf(r, spec) < path.Replicates(keyOf(r, axes, spec.TemplateAxis), rule.First)
	}, err
}

// keyOf is a run's values of some axes.
func keyOf(r sweep.Run, axes []string, templateAxis string) []value.Value {
	key := make([]value.Value, len(axes))
	for i, name := range axes {
		switch v, ok := value.Lookup(slices.Concat(r.Labels, r.Params), name); {
		case ok:
			key[i] = v
		case name == templateAxis:
			key[i], _ = value.Of(r.Template)
		}
	}
	return key
}

// waits says for which runs the next look waits; empty when it can be taken: when
// every planned run has succeeded, or has failed by itself.
func waits(s *sweep.Sweep) string {
	n := map[outcome.Status]int{}
	stale := 0
	for st := range s.All() {
		switch {
		case st.Run.Unplanned:
		case st.Status == outcome.Succeeded:
			if len(s.Stale(st, s.Spec().StaleOn)) > 0 {
				stale++
			}
		case st.Status != outcome.Failed && st.Status != outcome.TimedOut:
			n[st.Status]++
		}
	}
	var parts []string
	for _, status := range outcome.Statuses() {
		if n[status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[status], status.Words()))
		}
	}
	if stale > 0 {
		parts = append(parts, fmt.Sprintf("%d stale", stale))
	}
	return strings.Join(parts, ", ")
}

// A step is a look and what follows from it.
type step struct {
	plan  *sweep.Plan // with the look, and the runs it adds; nil where it is in force already
	added []string    // their ids
	words string      // for people
	last  bool        // nothing more is to come
}

// look looks at a sweep whose planned runs have ended; ok is false where no look
// is to come. o has its metrics, axes and baseline.
func look(ctx context.Context, s *sweep.Sweep, t *table.Table, o compare.Options) (next step, ok bool, err error) {
	if s.Spec().Halve.Grows() {
		return halve(ctx, s, t)
	}
	rule, grows := RuleOf(s.Spec())
	path, err := PathOf(s)
	if path = path.Compared(); err != nil || !grows || path.Ended() {
		return next, false, err
	}
	n := rule.First
	if len(path) > 0 {
		n = path[len(path)-1].Next
	}
	found, err := path.Take(t, o, rule, n)
	if err != nil {
		return next, false, fmt.Errorf("look at %d %s: %w", n, rule.Of, err)
	}
	path = append(slices.Clone(path), found)
	if err := end(ctx, s, path, rule); err != nil {
		return next, false, err
	}
	looks, err := path.Encode()
	if err == nil {
		next, err = follow(ctx, s, looks)
	}
	next.words, next.last = words(path, rule, len(next.added)), path.Ended()
	return next, true, err
}

// end makes the last look of a path the last of all where `where` and `exclude` leave
// no more runs of what is open.
func end(ctx context.Context, s *sweep.Sweep, path decide.Path, rule decide.Rule) error {
	last := &path[len(path)-1]
	if last.Next == 0 {
		return nil
	}
	reserve, err := s.Reserve(ctx)
	for _, r := range reserve {
		if numberOf(r, s.Spec()) < last.Replicates {
			continue
		}
		key := keyOf(r, last.Axes, s.Spec().TemplateAxis)
		if slices.ContainsFunc(last.Found, func(f decide.Finding) bool { return f.Open && slices.EqualFunc(f.Key, key, value.Equal) }) {
			return err
		}
	}
	last.End("there are no more " + rule.Of + " of what is undecided")
	return err
}

// numberOf is the number of a run's replicate or, in a sample that grows, of its point.
func numberOf(r sweep.Run, spec *grid.Spec) int {
	if spec.Sample.Grows() {
		return r.Round
	}
	return r.Replicate
}

// follow is the plan that follows from looks or rounds, unless it is in force.
func follow(ctx context.Context, s *sweep.Sweep, looks []byte) (next step, err error) {
	reserve, err := s.Reserve(ctx)
	if err != nil {
		return next, err
	}
	head, _ := s.Head()
	if bytes.Equal(looks, head.Looks) {
		return next, nil
	}
	next.plan = &sweep.Plan{Head: head, Spec: s.Spec(), Inputs: map[string]string{}}
	next.plan.Looks = looks
	if next.plan.Runs, err = planned(reserve, looks, s.Spec()); err != nil {
		return next, err
	}
	for _, r := range next.plan.Runs {
		next.plan.Inputs[r.ID] = r.Inputs
		if st, known := s.Run(r.ID); !known || st.Run.Unplanned {
			next.added = append(next.added, r.ID)
		}
	}
	return next, nil
}

// words are what the last look of a path says.
func words(path decide.Path, rule decide.Rule, added int) string {
	look := path[len(path)-1]
	if look.Blank() {
		return fmt.Sprintf("look %d, at %d of %d %s: %s; no runs are added", len(path), look.Replicates, rule.Most, rule.Of, look.Why)
	}
	var parts, order []string
	found := map[string][]string{} // variants by what is said of them
	for _, f := range look.Found {
		says := "undecided by " + f.Metric
		switch {
		case f.Open:
		case f.Verdict == compare.Equivalent: // whose words have a "by" already
			says = decide.Words(f.Verdict) + " in " + f.Metric
		default:
			says = decide.Words(f.Verdict) + " by " + f.Metric
		}
		if found[says] == nil {
			order = append(order, says)
		}
		found[says] = append(found[says], f.Variant)
	}
	for _, says := range order {
		is := "is"
		if len(found[says]) > 1 {
			is = "are"
		}
		parts = append(parts, unit.List(found[says])+" "+is+" "+says)
	}
	text := fmt.Sprintf("look %d, at %d of %d %s: %s", len(path), look.Replicates, rule.Most, rule.Of, strings.Join(parts, "; "))
	switch {
	case look.Next > 0:
		text += fmt.Sprintf("; %s more", unit.Plural(added, "run"))
	case look.Why != "":
		text += "; " + look.Why
	}
	return text
}
