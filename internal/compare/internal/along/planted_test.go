package along

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// A world is twelve regions over sixty nights. Each has a size and a noise of its own,
// weekends that differ, and a trend.
type world struct {
	dates  []string
	values [12][60]float64
}

// worldOf draws a world. weekend is by what Saturdays and Sundays are multiplied, growth
// the rise of a night.
func worldOf(r *rand.Rand, weekend, growth float64) (w world) {
	for d := range 60 {
		date := monday.AddDate(0, 0, d)
		w.dates = append(w.dates, date.Format(time.DateOnly))
		for k := range w.values {
			w.values[k][d] = 100 * float64(k+1) * (1 + growth*float64(d))
			if isWeekend(date) {
				w.values[k][d] *= weekend
			}
		}
	}
	for k := range w.values {
		noise := 0.01 + 0.05*r.Float64()
		for d := range w.values[k] {
			w.values[k][d] *= 1 + noise*r.NormFloat64()
		}
	}
	return w
}

// night is the world as it is after a night.
func (w *world) night(last int) (*Night, []*Series) {
	n, all := &Night{Dates: w.dates[:last+1]}, make([]*Series, len(w.values))
	for k := range all {
		all[k] = &Series{Name: fmt.Sprint(k), Values: slices.Clone(w.values[k][:last+1])}
	}
	return n, all
}

// usual is what is expected of a region on a night, and how far it may lie from that.
func (w *world) usual(region, night int) (expected, usual float64) {
	_, all := w.night(night)
	d, _ := all[region].departure(len(all), weekdays(w.dates[:night+1]))
	return d.Expected, d.Usual
}

// One region of twelve that on one of sixty nights lies six usual distances off is
// found, and quiet nights raise less than one alarm a month. FANOUT_TEST_LONG=1 does it
// for the fifty sweeps of each kind that docs/statistics.md speaks of.
func TestPlantedNights(t *testing.T) {
	sweeps := 3
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps = 50
	}
	for _, kind := range []struct {
		name            string
		weekend, growth float64
	}{{"level", 1, 0}, {"weekends", 0.7, 0}, {"trend", 1, 0.004}, {"weekends and trend", 0.75, 0.003}} {
		found, named, alarms, nights := 0, 0, 0, 0
		for i := range sweeps {
			r := rand.New(rand.NewPCG(21, uint64(i)))
			w := worldOf(r, kind.weekend, kind.growth)
			region, planted := r.IntN(12), 14+r.IntN(46)
			expected, usual := w.usual(region, planted)
			w.values[region][planted] = expected + 6*usual*float64(1-2*r.IntN(2))
			for last := 7; last < 60; last++ {
				n, all := w.night(last)
				n.Hold(all)
				raised := len(n.Unusual) > 0 || n.Together != nil
				switch {
				case last != planted:
					nights++
					if raised {
						alarms++
					}
				case slices.ContainsFunc(n.Unusual, func(d Departure) bool { return d.Name == fmt.Sprint(region) }):
					found++
					if n.Unusual[0].Name == fmt.Sprint(region) {
						named++
					}
				}
			}
		}
		month := 30 * float64(alarms) / float64(nights)
		t.Logf("%s: found %d of %d, first in the list %d times; %d alarms in %d other nights, %.2f a sweep and month", kind.name, found, sweeps, named, alarms, nights, month)
		if found != sweeps {
			t.Errorf("%s: found %d of %d", kind.name, found, sweeps)
		}
		if limit := 1 + 30*3*math.Sqrt(0.033/float64(nights)); month > limit {
			t.Errorf("%s: %.2f alarms a sweep and month, more than %.2f", kind.name, month, limit)
		}
	}
}
