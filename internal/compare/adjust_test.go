package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A drawing is a kind of sweep of two variants whose runs have a covariate n, which
// explains y. b's y is effect higher, and its covariate moved.
type drawing struct {
	seeds         int // a region
	regions       []string
	paired        bool
	effect, moved float64
}

func (d drawing) draw(r *rand.Rand) (rows []row) {
	for k, region := range d.regions {
		for seed := range d.seeds {
			common := r.NormFloat64()
			for i, v := range []string{"a", "b"} {
				x := r.NormFloat64() + d.moved*float64(i)
				y := 10 + 5*float64(k) + 2*x + r.NormFloat64() + d.effect*float64(i)
				at := seed
				if !d.paired {
					at = 2*seed + i
				} else {
					y += common
				}
				// What a variant changes differs by region.
				y += float64(i) * (float64(k) - float64(len(d.regions)-1)/2) * 3
				rows = append(rows, row{variant: v, region: region, seed: at, y: y, n: x})
			}
		}
	}
	return rows
}

var oneRegion, fourRegions = []string{"eu"}, []string{"apac", "eu", "latam", "us"}

// TestAdjusted: what a covariate, or the regions, explain is taken from the change:
// no more false alarms, the interval holds the effect, and it is narrower.
func TestAdjusted(t *testing.T) {
	sweeps := 200
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps = 2000
	}
	for name, c := range map[string]struct {
		drawing
		m Metric
	}{
		"ranks, 8 pairs":              {drawing{seeds: 8, regions: oneRegion, paired: true}, Metric{Adjust: "n"}},
		"ranks, 30 pairs":             {drawing{seeds: 30, regions: oneRegion, paired: true}, Metric{Adjust: "n"}},
		"ranks, samples":              {drawing{seeds: 8, regions: oneRegion}, Metric{Adjust: "n"}},
		"means, 6 pairs":              {drawing{seeds: 6, regions: oneRegion, paired: true}, Metric{Adjust: "n", By: ByMean}},
		"means, samples":              {drawing{seeds: 6, regions: oneRegion}, Metric{Adjust: "n", By: ByMean}},
		"within, pairs":               {drawing{seeds: 4, regions: fourRegions, paired: true}, Metric{Within: "region"}},
		"within, means":               {drawing{seeds: 4, regions: fourRegions}, Metric{Within: "region", By: ByMean}},
		"within, samples":             {drawing{seeds: 5, regions: fourRegions}, Metric{Within: "region"}},
		"within and adjusted, pairs":  {drawing{seeds: 4, regions: fourRegions, paired: true}, Metric{Within: "region", Adjust: "n"}},
		"within and adjusted, a step": {drawing{seeds: 4, regions: fourRegions, paired: true, effect: 4}, Metric{Within: "region", Adjust: "n"}},
		"ranks, a step":               {drawing{seeds: 12, regions: oneRegion, paired: true, effect: 3}, Metric{Adjust: "n"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(13, uint64(len(name))))
			wrong, held, saved := 0, 0, 0.0
			c.m.Goal = "maximize"
			for range sweeps {
				mt := compareY(t, c.draw(r), c.m)
				a := mt.Groups[1].Against
				if a.Plain == nil {
					if len(mt.Warnings) == 0 {
						t.Fatalf("not adjusted: %+v", a)
					}
					continue // the covariate differs by chance, as in one of a thousand sweeps
				}
				if c.effect == 0 && a.Verdict != Unclear && a.Verdict != TooFew {
					wrong++
				}
				if a.Lo <= c.effect && c.effect <= a.Hi {
					held++
				}
				saved += a.Saved / float64(sweeps)
			}
			t.Logf("%.1f%% false, %.1f%% hold, %.0f%% of the variance saved", 100*float64(wrong)/float64(sweeps), 100*float64(held)/float64(sweeps), 100*saved)
			slack := 3 * math.Sqrt(0.05*0.95*float64(sweeps))
			if float64(wrong) > 0.05*float64(sweeps)+slack || float64(held) < 0.95*float64(sweeps)-slack || saved < 0.3 {
				t.Errorf("of %d sweeps %d are false alarms, and %d intervals hold; %.2f of the variance saved", sweeps, wrong, held, saved)
			}
		})
	}
}

// TestNotAdjusted: where a covariate is missing, or the variant reaches it, the plain
// change stands and a sentence says why.
func TestNotAdjusted(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 19))
	rows := drawing{seeds: 12, regions: oneRegion, paired: true}.draw(r)
	plain := compareY(t, rows, Metric{}).Groups[1].Against
	missing := drawing{seeds: 12, regions: oneRegion, paired: true}.draw(rand.New(rand.NewPCG(17, 19)))
	missing[3].n = nil
	moved := drawing{seeds: 12, regions: oneRegion, paired: true, moved: 4}.draw(r)
	same := drawing{seeds: 12, regions: oneRegion, paired: true}.draw(r)
	for i := range same {
		same[i].n = float64(same[i].seed)
	}
	for name, c := range map[string]struct {
		rows []row
		m    Metric
		want string
	}{
		"missing for one":    {missing, Metric{Adjust: "n"}, "y is not adjusted by n: 1 of 24 runs recorded no number for it, such as variant=b region=eu seed=1, and a comparison without them would be another one; record it in every run. Its plain change stands"},
		"recorded by none":   {rows, Metric{Adjust: "before"}, "y is not adjusted by before: no run recorded it as a number. Its plain change stands"},
		"the variant's":      {moved, Metric{Adjust: "n"}, "y is not adjusted by n: it differs from the baseline's in b (p <0.001), so the variant reaches it, and adjusting would hide a part of the effect; adjust by what was known before. Its plain change stands"},
		"the pair's":         {same, Metric{Adjust: "n"}, "the change of b is not adjusted: there are too few runs for it, it does not vary, or n is the same in both runs of every pair"},
		"within one":         {rows, Metric{Within: "region"}, "y is not compared within region: it has one value here"},
		"within the variant": {rows, Metric{Within: "variant"}, "y is not compared within variant: its values make the groups here"},
		"within nothing":     {rows, Metric{Within: "country"}, "y is not compared within country: the table has no such column"},
	} {
		mt := compareY(t, c.rows, c.m)
		if a := mt.Groups[1].Against; a.Plain != nil || mt.Adjusted != "" || len(mt.Warnings) != 1 || mt.Warnings[0] != c.want {
			t.Errorf("%s: %+v, %q\n%q, want\n%q", name, a.Plain, mt.Adjusted, mt.Warnings, c.want)
		} else if name == "missing for one" && a.Shift != plain.Shift {
			t.Errorf("%s: the change is %v, and the plain one %v", name, a.Shift, plain.Shift)
		}
	}
}

// TestSaving: the sentence says how much was saved, and the plain change stays.
func TestSaving(t *testing.T) {
	rows := drawing{seeds: 12, regions: oneRegion, paired: true}.draw(rand.New(rand.NewPCG(17, 19)))
	plain, mt := compareY(t, rows, Metric{}).Groups[1].Against, compareY(t, rows, Metric{Adjust: "n"})
	a := mt.Groups[1].Against
	if a.Plain == nil || a.Plain.Shift != plain.Shift || a.Plain.P != plain.P || a.Plain.RelLo != plain.RelLo || a.Hi-a.Lo > (plain.Hi-plain.Lo)/1.5 {
		t.Fatalf("%+v beside %+v, unadjusted %+v", a, a.Plain, plain)
	}
	if want := fmt.Sprintf("The change is adjusted by n, which explains %.0f%% of its variance: as good as %s times as many runs.", 100*a.Saved, unit.Number(math.Round(10/(1-a.Saved))/10)); mt.Adjusted != want {
		t.Errorf("%q, want %q", mt.Adjusted, want)
	}
}
