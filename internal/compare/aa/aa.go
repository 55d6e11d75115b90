// Package aa finds out how often a comparison says that variants differ where they
// cannot: an A/A check with the data of a sweep.
//
// In go the table of a sweep and what it is asked; the values of its runs are dealt to
// the variants at random, many times, and compared as they would be. Out comes how
// often a difference was told. The same table gives the same answer.
package aa

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Shuffles is how often values are dealt where methods are quick, and Few where they
// resample themselves.
const (
	Shuffles = 1000
	Few      = 100
)

// A Result is how often differences were told that cannot be there.
type Result struct {
	Shuffles int
	Pairs    bool // values were dealt among runs that are a pair
	Alpha    float64
	Metrics  []Rate // of each metric the comparisons, each by itself
	Sweep    Rate   // the shuffles in which the metrics that decide told any; of none nothing
}

// A Rate is how often of how many times.
type Rate struct {
	Metric string
	Told   int
	Of     int
}

// Check deals the values of the runs that count n times.
func Check(t *table.Table, o compare.Options, n int) (Result, error) {
	o.Looked, o.Brief = nil, true
	r, err := compare.Compare(t, o)
	if err != nil {
		return Result{}, err
	}
	out := Result{Shuffles: n, Alpha: r.Alpha}
	for _, m := range r.Metrics {
		out.Metrics = append(out.Metrics, Rate{Metric: m.Name})
	}
	classes, pairs := exchangeable(t, o, r.Rows)
	out.Pairs = pairs
	random, from := rand.New(rand.NewPCG(uint64(t.Len()), 1)), make([]int, t.Len())
	for range n {
		for row := range from {
			from[row] = row
		}
		for _, rows := range classes {
			for i, k := range random.Perm(len(rows)) {
				from[rows[i]] = rows[k]
			}
		}
		o.From = func(row int) int { return from[row] }
		if r, err = compare.Compare(t, o); err != nil {
			return out, err
		}
		out.count(r)
	}
	return out, nil
}

// count adds what one shuffle told.
func (out *Result) count(r *compare.Report) {
	decides, told := false, false
	for i, m := range r.Metrics {
		for _, g := range m.Groups {
			a := g.Against
			if a == nil || a.Exact {
				continue
			}
			out.Metrics[i].Of++
			if a.P < out.Alpha {
				out.Metrics[i].Told++
			}
			decides = decides || m.Family > 0
			told = told || m.Family > 0 && a.PAdjusted < out.Alpha
		}
	}
	if decides {
		out.Sweep.Of++
	}
	if told {
		out.Sweep.Told++
	}
}

// exchangeable are lists of rows that could as well have each other's values, did the
// variants not differ: those that are pairs, or where most have none, all of them.
func exchangeable(t *table.Table, o compare.Options, groups []string) (classes [][]int, pairs bool) {
	text := func(row int, name string) string {
		if col, ok := t.Column(name); ok && !col.Null(row) {
			return col.Text(row)
		}
		return ""
	}
	of := map[string]int{}
	var all []int
	for row := range t.Len() {
		counts := outcome.Status(text(row, "run_status")) == outcome.Succeeded && text(row, "run_planned") != "false" && (o.Stale || text(row, "run_stale") != "true")
		if !counts || o.Keep != nil && !o.Keep(row) {
			continue
		}
		all = append(all, row)
		var key strings.Builder
		for _, a := range o.Axes {
			if !slices.Contains(groups, a.Name) {
				fmt.Fprintf(&key, "%q ", text(row, a.Name))
			}
		}
		k, known := of[key.String()]
		if !known {
			k, classes = len(classes), append(classes, nil)
			of[key.String()] = k
		}
		classes[k] = append(classes[k], row)
	}
	alone := 0
	for _, rows := range classes {
		if len(rows) == 1 {
			alone++
		}
	}
	if 2*alone > len(all) {
		return [][]int{all}, false
	}
	return classes, true
}

// Words are the result in sentences: of every metric, then of those that decide.
func (out Result) Words() []string {
	var words []string
	for _, m := range out.Metrics {
		if m.Of > 0 {
			words = append(words, fmt.Sprintf("A/A check: %s tells a difference in %s", m.Metric, m.words(out, "comparisons")))
		}
	}
	if len(words) == 0 {
		return []string{"A/A check: nothing is compared, so nothing can be a false alarm"}
	}
	if out.Sweep.Of > 0 {
		words = append(words, "A/A check: the metrics that decide, taken together, tell one in "+out.Sweep.words(out, "sweeps"))
	}
	how := "among all runs: none are pairs"
	if out.Pairs {
		how = "within pairs"
	}
	return append(words, fmt.Sprintf("A/A check: the values of the runs were dealt to the variants at random, %s, in %d ways, so that no difference is real", how, out.Shuffles))
}

// words say how often, and whether that is too often. Comparisons of one shuffle have
// a baseline in common, so that the interval is of as many as there are shuffles.
func (r Rate) words(out Result, what string) string {
	share := float64(r.Told) / float64(r.Of)
	lo, hi := stats.Wilson(stats.Fraction{Hits: share * float64(out.Shuffles), Trials: float64(out.Shuffles)}, 0.95)
	percent := func(x float64) string { return unit.Number(float64(int(1000*x+0.5))/10) + "%" }
	text := fmt.Sprintf("%s of %s (%s to %s), where %s may", percent(share), what, percent(lo), percent(hi), percent(out.Alpha))
	if lo > out.Alpha {
		return text + ": too often, so its p is not to be trusted; compare runs instead of trials (`per`), or medians"
	}
	return text
}
