package growth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/decide"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Progress is how far a sweep that grows has come.
type Progress struct {
	Of      string    `json:"of"`                  // what max and looks count: replicates, points, rounds
	Max     int       `json:"max"`                 // how many there may be
	Looks   []int     `json:"looks"`               // how many there were at each, the first first
	Next    int       `json:"next_look,omitempty"` // at how many it will be; 0 where none is to come
	Ended   bool      `json:"ended"`               // nothing more is to come
	Decided bool      `json:"decided"`             // and nothing was left open
	Why     string    `json:"why,omitempty"`       // the last look was the last one, though something is open
	Found   []Verdict `json:"found,omitempty"`     // by all looks
	Rounds  []Round   `json:"rounds,omitempty"`    // of halving
	Best    string    `json:"best,omitempty"`      // and what follows from them
	Error   string    `json:"error,omitempty"`     // why the looks are unreadable
}

// A Verdict is what is known of one variant by one metric.
type Verdict struct {
	Variant string `json:"variant"`
	Metric  string `json:"metric"`
	Verdict string `json:"verdict"`
}

// ProgressOf is nil where a sweep does not grow.
func ProgressOf(s *sweep.Sweep) *Progress {
	if s.Spec() != nil && s.Spec().Halve.Grows() {
		return halvingProgress(s)
	}
	rule, grows := RuleOf(s.Spec())
	if !grows {
		return nil
	}
	p := &Progress{Of: rule.Of, Max: rule.Most, Looks: []int{}, Next: rule.First}
	path, err := PathOf(s)
	if err != nil {
		p.Error = err.Error()
		return p
	}
	for _, l := range path {
		p.Looks, p.Next, p.Why = append(p.Looks, l.Replicates), l.Next, l.Why
		for _, f := range l.Found {
			p.find(f)
		}
	}
	p.Ended = path.Ended()
	p.Decided = p.Ended && p.Why == ""
	return p
}

// find replaces what an earlier look has found.
func (p *Progress) find(f decide.Finding) {
	v := Verdict{f.Variant, f.Metric, decide.Words(f.Verdict)}
	if f.Open {
		v.Verdict = "undecided"
	}
	at := slices.IndexFunc(p.Found, func(x Verdict) bool { return x.Variant == v.Variant && x.Metric == v.Metric })
	if at < 0 {
		p.Found = append(p.Found, v)
		return
	}
	p.Found[at] = v
}

// Words are the progress in a few words after a semicolon; of nil they are empty.
func (p *Progress) Words() string {
	if p == nil {
		return ""
	}
	most, n := fmt.Sprintf("at most %d", p.Max), len(p.Looks)
	switch {
	case p.Error != "":
		return "; its looks are unreadable: " + p.Error
	case p.Of == "rounds":
		return p.roundWords()
	case n == 0:
		return fmt.Sprintf("; grows to %s %s, and the first look is at %d", most, p.Of, p.Next)
	}
	looks, at := unit.Plural(n, "look"), unit.Plural(p.Looks[n-1], strings.TrimSuffix(p.Of, "s"))
	switch {
	case p.Decided:
		return "; decided after " + looks + ", at " + at + " of " + most
	case p.Ended:
		return "; undecided after " + looks + ", at " + at + ": " + p.Why
	}
	return fmt.Sprintf("; grows to %s %s, %s so far, the last at %s, the next at %d; %s", most, p.Of, looks, at, p.Next, p.undecided())
}

// undecided counts the findings that are open.
func (p *Progress) undecided() string {
	n := 0
	for _, f := range p.Found {
		if f.Verdict == "undecided" {
			n++
		}
	}
	return fmt.Sprintf("%d of %s undecided", n, unit.Plural(len(p.Found), "comparison"))
}

// Most is how many runs a sweep that begins with n may come to have; n where it does
// not grow.
func Most(spec *grid.Spec, n int) int {
	if spec.Halve.Grows() {
		return roundsMost(spec.Halve, n/spec.Repeat.N) * spec.Repeat.N
	}
	if rule, grows := RuleOf(spec); grows {
		return n/rule.First*rule.Most + (n%rule.First*rule.Most+rule.First-1)/rule.First // where may drop runs
	}
	return n
}

// UpTo says to how many runs a sweep that begins with n may grow; empty where it
// does not grow.
func UpTo(spec *grid.Spec, n int) string {
	if spec.Halve.Grows() {
		return fmt.Sprintf(", %d in all %d rounds of halving", Most(spec, n), len(spec.Halve.Values))
	}
	if _, grows := RuleOf(spec); !grows {
		return ""
	}
	return fmt.Sprintf(", up to %d until it is decided", Most(spec, n))
}

// Recall makes a comparison say what looks have found of a sweep that grows.
func Recall(s *sweep.Sweep, o *compare.Options) {
	if _, grows := RuleOf(s.Spec()); !grows {
		return
	}
	o.Sampled = s.Spec().Sample.Grows()
	if path, err := PathOf(s); err == nil {
		o.Looked = path.Found
	}
}

// Conclude puts what the looks, or rounds, of a sweep that grows say of it as a whole
// before the decision of its comparison, which recalls them.
func Conclude(s *sweep.Sweep, r *compare.Report) error {
	words := ""
	if h := s.Spec().Halve; h.Grows() {
		rounds, err := roundsOf(s)
		if err != nil {
			return err
		}
		words = concludeRounds(rounds, judge(s.Spec()), h)
	} else if rule, grows := RuleOf(s.Spec()); grows {
		path, err := PathOf(s)
		if err != nil {
			return err
		}
		words = path.Conclude(r, rule)
	}
	r.Decision = strings.TrimSpace(words + " " + r.Decision)
	return nil
}

// Shown is how a sweep that grows came to its runs, nil of another. It puts what
// follows from it before the decision of its comparison.
func Shown(ctx context.Context, s *sweep.Sweep, r *compare.Report) (*report.Growth, error) {
	if err := Conclude(s, r); err != nil {
		return nil, err
	}
	if s.Spec().Halve.Grows() {
		return shownRounds(s, r)
	}
	rule, grows := RuleOf(s.Spec())
	if !grows {
		return nil, nil
	}
	path, err := PathOf(s)
	if err != nil {
		return nil, err
	}
	reserve, err := s.Reserve(ctx)
	g := &report.Growth{Of: rule.Of, Most: rule.Most, Times: len(path), Runs: len(reserve), Ended: path.Ended()}
	g.Head = []string{"look", rule.Of, "alpha used", "variant", "metric", "change", "interval", "verdict"}
	for i, l := range path {
		g.At, g.Why = l.Replicates, l.Why
		for j, f := range l.Found {
			row := []string{"", "", ""}
			if j == 0 {
				row = []string{fmt.Sprint(i + 1), fmt.Sprint(l.Replicates), unit.P(l.Level)}
			}
			verdict := "open"
			if !f.Open {
				verdict = decide.Words(f.Verdict)
			}
			g.Rows = append(g.Rows, append(row, f.Variant, f.Metric, unit.Change(float64(f.Shift)), between(f), verdict))
		}
	}
	return g, err
}

func between(f decide.Finding) string {
	flat := f.Test != nil && f.Test.Flat
	return strings.ReplaceAll(unit.Interval(float64(f.Lo), float64(f.Hi), flat, unit.Change), unit.Bridge, " … ")
}

// Warn says that p is that of runs that were chosen by what they showed.
func Warn(s *sweep.Sweep, blocks report.Comparison) {
	warning := "runs were added until the question of the sweep file was decided: these p values and intervals answer another one, and do not allow for that"
	if h := s.Spec().Halve; h.Grows() {
		warning = "the best candidates of each round went on with more " + h.Parameter + ": groups of runs differ in that, and were chosen by these numbers, for which p values and intervals do not allow"
	}
	for _, b := range blocks {
		b.Report.Warnings = append(b.Report.Warnings, warning)
	}
}
