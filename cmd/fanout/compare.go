package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// compareFlags are the projection of a comparison, and its form.
type compareFlags struct {
	rows, cols, metrics, baseline []string
	where, format                 string
	alpha                         float64
	by                            string
	failIf                        []string
}

func (c *cli) compareCommand() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare DIR.sweep [OTHER.sweep]",
		Short: "Compare the variants of a sweep, or two sweeps, as a table",
		Long: `Compare prints, for each metric, how every variant differs from the baseline and
how sure that is. --col names the axes whose values are compared, --row those
that make a table each; what is left are the samples. Two sweeps are compared by
the runs that have the same parameters, the second against the first.

` + whereHelp,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.compare(cmd.Context(), args, f) },
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.rows, "row", nil, "`axes` that make a table each")
	fl.StringSliceVar(&f.cols, "col", nil, "`axes` whose values are compared (default: those of the baseline)")
	fl.StringSliceVar(&f.metrics, "metric", nil, "only these `metrics`")
	fl.StringArrayVar(&f.baseline, "baseline", nil, "`name=value` to compare with (default: the sweep file's; repeatable)")
	fl.StringVar(&f.where, "where", "", "only runs for which this expression is true")
	fl.Float64Var(&f.alpha, "alpha", 0.05, "what p must be below")
	fl.StringVar(&f.by, "by", "", "compare by `median`, mean (t tests), bootstrap (the mean, by resampling) or exact (default: the sweep file's)")
	fl.StringVar(&f.format, "format", "text", unit.Either(report.Formats()))
	fl.StringArrayVar(&f.failIf, "fail-if", nil, failIfHelp)
	return cmd
}

const failIfHelp = "exit 5 when a change from the baseline is like this: `'revenue < -2% (p<0.01)'` (repeatable)"

func (c *cli) compare(ctx context.Context, dirs []string, f compareFlags) error {
	if !slices.Contains(report.Formats(), f.format) {
		return unit.Mistake(fmt.Errorf("--format %q: want %s", f.format, unit.Either(report.Formats())))
	}
	if !slices.Contains([]string{"", "median", "mean", "bootstrap", "exact"}, f.by) {
		return unit.Mistake(fmt.Errorf("--by %q: want median, mean, bootstrap or exact", f.by))
	}
	gates, err := parseGates(f.failIf)
	if err != nil {
		return err
	}
	var sides []side
	for _, dir := range dirs {
		s, err := c.side(ctx, dir, f)
		if err != nil {
			return err
		}
		defer s.res.Close()
		sides = append(sides, s)
	}
	var blocks report.Comparison
	if len(sides) == 2 {
		blocks, err = twoSweeps(sides)
	} else {
		blocks, err = oneSweep(sides[0], f)
	}
	if err != nil {
		return unit.Mistake(err)
	}
	if err := blocks.Write(c.stdout, f.format); err != nil {
		return err
	}
	return checkGates(gates, blocks)
}

// A side is one sweep of a comparison.
type side struct {
	name string
	res  *collect.Result
	o    compare.Options
}

func (c *cli) side(ctx context.Context, dir string, f compareFlags) (side, error) {
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return side{}, err
	}
	keep, err := query.Filter(s, f.where)
	if err != nil {
		return side{}, err
	}
	look := collectOptions(s, nil)
	look.TableOnly = true
	res, err := collect.Sweep(ctx, s, look)
	if err != nil {
		return side{}, fmt.Errorf("collect %s: %w", unit.Path(s.Where()), err)
	}
	o := app.CompareOptions(s)
	o.Alpha, o.Brief = f.alpha, true
	if err := f.project(&o, res.Table); err != nil {
		res.Close()
		return side{}, unit.Mistake(err)
	}
	wanted, err := rowsWanted(s, res.Table, keep)
	if err != nil {
		res.Close()
		return side{}, err
	}
	o.Keep = func(row int) bool { return wanted[row] }
	return side{unit.Path(s.Where()), res, o}, nil
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

// project applies the flags to what the sweep file says.
func (f compareFlags) project(o *compare.Options, t *table.Table) error {
	if len(f.baseline) > 0 {
		o.Baseline = nil
	}
	for _, b := range f.baseline {
		name, text, ok := strings.Cut(b, "=")
		if !ok {
			return fmt.Errorf("--baseline %q: want name=value", b)
		}
		v, err := compare.ValueAmong(t, name, readings(text)...)
		if err != nil {
			return fmt.Errorf("--baseline %q: %w", b, err)
		}
		o.Baseline = value.Bind(o.Baseline, name, v)
	}
	for _, list := range [][]string{f.rows, f.cols, f.metrics} {
		for _, name := range list {
			if _, ok := t.Column(name); !ok {
				return fmt.Errorf("the table has no column %q", name)
			}
		}
	}
	o.Rows = f.cols
	if len(f.metrics) > 0 {
		o.Metrics = chosen(o.Metrics, f.metrics)
	}
	if f.by != "" {
		o.By = compare.Method(strings.TrimPrefix(f.by, "median"))
		for i := range o.Metrics {
			o.Metrics[i].By = o.By
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

// chosen are the metrics of these names, as declared where they are.
func chosen(declared []compare.Metric, names []string) []compare.Metric {
	var out []compare.Metric
	for _, n := range names {
		i := slices.IndexFunc(declared, func(m compare.Metric) bool { return m.Name == n })
		if i >= 0 {
			out = append(out, declared[i])
		} else {
			out = append(out, compare.Metric{Name: n})
		}
	}
	return out
}

func twoSweeps(sides []side) (report.Comparison, error) {
	of := func(s side) compare.Side {
		return compare.Side{Name: s.name, Table: s.res.Table, Axes: s.o.Axes, Keep: s.o.Keep}
	}
	r, j, err := compare.Sweeps(of(sides[0]), of(sides[1]), sides[0].o)
	if err != nil {
		return nil, err
	}
	notes := []string{fmt.Sprintf("%s in both, %d of them with other values; %d only in %s, %d only in %s",
		unit.Plural(j.Both, "run"), len(j.Moved), len(j.Vanished), sides[0].name, len(j.Appeared), sides[1].name)}
	var moved []string
	for _, m := range j.Moved {
		moved = append(moved, fmt.Sprintf("%s: %s %s → %s", m.Name, m.Metric, unit.Number(m.From), unit.Number(m.To)))
	}
	for _, list := range []struct {
		what  string
		names []string
	}{{"moved", moved}, {"vanished", runsWords(j.Vanished)}, {"appeared", runsWords(j.Appeared)}} {
		for i, name := range list.names {
			if i == maxNamed {
				notes = append(notes, fmt.Sprintf("%s and %d more", list.what, len(list.names)-maxNamed))
				break
			}
			notes = append(notes, list.what+" "+name)
		}
	}
	return report.Comparison{{Report: r, Notes: notes}}, nil
}

// maxNamed is how many runs of each kind are named.
const maxNamed = 5

func runsWords(runs []compare.Run) []string {
	var names []string
	for _, r := range runs {
		names = append(names, r.Name)
	}
	return names
}

// oneSweep compares within each value of the row axes.
func oneSweep(s side, f compareFlags) (report.Comparison, error) {
	parts, err := compare.Within(s.res.Table, f.rows, s.o)
	var blocks report.Comparison
	for _, p := range parts {
		blocks = append(blocks, report.Block{Title: p.Title, Report: p.Report})
	}
	return blocks, err
}

func parseGates(texts []string) ([]compare.Gate, error) {
	var gates []compare.Gate
	for _, text := range texts {
		g, err := compare.ParseGate(text)
		if err != nil {
			return nil, unit.Mistake(fmt.Errorf("--fail-if %w", err))
		}
		gates = append(gates, g)
	}
	return gates, nil
}

// checkGates is an error when a change is one that must not be, or when nobody
// can say.
func checkGates(gates []compare.Gate, blocks report.Comparison) error {
	var all []error
	for _, g := range gates {
		for _, b := range blocks {
			violated, err := g.Violations(b.Report)
			for _, v := range violated {
				all = append(all, errors.New(strings.TrimSpace(b.Title+" "+v)))
			}
			if err != nil {
				all = append(all, err)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return gateError{errors.Join(all...)}
}

// collectOptions are what the sweep file says of the tables.
func collectOptions(s *sweep.Sweep, require []string) collect.Options {
	spec := s.Spec()
	o := collect.Options{Require: require}
	for _, m := range spec.Metrics {
		o.Metrics = append(o.Metrics, collect.Metric{Name: m.Name, Unit: m.Unit, Goal: m.Goal})
	}
	return o
}
