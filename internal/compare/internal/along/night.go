package along

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// A Night is the last date of an axis of dates, held against the dates before
// it: series by series, where a series is one combination of the other axes,
// replicates taken together.
//
// Earlier numbers count as they were published: also of plans that are no longer
// in force, and of code, files or inputs that have changed since.
type Night struct {
	Axis, Date string
	Dates      []string    // Date is the last
	By         []string    // axes that tell series apart
	Series     int         // held against their own earlier dates
	Unusual    []Departure // of those, the farthest first
	Within     []Departure // the others: they lie where is usual
	Together   *Departure  // the median over series of how far each lies from what is expected of it, as a fraction of that, where that is unusual
	Others     bool        // Together is of those that are not unusual, which are most
	New        []string    // series without an earlier date
	Short      int         // series with earlier dates, but too few of them
	Gone       []string    // series with earlier dates, and no value at this one
	OtherCode  int         // earlier dates of which some run executed other code
	Stale      int         // of the rest, those with a run that is stale for another reason
}

// A Departure is a value that is not what the earlier ones of its series say.
type Departure struct {
	Name     string // of the series, by the values of By
	Value    float64
	Expected float64   // by the earlier dates: their median, or where their line leads
	OnLine   bool      // the latter
	Usual    float64   // how far from Expected a value may lie
	Earlier  int       // values that Expected is taken from
	Weekday  string    // they are of this weekday alone, as weekdays differ; else empty
	Constant bool      // they all are the same
	Values   []float64 // by Night.Dates, the last being Value; NaN where there is none
}

// Off is how far the value lies from what is expected.
func (d Departure) Off() float64 { return d.Value - d.Expected }

// A Series is the values of one combination of axes by date.
type Series struct {
	Name   string
	Values []float64 // by place; NaN where there is none

	expected float64 // at the last place, as departure finds it
}

func (s Series) last() float64 { return s.Values[len(s.Values)-1] }

// earlier counts the dates with a value before the last.
func (s Series) earlier() int { at, _ := s.history(); return len(at) }

// history is the places with a value before the last, and the values.
func (s Series) history() (at []int, values []float64) {
	for i, y := range s.Values[:max(len(s.Values)-1, 0)] {
		if !math.IsNaN(y) {
			at, values = append(at, i), append(values, y)
		}
	}
	return at, values
}

// Hold holds the last value of every series against its earlier ones.
func (n *Night) Hold(all []*Series) {
	var watched []*Series
	for _, s := range all {
		switch earlier, missing := s.earlier(), math.IsNaN(s.last()); {
		case earlier == 0 && missing: // it never had a value, and that is not new
		case earlier == 0:
			n.New = append(n.New, s.Name)
		case missing:
			n.Gone = append(n.Gone, s.Name)
		case earlier < stats.MinHistory:
			n.Short++
		default:
			watched = append(watched, s)
		}
	}
	n.Series = len(watched)
	days := weekdays(n.Dates)
	var rest []*Series
	for _, s := range watched {
		if d, unusual := s.departure(len(watched), days); unusual {
			n.Unusual = append(n.Unusual, d)
		} else {
			n.Within = append(n.Within, d)
			rest = append(rest, s)
		}
	}
	slices.SortStableFunc(n.Unusual, func(a, b Departure) int { return cmp.Compare(b.times(), a.times()) })
	if n.Others = len(n.Unusual) > 0 && len(rest) > len(n.Unusual); n.Others {
		watched = rest
	}
	n.Together = whole(watched, days)
}

// minTogether is how many series say something together that none says alone.
const minTogether = 3

// whole is how series depart together; nil where that is usual.
func whole(of []*Series, days []int) *Departure {
	all := together(of)
	if len(of) < minTogether || all.earlier() < stats.MinHistory || math.IsNaN(all.last()) {
		return nil
	}
	d, unusual := all.departure(1, days)
	if !unusual {
		return nil
	}
	d.Value, d.Expected = d.Value-1, d.Expected-1
	return &d
}

// times is how far a departure lies, measured by what is usual.
func (d Departure) times() float64 { return math.Abs(d.Off()) / d.Usual }

// departure is how the last value lies to the earlier ones, and whether that is
// unusual; days are the weekdays of places.
func (s *Series) departure(family int, days []int) (Departure, bool) {
	at, values := s.history()
	e := stats.Expect(at, values, len(s.Values)-1, family, days)
	s.expected = e.Value
	d := Departure{Name: s.Name, Value: s.last(), Expected: e.Value, OnLine: e.OnLine, Usual: e.Usual, Earlier: e.From, Constant: e.Constant, Values: s.Values}
	if e.Weekday {
		d.Weekday = time.Weekday(days[len(days)-1]).String()
	}
	return d, e.Unusual(d.Value)
}

// DateOf is the date that a text begins with.
func DateOf(text string) (day time.Time, ok bool) {
	day, err := time.Parse(time.DateOnly, text[:min(len(text), len(time.DateOnly))])
	return day, err == nil
}

// weekdays are those of dates, ascending; nil where a day has several, such as
// hours, or a week has less than one, as where they are of months.
func weekdays(dates []string) []int {
	var out []int
	var first, last time.Time
	for i, text := range dates {
		day, ok := DateOf(text)
		if !ok || i > 0 && !day.After(last) {
			return nil
		}
		if i == 0 {
			first = day
		}
		last, out = day, append(out, int(day.Weekday()))
	}
	const week = 7 * 24 * time.Hour
	if last.Sub(first)/week > time.Duration(len(out)) {
		return nil
	}
	return out
}

// together is the median, by date, of each series in multiples of what is
// expected of it at the last date, so that 1 is as expected, less is below, and
// what spreads in proportion to its size still does; series of which 0 is
// expected have none.
func together(all []*Series) Series {
	var off [][]float64
	for _, s := range all {
		if off == nil {
			off = make([][]float64, len(s.Values))
		}
		for i, y := range s.Values {
			if !math.IsNaN(y) && s.expected != 0 {
				off[i] = append(off[i], 1+(y-s.expected)/math.Abs(s.expected))
			}
		}
	}
	out := Series{Values: make([]float64, len(off))}
	for i, x := range off {
		slices.Sort(x)
		if out.Values[i] = math.NaN(); len(x) > 0 {
			out.Values[i] = stats.Median(x)
		}
	}
	return out
}
