package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/table"
)

// nightly is a sweep over regions that is planned anew every night: earlier
// nights are planned no more.
type nightly struct {
	regions, nights int // earlier nights
	tonight         func(region int, usual float64) any
	earlier         func(region, night int, usual float64) any
	code            func(night int) string
	stale           func(night int) bool
	growing         bool // earlier nights stay planned, as values of an axis
}

func (n nightly) compare(t *testing.T) *Night {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "run_planned"}, {Name: "run_stale"}, {Name: "run_code"},
		{Name: "night", Role: table.RoleParameter}, {Name: "region", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap}}
	r := rand.New(rand.NewPCG(3, uint64(n.regions*1000+n.nights)))
	var rows [][]any
	for night := range n.nights + 1 {
		for region := range n.regions {
			usual := 1000*float64(region+1) + r.Float64()
			date := time.Date(2026, 1, 1+night, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			var y any = usual
			planned, code, stale := n.growing || night == n.nights, "c", false
			if night < n.nights && n.earlier != nil {
				y = n.earlier(region, night, usual)
			} else if night == n.nights && n.tonight != nil {
				y = n.tonight(region, usual)
			}
			if y == "not run" {
				continue
			}
			if n.code != nil {
				code = n.code(night)
			}
			if n.stale != nil {
				stale = n.stale(night)
			}
			rows = append(rows, []any{fmt.Sprint(len(rows)), "succeeded", planned, stale, code, date, region, y})
		}
	}
	made, err := table.Build(specs, rows)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Metrics: []Metric{{Name: "y"}}, Axes: []Axis{{Name: "region"}}}
	if n.growing {
		o.Axes = append(o.Axes, Axis{Name: "night", Ordered: true})
	}
	report, err := Compare(made, o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Metrics[0].Night == nil {
		t.Fatal("the nights are not compared")
	}
	return report.Metrics[0].Night
}

func triples(which ...int) func(int, float64) any {
	return func(region int, usual float64) any {
		if len(which) == 0 || slices.Contains(which, region) {
			return 3 * usual
		}
		return usual
	}
}

// relative is how far a departure is off, in percent of what is expected.
func relative(d Departure) float64 { return math.Round(1000*d.Off()/d.Expected) / 10 }

func TestARegionIsHeldAgainstItsOwnNights(t *testing.T) {
	for _, growing := range []bool{false, true} {
		for _, nights := range []int{MinEarlier, 12, 400} {
			n := nightly{regions: 12, nights: nights, growing: growing, tonight: triples(5)}.compare(t)
			if n.Series != 12 || len(n.Unusual) != 1 || n.Together != nil {
				t.Fatalf("%d nights, growing %v: %d series, %+v, %+v", nights, growing, n.Series, n.Unusual, n.Together)
			}
			if d := n.Unusual[0]; d.Name != "5" || relative(d) != 200 || d.Earlier != nights || len(n.Dates) != nights+1 || d.Values[nights] != d.Value {
				t.Errorf("%d nights, growing %v: %s, %v%%, %d earlier", nights, growing, d.Name, relative(d), d.Earlier)
			}
		}
	}
}

func TestAllRegionsTriple(t *testing.T) {
	n := nightly{regions: 12, nights: 11, tonight: triples()}.compare(t)
	if len(n.Unusual) != 12 || n.Together == nil || math.Abs(n.Together.Value-2) > 0.001 || math.Abs(n.Together.Expected) > 0.001 {
		t.Fatalf("%d unusual, together %+v", len(n.Unusual), n.Together)
	}
	for _, d := range n.Unusual {
		if r := relative(d); math.Abs(r-200) > 0.2 {
			t.Errorf("%s: %v%%", d.Name, r)
		}
	}
	few := nightly{regions: 3, nights: 11, tonight: triples(1)}.compare(t)
	if len(few.Unusual) != 1 || few.Together != nil {
		t.Errorf("one of three: %d unusual, together %+v", len(few.Unusual), few.Together)
	}
	r := rand.New(rand.NewPCG(4, 4))
	noise := func(by float64) any { return 1000 * (1 + by + r.NormFloat64()/50) }
	small := nightly{regions: 40, nights: 30, earlier: func(int, int, float64) any { return noise(0) }, tonight: func(int, float64) any { return noise(0.03) }}.compare(t)
	if small.Together == nil || math.Abs(small.Together.Off()-0.03) > 0.01 || len(small.Unusual) > 2 {
		t.Errorf("3%% everywhere: %d unusual, together %+v", len(small.Unusual), small.Together)
	}
	zero := nightly{regions: 12, nights: 11, tonight: func(region int, usual float64) any {
		if region == 3 {
			return 0.0
		}
		return usual
	}}.compare(t)
	if len(zero.Unusual) != 1 || relative(zero.Unusual[0]) != -100 {
		t.Errorf("%+v", zero.Unusual)
	}
}

// An edit of the code or of a data file makes earlier runs stale, and their
// numbers are what was published.
func TestAnEditDoesNotEndTheComparison(t *testing.T) {
	for _, growing := range []bool{false, true} {
		code := nightly{regions: 4, nights: 10, growing: growing, tonight: triples(2), code: func(night int) string { return map[bool]string{true: "new", false: "old"}[night == 10] },
			stale: func(night int) bool { return night < 10 }}.compare(t)
		if len(code.Unusual) != 1 || code.OtherCode != 10 || code.Stale != 0 {
			t.Errorf("growing %v: %d unusual, other code on %d, stale on %d", growing, len(code.Unusual), code.OtherCode, code.Stale)
		}
		file := nightly{regions: 4, nights: 10, growing: growing, tonight: triples(2), stale: func(night int) bool { return night < 7 }}.compare(t)
		if len(file.Unusual) != 1 || file.OtherCode != 0 || file.Stale != 7 {
			t.Errorf("growing %v: %d unusual, other code on %d, stale on %d", growing, len(file.Unusual), file.OtherCode, file.Stale)
		}
	}
	between := nightly{regions: 4, nights: 10, tonight: triples(2), code: func(night int) string { return fmt.Sprint(night / 4) }}.compare(t)
	if len(between.Unusual) != 1 || between.OtherCode != 8 {
		t.Errorf("%d unusual, other code on %d", len(between.Unusual), between.OtherCode)
	}
}

func TestHistoriesThatAreNotWhole(t *testing.T) {
	short := nightly{regions: 3, nights: 3, tonight: triples()}.compare(t)
	if len(short.Unusual) != 0 || short.Short != 3 || short.Series != 0 {
		t.Errorf("3 nights: %+v", short)
	}
	constant := nightly{regions: 3, nights: 11, earlier: func(int, int, float64) any { return 7 }, tonight: func(region int, _ float64) any { return 7 + region/2 }}.compare(t)
	if len(constant.Unusual) != 1 || constant.Unusual[0].Name != "2" || constant.Unusual[0].Expected != 7 {
		t.Errorf("constant: %+v", constant.Unusual)
	}
	gaps := nightly{regions: 3, nights: 14, tonight: triples(1), earlier: func(region, night int, usual float64) any {
		switch {
		case region == 1 && night%3 == 0:
			return "not run"
		case region == 1 && night%3 == 1 && night > 8:
			return math.NaN()
		case region == 2:
			return "not run"
		}
		return usual
	}}.compare(t)
	if len(gaps.Unusual) != 1 || gaps.Unusual[0].Name != "1" || gaps.Unusual[0].Earlier != 7 || math.Abs(relative(gaps.Unusual[0])-200) > 0.2 {
		t.Errorf("gaps: %+v", gaps.Unusual)
	}
	if strings.Join(gaps.New, " ") != "2" || gaps.Series != 2 {
		t.Errorf("new: %q of %d", gaps.New, gaps.Series)
	}
	gone := nightly{regions: 3, nights: 14, tonight: func(region int, usual float64) any {
		if region == 0 {
			return math.NaN()
		}
		return usual
	}}.compare(t)
	if len(gone.Unusual) != 0 || strings.Join(gone.Gone, " ") != "0" {
		t.Errorf("gone: %+v", gone)
	}
}

// A region that grows night by night is held against its line.
func TestGrowthIsUsual(t *testing.T) {
	rising := func(region, night int, usual float64) any { return usual + 20*float64(night) }
	n := nightly{regions: 3, nights: 40, earlier: rising, tonight: func(region int, usual float64) any { return usual + 20*float64(40+10*(region/2)) }}.compare(t)
	if len(n.Unusual) != 1 || n.Unusual[0].Name != "2" || !n.Unusual[0].OnLine || math.Abs(n.Unusual[0].Off()-200) > 2 {
		t.Errorf("%+v", n.Unusual)
	}
}

// A weekend is held against earlier weekends, and a weekday against its own.
func TestWeekendsAreHeldAgainstWeekends(t *testing.T) {
	alarms := 0
	for _, growing := range []bool{false, true} {
		for nights := 44; nights < 58; nights++ {
			r := rand.New(rand.NewPCG(8, uint64(nights)))
			of := func(night int, usual float64) float64 {
				day := time.Date(2026, 1, 1+night, 0, 0, 0, 0, time.UTC).Weekday()
				if day == time.Saturday || day == time.Sunday {
					usual *= 0.7
				}
				return usual * (1 + r.NormFloat64()/20)
			}
			earlier := func(_, night int, usual float64) any { return of(night, usual) }
			quiet := nightly{regions: 3, nights: nights, growing: growing, earlier: earlier, tonight: func(_ int, usual float64) any { return of(nights, usual) }}.compare(t)
			if len(quiet.Unusual) > 0 || quiet.Together != nil {
				alarms++
			}
			triple := nightly{regions: 3, nights: nights, growing: growing, earlier: earlier, tonight: func(region int, usual float64) any { return of(nights, usual) * float64(1+2*(region/2)) }}.compare(t)
			want := time.Date(2026, 1, 1+nights, 0, 0, 0, 0, time.UTC).Weekday().String()
			if len(triple.Unusual) == 0 || triple.Unusual[0].Name != "2" || triple.Unusual[0].Weekday != want {
				t.Errorf("%s, a %s: %+v", triple.Date, want, triple.Unusual)
			}
		}
	}
	within(t, "quiet nights", alarms, 28, 0.02)
}

// Nights on which nothing happens are not called unusual more often than said,
// for one region or together.
func TestQuietNights(t *testing.T) {
	const nights = 300
	alarms := 0
	r := rand.New(rand.NewPCG(9, 9))
	for range nights {
		noise := func() float64 { return 100 + r.NormFloat64() }
		n := nightly{regions: 6, nights: 12, earlier: func(int, int, float64) any { return noise() }, tonight: func(int, float64) any { return noise() }}.compare(t)
		if len(n.Unusual) > 0 || n.Together != nil {
			alarms++
		}
	}
	within(t, "quiet nights", alarms, nights, 0.02)
}
