package decide

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestSpentIsPublished: the cumulative exit probabilities for five equal looks
// at two-sided 0.05, as printed by Reboussin, DeMets, Kim and Lan, "Computations
// for group sequential boundaries using the Lan-DeMets spending function
// method", Controlled Clinical Trials 21 (2000), and its program ld98.
func TestSpentIsPublished(t *testing.T) {
	for i, want := range []float64{0.00000, 0.00079, 0.00762, 0.02442, 0.05000} {
		if got := Spent(0.05, float64(i+1)/5); math.Abs(got-want) > 5e-6 {
			t.Errorf("at %d/5: %.6f, want %.5f", i+1, got, want)
		}
	}
}

// TestSpentIsScipys compares with scipy.stats.norm; testdata/spend.py writes the
// values.
func TestSpentIsScipys(t *testing.T) {
	text, err := os.ReadFile("testdata/spend.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Alpha, T, Spent float64 }
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) < 50 {
		t.Fatal(err, len(cases))
	}
	for _, c := range cases {
		if got := Spent(c.Alpha, c.T); math.Abs(got-c.Spent) > 1e-6 || c.Spent > 1e-12 && math.Abs(got/c.Spent-1) > 1e-6 {
			t.Errorf("Spent(%g, %g) = %g, scipy says %g", c.Alpha, c.T, got, c.Spent)
		}
	}
}

// TestLevelsAddUp: whatever the looks, all of alpha is spent at the last, never
// more, and every next look waits for more replicates.
func TestLevelsAddUp(t *testing.T) {
	for n := 1; n < 40; n++ {
		for most := n; most < 300; most += 7 {
			sum, looks := 0.0, 0
			for last, at := 0, n; ; last, at = at, Next(at, most) {
				level := Level(0.05, last, at, most)
				if level < 0 || at <= last || at > most {
					t.Fatalf("%d to %d: look at %d after %d spends %g", n, most, at, last, level)
				}
				sum += level
				if looks++; at == most {
					break
				}
			}
			if math.Abs(sum-0.05) > 1e-12 || looks > 18 {
				t.Fatalf("%d to %d: %d looks spend %g", n, most, looks, sum)
			}
		}
	}
}
