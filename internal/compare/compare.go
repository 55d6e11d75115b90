// Package compare groups a table of runs and says how sure it is.
//
// In go a collect.Table and what the sweep says about metrics and axes; out
// comes a Report: per metric a group for every variant, with how it compares
// to the baseline, and the warnings a reader must see. A failed, missing or
// stale run never counts as a number.
//
// Package compare is pure and deterministic: the order of rows and axes
// changes no number. It writes no words for people beyond verdicts and
// warnings; layout is the report's.
package compare

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/table"
)

// A Metric is a scrap to compare runs by.
type Metric struct {
	Name              string
	Goal              string // maximize, minimize or empty
	Unit              string
	MinEffect         float64 // a change smaller than this does not matter
	MinEffectRelative bool    // MinEffect is a fraction of the baseline
	Guardrail         bool    // must not get worse: tested on that side only
	Primary           bool
	By                Method // what is compared; of a proportion it says nothing
	Trials            string // the scrap that counts the trials of which Name counts the successes
}

// A Method is how a metric is compared.
type Method string

// The methods.
const (
	ByMedian    Method = ""          // assumes nothing
	ByMean      Method = "mean"      // t tests: one far value can move it
	ByBootstrap Method = "bootstrap" // the mean too, by resampling
	ByExact     Method = "exact"     // no chance is in the values: any difference is one
)

// CentreName is what Centre is of the metric's groups.
func (m Metric) CentreName() string {
	switch {
	case m.Trials != "":
		return "rate"
	case m.byMean():
		return "mean"
	}
	return "median"
}

func (m Metric) byMean() bool { return m.By == ByMean || m.By == ByBootstrap }

// An Axis is something that varies over the runs.
type Axis struct {
	Name      string
	Ordered   bool
	Replicate bool
}

// Options say what to compare.
type Options struct {
	Metrics  []Metric // none: every numeric scrap, exploratory
	Axes     []Axis
	Baseline map[string]string  // axis → value as text: a partial point
	Rows     []string           // axes that make the groups; none: those of the baseline, else all but replicates
	Keep     func(row int) bool // rows of the table that count; nil keeps all
	Alpha    float64            // 0 is 0.05
	By       Method             // of every metric that has no other
	// Brief leaves out what is no part of the tables: effects, trends, crosses,
	// the best runs, failures and coverage.
	Brief bool
	// Confidence of intervals; 0 is 0.95.
	Confidence float64
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
	Groups      []Group
	Verdict     string // a sentence; why there is none, when there is none
	Effects     []Effect
	Trends      []Trend
	Crosses     []Cross
	Best        []Run // at most three runs, the best first; none without a goal
	Warnings    []string
}

// A Group is the runs of one variant.
type Group struct {
	Key      []string // values of Report.Rows
	Name     string   // Key for people
	Baseline bool
	N        int         // values
	Missing  int         // planned runs of the group without a value
	Centre   float64     // median, or mean; of a proportion the rate of all trials
	Lo, Hi   float64     // its interval: order statistics, infinite when N is too small; of a proportion Wilson's
	Q1, Q3   float64     // quartiles
	Values   []float64   // sorted; of a proportion the rates of the runs
	Hits     float64     // successes of all runs; of a proportion
	Trials   float64     // trials of all runs; of a proportion
	Against  *Comparison // nil for the baseline and without one
}

// found is what a test says.
type found struct {
	Shift  float64 // median difference: of pairs, or Hodges and Lehmann's; or of means
	Lo, Hi float64 // its interval
	P      float64 // two-sided; one-sided for a guardrail
	least  float64 // p that so many values can give
}

// A Comparison is a group against the baseline.
type Comparison struct {
	found
	Paired    bool
	Counted   bool    // trials are compared, not runs
	Pairs     int     // pairs, or the smaller number of values
	Possible  int     // pairs there could be
	Relative  float64 // Shift as a fraction of the baseline's median; NaN when that says nothing
	RelLo     float64
	RelHi     float64
	PAdjusted float64 // after Holm over primary metrics and variants; P itself when exploratory
	// Size is how large the change is whatever the unit, and SizeName what it
	// is: NaN and empty where there is no such number.
	Size     float64
	SizeName string
	Exact    bool // every difference is one; P says only whether there is any
	Verdict  Verdict
	Equal    bool // every pair is equal
	Need     int  // values a group would need to tell a change of this size; 0 when not known
	Fragile  bool // the missing pairs could give the change the other sign
	// Where pairs resemble those of neighbouring places of an ordered axis: how
	// much, and how many independent ones they count for. P and the interval say so.
	Autocorrelation, Effective float64
}

// A Verdict is what a comparison says.
type Verdict string

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
)

// A Run is one run with its value of a metric.
type Run struct {
	Row      int // in the table
	ID       string
	Name     string
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
	r.Metrics = c.tables()
	c.holm(r.Metrics)
	for i := range r.Metrics {
		c.judge(&r.Metrics[i])
	}
	if len(r.Metrics) > 0 {
		for _, g := range r.Metrics[0].Groups {
			if g.Baseline {
				r.Baseline = g.Name
			}
		}
	}
	if !o.Brief {
		r.Failures, r.Coverage = c.failures(), c.coverage()
	}
	r.Warnings = c.warnings(r)
	return r, nil
}

// tables are those of all metrics, which are computed side by side.
func (c *comparer) tables() []MetricTable {
	metrics := c.metrics()
	tables := make([]MetricTable, len(metrics))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, m := range metrics {
		if m.By == ByMedian {
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

// comparer holds what all metrics share. None of it changes while metrics are
// compared.
type comparer struct {
	t          *table.Table
	texts      map[string][]string // of columns
	o          Options
	alpha      float64
	confidence float64
	rows       []string
	planned    []int  // rows of the table that are planned
	used       []int  // and succeeded, freshly
	past       []int  // succeeded, freshly, and are planned no more
	family     int    // comparisons that Holm adjusts together
	axis       string // along which the samples of a group lie, if any
	place      map[string]int
	averaged   []string
}

func newComparer(t *table.Table, o Options) (*comparer, error) {
	c := &comparer{t: t, o: o, alpha: o.Alpha, confidence: o.Confidence, texts: textsOf(t)}
	if c.alpha == 0 {
		c.alpha = 0.05
	}
	if c.confidence == 0 {
		c.confidence = 0.95
	}
	if c.rows = o.Rows; len(c.rows) == 0 {
		c.rows = c.defaultRows()
	}
	for _, name := range c.rows {
		if _, ok := t.Column(name); !ok {
			return nil, fmt.Errorf("compare by %q: the table has no such column", name)
		}
	}
	for i := range t.Len() {
		if o.Keep != nil && !o.Keep(i) {
			continue
		}
		counts := c.text(i, "run_status") == "succeeded" && c.text(i, "run_stale") != "true"
		if c.text(i, "run_planned") == "false" {
			if counts {
				c.past = append(c.past, i)
			}
			continue
		}
		c.planned = append(c.planned, i)
		if counts {
			c.used = append(c.used, i)
		}
	}
	c.axis, c.place = c.order()
	c.averaged = c.averages()
	return c, nil
}

// maxGroups is how many groups the default projection makes at most.
const maxGroups = 60

// defaultRows are the baseline's axes, else every axis that is no replicate,
// as long as that leaves groups one can read; else the first axis.
func (c *comparer) defaultRows() []string {
	var rows []string
	for _, a := range c.o.Axes {
		if _, ok := c.o.Baseline[a.Name]; ok && !a.Replicate {
			rows = append(rows, a.Name)
		}
	}
	if len(rows) > 0 {
		return rows
	}
	for _, a := range c.o.Axes {
		if !a.Replicate {
			rows = append(rows, a.Name)
		}
	}
	for len(rows) > 1 && c.groupsOf(rows) > maxGroups {
		rows = rows[:len(rows)-1]
	}
	return rows
}

func (c *comparer) groupsOf(rows []string) int {
	seen := map[string]bool{}
	for i := range c.t.Len() {
		seen[c.joined(i, rows)] = true
	}
	return len(seen)
}

// text is empty in a column that is not there.
func (c *comparer) text(row int, column string) string {
	if texts, ok := c.texts[column]; ok {
		return texts[row]
	}
	if col, ok := c.t.Column(column); ok {
		return col.Text(row)
	}
	return ""
}

// textsOf writes down the texts of columns that are no scraps: they are asked
// for again and again, by several metrics at once.
func textsOf(t *table.Table) map[string][]string {
	all := map[string][]string{}
	for _, col := range t.Columns() {
		if role := col.Role(); role == table.RoleScrap || role == table.RoleFrame {
			continue
		}
		texts := make([]string, t.Len())
		for i := range texts {
			texts[i] = col.Text(i)
		}
		all[col.Name()] = texts
	}
	return all
}

func (c *comparer) key(row int, names []string) []string {
	key := make([]string, len(names))
	for i, n := range names {
		key[i] = c.text(row, n)
	}
	return key
}

// joined is the key as one text.
func (c *comparer) joined(row int, names []string) string {
	if len(names) == 1 {
		return c.text(row, names[0])
	}
	return strings.Join(c.key(row, names), "\x00")
}

// axes are those by name: where they stand in the sweep file decides nothing.
func (c *comparer) axes() []Axis {
	return slices.SortedFunc(slices.Values(c.o.Axes), func(a, b Axis) int { return strings.Compare(a.Name, b.Name) })
}

// averages are axes that vary within a group and are no replicates: a group's
// numbers average over them.
func (c *comparer) averages() []string {
	var out []string
	for _, a := range c.axes() {
		if !a.Replicate && !slices.Contains(c.rows, a.Name) && c.groupsOf([]string{a.Name}) > 1 {
			out = append(out, a.Name)
		}
	}
	return out
}

// metrics are the declared ones, or every numeric scrap.
func (c *comparer) metrics() []Metric {
	if len(c.o.Metrics) > 0 {
		return c.o.Metrics
	}
	var out []Metric
	for _, col := range c.t.Columns() {
		if col.Role() == table.RoleScrap && numeric(col.Type()) {
			out = append(out, Metric{Name: col.Name(), Unit: col.Unit(), Goal: col.Goal()})
		}
	}
	return out
}

func numeric(t table.Type) bool {
	switch t {
	case table.Bool, table.Int, table.Float, table.Decimal, table.Duration:
		return true
	}
	return false
}

// sample is one value with what it is paired by.
type sample struct {
	row   int
	value float64
	pair  string
	place int      // along the ordered axis
	of    fraction // of a proportion
}

// group gathers the samples of one key.
type group struct {
	Group
	samples []sample
}

func (c *comparer) table(m Metric) MetricTable {
	mt := MetricTable{Metric: m}
	col, ok := c.t.Column(m.Name)
	if !ok {
		mt.Warnings = append(mt.Warnings, fmt.Sprintf("no run recorded a scrap called %s", m.Name))
		return mt
	}
	if !numeric(col.Type()) && col.Type() != table.Null {
		mt.Warnings = append(mt.Warnings, fmt.Sprintf("%s holds %s values, which have no median", m.Name, col.Type()))
		return mt
	}
	value, why, err := c.reader(m, col)
	if err != nil {
		mt.Warnings = append(mt.Warnings, err.Error())
		return mt
	}
	groups, odd := c.gather(value)
	if odd > 0 {
		mt.Warnings = append(mt.Warnings, fmt.Sprintf("%d values of %s %s and are left out", odd, m.Name, why))
	}
	for _, g := range groups {
		summarize(m, g, c.confidence)
	}
	compareBy := testOf(m)
	switch {
	case m.Trials == "":
	case uneven(groups):
		mt.Warnings = append(mt.Warnings, unevenWarning(m))
	default:
		compareBy = proportions
	}
	base := baselineOf(groups)
	for _, g := range groups {
		if base != nil && !g.Baseline && len(g.samples) > 0 && len(base.samples) > 0 {
			g.Against = against(m, compareBy, base, g, c.confidence)
		}
	}
	for _, g := range groups {
		mt.Groups = append(mt.Groups, g.Group)
	}
	mt.resemblance(c.axis)
	mt.inexact()
	if c.o.Brief {
		return mt
	}
	mt.Effects, mt.Trends = c.effects(groups), c.trends(groups, value)
	mt.Crosses = c.crosses(m, groups)
	mt.Best = c.best(m, groups)
	return mt
}

// reading is the value of a metric in a row of the table.
type reading = func(row int) (s sample, found, good bool)

// reader reads the value of a metric in a row of the table: found is false
// where there is none, good where it cannot be used, and why says why not.
func (c *comparer) reader(m Metric, col table.Column) (read reading, why string, err error) {
	if m.Trials == "" {
		return func(row int) (s sample, found, good bool) {
			x, ok := col.Float(row)
			return sample{row: row, value: x}, ok, !math.IsNaN(x) && !math.IsInf(x, 0)
		}, "are not finite", nil
	}
	trials, ok := c.t.Column(m.Trials)
	if !ok || !numeric(trials.Type()) {
		return nil, "", fmt.Errorf("no run recorded %s, the trials of %s, as a number", m.Trials, m.Name)
	}
	return func(row int) (s sample, found, good bool) {
		f, ok := fractionAt(col, trials, row)
		return sample{row: row, value: f.rate(), of: f}, !col.Null(row), ok
	}, "are no count out of " + m.Trials, nil
}

// gather puts every planned run into its group; those that count bring their
// value. odd is how many values cannot be used.
func (c *comparer) gather(read reading) (groups []*group, odd int) {
	byKey := map[string]*group{}
	counts := map[int]bool{}
	for _, i := range c.used {
		counts[i] = true
	}
	pairing := c.pairing()
	for _, i := range c.planned {
		joined := c.joined(i, c.rows)
		g := byKey[joined]
		if g == nil {
			key := c.key(i, c.rows)
			g = &group{Group: Group{Key: key, Name: strings.Join(key, ", "), Baseline: c.isBaseline(key)}}
			byKey[joined] = g
			groups = append(groups, g)
		}
		s, found, good := read(i)
		if !counts[i] || !found || !good {
			g.Missing++
			if counts[i] && found {
				odd++
			}
			continue
		}
		s.pair, s.place = c.joined(i, pairing), c.place[c.text(i, c.axis)]
		g.samples = append(g.samples, s)
	}
	sortGroups(groups)
	return groups, odd
}

// pairing are the axes whose equal values make two runs of different groups a
// pair: all that do not make groups.
func (c *comparer) pairing() []string {
	var out []string
	for _, a := range c.o.Axes {
		if !slices.Contains(c.rows, a.Name) {
			if _, ok := c.t.Column(a.Name); ok {
				out = append(out, a.Name)
			}
		}
	}
	sort.Strings(out)
	return out
}

func (c *comparer) isBaseline(key []string) bool {
	if len(c.o.Baseline) == 0 {
		return false
	}
	for i, name := range c.rows {
		if want, ok := c.o.Baseline[name]; ok && want != key[i] {
			return false
		}
	}
	for name := range c.o.Baseline {
		if !slices.Contains(c.rows, name) {
			return false
		}
	}
	return true
}

func baselineOf(groups []*group) *group {
	var base *group
	for _, g := range groups {
		if g.Baseline {
			if base != nil {
				return nil // a partial point that several groups match compares nothing
			}
			base = g
		}
	}
	return base
}

// sortGroups puts the baseline first, then keys in natural order: numbers by
// size. The order of rows in the table does not matter.
func sortGroups(groups []*group) {
	slices.SortFunc(groups, func(a, b *group) int {
		if a.Baseline != b.Baseline {
			return map[bool]int{true: -1, false: 1}[a.Baseline]
		}
		for i := range a.Key {
			if d := compareText(a.Key[i], b.Key[i]); d != 0 {
				return d
			}
		}
		return 0
	})
	for _, g := range groups {
		slices.SortFunc(g.samples, func(a, b sample) int {
			if d := strings.Compare(a.pair, b.pair); d != 0 {
				return d
			}
			return compareFloat(a.value, b.value)
		})
	}
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// maxBest is how many runs are named as the best of a metric.
const maxBest = 3

func (c *comparer) best(m Metric, groups []*group) []Run {
	if m.Goal == "" {
		return nil
	}
	before := func(a, b sample) bool {
		if a.value != b.value {
			return (a.value < b.value) == (m.Goal == "minimize")
		}
		return c.text(a.row, "run_id") < c.text(b.row, "run_id")
	}
	var first []sample
	for _, g := range groups {
		for _, s := range g.samples {
			i := len(first)
			for i > 0 && before(s, first[i-1]) {
				i--
			}
			if i < maxBest {
				first = slices.Insert(first, i, s)[:min(len(first)+1, maxBest)]
			}
		}
	}
	var out []Run
	for _, s := range first {
		out = append(out, c.run(s.row, s.value))
	}
	return out
}

func (c *comparer) run(row int, value float64) Run {
	return Run{Row: row, ID: c.text(row, "run_id"), Name: c.name(row), Notebook: c.text(row, "run_notebook"), Value: value}
}

// name is a run for people: what varies.
func (c *comparer) name(row int) string {
	var parts []string
	for _, a := range c.o.Axes {
		if col, ok := c.t.Column(a.Name); ok && !col.Null(row) {
			parts = append(parts, a.Name+"="+col.Text(row))
		}
	}
	return strings.Join(parts, " ")
}

// warnings are about the whole comparison.
func (c *comparer) warnings(r *Report) []string {
	var out []string
	if n := len(c.planned) - len(c.used); n > 0 {
		out = append(out, fmt.Sprintf("%d of %d planned runs have no number that counts: they failed, are missing or are stale", n, len(c.planned)))
	}
	if len(r.Averaged) > 0 {
		out = append(out, "values average over "+strings.Join(r.Averaged, ", "))
	}
	out = append(out, c.inert(c.metrics())...)
	if n := c.groupsAmong(c.used, "run_code"); n > 1 {
		out = append(out, fmt.Sprintf("the runs were made by %d versions of the template's code", n))
	}
	if len(c.o.Baseline) > 0 && r.Baseline == "" && len(r.Metrics) > 0 {
		out = append(out, "the baseline names no single group, so nothing is compared to it")
	}
	return out
}

func (c *comparer) groupsAmong(rows []int, column string) int {
	if _, ok := c.t.Column(column); !ok {
		return 0
	}
	seen := map[string]bool{}
	for _, i := range rows {
		seen[c.text(i, column)] = true
	}
	return len(seen)
}
