package aa

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
)

// dealt are values by pair and variant, no two differences of which are equal.
var dealt = [][]float64{
	{10.1, 11.7, 9.35}, {8.2, 8.05, 8.83}, {12.4, 13.01, 10.2}, {9.9, 12.2, 11.04}, {10.7, 10.33, 14.9}, {11.5, 15.17, 10.61}, {7.6, 8.45, 9.28},
}

func tableOf(t *testing.T, variants int, paired bool) *table.Table {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap}}
	var cells [][]any
	for seed, values := range dealt {
		for v := range variants {
			at := seed
			if !paired {
				at = len(dealt)*v + seed
			}
			cells = append(cells, []any{fmt.Sprint(v, "-", seed), "succeeded", string(rune('a' + v)), at, values[v]})
		}
	}
	tab, err := table.Build(specs, cells)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// smallerSum is the smaller one of the sums of the ranks of differences above and
// below zero.
func smallerSum(diffs []float64) int {
	bySize := slices.Clone(diffs)
	slices.SortFunc(bySize, func(a, b float64) int { return int(math.Copysign(1, math.Abs(a)-math.Abs(b))) })
	plus := 0
	for i, d := range bySize {
		if d > 0 {
			plus += i + 1
		}
	}
	return min(plus, len(diffs)*(len(diffs)+1)/2-plus)
}

// beyondStudent reports whether a t test of 7 differences has p < 0.05: t is beyond
// 2.446912, as every table has it for 6 degrees of freedom.
func beyondStudent(diffs []float64) bool {
	mean, squares := 0.0, 0.0
	for _, d := range diffs {
		mean += d / 7
	}
	for _, d := range diffs {
		squares += (d - mean) * (d - mean)
	}
	return math.Abs(mean)/math.Sqrt(squares/6/7) > 2.446912
}

// everyDeal calls f with every way to deal the values of each pair to three variants.
func everyDeal(f func(dealt [][3]float64)) {
	orders := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	way := make([][3]float64, len(dealt))
	var next func(pair int)
	next = func(pair int) {
		if pair == len(dealt) {
			f(way)
			return
		}
		for _, o := range orders {
			for v, k := range o {
				way[pair][v] = dealt[pair][k]
			}
			next(pair + 1)
		}
	}
	next(0)
}

func minus(way [][3]float64, v int) []float64 {
	out := make([]float64, len(way))
	for i, values := range way {
		out[i] = values[v] - values[0]
	}
	return out
}

// TestCheckIsEveryDeal: the shares of the shuffles that tell a difference are those
// of all 279,936 ways to deal the values, counted here by the critical values that
// the tables of the tests print.
func TestCheckIsEveryDeal(t *testing.T) {
	const shuffles = 2000
	var ways, ranks, any, student int
	everyDeal(func(way [][3]float64) {
		ways++
		told := false
		for v := 1; v < 3; v++ {
			diffs := minus(way, v)
			sum := smallerSum(diffs)
			ranks += count(sum <= 2) // p is 6/128
			told = told || sum == 0  // by Holm p is to be below 0.025: 2/128 is, and 4/128 is not
			student += count(beyondStudent(diffs))
		}
		any += count(told)
	})
	got, err := Check(tableOf(t, 3, true), options(compare.Metric{Name: "y", Goal: "maximize"}), shuffles)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "signed ranks", got.Metrics[0], float64(ranks)/float64(2*ways), shuffles)
	near(t, "signed ranks, by Holm", got.Sweep, float64(any)/float64(ways), shuffles)
	if share := float64(ranks) / float64(2*ways); share != 6.0/128 {
		t.Errorf("the test is exact: 6 of 128, and here %v", share)
	}
	got, err = Check(tableOf(t, 3, true), options(compare.Metric{Name: "y", Goal: "maximize", By: compare.ByMean}), shuffles)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Student", got.Metrics[0], float64(student)/float64(2*ways), shuffles)
}

// TestCheckIsEveryDivision: so it is of two samples without pairs, all 3,432 ways to
// divide 14 values: U is at most 8, as the tables of Mann and Whitney's test say.
func TestCheckIsEveryDivision(t *testing.T) {
	const shuffles = 2000
	var ways, told int
	for set := range 1 << 14 {
		n, sum := 0, 0
		for rank := range 14 {
			if set>>rank&1 == 1 {
				n, sum = n+1, sum+rank+1
			}
		}
		if n == 7 {
			u := sum - 28
			ways, told = ways+1, told+count(min(u, 49-u) <= 8)
		}
	}
	got, err := Check(tableOf(t, 2, false), options(compare.Metric{Name: "y", Goal: "maximize"}), shuffles)
	if err != nil || got.Pairs {
		t.Fatal(err, got.Pairs)
	}
	near(t, "ranks", got.Metrics[0], float64(told)/float64(ways), shuffles)
}

// near demands a rate within four standard errors of what it must be.
func near(t *testing.T, what string, r Rate, want float64, shuffles int) {
	t.Helper()
	share := float64(r.Told) / float64(r.Of)
	t.Logf("%s: %.4f of %d, and %.4f of all ways", what, share, r.Of, want)
	if off := math.Abs(share - want); off > 4*math.Sqrt(want*(1-want)/float64(shuffles)) || want == 0 {
		t.Errorf("%s: %v of the shuffles, and %v of all ways", what, share, want)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
