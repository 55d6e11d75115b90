package decide

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// A plan is a sweep whose runs have normal values of known deviation, 1, so that
// nothing but the levels of its looks decides what is found.
type plan struct {
	first, most, variants int
	effect                float64 // of the first variant
}

// follow draws one sweep and says at which look the effect is found, and whether one
// look at all replicates finds it. levels are those of the looks.
func (p plan) follow(r *rand.Rand, at []int, levels []float64) (look int, once bool) {
	sums, told := make([]float64, p.variants), make([]bool, p.variants)
	family := make([]float64, p.variants)
	look, last := -1, 0
	for i, n := range at {
		step := math.Sqrt(float64(n - last))
		base := step * r.NormFloat64()
		for v := range sums {
			sums[v] += step*r.NormFloat64() - base
			if v == 0 {
				sums[v] += p.effect * float64(n-last)
			}
			family[v] = math.Erfc(math.Abs(sums[v]) / math.Sqrt(2*float64(n)) / math.Sqrt2)
		}
		last, once = n, stats.Holm(family)[0] < Alpha
		for v := range family {
			if told[v] {
				family[v] = 0
			}
		}
		for v, adjusted := range stats.Holm(family) {
			told[v] = told[v] || adjusted < levels[i]
		}
		if told[0] && look < 0 {
			look = i
		}
	}
	return look, once
}

// looksOf are the replicates at each look of a plan, with their levels.
func (p plan) looksOf(level func(last, next int) float64) (at []int, levels []float64) {
	for n, last := p.first, 0; ; last, n = n, Next(n, p.most) {
		at, levels = append(at, n), append(levels, level(last, n))
		if n == p.most {
			return at, levels
		}
	}
}

// TestWhatLooksCost: how often an effect is found less than by one look at all
// replicates follows from the level that is left for the last look.
// go test -run TestWhatLooksCost -v prints what docs/statistics.md says.
func TestWhatLooksCost(t *testing.T) {
	sweeps := 4000
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps = 100_000
	}
	for _, p := range []plan{{5, 60, 1, 0.55}, {40, 60, 1, 0.55}, {2, 210, 1, 0.3}, {5, 60, 4, 0.62}, {5, 60, 10, 0.66}} {
		at, levels := p.looksOf(func(last, next int) float64 { return Level(Alpha, last, next, p.most) })
		r := rand.New(rand.NewPCG(uint64(p.most), uint64(p.variants)))
		found, fixed := 0, 0
		for range sweeps {
			look, once := p.follow(r, at, levels)
			found, fixed = found+count(look >= 0), fixed+count(once)
		}
		lost := float64(fixed-found) / float64(sweeps)
		t.Logf("%+v: the last of %d looks is at %.2f%%; found %.1f%%, by one look %.1f%%: %.1f points", p, len(at), 100*levels[len(at)-1], 100*float64(found)/float64(sweeps), 100*float64(fixed)/float64(sweeps), 100*lost)
		if lost < 0 || lost > 0.03+3*math.Sqrt(0.03/float64(sweeps)) {
			t.Errorf("%+v: %d found, %d by a single look", p, found, fixed)
		}
	}
}
