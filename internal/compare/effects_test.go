package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// factors is a full grid of two variants, three regions and n seeds.
func factors(n int, y func(variant, region string, seed int) float64) []row {
	var rows []row
	for _, v := range []string{"a", "b"} {
		for _, r := range []string{"apac", "eu", "us"} {
			for seed := range n {
				rows = append(rows, row{variant: v, region: r, seed: seed, y: y(v, r, seed)})
			}
		}
	}
	return rows
}

func TestEffects(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	level := map[string]float64{"a": 0, "b": 0.2, "apac": 0, "eu": 3, "us": 9}
	rows := factors(20, func(v, r string, _ int) float64 { return 1e9 + level[v] + level[r] + rng.NormFloat64() })
	mt := compareY(t, rows, Metric{})
	if len(mt.Effects) != 2 || mt.Effects[0].Axis != "region" || mt.Effects[0].Levels != 3 {
		t.Fatalf("%+v", mt.Effects)
	}
	// Between: variance of 0, 3, 9, which is 14; within: 1 and the variants' 0.01.
	if want := 14 / (14 + 1.01); math.Abs(mt.Effects[0].Share-want) > 0.03 {
		t.Errorf("region explains %v, want about %v", mt.Effects[0].Share, want)
	}
	if mt.Effects[1].Share > 0.05 {
		t.Errorf("variant explains %v", mt.Effects[1].Share)
	}
	// The order of rows changes nothing.
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	if d := cmp.Diff(mt.Effects, compareY(t, rows, Metric{}).Effects); d != "" {
		t.Error(d)
	}
}

func TestNoEffectsWithoutVariance(t *testing.T) {
	for name, rows := range map[string][]row{
		"constant":      factors(3, func(string, string, int) float64 { return 7 }),
		"a run a group": {{variant: "a", y: 1}, {variant: "b", y: 2}},
		"nothing":       {{variant: "a", y: nil}, {variant: "b", y: nil}},
	} {
		if mt := compareY(t, rows, Metric{}); len(mt.Effects) > 0 {
			t.Errorf("%s: %+v", name, mt.Effects)
		}
	}
}

func TestAxesThatReachNoMetric(t *testing.T) {
	warnings := func(rows []row) string {
		r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: axes})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(r.Warnings, "\n")
	}
	seedless := factors(5, func(v, r string, _ int) float64 { return float64(len(v) + len(r)*int(v[0])) })
	if w := warnings(seedless); !strings.Contains(w, "seed reaches no metric") || !strings.Contains(w, "24 of 30 are duplicates") || strings.Contains(w, "variant reaches") {
		t.Errorf("%s", w)
	}
	seedless[3].y = 99.0
	if w := warnings(seedless); strings.Contains(w, "seed reaches") {
		t.Errorf("one run differs: %s", w)
	}
	if w := warnings([]row{{variant: "a", y: nil}, {variant: "b", y: nil}}); strings.Contains(w, "reaches") {
		t.Errorf("without values: %s", w)
	}
}

// days is a series per variant with a common trend.
func days(n int, y func(day int) float64) []row {
	var rows []row
	for i, v := range []string{"a", "b"} {
		for day := range n {
			rows = append(rows, row{variant: v, region: fmt.Sprintf("2026-03-%02d", day+1), y: y(day) + 100*float64(i)})
		}
	}
	return rows
}

func trendsOf(t *testing.T, rows []row) []Trend {
	t.Helper()
	r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: []Axis{{Name: "variant"}, {Name: "region", Ordered: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Metrics[0].Trends
}

func TestTrendAndOddPeriods(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	rows := days(28, func(day int) float64 {
		y := 50 + float64(day) + rng.NormFloat64()/4
		if day == 9 {
			y -= 20
		}
		return y
	})
	// A day without one variant is not odd: the rest is measured by itself.
	rows = slices.Delete(rows, 3, 4)
	trends := trendsOf(t, rows)
	if len(trends) != 1 || trends[0].Periods != 28 || math.Abs(trends[0].Change-27) > 1 || trends[0].P > 1e-6 {
		t.Fatalf("%+v", trends)
	}
	if odd := trends[0].Odd; len(odd) != 1 || odd[0].Period != "2026-03-10" || math.Abs(odd[0].Off+20) > 1 || odd[0].Z > -3.5 {
		t.Errorf("odd: %+v", odd)
	}
}

// Where most places lie on the line the mean distance says what is odd.
func TestOddAmongConstantPeriods(t *testing.T) {
	trends := trendsOf(t, days(28, func(day int) float64 { return map[int]float64{9: 20, 20: 1}[day] }))
	if odd := trends[0].Odd; len(odd) != 1 || odd[0].Period != "2026-03-10" || trends[0].Usual <= 1 {
		t.Errorf("%+v", trends[0])
	}
}

func TestNoTrend(t *testing.T) {
	if got := trendsOf(t, days(stats.MinPlaces-1, func(day int) float64 { return float64(day) })); len(got) > 0 {
		t.Errorf("few periods: %+v", got)
	}
	if got := trendsOf(t, days(20, func(int) float64 { return 5 })); got[0].P != 1 || got[0].Change != 0 || len(got[0].Odd) > 0 {
		t.Errorf("constant: %+v", got)
	}
}
