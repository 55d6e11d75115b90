package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// shapes are distributions that real metrics have.
var shapes = []func(r *rand.Rand) float64{
	func(r *rand.Rand) float64 { return 10 + r.NormFloat64() },
	func(r *rand.Rand) float64 { return 10 + r.NormFloat64()/math.Sqrt(r.ExpFloat64()) }, // heavy tails
	func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
	func(r *rand.Rand) float64 { return math.Round(3 + r.NormFloat64()) }, // ties
	func(r *rand.Rand) float64 { return float64(r.IntN(2)) },
}

// simulated is a sweep of variants × seeds by one metric of each shape. What
// a seed does is common to its runs; some values are missing. effect is added
// to the first metrics of variant 1.
func simulated(t *testing.T, r *rand.Rand, variants, seeds int, effect float64) *Report {
	t.Helper()
	return simulatedBy(t, r, ByMedian, variants, seeds, effect)
}

func simulatedBy(t *testing.T, r *rand.Rand, by Method, variants, seeds int, effect float64) *Report {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}}
	o := Options{Axes: []Axis{{Name: "variant"}, {Name: "seed", Replicate: true}}, Baseline: at("variant", 0)}
	for i := range shapes {
		name := fmt.Sprintf("m%d", i)
		specs = append(specs, table.ColumnSpec{Name: name, Role: table.RoleScrap})
		o.Metrics = append(o.Metrics, Metric{Name: name, Goal: []string{"maximize", "minimize"}[i%2], Primary: true, By: by})
	}
	var rows [][]any
	for seed := range seeds {
		common := r.NormFloat64()
		for v := range variants {
			status := "succeeded"
			if r.IntN(10) == 0 && v%2 == 1 { // unequally many
				status = "failed"
			}
			row := []any{fmt.Sprintf("%d-%d", v, seed), status, v, seed}
			for i, draw := range shapes {
				y := draw(r)
				if i < 2 {
					y += common
				}
				if v == 1 && i == 0 {
					y += effect
				}
				row = append(row, y)
			}
			rows = append(rows, row)
		}
	}
	table, err := table.Build(specs, rows)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Compare(table, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// within fails the test when a rate that should be at most alpha is above it
// by more than three standard errors.
func within(t *testing.T, what string, n, of int, alpha float64) {
	t.Helper()
	if got, most := float64(n)/float64(of), alpha+3*math.Sqrt(alpha*(1-alpha)/float64(of)); got > most {
		t.Errorf("%s: %d of %d, %.3f, want at most %.3f", what, n, of, got, most)
	}
}

// Where nothing differs, one sweep in twenty may say that something does:
// over all its variants and metrics together, by medians and by means.
func TestFalseVerdicts(t *testing.T) {
	for by, sweeps := range map[Method]int{ByMedian: 200, ByMean: 200} {
		r := rand.New(rand.NewPCG(11, 12))
		wrong := 0
		for range sweeps {
			for _, m := range simulatedBy(t, r, by, 10, 12, 0).Metrics {
				if slices.ContainsFunc(m.Groups, func(g Group) bool {
					return g.Against != nil && (g.Against.Verdict == Better || g.Against.Verdict == Worse)
				}) {
					wrong++
					break
				}
			}
		}
		within(t, fmt.Sprintf("sweeps with a false verdict, by %q", by), wrong, sweeps, 0.05)
	}
}

// A variant that is better by two standard deviations is found among ten.
func TestPower(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const sweeps = 100
	found := 0
	for range sweeps {
		m := simulated(t, r, 10, 20, 2).Metrics[0]
		if m.Groups[1].Against.Verdict == Better {
			found++
		}
	}
	if found < 80 {
		t.Errorf("found %d of %d", found, sweeps)
	}
}

// Rates that are equal are called different once in twenty, whether runs agree
// or days differ.
func TestFalseProportions(t *testing.T) {
	for name, spread := range map[string]float64{"runs agree": 0, "days differ": 0.5} {
		r := rand.New(rand.NewPCG(17, 18))
		const sweeps = 400
		wrong := 0
		for range sweeps {
			var rows []row
			for _, v := range []string{"a", "b"} {
				for day := range 15 {
					hits, p := 0, 0.2*(1+spread*(2*r.Float64()-1))
					for range 200 {
						if r.Float64() < p {
							hits++
						}
					}
					rows = append(rows, row{variant: v, seed: day, y: hits, n: 200})
				}
			}
			if a := compareY(t, rows, signups).Groups[1].Against; a.Verdict != Unclear {
				wrong++
			}
		}
		within(t, name, wrong, sweeps, 0.05)
	}
}

func TestFalseTrends(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	const series = 400
	wrong := 0
	for range series {
		if trendsOf(t, days(20, func(int) float64 { return r.NormFloat64() }))[0].P < trendAlpha {
			wrong++
		}
	}
	within(t, "trends in noise", wrong, series, trendAlpha)
}

const trendAlpha = 0.05

// TestExplainerFindsWhatWasPlanted plants one to three conditions, ranges of
// days among them, 50 times.
func TestExplainerFindsWhatWasPlanted(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	day := func(i int) string { return fmt.Sprintf("2026-03-%02d", i+1) }
	ordered := []Axis{{Name: "variant"}, {Name: "region", Ordered: true}, {Name: "seed"}}
	for i := range 50 {
		var want []Condition
		if i%2 == 0 {
			want = append(want, Condition{Name: "seed", Op: "=", Value: val(r.IntN(5))})
		}
		if i%3 != 0 {
			want = append(want, Condition{Name: "variant", Op: "=", Value: val(string(rune('a' + r.IntN(4))))})
		}
		if first := 1 + r.IntN(10); i%5 < 2 || len(want) == 0 {
			want = append(want, Condition{Name: "region", Op: ">=", Value: val(day(first))})
		}
		var rows []row
		for v := range 4 {
			for d := range 14 {
				for seed := range 5 {
					rows = append(rows, row{variant: string(rune('a' + v)), region: day(d), seed: seed, y: 1.0})
				}
			}
		}
		for j, r := range rows {
			of := map[string]value.Value{"variant": val(r.variant), "region": val(r.region), "seed": val(r.seed)}
			if !slices.ContainsFunc(want, func(x Condition) bool { return !holds(of[x.Name], x) }) {
				rows[j].status, rows[j].err = "failed", "KeyError: 'x'"
			}
		}
		report, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: ordered})
		if err != nil {
			t.Fatal(err)
		}
		byName := func(a, b Condition) int { return strings.Compare(a.Name, b.Name) }
		got := slices.SortedFunc(slices.Values(report.Failures[0].When), byName)
		slices.SortFunc(want, byName)
		if d := cmp.Diff(want, got, byValue); d != "" || len(report.Failures) != 1 {
			t.Errorf("planted %v (-want +got):\n%s", want, d)
		}
	}
}

func holds(v value.Value, x Condition) bool {
	if x.Op == "=" {
		return value.Equal(v, x.Value)
	}
	return value.Compare(v, x.Value) >= 0
}

// TestSentencesSayWhatTheTableSays reads the verdicts of random sweeps back.
func TestSentencesSayWhatTheTableSays(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	words := map[Verdict]string{Better: " better than", Worse: " worse than", Unclear: "cannot be distinguished", Small: "less than matters", TooFew: "too few", Different: "different from"}
	said := 0
	for range 60 {
		for _, m := range simulated(t, r, 2+r.IntN(4), 3+r.IntN(18), 3*r.NormFloat64()).Metrics {
			parts := strings.Split(strings.TrimSuffix(m.Verdict, "."), "; ")
			for _, g := range m.Groups {
				if g.Against == nil || g.Against.Verdict == Same {
					continue
				}
				want := words[g.Against.Verdict]
				i := slices.IndexFunc(parts, func(p string) bool { return strings.Contains(p, want) })
				if i < 0 || !regexp.MustCompile(`(^|[ ,])`+g.Name+`( |,|$)`).MatchString(strings.Split(parts[i], want)[0]+" ") {
					t.Errorf("%s is %s; the sentence is %q", g.Name, g.Against.Verdict, m.Verdict)
				}
				said++
				if strings.Contains(want, "than") || want == " different from" {
					if n := strings.Count(m.Verdict, g.Name+" ("+change(g.Against)+")"); n != 1 {
						t.Errorf("%s changed by %s; the sentence says that %d times: %q", g.Name, change(g.Against), n, m.Verdict)
					}
				}
			}
		}
	}
	if said < 300 {
		t.Errorf("%d verdicts were read, want more", said)
	}
}
