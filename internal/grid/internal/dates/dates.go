// Package dates counts days, weeks, months and hours as people do.
//
// In go dates as people write them, such as 2026-03, yesterday or
// month_start-1mo, and a step; out come the dates from one to another. Days and
// longer steps follow the calendar: they are counted on wall clocks, which are
// times labeled UTC whatever their zone, so that no change of daylight saving
// time can lose a day. Hours and minutes are time that passes.
//
// Package dates reads no clock: the logical date is handed in.
package dates

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Rule defines which dates follow a first one, and how they are written.
type Rule struct {
	Zone   *time.Location
	Align  string // start or end of the periods; empty keeps the day
	Format string // of strftime; empty is 2026-01-31, or with time and offset
	count  int    // of the step
	unit   string
	timed  bool // the first date was given with a time: all are written with theirs, at midnight, too
}

// Daily is a step of a day, in UTC.
func Daily() *Rule { return &Rule{Zone: time.UTC, count: 1, unit: "d"} }

var stepRE = regexp.MustCompile(`^([0-9]{0,6})(min|h|d|bd|w|mo|q|y)$`)

// SetStep reads a step: 1h, 1d, 1bd, 1w, 1mo, 1q, 1y or a number of them.
func (r *Rule) SetStep(text string) error {
	m := stepRE.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("want a step such as 1h, 1d, 1bd, 1w, 1mo, 1q or 1y, not %q", text)
	}
	count := 1
	if m[1] != "" {
		count, _ = strconv.Atoi(m[1])
	}
	if count < 1 {
		return errors.New("a step must be at least 1")
	}
	r.count, r.unit = count, m[2]
	return nil
}

// HasPeriods reports whether the step is one that can be aligned.
func (r *Rule) HasPeriods() bool { return slices.Contains([]string{"w", "mo", "q", "y"}, r.unit) }

// Between lists the dates from one moment to another, both included. More than
// limit of them, or none, is an error.
func (r *Rule) Between(from, to Moment, limit int) ([]string, error) {
	first, last := from.first, to.last
	r.timed = from.timed
	next := r.calendar(first)
	if r.unit == "h" || r.unit == "min" {
		first, last = onClock(first, r.Zone), onClock(last, r.Zone)
		next = r.passing(first)
	}
	var out []string
	for t := next(0); !t.After(last); t = next(len(out)) {
		if len(out) == limit {
			return nil, fmt.Errorf("there are more than %s dates", unit.Count(float64(limit)))
		}
		out = append(out, r.text(t))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there is no such date from %s to %s", from, to)
	}
	return out, nil
}

// passing steps through time.
func (r *Rule) passing(first time.Time) func(i int) time.Time {
	unit := time.Minute
	if r.unit == "h" {
		unit = time.Hour
	}
	return func(i int) time.Time { return first.Add(time.Duration(i*r.count) * unit) }
}

// calendar steps through wall clocks. The i-th date is counted from the first,
// never from the one before, so that the 31st comes back after a short month.
func (r *Rule) calendar(first time.Time) func(i int) time.Time {
	if r.Align != "" {
		return r.aligned(first)
	}
	for r.unit == "bd" && weekend(first) {
		first = first.AddDate(0, 0, 1)
	}
	return func(i int) time.Time { return shiftWall(first, i*r.count, r.unit) }
}

// aligned steps through the first or last days of periods, from the first one
// that is not before `from`.
func (r *Rule) aligned(from time.Time) func(i int) time.Time {
	start, next := period(from, r.unit)
	edge := func(start time.Time) time.Time {
		if r.Align == "start" {
			return start
		}
		_, next := period(start, r.unit)
		return next.AddDate(0, 0, -1)
	}
	if edge(start).Before(from) {
		start = next
	}
	return func(i int) time.Time { return edge(shiftWall(start, i*r.count, r.unit)) }
}

// shiftWall moves a wall clock by n units.
func shiftWall(t time.Time, n int, unit string) time.Time {
	switch unit {
	case "min":
		return t.Add(time.Duration(n) * time.Minute)
	case "h":
		return t.Add(time.Duration(n) * time.Hour)
	case "d":
		return t.AddDate(0, 0, n)
	case "bd":
		return shiftBusiness(t, n)
	case "w":
		return t.AddDate(0, 0, 7*n)
	case "mo":
		return addMonths(t, n)
	case "q":
		return addMonths(t, 3*n)
	}
	return addMonths(t, 12*n)
}

func weekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

// shiftBusiness moves by days from Monday to Friday. From a weekend the first
// step lands on its Monday, or on its Friday.
func shiftBusiness(t time.Time, n int) time.Time {
	step := 1
	if n < 0 {
		step = -1
	}
	if n == 0 {
		return t
	}
	for weekend(t) { // count from the working day that the first step leaves
		t = t.AddDate(0, 0, -step)
	}
	weeks, rest := n/5, n%5
	t = t.AddDate(0, 0, 7*weeks)
	for ; rest != 0; rest -= step {
		t = t.AddDate(0, 0, step)
		for weekend(t) {
			t = t.AddDate(0, 0, step)
		}
	}
	return t
}

// addMonths keeps the day of the month, or takes the last one there is.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), 0, t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// period is the first day of the period that holds t, and of the next one.
func period(t time.Time, unit string) (first, next time.Time) {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	switch unit {
	case "w":
		first = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return first, first.AddDate(0, 0, 7)
	case "mo":
		first = day.AddDate(0, 0, 1-day.Day())
		return first, first.AddDate(0, 1, 0)
	case "q":
		first = time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, t.Location())
		return first, first.AddDate(0, 3, 0)
	case "y":
		first = time.Date(t.Year(), 1, 1, 0, 0, 0, 0, t.Location())
		return first, first.AddDate(1, 0, 0)
	}
	return day, day.AddDate(0, 0, 1)
}

// text writes a date: by the format, else as a day, or with time and offset
// when it has a time.
func (r *Rule) text(t time.Time) string {
	clock := r.timed || t.Hour() != 0 || t.Minute() != 0 || t.Second() != 0
	if clock && t.Location() == time.UTC {
		t = onClock(t, r.Zone)
	}
	switch {
	case r.Format != "":
		return Strftime(t, r.Format)
	case clock || r.unit == "h" || r.unit == "min":
		return t.In(r.Zone).Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format(time.DateOnly)
}

// wall labels what a clock shows UTC.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// onClock is when the clocks of a zone show a wall clock. Of a time that
// happens twice it is the first; a time that clocks skip is as much later as
// they skip.
func onClock(w time.Time, zone *time.Location) time.Time {
	_, before := w.Add(-26 * time.Hour).In(zone).Zone()
	early := w.Add(-time.Duration(before) * time.Second).In(zone)
	if wall(early).Equal(w) {
		return early
	}
	_, after := w.Add(26 * time.Hour).In(zone).Zone()
	if late := w.Add(-time.Duration(after) * time.Second).In(zone); wall(late).Equal(w) {
		return late
	}
	return early
}

// A Moment is a date as it was written, on a wall clock: a day, or the first
// and last day of a month or year.
type Moment struct {
	first, last time.Time
	timed       bool // it was written with a time
}

// Before reports whether m ends before the other begins.
func (m Moment) Before(other Moment) bool { return m.last.Before(other.first) }

func (m Moment) String() string {
	if !m.timed && m.first.Hour() == 0 && m.first.Minute() == 0 {
		return m.first.Format(time.DateOnly)
	}
	return m.first.Format("2006-01-02T15:04")
}

// dateLayouts are the forms of a date, and what each leaves open.
var dateLayouts = []struct{ layout, period string }{
	{time.DateOnly, ""}, {"2006-01-02T15:04", ""}, {"2006-01-02T15:04:05", ""}, {"2006-01-02 15:04", ""}, {"2006-01-02 15:04:05", ""},
	{"2006-01", "mo"}, {"2006", "y"},
}

// Check reports whether Parse can read a text.
func Check(s string) error {
	_, err := Parse(s, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	return err
}

// Absolute reads a date that depends on nothing. The wall clock is that of
// the zone when the date says its offset.
func Absolute(s string, zone *time.Location) (t time.Time, layout string, err error) {
	for _, l := range dateLayouts {
		if t, err := time.Parse(l.layout, s); err == nil {
			return t, l.layout, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return wall(t.In(zone)), time.RFC3339, nil
	}
	return time.Time{}, "", fmt.Errorf("%q is not a date", s)
}

var relativeRE = regexp.MustCompile(`^([a-z_]*)(?:([+-][0-9]{1,6})(min|h|d|bd|w|mo|q|y))?$`)

// Parse reads a date, or one relative to the logical date: "today",
// "yesterday", "-7d", "month_start", "month_start-1mo".
func Parse(s string, asOf time.Time) (Moment, error) {
	if t, layout, err := Absolute(s, asOf.Location()); err == nil {
		return absoluteMoment(s, t, layout, asOf.Location())
	}
	m := relativeRE.FindStringSubmatch(s)
	if m == nil || s == "" {
		return Moment{}, fmt.Errorf("%q is not a date", s)
	}
	t, err := anchor(m[1], wall(asOf))
	if err != nil {
		return Moment{}, fmt.Errorf("%q is not a date%s", s, diagnostic.DidYouMean(m[1], anchorWords))
	}
	if m[2] != "" {
		if t, err = Shift(t, m[2]+m[3]); err != nil {
			return Moment{}, err
		}
	}
	return Moment{first: t, last: t}, nil
}

func absoluteMoment(s string, t time.Time, layout string, zone *time.Location) (Moment, error) {
	for _, l := range dateLayouts {
		if l.layout == layout && l.period != "" {
			_, next := period(t, l.period)
			return Moment{first: t, last: next.AddDate(0, 0, -1)}, nil
		}
	}
	if layout != time.DateOnly && !wall(onClock(t, zone)).Equal(t) {
		return Moment{}, fmt.Errorf("the clocks of %s skip %q", zone, s)
	}
	return Moment{t, t, layout != time.DateOnly}, nil
}

var shiftRE = regexp.MustCompile(`^([+-]?[0-9]{1,6})(min|h|d|bd|w|mo|q|y)$`)

// Shift moves a wall clock by "-7d".
func Shift(t time.Time, by string) (time.Time, error) {
	m := shiftRE.FindStringSubmatch(by)
	if m == nil {
		return t, fmt.Errorf("%q is not a step such as -7d or 1mo", by)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return t, err
	}
	t = shiftWall(t, n, m[2])
	if t.Year() < 1 || t.Year() > 9999 {
		return t, fmt.Errorf("%q leads out of the calendar", by)
	}
	return t, nil
}

var anchorWords = []string{
	"today", "yesterday", "tomorrow", "now", "week_start", "week_end", "month_start", "month_end",
	"quarter_start", "quarter_end", "year_start", "year_end",
}

func anchor(word string, asOf time.Time) (time.Time, error) {
	today, _ := period(asOf, "d")
	switch word {
	case "", "today":
		return today, nil
	case "now":
		return asOf.Truncate(time.Minute), nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	case "tomorrow":
		return today.AddDate(0, 0, 1), nil
	}
	name, edge, _ := strings.Cut(word, "_")
	unit := map[string]string{"week": "w", "month": "mo", "quarter": "q", "year": "y"}[name]
	first, next := period(asOf, unit)
	switch {
	case unit != "" && edge == "start":
		return first, nil
	case unit != "" && edge == "end":
		return next.AddDate(0, 0, -1), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a date", word)
}

// directives of strftime, as Go lays dates out.
var directives = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05",
	'p': "PM", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002", 'z': "-0700", 'Z': "MST",
	'F': time.DateOnly, 'T': time.TimeOnly,
}

// CheckFormat refuses directives that strftime does not have.
func CheckFormat(format string) error {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		if i == len(format) {
			return fmt.Errorf("the date format %q ends in the middle of a directive; %%%% stands for %%", format)
		}
		if c := format[i]; directives[c] == "" && !strings.ContainsRune("VGqu%", rune(c)) {
			return fmt.Errorf("the date format has no %%%c; there are %%Y %%y %%m %%d %%H %%I %%M %%S %%p %%b %%B %%a %%A %%j %%u %%V %%G %%q %%z %%Z %%F %%T", c)
		}
	}
	return nil
}

// Strftime formats by the directives people know from Python and the shell;
// %q is the quarter.
func Strftime(t time.Time, format string) string {
	year, week := t.ISOWeek()
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch c := format[i]; {
		case directives[c] != "":
			b.WriteString(t.Format(directives[c]))
		case c == 'V':
			fmt.Fprintf(&b, "%02d", week)
		case c == 'G':
			fmt.Fprintf(&b, "%04d", year)
		case c == 'u':
			fmt.Fprintf(&b, "%d", (int(t.Weekday())+6)%7+1)
		case c == 'q':
			fmt.Fprintf(&b, "%d", (int(t.Month())+2)/3)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
