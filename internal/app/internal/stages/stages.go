// Package stages compares the runs of a sweep with steps: those of each step by
// themselves, by what that step records and along the axes that it keeps.
//
// In go the tables of a sweep and what its sweep file says of metrics; out comes a
// comparison for each step. A sweep without steps is one step without a name.
// Package stages writes nothing.
package stages

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/aa"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Compare compares the runs of each step: a part for each, in their order, with its
// name as the title.
func Compare(s *sweep.Sweep, t *table.Table, o compare.Options) ([]compare.Part, error) {
	var parts []compare.Part
	for _, step := range split(s, t, o) {
		r, err := compare.Compare(t, step.o)
		if err != nil {
			return nil, err
		}
		parts = append(parts, compare.Part{Title: step.name, Report: r})
	}
	return parts, nil
}

// Within compares the runs of each step within each combination of the values of
// some columns. What no run is planned of is left out.
func Within(s *sweep.Sweep, t *table.Table, columns []string, o compare.Options) ([]compare.Part, error) {
	var parts []compare.Part
	for _, step := range split(s, t, o) {
		found, err := compare.Within(t, slices.DeleteFunc(slices.Clone(columns), step.lacks), step.o)
		if err != nil {
			return nil, err
		}
		for i, p := range found {
			if i == 0 && step.name != "" {
				p.Report.Warnings = append(p.Report.Warnings, lineage.Partial(s, step.name, maxPartial)...)
			}
			if step.name != "" && len(p.Report.Metrics)+len(p.Report.Warnings) == 0 {
				continue
			}
			p.Title = strings.TrimSpace(step.name + " " + p.Title)
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// maxPartial is how many runs that lack something a comparison names.
const maxPartial = 8

// A part is how one step is compared.
type part struct {
	name string
	o    compare.Options
	axes []string // nil: all
}

// lacks reports whether the step does not keep an axis.
func (p part) lacks(axis string) bool { return p.axes != nil && !slices.Contains(p.axes, axis) }

// Also is what may be asked of a comparison beside its tables.
type Also struct {
	AA    bool // how often differences are told where values are dealt at random
	Sizes bool // which changes the runs could have told
}

// Note notes the answers above the tables of a comparison; single is whether it is
// of one sweep as a whole.
func (a Also) Note(blocks report.Comparison, single bool, s *sweep.Sweep, t *table.Table, o compare.Options) (err error) {
	if a.AA && !single {
		return unit.WithHint(errors.New("an A/A check is of one table of one sweep"), "leave --row out, and choose runs with --where")
	}
	if a.AA && len(blocks) > 0 {
		blocks[0].Notes, err = check(s, t, o)
	}
	if a.Sizes {
		sensitive(blocks, o.Looked != nil)
	}
	return err
}

// check says how often the comparison of each step tells a difference where there is
// none: of values that are dealt to the variants at random.
func check(s *sweep.Sweep, t *table.Table, o compare.Options) ([]string, error) {
	var words []string
	for _, step := range split(s, t, o) {
		n := aa.Shuffles
		if o.By == compare.ByBootstrap || slices.ContainsFunc(step.o.Metrics, func(m compare.Metric) bool { return m.By == compare.ByBootstrap }) {
			n = aa.Few
		}
		found, err := aa.Check(t, step.o, n)
		if err != nil {
			return nil, err
		}
		for _, w := range found.Words() {
			words = append(words, strings.TrimSpace(step.name+" "+w))
		}
	}
	return words, nil
}

// sensitive notes what size of change the runs of each comparison could have told;
// looked is whether looks decided by the metrics that decide.
func sensitive(blocks report.Comparison, looked bool) {
	for i := range blocks {
		for _, m := range blocks[i].Report.Metrics {
			blocks[i].Notes = append(blocks[i].Notes, sensitivity(m, looked && !m.Exploratory && !m.Guardrail)...)
		}
		if r := blocks[i].Report; !slices.ContainsFunc(r.Metrics, compared) {
			blocks[i].Notes = append(blocks[i].Notes, "sensitivity: nothing is compared, so there is no change to tell; `baseline` or --baseline says with what")
		}
	}
}

// compared reports whether a group is compared with the baseline.
func compared(m compare.MetricTable) bool {
	return slices.ContainsFunc(m.Groups, func(g compare.Group) bool { return g.Against != nil })
}

// sensitivity says of every group which changes are told four times in five.
func sensitivity(m compare.MetricTable, looked bool) (notes []string) {
	for _, g := range m.Groups {
		a := g.Against
		if a == nil || a.Exact {
			continue
		}
		of := fmt.Sprintf("sensitivity: %s of %s: ", m.Name, unit.Cut(g.Name, 60))
		what, n := "runs a side", a.Pairs
		if a.Paired {
			what = "pairs"
		}
		if math.IsNaN(a.Detectable) {
			notes = append(notes, of+"not known, "+undetectable(a, what, looked))
			continue
		}
		centre := m.Groups[0].Centre
		size := func(x float64) string {
			if math.IsNaN(a.Relative) {
				return strings.TrimSpace(unit.Number(x) + " " + m.Unit)
			}
			return unit.Number(float64(int(10000*x/math.Abs(centre)+0.5))/100) + "%"
		}
		text := fmt.Sprintf("with %d %s a change of %s is told four times in five; with %d one of %s, with %d one of %s",
			n, what, size(a.Detectable), 2*n, size(a.Detectable/math.Sqrt2), 4*n, size(a.Detectable/2))
		if limit := m.Limit(centre); limit > 0 {
			ratio := a.Detectable / limit
			text += fmt.Sprintf("; the min_effect, %s, takes about %s %s", size(limit), unit.Count(math.Ceil(float64(n)*ratio*ratio)), what)
		}
		notes = append(notes, of+text)
	}
	return notes
}

// undetectable says why it is not known which change the runs could have told.
func undetectable(a *compare.Comparison, what string, looked bool) string {
	switch {
	case looked:
		return "as looks decided how many runs there are; they stopped where the change that is there was told"
	case a.Equal || a.Flat || a.Lo == a.Hi:
		return "as the change does not vary"
	}
	return fmt.Sprintf("as %d %s are too few for an interval", a.Pairs, what)
}

func split(s *sweep.Sweep, t *table.Table, o compare.Options) []part {
	head, _ := s.Head()
	if len(head.Steps) == 0 {
		return []part{{o: o}}
	}
	steps, _ := t.Column(query.Step)
	recorded := recordedBy(t, steps, o.Metrics)
	var parts []part
	for i, step := range head.Steps {
		p := part{name: step.Name, o: o, axes: append([]string{}, step.Axes...)}
		p.o.Keep = func(row int) bool { return steps.Text(row) == step.Name && (o.Keep == nil || o.Keep(row)) }
		p.o.Axes = slices.DeleteFunc(slices.Clone(o.Axes), func(a compare.Axis) bool { return p.lacks(a.Name) })
		p.o.Baseline = slices.DeleteFunc(slices.Clone(o.Baseline), func(b value.Binding) bool { return p.lacks(b.Name) })
		p.o.Rows = slices.DeleteFunc(slices.Clone(o.Rows), p.lacks)
		p.o.Metrics = slices.DeleteFunc(slices.Clone(o.Metrics), func(m compare.Metric) bool {
			by := recorded[m.Name]
			nobody := len(by) == 0 && i == len(head.Steps)-1 // which has to be said
			return !by[step.Name] && !nobody
		})
		p.o.Unmeasured, p.o.Recorded = len(o.Metrics) > 0, true
		parts = append(parts, p)
	}
	return parts
}

// Options are how the runs of one step are compared, of tables whose runs are compared
// with each other: by what the step recorded.
func Options(o compare.Options, step string, tables ...*table.Table) compare.Options {
	metrics := o.Metrics
	o.Metrics = nil
	for _, m := range metrics {
		for _, t := range tables {
			steps, _ := t.Column(query.Step)
			if recordedBy(t, steps, []compare.Metric{m})[m.Name][step] {
				o.Metrics = append(o.Metrics, m)
				break
			}
		}
	}
	o.Unmeasured, o.Recorded = len(metrics) > 0, true
	return o
}

// recordedBy finds the steps of which a run recorded a metric.
func recordedBy(t *table.Table, steps table.Column, metrics []compare.Metric) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, m := range metrics {
		col, ok := t.Column(m.Name)
		if !ok {
			continue
		}
		by := map[string]bool{}
		for row := range t.Len() {
			if !col.Null(row) {
				by[steps.Text(row)] = true
			}
		}
		out[m.Name] = by
	}
	return out
}

// Whole is what the parts say together.
func Whole(parts []compare.Part) *compare.Report {
	if len(parts) == 1 {
		return parts[0].Report
	}
	whole := &compare.Report{}
	for _, p := range parts {
		r := p.Report
		whole.Alpha, whole.Confidence = r.Alpha, r.Confidence
		whole.Metrics = append(whole.Metrics, r.Metrics...)
		whole.Failures = append(whole.Failures, r.Failures...)
		whole.Runs, whole.Used = whole.Runs+r.Runs, whole.Used+r.Used
		if whole.Baseline == "" {
			whole.Baseline = r.Baseline
		}
		if r.Decision != "" {
			whole.Decision = r.Decision
		}
		if len(r.Coverage) > len(whole.Coverage) {
			whole.Coverage = r.Coverage
		}
		for _, w := range r.Warnings {
			whole.Warnings = append(whole.Warnings, p.Title+": "+w)
		}
	}
	return whole
}
