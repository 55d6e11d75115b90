package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

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
	fl.StringVar(&f.format, "format", "text", "text, markdown, csv or json")
	fl.StringArrayVar(&f.failIf, "fail-if", nil, failIfHelp)
	return cmd
}

const failIfHelp = "exit 5 when a change from the baseline is like this: `'revenue < -2% (p<0.01)'` (repeatable)"

// A block is one comparison and what it is of.
type block struct {
	title  string
	report *compare.Report
	notes  []string
}

func (c *cli) compare(ctx context.Context, dirs []string, f compareFlags) error {
	if !slices.Contains([]string{"text", "markdown", "csv", "json"}, f.format) {
		return unit.Mistake(fmt.Errorf("--format %q: want text, markdown, csv or json", f.format))
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
	var blocks []block
	if len(sides) == 2 {
		blocks, err = twoSweeps(sides)
	} else {
		blocks, err = oneSweep(sides[0], f)
	}
	if err != nil {
		return unit.Mistake(err)
	}
	if err := c.printBlocks(blocks, f.format); err != nil {
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

func twoSweeps(sides []side) ([]block, error) {
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
		moved = append(moved, fmt.Sprintf("%s: %s %s → %s", runWords(m.Run), m.Metric, short4(m.From), short4(m.To)))
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
	return []block{{report: r, notes: notes}}, nil
}

// maxNamed is how many runs of each kind are named.
const maxNamed = 5

func runWords(r compare.Run) string {
	if r.Name == "" {
		return r.ID
	}
	return r.Name
}

func runsWords(runs []compare.Run) []string {
	var names []string
	for _, r := range runs {
		names = append(names, runWords(r))
	}
	return names
}

// oneSweep compares within each value of the row axes.
func oneSweep(s side, f compareFlags) ([]block, error) {
	var blocks []block
	for _, title := range rowTitles(s.res.Table, f.rows) {
		o := s.o
		if len(f.rows) > 0 {
			o.Keep = func(row int) bool { return s.o.Keep(row) && rowTitle(s.res.Table, f.rows, row) == title }
		}
		r, err := compare.Compare(s.res.Table, o)
		if err != nil {
			return nil, err
		}
		r.Warnings = slices.DeleteFunc(r.Warnings, func(w string) bool { return w == "values average over "+strings.Join(f.rows, ", ") })
		if r.Runs > 0 {
			blocks = append(blocks, block{title: title, report: r})
		}
	}
	return blocks, nil
}

// rowTitles are the values of the row axes, in the order of the table.
func rowTitles(t *table.Table, rows []string) []string {
	if len(rows) == 0 {
		return []string{""}
	}
	var titles []string
	seen := map[string]bool{}
	for i := range t.Len() {
		if title := rowTitle(t, rows, i); !seen[title] {
			seen[title] = true
			titles = append(titles, title)
		}
	}
	return titles
}

func rowTitle(t *table.Table, rows []string, row int) string {
	var parts []string
	for _, name := range rows {
		col, _ := t.Column(name)
		parts = append(parts, name+"="+col.Text(row))
	}
	return strings.Join(parts, " ")
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
func checkGates(gates []compare.Gate, blocks []block) error {
	var all []error
	for _, g := range gates {
		for _, b := range blocks {
			violated, err := g.Violations(b.report)
			for _, v := range violated {
				all = append(all, errors.New(strings.TrimSpace(b.title+" "+v)))
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

func (c *cli) printBlocks(blocks []block, format string) error {
	switch format {
	case "csv":
		return writeComparisonCSV(c.stdout, blocks)
	case "json":
		return writeComparisonJSON(c.stdout, blocks)
	}
	for i, b := range blocks {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		if err := c.printBlock(b, format == "markdown"); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) printBlock(b block, markdown bool) error {
	say := func(before, text string) {
		switch {
		case text == "":
		case markdown:
			fmt.Fprintf(c.stdout, "%s%s\n", before, report.Escape(text))
		default:
			fmt.Fprintln(c.stdout, unit.Line(text))
		}
	}
	say("## ", b.title)
	for _, note := range b.notes {
		say("- ", note)
	}
	for i, t := range b.report.Metrics {
		if i > 0 || b.title != "" || len(b.notes) > 0 {
			fmt.Fprintln(c.stdout)
		}
		if err := printMetric(c.stdout, t, markdown); err != nil {
			return err
		}
		for _, w := range t.Warnings {
			say("\n", "warning: "+w)
		}
	}
	for _, w := range b.report.Warnings {
		say("\n", "warning: "+w)
	}
	return nil
}

// printMetric prints a table and, below it, what it says.
func printMetric(w io.Writer, t compare.MetricTable, markdown bool) error {
	title := t.Name
	if t.Trials != "" {
		title += " / " + t.Trials
	} else if t.Unit != "" {
		title += " [" + t.Unit + "]"
	}
	if t.Exploratory && slices.ContainsFunc(t.Groups, func(g compare.Group) bool { return g.Against != nil }) {
		title += " (exploratory)"
	}
	rows := [][]string{{title, "n", t.CentreName(), "95% interval", "change", "95% interval", "p", "effect", ""}}
	for _, g := range t.Groups {
		rows = append(rows, metricRow(g))
	}
	if markdown {
		for i, r := range rows {
			fmt.Fprintf(w, "| %s |\n", strings.Join(escaped(r), " | "))
			if i == 0 {
				fmt.Fprintln(w, "|---|"+strings.Repeat("---:|", len(r)-2)+"---|")
			}
		}
	} else {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			for i := range r {
				r[i] = unit.Line(r[i])
			}
			fmt.Fprintln(tw, strings.Join(r, "\t"))
		}
		tw.Flush()
	}
	if markdown {
		_, err := fmt.Fprintf(w, "\n%s\n", report.Escape(t.Verdict))
		return err
	}
	_, err := fmt.Fprintf(w, "  %s\n", unit.Line(t.Verdict))
	return err
}

func escaped(row []string) []string {
	out := make([]string, len(row))
	for i, s := range row {
		out[i] = report.Escape(s)
	}
	return out
}

func metricRow(g compare.Group) []string {
	name := g.Name
	if name == "" {
		name = "all"
	}
	if g.Baseline {
		name += " (baseline)"
	}
	row := []string{name, strconv.Itoa(g.N), short4(g.Centre), span(g.Lo, g.Hi, short4), "", "", "", "", ""}
	if g.N == 0 {
		row[2], row[3] = "-", ""
	}
	if g.Missing > 0 {
		row[1] += fmt.Sprintf(" of %d", g.N+g.Missing)
	}
	a := g.Against
	if a == nil {
		return row
	}
	row[4], row[5] = fmt.Sprintf("%+.4g", a.Shift), span(a.Lo, a.Hi, short4)
	if !math.IsNaN(a.Relative) {
		row[4], row[5] = percent(a.Relative), span(a.RelLo, a.RelHi, percent)
	}
	switch row[6] = fmt.Sprintf("%.3f", a.PAdjusted); {
	case a.Exact:
		row[6] = "exact"
	case a.PAdjusted < 0.001:
		row[6] = "<0.001"
	}
	if a.SizeName != "" && !math.IsNaN(a.Size) {
		row[7] = fmt.Sprintf("%s=%+.2f", a.SizeName, a.Size)
	}
	row[8] = verdictWord(a)
	return row
}

// verdictWord is a verdict as benchstat's readers know it, with the pairs that
// it rests on.
func verdictWord(a *compare.Comparison) string {
	word := string(a.Verdict)
	if a.Verdict == compare.Unclear || a.Verdict == compare.TooFew {
		word = "~"
	}
	switch {
	case a.Paired && a.Pairs < a.Possible:
		return fmt.Sprintf("%s, %d of %d pairs", word, a.Pairs, a.Possible)
	case a.Paired:
		return fmt.Sprintf("%s, %d pairs", word, a.Pairs)
	}
	return word
}

func short4(x float64) string  { return fmt.Sprintf("%.4g", x) }
func percent(x float64) string { return fmt.Sprintf("%+.2f%%", 100*x) }

// span is an interval; one that is not known is nothing.
func span(lo, hi float64, text func(float64) string) string {
	if math.IsNaN(lo) || math.IsNaN(hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return ""
	}
	return text(lo) + " … " + text(hi)
}

// comparisonLine is one group of one metric, for programs. What is not known
// is null.
type comparisonLine struct {
	Row       string   `json:"row,omitempty"`
	Metric    string   `json:"metric"`
	Group     string   `json:"group"`
	Baseline  bool     `json:"baseline"`
	N         int      `json:"n"`
	Missing   int      `json:"missing"`
	Statistic string   `json:"statistic"` // what the centre is
	Centre    *float64 `json:"centre"`
	Lo        *float64 `json:"centre_lo"`
	Hi        *float64 `json:"centre_hi"`
	Change    *float64 `json:"change"`
	ChangeLo  *float64 `json:"change_lo"`
	ChangeHi  *float64 `json:"change_hi"`
	Relative  *float64 `json:"relative_change"`
	P         *float64 `json:"p"`
	PAdjusted *float64 `json:"p_adjusted"`
	Effect    *float64 `json:"effect,omitempty"` // its size, of the kind
	Kind      string   `json:"effect_kind,omitempty"`
	Explores  bool     `json:"exploratory"` // p answers for itself alone
	Paired    bool     `json:"paired"`
	Pairs     int      `json:"pairs"`
	Possible  int      `json:"pairs_possible"`
	Need      int      `json:"runs_needed,omitempty"`
	Verdict   string   `json:"verdict"`
	Hits      *float64 `json:"hits,omitempty"` // and trials, of a proportion
	Trials    *float64 `json:"trials,omitempty"`
}

func comparisonLines(blocks []block) []comparisonLine {
	var lines []comparisonLine
	for _, b := range blocks {
		for _, t := range b.report.Metrics {
			for _, g := range t.Groups {
				l := comparisonLine{Row: b.title, Metric: t.Name, Group: g.Name, Baseline: g.Baseline, N: g.N, Missing: g.Missing, Statistic: t.CentreName(), Explores: t.Exploratory}
				if g.N > 0 {
					l.Centre, l.Lo, l.Hi = finite(g.Centre), finite(g.Lo), finite(g.Hi)
				}
				if g.Trials > 0 {
					l.Hits, l.Trials = finite(g.Hits), finite(g.Trials)
				}
				if a := g.Against; a != nil {
					l.Change, l.ChangeLo, l.ChangeHi, l.Relative = finite(a.Shift), finite(a.Lo), finite(a.Hi), finite(a.Relative)
					l.P, l.PAdjusted, l.Paired, l.Verdict = finite(a.P), finite(a.PAdjusted), a.Paired, string(a.Verdict)
					l.Effect, l.Kind, l.Need = finite(a.Size), a.SizeName, a.Need
					if a.Paired {
						l.Pairs, l.Possible = a.Pairs, a.Possible
					}
				}
				lines = append(lines, l)
			}
		}
	}
	return lines
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func writeComparisonJSON(w io.Writer, blocks []block) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, l := range comparisonLines(blocks) {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func writeComparisonCSV(w io.Writer, blocks []block) error {
	out := csv.NewWriter(w)
	out.Write([]string{"row", "metric", "group", "baseline", "n", "missing", "statistic", "centre", "centre_lo", "centre_hi",
		"change", "change_lo", "change_hi", "relative_change", "p", "p_adjusted", "hits", "trials", "effect", "effect_kind", "exploratory", "paired", "pairs", "pairs_possible", "runs_needed", "verdict"})
	for _, l := range comparisonLines(blocks) {
		record := []string{l.Row, l.Metric, l.Group, strconv.FormatBool(l.Baseline), strconv.Itoa(l.N), strconv.Itoa(l.Missing), l.Statistic}
		for _, x := range []*float64{l.Centre, l.Lo, l.Hi, l.Change, l.ChangeLo, l.ChangeHi, l.Relative, l.P, l.PAdjusted, l.Hits, l.Trials, l.Effect} {
			text := ""
			if x != nil {
				text = strconv.FormatFloat(*x, 'g', -1, 64)
			}
			record = append(record, text)
		}
		out.Write(append(record, l.Kind, strconv.FormatBool(l.Explores), strconv.FormatBool(l.Paired), strconv.Itoa(l.Pairs), strconv.Itoa(l.Possible), strconv.Itoa(l.Need), l.Verdict))
	}
	out.Flush()
	return out.Error()
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
