package stats

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

func places(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

// Nights on which nothing happens raise an alarm about once in a hundred,
// however long the history is and however many series are watched.
func TestFalseAlarmsOfTheNextValue(t *testing.T) {
	sizes := []int{MinHistory, 11, 30}
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sizes = append(sizes, 100, 400)
	}
	for _, n := range sizes {
		for _, family := range []int{1, 12} {
			r := rand.New(rand.NewPCG(uint64(n), uint64(family)))
			const nights = 500
			alarms := 0
			for range nights {
				for range family {
					y := make([]float64, n)
					for i := range y {
						y[i] = 100 + r.NormFloat64()
					}
					if Expect(places(n), y, n, family, nil).Unusual(100 + r.NormFloat64()) {
						alarms++
						break
					}
				}
			}
			rate := float64(alarms) / nights
			t.Logf("%d earlier values, %d series: %.4f", n, family, rate)
			if limit := alarmAlpha + 3*math.Sqrt(alarmAlpha*(1-alarmAlpha)/nights); rate > limit {
				t.Errorf("%d earlier values, %d series: %.4f of nights raise an alarm, more than %.4f", n, family, rate, limit)
			}
		}
	}
}

func TestExpect(t *testing.T) {
	flat := []float64{10, 11, 9, 10, 10.5, 9.5, 10, 10.2, 9.8, 10.1}
	rising := make([]float64, 30)
	for i := range rising {
		rising[i] = 50 + 2*float64(i) + float64(i*7%5)/10
	}
	weekly := make([]float64, 28)
	for i := range weekly {
		weekly[i] = 100 + float64(i*3%4)
		if i%7 >= 5 {
			weekly[i] = 60 + float64(i*3%4)
		}
	}
	for name, c := range map[string]struct {
		history []float64
		next    float64
		unusual bool
		onLine  bool
	}{
		"as ever":                    {flat, 10.4, false, false},
		"three times":                {flat, 30, true, false},
		"nothing":                    {flat, 0, true, false},
		"on the line":                {rising, 110.2, false, true},
		"below the line":             {rising, 80, true, true},
		"a constant goes on":         {[]float64{5, 5, 5, 5, 5, 5, 5}, 5, false, false},
		"a constant, but rounding":   {[]float64{0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3}, 0.1 + 0.2, false, false},
		"a constant ends":            {[]float64{5, 5, 5, 5, 5, 5, 5}, 5.1, true, false},
		"always zero, and one":       {[]float64{0, 0, 0, 0, 0, 0, 0}, 1, true, false},
		"always zero":                {[]float64{0, 0, 0, 0, 0, 0, 0}, 0, false, false},
		"a fault of last night":      {append([]float64{30}, flat...), 30, true, false},
		"seldom, but not for once":   {[]float64{0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0}, 1, false, false},
		"a weekend among other days": {weekly, 61, false, false},
	} {
		e := Expect(places(len(c.history)), c.history, len(c.history), 12, nil)
		if got := e.Unusual(c.next); got != c.unusual || e.OnLine != c.onLine {
			t.Errorf("%s: unusual is %v, want %v (%+v)", name, got, c.unusual, e)
		}
	}
}

// Values are held against those of their weekday, from the day on that weekdays
// are shown to differ; before that, a weekday that was as far off is no alarm.
func TestExpectOfWeekdays(t *testing.T) {
	week := []float64{100, 100, 100, 100, 100, 70, 70}
	series := func(days int, noise float64) []float64 {
		y := make([]float64, days)
		for i := range y {
			y[i] = week[i%7] + noise*float64(i*5%8-4)
		}
		return y
	}
	with := func(y []float64, at int, value float64) []float64 {
		y[at] = value
		return y
	}
	for name, c := range map[string]struct {
		history  []float64
		next     float64
		unusual  bool
		weekday  bool
		constant bool
		from     int
	}{
		"a Saturday":                          {series(40, 0.5), 71, false, true, false, 5},
		"a Saturday like other days":          {series(40, 0.5), 100, true, true, false, 5},
		"a Monday":                            {series(42, 0.5), 101, false, true, false, 6},
		"a Monday like a Sunday":              {series(42, 0.5), 70, true, true, false, 6},
		"always the same, a Sunday":           {series(41, 0), 70, false, true, true, 5},
		"always the same, another Sunday":     {series(41, 0), 70.1, true, true, true, 5},
		"a fault of last Saturday":            {with(series(47, 0.5), 40, 210), 210, true, true, false, 6},
		"a Saturday a week after the first":   {series(12, 0.5)[5:], 70, false, false, false, 7},
		"the second Saturday":                 {series(12, 0.5), 70, false, false, false, 12},
		"the second Saturday, and it triples": {series(12, 0.5), 210, true, false, false, 12},
	} {
		weekday := make([]int, 60)
		for i := range weekday {
			weekday[i] = i % 7
		}
		if len(c.history) == 7 {
			weekday = weekday[5:] // the history begins on a Saturday
		}
		e := Expect(places(len(c.history)), c.history, len(c.history), 3, weekday)
		if e.Unusual(c.next) != c.unusual || e.Weekday != c.weekday || e.Constant != c.constant || e.From != c.from {
			t.Errorf("%s: unusual is %v: %+v", name, !c.unusual, e)
		}
	}
}
