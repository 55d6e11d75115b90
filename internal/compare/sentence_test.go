package compare

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func compareBy(t *testing.T, rows []row, o Options) *Report {
	t.Helper()
	if len(o.Metrics) == 0 {
		o.Metrics = []Metric{{Name: "y", Goal: "maximize"}}
	}
	if o.Axes == nil {
		o.Axes = axes
	}
	r, err := Compare(tableOf(t, rows), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Groups of several axes stand in sentences so that one sees what belongs
// together.
func TestNamesOfSeveralAxes(t *testing.T) {
	var rows []row
	for seed := range 8 {
		for _, optimizer := range []string{"adam", "sgd"} {
			for i, rate := range []string{"0.1", "5e-05"} {
				rows = append(rows, row{variant: optimizer, region: rate, seed: seed, y: float64(seed) + float64(10*i) + float64(len(optimizer))})
			}
		}
	}
	r := compareBy(t, rows, Options{Rows: []string{"variant", "region"}, Baseline: append(at("variant", "adam"), at("region", "0.1")...)})
	if want := "adam/5e-05 (+133.33%) is better than the baseline, adam/0.1; sgd/0.1 (−13.33%) is worse"; !strings.Contains(strings.ReplaceAll(r.Metrics[0].Verdict, " and sgd/5e-05 (+120.00%) are", " is"), want) {
		t.Errorf("%q", r.Metrics[0].Verdict)
	}
	if got := r.Metrics[0].Groups[0].Name; got != "adam/0.1" {
		t.Error(got)
	}
}

// One of something is not many.
func TestWarningsCount(t *testing.T) {
	rows := seeds(4, 0.1)
	rows[1].status = "failed"
	rows[2].y = math.NaN()
	r := compareBy(t, rows, Options{Baseline: at("variant", "a")})
	if got := strings.Join(r.Warnings, "\n"); !strings.Contains(got, "1 of 8 planned runs has no number that counts: 1 failed") {
		t.Error(got)
	}
	if got := strings.Join(r.Metrics[0].Warnings, "\n"); got != "1 value of y is not a finite number and is left out" {
		t.Error(got)
	}
	rows[3].status, rows[4].y = "failed", math.Inf(1)
	r = compareBy(t, rows, Options{Baseline: at("variant", "a")})
	if got := strings.Join(r.Warnings, "\n"); !strings.Contains(got, "2 of 8 planned runs have no number that counts: 2 failed") {
		t.Error(got)
	}
	rows[5].status, rows[6].status = "planned", "running"
	if got := strings.Join(compareBy(t, rows, Options{Baseline: at("variant", "a")}).Warnings, "\n"); !strings.Contains(got, "4 of 8 planned runs have no number that counts: 2 failed, 1 running, 1 not executed yet") {
		t.Error(got) // what did not run yet did not fail
	}
	if got := strings.Join(r.Metrics[0].Warnings, "\n"); got != "2 values of y are not finite numbers and are left out" {
		t.Error(got)
	}
}

// What is said after something bad does not begin with but, unless it is good.
func TestDecisionAfterSomethingBad(t *testing.T) {
	for name, c := range map[string]struct {
		revenue, latency Verdict
		want             string
	}{
		"good, then bad":     {Better, Worse, "b is better by revenue, but worse by the guardrail latency."},
		"bad, then bad":      {Worse, Worse, "b is worse by revenue, and worse by the guardrail latency."},
		"bad, then good":     {Worse, Unclear, "b is worse by revenue, but not shown to be worse by a guardrail."},
		"good, then good":    {Better, Unclear, "b is better by revenue, and not shown to be worse by a guardrail."},
		"neither, then bad":  {Unclear, Worse, "b is not distinguishable by revenue, and worse by the guardrail latency."},
		"bad, then unknown":  {Worse, TooFew, "b is worse by revenue, and not judged by the guardrail latency."},
		"good, then unknown": {Better, Withheld, "b is better by revenue, but not judged by the guardrail latency."},
	} {
		groups := func(v Verdict) []Group {
			return []Group{{Name: "a", Baseline: true, N: 1, Centre: 1}, {Name: "b", N: 1, Against: &Comparison{Verdict: v}}}
		}
		got := decide([]MetricTable{
			{Metric: Metric{Name: "revenue", Goal: "maximize"}, Groups: groups(c.revenue)},
			{Metric: Metric{Name: "latency", Goal: "minimize", Guardrail: true}, Groups: groups(c.latency)},
		})
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// The lowest and the highest of groups are named among those that have values of
// the same series.
func TestSpanOfAlikeGroups(t *testing.T) {
	sizes := map[string]float64{"apac": 10, "eu": 1000, "us": 100000}
	of := func(lacks func(day int, region string) bool) string {
		var rows []row
		for day := range 6 {
			for region, size := range sizes {
				r := row{variant: fmt.Sprintf("2026-01-%02d", day+1), region: region, y: size * (1 + float64(day)/10)}
				if lacks(day, region) {
					r.status = "failed"
				}
				rows = append(rows, r)
			}
		}
		return compareBy(t, rows, Options{Axes: []Axis{{Name: "variant", Ordered: true}, {Name: "region"}}, Rows: []string{"variant"}}).Metrics[0].Verdict
	}
	for name, c := range map[string]struct {
		lacks func(day int, region string) bool
		want  string
	}{
		"none is missing": {func(int, string) bool { return false }, "From 1000 (2026-01-01) to 1500 (2026-01-06). No baseline"},
		"one night":       {func(day int, region string) bool { return day == 2 && region == "apac" }, "From 1000 (2026-01-01) to 1500 (2026-01-06), leaving out 1 group with other values of region. No baseline"},
		"two nights":      {func(day int, region string) bool { return day == 2 && region == "apac" || day == 5 && region == "us" }, "From 1000 (2026-01-01) to 1400 (2026-01-05), leaving out 2 groups with other values of region. No"},
		"always the same": {func(_ int, region string) bool { return region == "us" }, "From 505 (2026-01-01) to 757.5 (2026-01-06). No baseline"},
	} {
		if got := of(c.lacks); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Where every group lacks something else, their centres are compared over what all
// of them have.
func TestSpanOverWhatAllHave(t *testing.T) {
	var rows []row
	for day := range 10 {
		for i, region := range []string{"apac", "eu", "us"} {
			r := row{variant: region, region: fmt.Sprintf("2026-01-%02d", day+1), y: float64(100*i + day*day)}
			if day == 2*i || day == 9 && i == 2 {
				r.status = "failed"
			}
			rows = append(rows, r)
		}
	}
	o := Options{Axes: []Axis{{Name: "variant"}, {Name: "region", Ordered: true}}, Rows: []string{"variant"}}
	// All have the days 1, 3, 5, 6, 7 and 8 from 0: their squares have the median 30.5.
	if got, want := compareBy(t, rows, o).Metrics[0].Verdict, "From 30.5 (apac) to 230.5 (us), over the 6 values of region that all groups have. No"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range rows {
		if day := i / 3; day%3 != i%3 {
			rows[i].status = "failed"
		}
	}
	if got, want := compareBy(t, rows, o).Metrics[0].Verdict, "but no two groups have the same values of region. No"; !strings.Contains(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A verdict that rests on the few runs that are not stale says so.
func TestFewRunsAreSaid(t *testing.T) {
	rows := seeds(20, 0.1)
	for i := range rows {
		rows[i].stale = i >= 14
	}
	o := Options{Baseline: at("variant", "a"), Metrics: []Metric{{Name: "y", Goal: "maximize"}, {Name: "n", Goal: "maximize"}}}
	for i := range rows {
		rows[i].n = rows[i].y
	}
	r := compareBy(t, rows, o)
	const want = " This rests on 14 of 40 runs: 26 are stale."
	if !strings.HasSuffix(r.Metrics[0].Verdict, want) || !strings.HasSuffix(r.Decision, want) {
		t.Errorf("%q, decision %q", r.Metrics[0].Verdict, r.Decision)
	}
	o.Stale = true
	if r := compareBy(t, rows, o); strings.Contains(r.Metrics[0].Verdict+r.Decision, "rests") {
		t.Errorf("%q, decision %q", r.Metrics[0].Verdict, r.Decision)
	}
}

// A change is a percentage where that says something, with its interval within
// what can be, and all of it or nothing.
func TestRelativeChanges(t *testing.T) {
	pair := func(a, b func(seed int) float64) *Comparison {
		var rows []row
		for seed := range 12 {
			rows = append(rows, row{variant: "a", seed: seed, y: a(seed)}, row{variant: "b", seed: seed, y: b(seed)})
		}
		return compareY(t, rows, Metric{Goal: "maximize"}).Groups[1].Against
	}
	about := func(seed int) float64 { return float64(seed-6) + 0.25 }
	if c := pair(about, func(seed int) float64 { return about(seed) + 5 }); !math.IsNaN(c.Relative) || !math.IsNaN(c.RelCentres) || c.Shift != 5 {
		t.Errorf("around zero: %+v", c)
	}
	below := func(seed int) float64 { return about(seed) - 100 }
	if c := pair(below, func(seed int) float64 { return below(seed) + 5 }); math.Abs(c.Relative-5/100.25) > 1e-9 {
		t.Errorf("below zero: %+v", c)
	}
	wild := func(seed int) float64 { return float64(1 + seed*seed*seed) }
	if c := pair(wild, func(seed int) float64 { return wild((seed*5)%12) / 50 }); c.RelLo != -1 || c.Lo >= -c.Shift/c.Relative {
		t.Errorf("never negative: %+v", c)
	}
	if c := pair(func(seed int) float64 { return 100 + float64(seed%2) }, func(seed int) float64 { return 100 + float64(seed%2) + float64(seed/11) }); c.Shift != 0 || math.IsNaN(c.Relative) || c.RelCentres != c.Centres/100.5 {
		t.Errorf("of equal values: %+v", c)
	}
}

// Where the rates of runs differ by more than counting explains, the intervals of
// the rates are wider than those of independent trials, and it is said.
func TestIntervalsOfUnevenRates(t *testing.T) {
	even, uneven := compareY(t, visits(20, 0.10, 0.13, 0), signups), compareY(t, visits(20, 0.10, 0.13, 0.8), signups)
	width := func(g Group) float64 { return (g.Hi - g.Lo) / math.Sqrt(g.Centre*(1-g.Centre)/g.Trials) }
	if w := width(even.Groups[0]); math.Abs(w-2*1.96) > 0.02 {
		t.Errorf("even: %v", w)
	}
	if w := width(uneven.Groups[0]); w < 3*2*1.96 {
		t.Errorf("uneven: %v", w)
	}
	if got := strings.Join(uneven.Warnings, "\n"); !strings.Contains(got, "and the intervals of the rates are wider for it") {
		t.Error(got)
	}
}
