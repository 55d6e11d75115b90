// Package compare groups a table of runs and says how sure it is.
//
// In go a table.Table and what the sweep says about metrics and axes; out
// comes a Report: per metric a group for every variant, with how it compares
// to the baseline, and the warnings a reader must see. A failed, missing or
// stale run never counts as a number.
//
// Package compare is pure and deterministic: the order of rows and axes
// changes no number. It writes no words for people beyond verdicts and
// warnings; layout is the report's.
package compare

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/place"
	"github.com/fanout-dev/fanout/internal/compare/internal/versus"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// What is asked of a scrap.
type (
	Metric = metric.Metric
	Method = metric.Method
)

// The methods.
const (
	ByMedian    = metric.ByMedian
	ByMean      = metric.ByMean
	ByBootstrap = metric.ByBootstrap
	ByExact     = metric.ByExact
)

// An Axis is something that varies over the runs.
type Axis struct {
	Name      string
	Ordered   bool
	Replicate bool
	Template  bool // its values are templates
	// Values are in the order that people are to read them in; without them,
	// and along an ordered axis, that is by value.
	Values []value.Value
}

// Options say what to compare.
type Options struct {
	Metrics []Metric // none: every numeric scrap, exploratory
	// Without Metrics: by nothing, or only by what a row that counts recorded.
	Unmeasured, Recorded bool
	Axes                 []Axis
	Baseline             []value.Binding    // values of axes: a partial point
	Rows                 []string           // axes that make the groups; none: those of the baseline, else all but replicates
	Keep                 func(row int) bool // rows of the table that count; nil keeps all
	Alpha                float64            // 0 is 0.05
	By                   Method             // of every metric that has no other
	Stale                bool               // stale runs count, too
	// Looked is what an earlier look at a sweep that grows has found of a group
	// by a metric that decides, nil where that is tested now. Without the
	// function everything is tested once.
	Looked func(metric string, g *Group) *Found
	// Sampled says that the axes that make no groups are those of a sample that grew
	// to tell what is so over all of their values.
	Sampled bool
	// From is the row whose values a row has, where values are shuffled; nil for its own.
	From func(row int) int
	// Brief leaves out effects, trends, crosses, the best runs, failures and coverage.
	Brief      bool
	Confidence float64 // of intervals; 0 is 0.95
}

// A Report is everything compare found.
type Report struct {
	Rows     []string // axes that make the groups
	Averaged []string // axes that vary within a group and are no replicates
	Baseline string   // name of the baseline's group; empty when there is none
	Alpha    float64
	// Confidence is that of all intervals.
	Confidence float64
	Metrics    []MetricTable
	Decision   string // what metrics and guardrails say together; empty where one says it all
	Failures   []FailureGroup
	Warnings   []string
	Coverage   []Coverage // of every ordered axis of dates
	Runs       int        // planned runs
	Used       int        // planned runs whose numbers count
}

// A MetricTable compares the groups by one metric.
type MetricTable struct {
	Metric
	Exploratory bool // not declared primary while others are: p says less
	Family      int  // comparisons that p answers for, by Holm; 0 where it is of each alone
	Groups      []Group
	Verdict     string // a sentence; why there is none, when there is none
	Effects     []Effect
	Trends      []Trend
	Night       *Night // the last date against the earlier ones; nil without dates
	Crosses     []Cross
	Best        []Run  // at most three runs, the best first; none without a goal
	Adjusted    string // what changes are adjusted by, and what that saves: a sentence; empty where none is
	Warnings    []string

	span string // between which groups the others lie, for people
}

// How a group compares to the baseline, and what that says.
type (
	Comparison = versus.Comparison
	Plain      = versus.Plain
	Verdict    = versus.Verdict
)

// The verdicts.
const (
	Better    Verdict = "better"
	Worse     Verdict = "worse"
	Different Verdict = "different" // without a goal
	Same      Verdict = "same"      // every pair is equal
	Unclear   Verdict = "unclear"
	Small     Verdict = "small" // sure, and smaller than matters
	TooFew    Verdict = "too few"
	Withheld  Verdict = "withheld" // missing pairs could turn it
	// Equivalent is said of sweeps that grow alone: the interval of the change
	// holds nothing that matters.
	Equivalent Verdict = "equivalent"
)

// A Run is one run with its value of a metric.
type Run struct {
	Row      int // in the table
	ID       string
	Name     string // what varies; the id where nothing does
	Notebook string
	Value    float64
}

// Compare builds the report of a table.
func Compare(t *table.Table, o Options) (*Report, error) {
	c, err := newComparer(t, o)
	if err != nil {
		return nil, err
	}
	r := &Report{Rows: c.rows, Alpha: c.alpha, Confidence: c.confidence, Runs: len(c.planned), Used: len(c.used), Averaged: c.averaged}
	if !o.Brief {
		c.nights, c.nightRows = c.dates()
	}
	r.Metrics = c.tables()
	c.conclude(r)
	if c.matched == 1 {
		r.Baseline = c.groups[0].Name
	}
	if !o.Brief {
		r.Failures, r.Coverage = c.failures(), c.coverage()
	}
	r.Warnings = c.warnings(r)
	return r, nil
}

// A Part is the comparison of those rows of a table that have the same values
// of some columns.
type Part struct {
	Title  string // "region=eu day=3"
	Report *Report
}

// Within compares within each combination of the values of some columns, in the
// order of the table. Combinations without planned runs are left out.
func Within(t *table.Table, columns []string, o Options) ([]Part, error) {
	factors := make([]*factor.Factor, len(columns))
	for i, name := range columns {
		factors[i] = factor.New(factor.Column{Table: t, Name: name})
	}
	class, n := factor.Classes(t.Len(), factors)
	parts, keep := make([]Part, n), o.Keep
	for row, k := range class {
		if parts[k].Report != nil {
			continue
		}
		title := make([]string, len(columns))
		for i, f := range factors {
			title[i] = columns[i] + "=" + f.Texts[f.At[row]]
		}
		o.Keep = func(row int) bool { return class[row] == k && (keep == nil || keep(row)) }
		r, err := Compare(t, o)
		if err != nil {
			return nil, err
		}
		parts[k] = Part{strings.Join(title, " "), r}
	}
	return slices.DeleteFunc(parts, func(p Part) bool { return p.Report.Runs == 0 }), nil
}

// tables are those of all metrics, which are computed side by side.
func (c *comparer) tables() []MetricTable {
	metrics := c.metrics()
	tables := make([]MetricTable, len(metrics))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, m := range metrics {
		if m.By == ByMedian && m.Per == "" {
			m.By = c.o.By
		}
		turns <- struct{}{}
		all.Go(func() {
			tables[i] = c.table(m)
			<-turns
		})
	}
	all.Wait()
	return tables
}

// maxBest is how many runs are named as the best of a metric.
const maxBest = 3

func (c *comparer) best(m Metric, groups []*group) []Run {
	wanted := m.Wanted()
	if wanted == 0 {
		return nil
	}
	all := samplesOf(groups)
	slices.SortFunc(all, func(a, b sample) int {
		if d := wanted * cmp.Compare(b.Value, a.Value); d != 0 {
			return d
		}
		return strings.Compare(c.Text(a.Row, "run_id"), c.Text(b.Row, "run_id"))
	})
	var out []Run
	for _, s := range all[:min(len(all), maxBest)] {
		out = append(out, c.run(s.Row, s.Value))
	}
	return out
}

func (c *comparer) run(row int, value float64) Run {
	id := c.Text(row, "run_id")
	return Run{Row: row, ID: id, Name: cmp.Or(c.name(row), id), Notebook: c.Text(row, "run_notebook"), Value: value}
}

// name is a run for people: what varies.
func (c *comparer) name(row int) string {
	var parts []string
	for _, a := range c.o.Axes {
		if col, ok := c.t.Column(a.Name); ok && !col.Null(row) {
			parts = append(parts, a.Name+"="+c.Text(row, a.Name))
		}
	}
	return strings.Join(parts, " ")
}

// warnings are about the whole comparison.
func (c *comparer) warnings(r *Report) []string {
	var out []string
	if n := len(c.planned) - len(c.used); n > 0 {
		have := map[bool]string{true: "has", false: "have"}[n == 1]
		out = append(out, fmt.Sprintf("%d of %d planned runs %s no number that counts: %s", n, len(c.planned), have, c.uncounted()))
	}
	if len(r.Averaged) > 0 && !c.o.Sampled {
		out = append(out, "Values average over "+strings.Join(r.Averaged, ", "))
	}
	out = append(out, c.inert(c.metrics())...)
	if n := c.Varieties(c.used, "run_code"); n > 1 {
		out = append(out, fmt.Sprintf("The runs come from %d versions of the template's code", n))
	}
	if w := c.elsewhere(); w != "" && c.matched == 1 {
		out = append(out, w)
	}
	if w := c.noBaseline(); w != "" && len(r.Metrics) > 0 {
		out = append(out, w)
	}
	return out
}

// uncounted says why planned runs have no number that counts: "2 failed, 28 not executed
// yet".
func (c *comparer) uncounted() string {
	n := map[outcome.Status]int{}
	for _, row := range c.planned {
		if !c.counts[row] {
			n[outcome.Status(c.Text(row, "run_status"))]++
		}
	}
	words := map[outcome.Status]string{outcome.Planned: "not executed yet", outcome.Succeeded: "stale"}
	var parts []string
	for _, status := range outcome.Statuses() {
		if n[status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[status], cmp.Or(words[status], status.Words())))
		}
	}
	return strings.Join(parts, ", ")
}

// elsewhere says which groups were executed elsewhere than the baseline.
func (c *comparer) elsewhere() string {
	groups := make([]place.Group, len(c.groups))
	for i, g := range c.groups {
		groups[i].Name = g.Name
	}
	return place.Warning(groups, c.used, c.groupOf, c.Text)
}

// noBaseline says why nothing is compared to the baseline, if that is so.
func (c *comparer) noBaseline() string {
	if len(c.o.Baseline) == 0 || c.matched == 1 {
		return ""
	}
	why := "no run is planned with these values"
	if c.matched > 1 {
		why = fmt.Sprintf("it is %d of them", c.matched)
	}
	said := make([]string, len(c.o.Baseline))
	for i, b := range c.o.Baseline {
		text := b.Value.Text()
		if there := c.TextsOf(c.planned, b.Name); !slices.Contains(c.rows, b.Name) {
			why = "groups are formed by " + unit.List(c.rows)
		} else if !slices.Contains(c.LevelsOf(c.planned, b.Name), c.baseline[b.Name]) {
			why = fmt.Sprintf("the values of %s are %s", b.Name, unit.List(there))
			if slices.Contains(there, text) { // of another kind
				text = b.Value.String()
			}
		}
		said[i] = b.Name + "=" + text
	}
	return fmt.Sprintf("the baseline, %s, names no single group: %s, so nothing is compared to it", strings.Join(said, " "), why)
}
