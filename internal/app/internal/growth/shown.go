package growth

import (
	"context"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/decide"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// State says how far a sweep that grows has come, in a few words after a
// semicolon; empty where it does not grow.
func State(s *sweep.Sweep) string {
	rule, grows := RuleOf(s.Spec())
	if !grows {
		return ""
	}
	path, err := PathOf(s)
	most := fmt.Sprintf("at most %d", rule.Most)
	switch {
	case err != nil:
		return "; its looks are unreadable: " + err.Error()
	case len(path) == 0:
		return "; grows to " + most + " replicates, and has not been looked at yet"
	}
	looks := unit.Plural(len(path), "look")
	at := unit.Plural(path[len(path)-1].Replicates, "replicate")
	if path.Ended() {
		return "; decided after " + looks + ", at " + at + " of " + most
	}
	return "; grows to " + most + " replicates, " + looks + " so far, the last at " + at
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
