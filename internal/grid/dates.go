package grid

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A dateRule makes the values of an axis of dates. Both ends are included.
type dateRule struct {
	at       *yaml.Node
	from, to string
	count    int // of the step
	unit     string
	zone     *time.Location
	align    string // start or end of the period; empty keeps the day
	format   string // a Go layout or strftime
}

var stepRE = regexp.MustCompile(`^([0-9]*)(min|h|d|bd|w|mo|q|y)$`)

// dates reads a date axis; its values wait for the logical date.
func (d *decoder) dates(n *yaml.Node) func(*preparer, *axis) {
	r := dateRule{at: d.resolve(n), count: 1, unit: "d", zone: time.UTC}
	for _, f := range d.fields(n, "a map with from, to, step, tz, align, format") {
		switch f.name {
		case "from":
			r.from = d.text(f.node, "a date")
		case "to":
			r.to = d.text(f.node, "a date")
		case "step":
			r.step(d, f.node)
		case "tz":
			zone, err := time.LoadLocation(d.text(f.node, "a time zone"))
			if err != nil {
				d.hintf(f.node, "for example Europe/Berlin or UTC", "%v", err)
				zone = time.UTC
			}
			r.zone = zone
		case "align":
			r.align = d.oneOf(f.node, "start", "end")
		case "format":
			r.format = d.text(f.node, "a date format such as %Y-%m-%d")
		default:
			d.unknown(f, "from", "to", "step", "tz", "align", "format")
		}
	}
	if r.from == "" || r.to == "" {
		d.errorf(n, "dates need `from` and `to`")
	}
	return r.fill
}

func (r *dateRule) step(d *decoder, n *yaml.Node) {
	m := stepRE.FindStringSubmatch(d.text(n, "a step"))
	if m == nil {
		d.errorf(n, "want a step such as 1h, 1d, 1bd, 1w, 1mo, 1q or 1y")
		return
	}
	r.unit = m[2]
	if m[1] != "" {
		r.count, _ = strconv.Atoi(m[1])
	}
	if r.count < 1 {
		d.errorf(n, "a step must be at least 1")
		r.count = 1
	}
}

func (r *dateRule) fill(p *preparer, a *axis) {
	if r.from == "" || r.to == "" {
		return
	}
	asOf := p.in.AsOf.In(r.zone)
	from, err1 := parseDate(r.from, asOf)
	to, err2 := parseDate(r.to, asOf)
	for _, err := range []error{err1, err2} {
		if err != nil {
			p.hintf(r.at, "write 2026-03-31, 2026-03-31T06:00, today, yesterday, -7d, month_start, …", "%v", err)
			return
		}
	}
	if to.Before(from) {
		p.errorf(r.at, "`from` (%s) is after `to` (%s)", from.Format(time.DateOnly), to.Format(time.DateOnly))
		return
	}
	for i := 0; ; i++ {
		t := r.nth(from, i)
		if t.After(to) {
			return
		}
		if i == maxValues {
			p.errorf(r.at, "the dates are more than %d", maxValues)
			return
		}
		if r.unit == "bd" && (t.Weekday() == time.Saturday || t.Weekday() == time.Sunday) {
			continue
		}
		v, _ := ValueOf(r.text(r.aligned(t)))
		a.choices = append(a.choices, choice{params: []Binding{{a.name, v}}})
	}
}

// nth is the i-th date counted from the first: never from the one before, so
// that the 31st comes back after a short month. Hours are hours that pass;
// days and more are the calendar's.
func (r *dateRule) nth(from time.Time, i int) time.Time {
	n := i * r.count
	switch r.unit {
	case "min":
		return from.Add(time.Duration(n) * time.Minute)
	case "h":
		return from.Add(time.Duration(n) * time.Hour)
	case "d":
		return from.AddDate(0, 0, n)
	case "bd":
		return from.AddDate(0, 0, i) // others are skipped
	case "w":
		return from.AddDate(0, 0, 7*n)
	case "mo":
		return addMonths(from, n)
	case "q":
		return addMonths(from, 3*n)
	}
	return addMonths(from, 12*n)
}

// addMonths keeps the day of the month, or takes the last one there is.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), 0, t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// aligned moves a date to the first or last day of its period.
func (r *dateRule) aligned(t time.Time) time.Time {
	if r.align == "" {
		return t
	}
	first, next := period(t, r.unit)
	if r.align == "start" {
		return first
	}
	return next.AddDate(0, 0, -1)
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
// where the step is shorter.
func (r *dateRule) text(t time.Time) string {
	switch {
	case r.format != "":
		return strftime(t, r.format)
	case r.unit == "h" || r.unit == "min":
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format(time.DateOnly)
}

var relativeRE = regexp.MustCompile(`^([a-z_]*)([+-][0-9]+)?(min|h|d|w|mo|q|y)?$`)

// parseDate reads a date, or one relative to the logical date: "today",
// "yesterday", "-7d", "month_start", "month_start-1mo".
func parseDate(s string, asOf time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01"} {
		if t, err := time.ParseInLocation(layout, s, asOf.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.In(asOf.Location()), nil
	}
	m := relativeRE.FindStringSubmatch(s)
	if m == nil || s == "" || (m[2] == "") != (m[3] == "") {
		return time.Time{}, fmt.Errorf("%q is not a date", s)
	}
	t, err := anchor(m[1], asOf)
	if err != nil || m[2] == "" {
		return t, err
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return t, fmt.Errorf("%q is not a date", s)
	}
	r := dateRule{count: 1, unit: m[3]}
	return r.nth(t, n), nil
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
	unit := map[string]string{"week": "w", "month": "mo", "quarter": "q", "year": "y"}
	for name, u := range unit {
		first, next := period(asOf, u)
		switch word {
		case name + "_start":
			return first, nil
		case name + "_end":
			return next.AddDate(0, 0, -1), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date", word)
}

// strftime formats by the directives people know from Python and the shell;
// what is no directive stands for itself.
func strftime(t time.Time, format string) string {
	_, week := t.ISOWeek()
	year, _ := t.ISOWeek()
	layouts := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05",
		'p': "PM", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002", 'z': "-0700", 'Z': "MST",
		'F': time.DateOnly, 'T': time.TimeOnly,
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch c := format[i]; {
		case layouts[c] != "":
			b.WriteString(t.Format(layouts[c]))
		case c == 'V':
			fmt.Fprintf(&b, "%02d", week)
		case c == 'G':
			fmt.Fprintf(&b, "%d", year)
		case c == 'q':
			fmt.Fprintf(&b, "%d", (int(t.Month())+2)/3)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
