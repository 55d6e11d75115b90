package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/app/internal/growth"
	"github.com/fanout-dev/fanout/internal/app/internal/stages"
	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/decide"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Comparing says what of one sweep, or of two, is compared and how.
type Comparing struct {
	Rows     []string // axes that get a table for each of their values
	Cols     []string // axes whose values are compared; none: those of the baseline
	Metrics  []string // only these; none: those of the sweep file
	Baseline []string // name=value; none: the sweep file's
	Where    string   // only runs for which this expression is true
	Alpha    float64  // significance level; 0 is 0.05
	stages.Also
	By string // median, mean, bootstrap or exact; "": as the sweep file says
}

// methods are the ways to compare that can be asked for.
var methods = []string{"median", "mean", "bootstrap", "exact"}

// Compare compares the variants of the sweep at the first place, or the sweep
// at the second with that at the first, run by run. What was asked for and
// does not fit the sweep is a mistake.
func (a *App) Compare(ctx context.Context, places []string, c Comparing) (report.Comparison, error) {
	if c.By != "" && !slices.Contains(methods, c.By) {
		return nil, unit.Mistake(fmt.Errorf("by %q: want %s", c.By, unit.Either(methods)))
	}
	if len(places) == 2 && len(c.Baseline) > 0 {
		return nil, unit.Mistake(unit.WithHint(errors.New("of two sweeps the first is what the second is compared with: there is no other baseline"), "leave --baseline out, or give one sweep"))
	}
	var sides []side
	for _, where := range places {
		s, err := a.side(ctx, where, c)
		if err != nil {
			return nil, err
		}
		defer s.res.Close()
		sides = append(sides, s)
	}
	var blocks report.Comparison
	var err error
	if len(sides) == 2 {
		sides[0].o.Looked = nil
		blocks, err = twoSweeps(sides, axesOf(sides, slices.Concat(c.Rows, c.Cols)))
	} else {
		blocks, err = oneSweep(sides[0], c.Rows)
		if err == nil && len(blocks) == 1 && !c.other() {
			err = growth.Conclude(sides[0].sweep, blocks[0].Report)
		}
	}
	c.show(blocks)
	if err == nil {
		err = c.Note(blocks, len(places)+len(c.Rows) == 1, sides[0].sweep, sides[0].res.Table, sides[0].o)
	}
	if slices.ContainsFunc(sides, func(s side) bool { return s.grew && s.o.Looked == nil }) {
		growth.Warn(sides[0].sweep, blocks)
	}
	return blocks, unit.Mistake(err)
}

// A side is one sweep of a comparison.
type side struct {
	name  string
	sweep *sweep.Sweep
	res   *collect.Result
	o     compare.Options
	grew  bool // the number of its runs depends on what they showed
}

// other reports whether something else is asked than what decided how many runs
// a sweep that grows has.
func (c Comparing) other() bool {
	return len(c.Rows)+len(c.Cols)+len(c.Baseline) > 0 || c.Where != "" || c.By != "" || c.Alpha != 0 && c.Alpha != decide.Alpha
}

func (a *App) side(ctx context.Context, where string, c Comparing) (side, error) {
	s, err := a.OpenPlanned(ctx, where)
	if err != nil {
		return side{}, err
	}
	keep, err := query.Filter(s, c.Where)
	if err != nil {
		return side{}, err
	}
	res, err := a.Tables(ctx, s, nil)
	if err != nil {
		return side{}, err
	}
	o := compareOptions(s)
	if c.other() {
		o.Looked, o.Sampled = nil, false
	}
	o.Alpha, o.Brief = c.Alpha, true
	if err := c.project(&o, res.Table); err != nil {
		res.Close()
		return side{}, unit.Mistake(err)
	}
	wanted, err := rowsWanted(s, res.Table, keep)
	if err != nil {
		res.Close()
		return side{}, err
	}
	o.Keep = func(row int) bool { return wanted[row] }
	return side{unit.Path(s.Where()), s, res, o, s.Spec().Grows()}, nil
}

// rowsWanted asks keep about the run of every row.
func rowsWanted(s *sweep.Sweep, t *table.Table, keep func(sweep.RunState) (bool, error)) ([]bool, error) {
	ids, _ := t.Column("run_id")
	wanted := make([]bool, t.Len())
	for row := range wanted {
		st, ok := s.Run(ids.Text(row))
		if !ok {
			continue
		}
		var err error
		if wanted[row], err = keep(st); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

// project applies what was asked for to what the sweep file says.
func (c Comparing) project(o *compare.Options, t *table.Table) error {
	if len(c.Baseline) > 0 {
		o.Baseline = nil
	}
	for _, b := range c.Baseline {
		name, text, ok := strings.Cut(b, "=")
		if !ok {
			return fmt.Errorf("baseline %q: want name=value", b)
		}
		v, err := compare.ValueAmong(t, name, readings(text)...)
		if err != nil {
			return fmt.Errorf("baseline %q: %w", b, err)
		}
		o.Baseline = value.Bind(o.Baseline, name, v)
	}
	for _, list := range [][]string{c.Rows, c.Cols, c.Metrics} {
		for _, name := range list {
			if _, ok := t.Column(name); !ok {
				return fmt.Errorf("the table has no column %q", name)
			}
		}
	}
	o.Rows = c.Cols
	o.Metrics = withAll(o.Metrics, c.Metrics)
	if c.By != "" {
		o.By = compare.Method(strings.TrimPrefix(c.By, "median"))
		for i := range o.Metrics {
			if o.Metrics[i].Per == "" { // which is compared by the delta method
				o.Metrics[i].By = o.By
			}
		}
	}
	return nil
}

// readings are the values that a text may be: what it says as YAML, and the
// text itself, as 1.10 may be a version.
func readings(text string) []value.Value {
	literal, _ := value.Of(strings.ToValidUTF8(text, "\uFFFD"))
	if said, err := grid.DecodeBindings("", []byte("value: "+text)); err == nil && len(said) == 1 {
		return []value.Value{said[0].Value, literal}
	}
	return []value.Value{literal}
}

// withAll are the declared metrics and those of these names.
func withAll(declared []compare.Metric, names []string) []compare.Metric {
	all := slices.Clone(declared)
	for _, n := range names {
		if !slices.ContainsFunc(all, func(m compare.Metric) bool { return m.Name == n }) {
			all = append(all, compare.Metric{Name: n})
		}
	}
	return all
}

// show leaves the tables that were asked for. All metrics were compared: which
// are shown says nothing about how many questions p answers.
func (c Comparing) show(blocks report.Comparison) {
	if len(c.Metrics) == 0 {
		return
	}
	for _, b := range blocks {
		all := b.Report.Metrics
		b.Report.Metrics, b.Report.Decision = nil, ""
		for _, n := range c.Metrics {
			if i := slices.IndexFunc(all, func(t compare.MetricTable) bool { return t.Name == n }); i >= 0 {
				b.Report.Metrics = append(b.Report.Metrics, all[i])
			}
		}
	}
}

// axesOf are the axes within which two sweeps are compared: within steps, where both
// have them, since those record different things under the same names.
func axesOf(sides []side, axes []string) []string {
	for _, s := range sides {
		if head, _ := s.sweep.Head(); len(head.Steps) == 0 {
			return axes
		}
	}
	return append([]string{query.Step}, slices.DeleteFunc(axes, func(name string) bool { return name == query.Step })...)
}

// twoSweeps compares the second with the first within each value of the axes.
func twoSweeps(sides []side, axes []string) (report.Comparison, error) {
	of := func(s side) compare.Side {
		return compare.Side{Name: s.name, Table: s.res.Table, Axes: s.o.Axes, Keep: s.o.Keep}
	}
	all, of0, of1 := placesOf(sides, axes)
	var blocks report.Comparison
	for k, place := range all {
		a, b := of(sides[0]), of(sides[1])
		a.Keep = func(row int) bool { return of0[row] == k && sides[0].o.Keep(row) }
		b.Keep = func(row int) bool { return of1[row] == k && sides[1].o.Keep(row) }
		o, title := sides[0].o, unit.Name(place)
		if len(place) > 0 && place[0].Name == query.Step {
			step := place[0].Value.Text()
			o, title = stages.Options(o, step, sides[0].res.Table, sides[1].res.Table), strings.TrimSpace(step+" "+unit.Name(place[1:]))
		}
		r, j, err := compare.Sweeps(a, b, o)
		if err != nil {
			return nil, err
		}
		if r.Runs > 0 || len(axes) == 0 {
			blocks = append(blocks, report.Block{Title: title, Report: r, Notes: joinNotes(sides, j)})
		}
	}
	return blocks, nil
}

// placesOf are the combinations of values that rows of two sweeps have of some
// axes, in their order, and which of them each row has.
func placesOf(sides []side, axes []string) (all [][]value.Binding, first, second []int) {
	read := func(t *table.Table, row int) (place []value.Binding) {
		for _, name := range axes {
			col, _ := t.Column(name)
			place = append(place, value.Binding{Name: name, Value: col.Value(row)})
		}
		return place
	}
	differ := func(a, b []value.Binding) int {
		return slices.CompareFunc(a, b, func(x, y value.Binding) int { return value.Compare(x.Value, y.Value) })
	}
	for _, s := range sides {
		for row := range s.res.Table.Len() {
			place := read(s.res.Table, row)
			if at, known := slices.BinarySearchFunc(all, place, differ); !known {
				all = slices.Insert(all, at, place)
			}
		}
	}
	which := func(t *table.Table) []int {
		of := make([]int, t.Len())
		for row := range of {
			of[row], _ = slices.BinarySearchFunc(all, read(t, row), differ)
		}
		return of
	}
	if len(all) == 0 {
		all = [][]value.Binding{nil} // two sweeps without runs
	}
	return all, which(sides[0].res.Table), which(sides[1].res.Table)
}

// joinNotes say which runs two sweeps have in common, and which differ.
func joinNotes(sides []side, j compare.Join) []string {
	notes := []string{fmt.Sprintf("%s in both, %d of them with other values; %d only in %s, %d only in %s",
		unit.Plural(j.Both, "run"), len(j.Moved), len(j.Vanished), sides[0].name, len(j.Appeared), sides[1].name)}
	if len(j.Lost) > 0 {
		notes = append(notes, fmt.Sprintf("%s without a value in %s that %s has", unit.Plural(len(j.Lost), "run"), sides[1].name, sides[0].name))
	}
	var moved, lost []string
	for _, l := range j.Lost {
		lost = append(lost, fmt.Sprintf("%s: %s %s → %s", l.Name, l.Metric, unit.Number(l.From), l.To))
	}
	for _, m := range j.Moved {
		moved = append(moved, fmt.Sprintf("%s: %s %s → %s", m.Name, m.Metric, unit.Number(m.From), unit.Number(m.To)))
	}
	for _, list := range []struct {
		what  string
		names []string
		most  int
	}{{"lost", lost, maxLost}, {"moved", moved, maxNamed}, {"vanished", runsWords(j.Vanished), maxNamed}, {"appeared", runsWords(j.Appeared), maxNamed}} {
		for i, name := range list.names {
			if i == list.most {
				notes = append(notes, fmt.Sprintf("%s and %d more", list.what, len(list.names)-list.most))
				break
			}
			notes = append(notes, list.what+" "+name)
		}
	}
	return notes
}

// maxNamed is how many runs of each kind are named, and maxLost how many that
// lost a value: those are what a comparison is made to find.
const (
	maxNamed = 5
	maxLost  = 20
)

func runsWords(runs []compare.Run) []string {
	var names []string
	for _, r := range runs {
		names = append(names, r.Name)
	}
	return names
}

// oneSweep compares within each value of the row axes.
func oneSweep(s side, rows []string) (report.Comparison, error) {
	parts, err := stages.Within(s.sweep, s.res.Table, rows, s.o)
	var blocks report.Comparison
	for _, p := range parts {
		blocks = append(blocks, report.Block{Title: p.Title, Report: p.Report})
	}
	return blocks, err
}
