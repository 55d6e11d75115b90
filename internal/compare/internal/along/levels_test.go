package along

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const nights = 60

// dates are those of nights, from a Monday.
func dates() []string {
	var names []string
	for d := range nights {
		names = append(names, monday.AddDate(0, 0, d).Format(time.DateOnly))
	}
	return names
}

// regional are values of twelve regions, but for those that are missing: about
// one night in eight, and the last region before its fortieth night.
func regional(r *rand.Rand, missing bool, value func(region, night int) float64) []Point {
	var points []Point
	for region := range 12 {
		for night := range nights {
			if missing && (r.IntN(8) == 0 || region == 11 && night < 40) {
				continue
			}
			points = append(points, Point{region, night, value(region, night)})
		}
	}
	return points
}

// A region that is missing on some nights changes no level: where there is no
// noise the trend is exactly the one that is in the values.
func TestMissingSeriesAreNoChange(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	size := func(region int) float64 { return 10 * math.Pow(2.5, float64(region)) }
	for name, c := range map[string]struct {
		value            func(region, night int) float64
		change, relative float64 // NaN where none is demanded
	}{
		"in proportion": {func(region, night int) float64 { return size(region) * (1 + 0.01*float64(night)) }, math.NaN(), 59 * 0.01 / (1 + 29.5*0.01)},
		"as sums":       {func(region, night int) float64 { return float64(100*region-600) + 3*float64(night) }, 59 * 3, math.NaN()},
		"with zeros": {func(region, night int) float64 {
			if night == 30 {
				return 0
			}
			return size(region) * (1 + 0.01*float64(night))
		}, math.NaN(), math.NaN()},
	} {
		for _, missing := range []bool{false, true} {
			trend, ok := TrendOf("day", regional(r, missing, c.value), dates())
			if !ok || trend.Periods != nights {
				t.Fatalf("%s: %+v", name, trend)
			}
			if !math.IsNaN(c.change) && math.Abs(trend.Change/c.change-1) > 1e-9 || !math.IsNaN(c.relative) && math.Abs(trend.Relative/c.relative-1) > 1e-9 {
				t.Errorf("%s, missing %v: change %v, want %v; relative %v, want %v", name, missing, trend.Change, c.change, trend.Relative, c.relative)
			}
			var odd []string
			for _, o := range trend.Odd {
				odd = append(odd, o.Period)
			}
			want := []string(nil)
			if name == "with zeros" {
				want = []string{dates()[30]}
			}
			if d := cmp.Diff(want, odd); d != "" {
				t.Errorf("%s, missing %v: odd places (-want +got):\n%s", name, missing, d)
			}
		}
	}
}

// Weekends that are lower are not odd, and one that is as weekdays are is, also
// where regions are missing.
func TestOddPlacesKnowWeekdays(t *testing.T) {
	const sweeps = 40
	quiet, found := 0, 0
	for i := range sweeps {
		r := rand.New(rand.NewPCG(43, uint64(i)))
		value := func(saturday bool) func(region, night int) float64 {
			return func(region, night int) float64 {
				y := 10 * math.Pow(2.5, float64(region)) * (1 + 0.005*float64(night)) * (1 + r.NormFloat64()/20)
				if isWeekend(monday.AddDate(0, 0, night)) && !(saturday && night == 33) {
					y *= 0.5
				}
				return y
			}
		}
		trend, _ := TrendOf("day", regional(r, true, value(false)), dates())
		if !trend.Weekdays {
			t.Errorf("sweep %d: weekdays do not differ", i)
		}
		quiet += len(trend.Odd)
		trend, _ = TrendOf("day", regional(r, true, value(true)), dates())
		for _, o := range trend.Odd {
			if o.Period == dates()[33] && o.Relative > 0.3 {
				found++
			}
		}
	}
	t.Logf("%d odd places in %d, %d of %d found", quiet, sweeps*nights, found, sweeps)
	if quiet > sweeps*nights/100 || found < sweeps {
		t.Errorf("%d odd places where nothing is, %d of %d found", quiet, found, sweeps)
	}
}

// Percents of a median near zero say nothing.
func TestChangesOfWhatHasNoSize(t *testing.T) {
	r := rand.New(rand.NewPCG(44, 44))
	for _, series := range []int{1, 3} {
		var points []Point
		for s := range series {
			for night := range nights {
				points = append(points, Point{s, night, 10*r.NormFloat64() + 0.01})
			}
		}
		trend, ok := TrendOf("day", points, dates())
		if !ok || !math.IsNaN(trend.Relative) || !math.IsNaN(trend.UsualRelative) || math.IsNaN(trend.Change) || math.IsNaN(trend.Usual) {
			t.Errorf("%d series: %+v", series, trend)
		}
		for i := range points {
			points[i].Value += 100
		}
		if trend, _ := TrendOf("day", points, dates()); math.Abs(trend.Relative-trend.Change/100) > 0.1*math.Abs(trend.Change/100) {
			t.Errorf("%d series: %+v", series, trend)
		}
	}
}

// Runs of one series at one place count once, so that missing replicates move
// nothing.
func TestReplicatesCountTogether(t *testing.T) {
	var points []Point
	for night := range nights {
		for seed := range 1 + night%3 {
			points = append(points, Point{0, night, 100 + float64(night)}, Point{1, night, 1000 + float64(night) + float64(seed-(night%3)/2)})
		}
	}
	trend, _ := TrendOf("day", points, dates())
	if math.Abs(trend.Change-59) > 1.5 || len(trend.Odd) > 0 {
		t.Errorf("%+v", trend)
	}
	if got := fmt.Sprint(cellsOf([]Point{{7, 1, 3}, {7, 1, 1}, {2, 0, 5}, {7, 1, 10}})); got != "[{0 0 5} {1 1 3}]" {
		t.Error(got)
	}
}

// Levels that are equal are equal, also of decimals, and those that are not are
// polished to the end: p is that of a polish in exact fractions.
func TestLevelsAreExact(t *testing.T) {
	for k, want := range map[int]float64{4: 0.860168348755419, 5: 0.8030689162424587, 8: 0.7837769324145688, 10: 0.6706751925805061} {
		for _, unit := range []float64{1, 0.1} {
			var points []Point
			for s := range 6 {
				for p := range 24 {
					whole := 80*s - 300 + (s*s*k+p*p*3+p*5*s+k*p*s*s)%17
					points = append(points, Point{s, p, float64(whole) * unit})
				}
			}
			if trend, _ := TrendOf("day", points, dates()[:24]); math.Abs(trend.P-want) > 1e-12 {
				t.Errorf("%d in units of %v: p %v, want %v", k, unit, trend.P, want)
			}
		}
	}
}
