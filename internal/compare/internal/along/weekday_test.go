package along

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// weekly is three regions whose values are multiplied by weekend on Saturdays
// and Sundays, and rise by growth of their first value each day.
type weekly struct {
	weekend, noise, growth float64
	everyDay               bool // noise is the same on all days
}

// monday is the first date.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// night is the last of nights+1 dates; tonight is by what its values are
// multiplied.
func (w weekly) night(r *rand.Rand, nights int, tonight func(region int) float64) *Night {
	n := &Night{}
	all := make([]*Series, 3)
	for k := range all {
		all[k] = &Series{Name: fmt.Sprint(k)}
	}
	for d := range nights + 1 {
		date := monday.AddDate(0, 0, d)
		n.Dates = append(n.Dates, date.Format(time.DateOnly))
		for k, s := range all {
			level := 100 * float64(k+1) * (1 + w.growth*float64(d))
			y := level
			if isWeekend(date) {
				y *= w.weekend
			}
			if w.everyDay {
				y += level * w.noise * r.NormFloat64()
			} else {
				y *= 1 + w.noise*r.NormFloat64()
			}
			if d == nights {
				y *= tonight(k)
			}
			s.Values = append(s.Values, y)
		}
	}
	n.Hold(all)
	return n
}

func isWeekend(date time.Time) bool {
	return date.Weekday() == time.Saturday || date.Weekday() == time.Sunday
}

func asEver(int) float64 { return 1 }

// found is how often two kinds of nights, on weekdays and on weekends, raised an
// alarm.
type found struct{ alarms, nights [2]float64 }

func (f *found) add(kind int, n *Night) {
	f.nights[kind]++
	if len(n.Unusual) > 0 || n.Together != nil {
		f.alarms[kind]++
	}
}

// check fails where more than 2% of nights, and three standard errors, raised an
// alarm: one in a hundred for the regions, and another for all together.
func (f *found) check(t *testing.T, what string) {
	t.Helper()
	for kind, of := range []string{"weekdays", "weekends"} {
		rate := f.alarms[kind] / f.nights[kind]
		t.Logf("%s: %.0f of %.0f %s (%.4f)", what, f.alarms[kind], f.nights[kind], of, rate)
		if limit := 0.02 + 3*math.Sqrt(0.02*0.98/f.nights[kind]); rate > limit {
			t.Errorf("%s: %.4f of %s raise an alarm, more than %.4f", what, rate, of, limit)
		}
	}
}

// Where weekends differ, nights on which nothing happens raise an alarm on
// weekends as seldom as on other days.
func TestFalseAlarmsOfWeekends(t *testing.T) {
	var all found
	for _, w := range []weekly{
		{weekend: 1, noise: 0.05},
		{weekend: 0.7, noise: 0.05},
		{weekend: 0.7, noise: 0.05, everyDay: true},
		{weekend: 0.85, noise: 0.05},
		{weekend: 0.2, noise: 0.05},
		{weekend: 1.5, noise: 0.1},
		{weekend: 0.7, noise: 0.05, growth: 0.005},
		{weekend: 0.3, noise: 0.03, growth: 0.01},
	} {
		var one found
		r := rand.New(rand.NewPCG(11, uint64(100*w.weekend+1000*w.growth)))
		for range 60 {
			for _, span := range [][2]int{{8, 21}, {22, 41}, {42, 62}, {63, 98}, {99, 140}, {141, 200}} {
				n := span[0] + r.IntN(span[1]-span[0]+1)
				kind := 0
				if isWeekend(monday.AddDate(0, 0, n)) {
					kind = 1
				}
				night := w.night(r, n, asEver)
				one.add(kind, night)
				all.add(kind, night)
			}
		}
		one.check(t, fmt.Sprintf("%+v", w))
	}
	all.check(t, "all")
}

// A region that triples on a Saturday or halves on a Wednesday is found, by the
// earlier days of its weekday.
func TestFaultsAmongWeekends(t *testing.T) {
	for _, growth := range []float64{0, 0.005} {
		for week := 6; week <= 28; week++ {
			for day, by := range map[time.Weekday]float64{time.Wednesday: 0.5, time.Saturday: 3} {
				r := rand.New(rand.NewPCG(5, uint64(week)))
				n := weekly{weekend: 0.7, noise: 0.05, growth: growth}.night(r, 7*week+int(day)-1, func(region int) float64 {
					if region == 1 {
						return by
					}
					return 1
				})
				if len(n.Unusual) != 1 || n.Unusual[0].Name != "1" || n.Together != nil {
					t.Fatalf("%v, week %d, growth %v: %+v, %+v", day, week, growth, n.Unusual, n.Together)
				}
				d := n.Unusual[0]
				if d.Weekday != day.String() || d.Earlier != week || math.Abs(d.Value/d.Expected/by-1) > 0.25 {
					t.Errorf("%v, week %d, growth %v: %+v", day, week, growth, d)
				}
			}
		}
	}
}

// Regions that grow and all fall lie below what is expected by as much together
// as each.
func TestTogetherIsRelativeToWhatIsExpected(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	n := weekly{weekend: 0.7, noise: 0.01, growth: 0.01}.night(r, 100, func(int) float64 { return 0.7 })
	if len(n.Unusual) != 3 || n.Together == nil {
		t.Fatalf("%d unusual, together %+v", len(n.Unusual), n.Together)
	}
	least, most := 0.0, -1.0
	for _, d := range n.Unusual {
		least, most = math.Min(least, d.Off()/d.Expected), math.Max(most, d.Off()/d.Expected)
	}
	if off := n.Together.Off(); off < least-0.01 || off > most+0.01 {
		t.Errorf("together %v, each %v to %v", off, least, most)
	}
}

// Hours and months have no weekdays.
func TestAxesThatAreNotOfDays(t *testing.T) {
	if w := weekdays([]string{"2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z"}); w != nil {
		t.Errorf("hours have weekdays %v", w)
	}
	if w := weekdays([]string{"2026-01-01", "2026-02-01", "2026-03-01"}); w != nil {
		t.Errorf("months have weekdays %v", w)
	}
	if w := weekdays([]string{"2026-01-05T00:00:00+01:00", "2026-01-10T00:00:00+01:00"}); len(w) != 2 || w[0] != 1 || w[1] != 6 {
		t.Errorf("days with their time have weekdays %v", w)
	}
}
