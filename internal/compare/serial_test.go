package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// alike makes days of two variants, each a walk of its own in which a day
// resembles the one before as much as rho says; b is shifted.
func alike(r *rand.Rand, days int, rho, shift float64) []row {
	var rows []row
	for _, variant := range []string{"a", "b"} {
		level := r.NormFloat64()
		for day := range days {
			if day > 0 {
				level = rho*level + math.Sqrt(1-rho*rho)*r.NormFloat64()
			}
			y := 10 + level
			if variant == "b" {
				y += shift
			}
			rows = append(rows, row{variant: variant, region: fmt.Sprintf("2026-03-%02d", day), y: y})
		}
	}
	return rows
}

func compareDays(t *testing.T, rows []row) MetricTable {
	t.Helper()
	r, err := Compare(tableOf(t, rows), Options{
		Metrics: []Metric{{Name: "y", Goal: "maximize"}}, Axes: []Axis{{Name: "variant"}, {Name: "region", Ordered: true}}, Baseline: at("variant", "a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Metrics[0]
}

// Days that resemble their neighbours are no independent samples: where
// nothing differs, one sweep in twenty may say so all the same.
func TestFalseVerdictsOfDays(t *testing.T) {
	for _, rho := range []float64{0, 0.3, 0.6, 0.8} {
		r := rand.New(rand.NewPCG(25, 26))
		const sweeps = 400
		wrong := 0
		for range sweeps {
			if v := compareDays(t, alike(r, 40, rho, 0)).Groups[1].Against.Verdict; v == Better || v == Worse {
				wrong++
			}
		}
		within(t, fmt.Sprintf("autocorrelation %.1f", rho), wrong, sweeps, 0.05)
		t.Logf("autocorrelation %.1f: %d of %d", rho, wrong, sweeps)
	}
}

func TestPowerOfDays(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	const sweeps = 100
	for rho, shift := range map[float64]float64{0: 1, 0.6: 2.5} {
		found := 0
		for range sweeps {
			if compareDays(t, alike(r, 40, rho, shift)).Groups[1].Against.Verdict == Better {
				found++
			}
		}
		if found < 80 {
			t.Errorf("autocorrelation %.1f: found %d of %d", rho, found, sweeps)
		}
	}
}

func TestResemblanceIsSaid(t *testing.T) {
	mt := compareDays(t, alike(rand.New(rand.NewPCG(1, 1)), 60, 0.8, 0))
	a := mt.Groups[1].Against
	if a.Effective < 2 || a.Effective > 30 || len(mt.Warnings) != 1 || !strings.Contains(mt.Warnings[0], "neighbouring values of region") {
		t.Errorf("%+v, %q", a, mt.Warnings)
	}
}

// Missing pairs withhold the verdict where they could turn the change, and
// only there.
func TestMissingPairsWithholdTheVerdict(t *testing.T) {
	for missing, want := range map[int]Verdict{0: Better, 2: Better, 6: Withheld} {
		rows := seeds(12, 0.1)
		for i := range missing {
			rows[2*i+1].status = "failed"
		}
		mt := compareY(t, rows, Metric{Goal: "maximize"})
		if a := mt.Groups[1].Against; a.Verdict != want || a.Pairs != 12-missing || a.Possible != 12 {
			t.Errorf("%d missing: %+v", missing, a)
		}
		if said := strings.Contains(mt.Verdict, "6 of 12 pairs) is not judged"); said != (want == Withheld) {
			t.Errorf("%d missing: %q", missing, mt.Verdict)
		}
	}
}
