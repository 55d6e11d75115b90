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
	Max     int       `json:"max"`                 // replicates there may be
	Looks   []int     `json:"looks"`               // the replicates at each, the first first
	Next    int       `json:"next_look,omitempty"` // at how many replicates it will be; 0 where none is to come
	Ended   bool      `json:"ended"`               // nothing more is to come
	Decided bool      `json:"decided"`             // and nothing was left open
	Why     string    `json:"why,omitempty"`       // the last look was the last one, though something is open
	Found   []Verdict `json:"found,omitempty"`     // by all looks
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
	rule, grows := RuleOf(s.Spec())
	if !grows {
		return nil
	}
	p := &Progress{Max: rule.Most, Looks: []int{}, Next: rule.First}
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
	case n == 0:
		return fmt.Sprintf("; grows to %s replicates, and the first look is at %d", most, p.Next)
	}
	looks, at := unit.Plural(n, "look"), unit.Plural(p.Looks[n-1], "replicate")
	switch {
	case p.Decided:
		return "; decided after " + looks + ", at " + at + " of " + most
	case p.Ended:
		return "; undecided after " + looks + ", at " + at + ": " + p.Why
	}
	return fmt.Sprintf("; grows to %s replicates, %s so far, the last at %s, the next at %d; %s", most, looks, at, p.Next, p.undecided())
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
	if rule, grows := RuleOf(spec); grows {
		return n / rule.First * rule.Most
	}
	return n
}

// UpTo says to how many runs a sweep that begins with n may grow; empty where it
// does not grow.
func UpTo(spec *grid.Spec, n int) string {
	if _, grows := RuleOf(spec); !grows {
		return ""
	}
	return fmt.Sprintf(", up to %d until it is decided", Most(spec, n))
}

// Recall makes a comparison say what looks have found of a sweep that grows.
func Recall(s *sweep.Sweep, o *compare.Options) {
	if path, err := PathOf(s); err == nil && s.Spec().Repeat.Grows() {
		o.Looked = path.Found
	}
}

// Shown is the path of a sweep that grows, nil of another. It puts what follows
// from it before the decision of its comparison.
func Shown(ctx context.Context, s *sweep.Sweep, r *compare.Report) (*report.Growth, error) {
	rule, grows := RuleOf(s.Spec())
	if !grows {
		return nil, nil
	}
	path, err := PathOf(s)
	if err != nil {
		return nil, err
	}
	reserve, err := s.Reserve(ctx)
	r.Decision = strings.TrimSpace(path.Conclude(r, rule) + " " + r.Decision)
	g := &report.Growth{Most: rule.Most, Runs: len(reserve), Ended: path.Ended()}
	for _, l := range path {
		g.Replicates, g.Why = l.Replicates, l.Why
		look := report.Look{Replicates: l.Replicates, Level: l.Level}
		for _, f := range l.Found {
			verdict := "open"
			if !f.Open {
				verdict = decide.Words(f.Verdict)
			}
			look.Found = append(look.Found, report.LookFound{Variant: f.Variant, Metric: f.Metric, Change: float64(f.Shift), Lo: float64(f.Lo), Hi: float64(f.Hi), Verdict: verdict})
		}
		g.Looks = append(g.Looks, look)
	}
	return g, err
}

// Warn says that p is that of runs of which more were executed until they showed
// something else.
func Warn(blocks report.Comparison) {
	for _, b := range blocks {
		b.Report.Warnings = append(b.Report.Warnings, "runs were added until the question of the sweep file was decided: these p values and intervals answer another one, and do not allow for that")
	}
}
