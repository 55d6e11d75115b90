package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// within fails the test when a rate that should be at most alpha is above it
// by more than three standard errors.
func within(t *testing.T, what string, n, of int, alpha float64) {
	t.Helper()
	if got, most := float64(n)/float64(of), alpha+3*math.Sqrt(alpha*(1-alpha)/float64(of)); got > most {
		t.Errorf("%s: %d of %d, %.3f, want at most %.3f", what, n, of, got, most)
	}
}

// Permutations of skewed samples that do not differ call them different once
// in twenty, whether all are tried or some are drawn.
func TestFalsePermutations(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	draw := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.ExpFloat64()
		}
		return x
	}
	for _, n := range []int{6, 10, 30} {
		const tries = 150
		flipped, dealt := 0, 0
		for range tries {
			a, b := draw(n), draw(n)
			diffs := make([]float64, n)
			for i := range diffs {
				diffs[i] = b[i] - a[i]
			}
			if p, _ := flips(diffs, r); p < 0.05 {
				flipped++
			}
			if p, _ := deals(a, draw(n-2), r); p < 0.05 {
				dealt++
			}
		}
		within(t, fmt.Sprintf("%d pairs", n), flipped, tries, 0.05)
		within(t, fmt.Sprintf("two samples of %d", n), dealt, tries, 0.05)
	}
}

// As many samples as a report asks for are enough four times in five.
func TestNeedIsEnough(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	const effect, alpha = 0.5, 0.01
	draw := func(n int, shift float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64() + shift
		}
		slices.Sort(x)
		return x
	}
	// What is asked for varies with the sample; its median is the promise.
	var needs []float64
	for range 200 {
		if c := Ranks.Two(draw(20, 0), draw(20, effect), 0.95); math.Abs(c.Shift-effect) < 0.1 {
			needs = append(needs, Needed(c, 20, alpha, 0.95))
		}
	}
	n := int(medianOf(needs))
	found := 0
	for range 200 {
		if Ranks.Two(draw(n, 0), draw(n, effect), 0.95).P < alpha {
			found++
		}
	}
	if power := float64(found) / 200; power < 0.7 || power > 0.9 {
		t.Errorf("%d samples a side find it in %.2f of sweeps, want about 0.8", n, power)
	}
}

// The exact test against enumeration of all sign patterns.
func TestSignedRankIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		n := 3 + rng.IntN(8)
		diffs := make([]float64, n)
		for i := range diffs {
			diffs[i] = float64(rng.IntN(9) - 4) // ties and zeros
		}
		if got, want := signedRank(diffs), enumerate(diffs); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v: p = %v, enumeration says %v", diffs, got, want)
		}
	}
}

func enumerate(diffs []float64) float64 {
	var abs []float64
	var sign []bool
	for _, d := range diffs {
		if d != 0 {
			abs, sign = append(abs, math.Abs(d)), append(sign, d > 0)
		}
	}
	if len(abs) == 0 {
		return 1
	}
	rank := make([]float64, len(abs))
	for i := range abs {
		rank[i] = 0.5
		for j := range abs {
			switch {
			case abs[j] < abs[i]:
				rank[i]++
			case abs[j] == abs[i]:
				rank[i] += 0.5
			}
		}
	}
	total, seen := 0.0, 0.0
	for i, r := range rank {
		total += r
		if sign[i] {
			seen += r
		}
	}
	low, extreme := math.Min(seen, total-seen), 0
	for mask := range 1 << len(abs) {
		s := 0.0
		for i, r := range rank {
			if mask>>i&1 == 1 {
				s += r
			}
		}
		if s <= low+1e-9 {
			extreme++
		}
	}
	return math.Min(1, 2*float64(extreme)/float64(int(1)<<len(abs)))
}

// Of many places the slope comes from fewer pairs, and is the same.
func TestSlopeOfManyPlaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var at []int
	var y []float64
	for i := range 1000 {
		at, y = append(at, i), append(y, 0.5*float64(i)+rng.NormFloat64())
	}
	if got := theilSen(at, y); math.Abs(got-0.5) > 0.001 {
		t.Errorf("slope %v, want 0.5", got)
	}
}
