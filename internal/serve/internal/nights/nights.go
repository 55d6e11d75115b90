// Package nights is a sweep that grows by its logical date, for a page: a calendar of
// its dates and firings, and the last date against the one before.
//
// In go an opened sweep and the history of its schedule; out come days and rows. It
// computes no statistics: which values are unusual, compare says.
package nights

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/changes"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Bounds of a page.
const (
	maxMonths = 13 // of the calendar; the last
	maxRows   = 500
	maxSpark  = 60 // values of a series that are drawn
	maxPanels = 60 // series of a metric that are drawn side by side
)

// A View is the nights of a sweep.
type View struct {
	Axis    string   `json:"axis"`
	Tonight string   `json:"tonight"`          // the last date
	Before  string   `json:"before,omitempty"` // the one before it
	Months  []Month  `json:"months"`
	Metrics []Metric `json:"metrics"`
}

// Gaps reports whether dates between the first and the last have no runs.
func (v View) Gaps() bool {
	return slices.ContainsFunc(v.Months, func(m Month) bool {
		return slices.ContainsFunc(m.Days, func(d Day) bool { return d.Catchup })
	})
}

// A Month is one of the calendar.
type Month struct {
	Name string `json:"name"`
	Lead []int  `json:"-"` // days of the week before its first
	Days []Day  `json:"days"`
}

// A Day is one of a month.
type Day struct {
	Date    string `json:"date"`
	Number  int    `json:"-"`
	Runs    int    `json:"runs"`
	Bad     int    `json:"bad,omitempty"`
	State   string `json:"state"`           // done, failed, partial, or "" where nothing is of that date
	Fired   string `json:"fired,omitempty"` // how the firing went that was due on it
	Catchup bool   `json:"-"`               // it lies within the dates, and nothing is of it
}

// A Metric is what its series have at the last date and the one before.
type Metric struct {
	Name    string `json:"name"`
	Unit    string `json:"unit,omitempty"`
	Rows    []Row  `json:"rows"`
	Shared  bool   `json:"-"` // its panels are drawn to one scale
	Unusual int    `json:"unusual"`
	Left    int    `json:"left,omitempty"` // rows that are not shown
}

// HasPanels reports whether its series are drawn side by side.
func (m Metric) HasPanels() bool {
	return slices.ContainsFunc(m.Rows, func(r Row) bool { return r.Panel != "" })
}

// PanelsLeft reports whether there are more series than are drawn.
func (m Metric) PanelsLeft() bool { return len(m.Rows) > maxPanels || m.Left > 0 }

// A Row is one combination of the other axes.
type Row struct {
	Series  string        `json:"series"`
	Run     string        `json:"run,omitempty"`
	Before  string        `json:"run_before,omitempty"` // that of the date before
	Now     string        `json:"now"`
	Last    string        `json:"last"`
	Change  string        `json:"change,omitempty"`
	Unusual string        `json:"unusual,omitempty"`
	Usual   string        `json:"usual,omitempty"`   // where a value lies on such a date
	Changed string        `json:"changed,omitempty"` // what of the code, files or environment changed last, and when
	Spark   template.HTML `json:"-"`
	Panel   template.HTML `json:"-"` // the series by date, larger; empty where there are too many
	line    line
	off     float64
}

// dateAxis is the axis, or parameter, that has the dates of a sweep; "" where none has.
func dateAxis(s *sweep.Sweep) string {
	head, _ := s.Head()
	dates, other := map[string]map[string]bool{}, map[string]bool{}
	for st := range s.All() {
		for _, b := range st.Run.Params {
			text, isText := b.Value.Any().(string)
			if _, err := time.Parse(time.DateOnly, text); !isText || err != nil {
				other[b.Name] = true
				continue
			}
			if dates[b.Name] == nil {
				dates[b.Name] = map[string]bool{}
			}
			dates[b.Name][text] = true
		}
	}
	best := ""
	for name, days := range dates {
		isAxis := slices.ContainsFunc(head.Axes, func(a grid.Axis) bool { return a.Name == name })
		if other[name] || len(days) < 2 || !isAxis {
			continue
		}
		if best == "" || len(days) > len(dates[best]) || len(days) == len(dates[best]) && name < best {
			best = name
		}
	}
	return best
}

// Has reports whether a sweep has nights.
func Has(s *opened.Sweep) bool {
	axis, err := opened.Memo(s, "nights", func() (string, error) { return dateAxis(s.Sweep), nil })
	return err == nil && axis != ""
}

// Of is the nights of a sweep; ok is false where it has none. night says what compare
// found of a metric, and may return nil.
func Of(s *sweep.Sweep, history []firing.Firing, zone string, night func(metric string) *compare.Night) (v View, ok bool) {
	if v.Axis = dateAxis(s); v.Axis == "" {
		return v, false
	}
	days := map[string]*Day{}
	all := map[string]series{}
	for st := range s.All() {
		date, name := place(s, st.Run, v.Axis)
		if date == "" || st.Run.Replicate > 0 || st.Run.Unplanned && st.BestOut == nil {
			continue
		}
		if days[date] == nil {
			days[date] = &Day{Date: date}
		}
		days[date].add(st)
		if all[name] == nil {
			all[name] = series{}
		}
		all[name][date] = st
	}
	dates := make([]string, 0, len(days))
	for d := range days {
		dates = append(dates, d)
	}
	slices.Sort(dates)
	v.Tonight = dates[len(dates)-1]
	if len(dates) > 1 {
		v.Before = dates[len(dates)-2]
	}
	fired := firings(history, zone)
	v.Months = calendar(dates, days, fired)
	for _, m := range s.Spec().Metrics {
		v.Metrics = append(v.Metrics, metricOf(m.Name, m.Unit, dates, all, night(m.Name)))
	}
	return v, true
}

// series is the runs of one combination of the other axes, by date.
type series map[string]sweep.RunState

// place is the date of a run, and the combination of its other axes.
func place(s *sweep.Sweep, r sweep.Run, axis string) (date, name string) {
	head, _ := s.Head()
	var parts []string
	for _, a := range head.Axes {
		for _, b := range slices.Concat(r.Labels, r.Params) {
			switch {
			case b.Name != a.Name:
			case a.Name == axis:
				date, _ = b.Value.Any().(string)
			default:
				parts = append(parts, b.Value.Text())
			}
		}
	}
	return date, strings.Join(parts, "/")
}

func (d *Day) add(st sweep.RunState) {
	d.Runs++
	switch {
	case st.Last != nil && st.Status != outcome.Succeeded && st.Status != outcome.Running:
		d.Bad++
		d.State = "failed"
	case st.Status != outcome.Succeeded && d.State != "failed":
		d.State = "partial"
	case d.State == "":
		d.State = "done"
	}
}

// firings are how those that were due on a day went; the last try counts.
func firings(history []firing.Firing, zone string) map[string]string {
	at, err := time.LoadLocation(zone)
	if err != nil {
		at = time.UTC
	}
	all := map[string]string{}
	for _, f := range slices.Backward(history) {
		words := "a firing did not end"
		switch {
		case f.End == nil:
		case f.End.Code == 0:
			words = "a firing succeeded"
		default:
			words = fmt.Sprintf("a firing ended with exit code %d", f.End.Code)
		}
		all[f.Due.In(at).Format(time.DateOnly)] = words
	}
	return all
}

// calendar is the months from the first date to the last, or the last of them.
func calendar(dates []string, days map[string]*Day, fired map[string]string) (months []Month) {
	first, _ := time.Parse(time.DateOnly, dates[0])
	last, _ := time.Parse(time.DateOnly, dates[len(dates)-1])
	for text := range fired {
		if at, err := time.Parse(time.DateOnly, text); err == nil && at.After(last) {
			last = at
		}
	}
	from := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC)
	if earliest := time.Date(last.Year(), last.Month()-maxMonths+1, 1, 0, 0, 0, 0, time.UTC); from.Before(earliest) {
		from = earliest
	}
	return Months(from, last, func(at time.Time, d *Day) {
		if known := days[d.Date]; known != nil {
			*d = *known
		} else {
			d.Catchup = at.After(first) && at.Before(last)
		}
		d.Fired = fired[d.Date]
	})
}

// Months are those from the one that begins at from to that of last; fill says what is
// known of a day.
func Months(from, last time.Time, fill func(at time.Time, d *Day)) (months []Month) {
	for month := from; !month.After(last); month = month.AddDate(0, 1, 0) {
		m := Month{Name: month.Format("January 2006"), Lead: make([]int, (int(month.Weekday())+6)%7)}
		for at := month; at.Month() == month.Month(); at = at.AddDate(0, 0, 1) {
			d := Day{Date: at.Format(time.DateOnly)}
			fill(at, &d)
			d.Number = at.Day()
			m.Days = append(m.Days, d)
		}
		months = append(months, m)
	}
	return months
}

func number(st sweep.RunState, metric string) float64 {
	var x float64
	recorded, _ := st.Scraps.Get(metric)
	if st.BestOut == nil || st.BestOut.Status != outcome.Succeeded || json.Unmarshal(recorded, &x) != nil {
		return math.NaN()
	}
	return x
}

// metricOf is the rows of a metric: what is unusual leads, then what moved most.
func metricOf(name, measured string, dates []string, all map[string]series, night *compare.Night) Metric {
	m := Metric{Name: name, Unit: measured}
	tonight, before := dates[len(dates)-1], dates[max(len(dates)-2, 0)]
	for key, s := range all {
		now, last := number(s[tonight], name), number(s[before], name)
		if len(dates) < 2 {
			last = math.NaN()
		}
		r := Row{Series: key, Run: s[tonight].Run.ID, Now: text(now), Last: text(last), off: -1}
		if s[tonight].Best > 0 && s[before].Best > 0 && before != tonight {
			r.Before = s[before].Run.ID
		}
		marks := turns(s, dates)
		if n := len(marks); n > 0 {
			r.Changed = "other " + unit.Together(marks[n-1].Parts) + " since " + dates[marks[n-1].At]
		}
		band := bandOf(night, tonight, key)
		if band != nil && !band.Constant {
			r.Usual = unit.Number(band.Expected) + " ± " + unit.Number(band.Usual)
		}
		r.line = lineOf(s, name, dates, band, marks)
		r.Spark = r.line.spark()
		if !math.IsNaN(now) && !math.IsNaN(last) {
			r.off = math.Abs(now - last)
			if r.Change = unit.Change(now - last); last != 0 {
				r.off = math.Abs((now - last) / last)
				r.Change += " (" + unit.Percent((now-last)/math.Abs(last)) + ")"
			}
		}
		if night != nil && night.Date == tonight {
			for _, d := range night.Unusual {
				if d.Name == key {
					r.Unusual = fmt.Sprintf("expected %s ± %s from %d earlier values", unit.Number(d.Expected), unit.Number(d.Usual), d.Earlier)
					r.off = math.Inf(1)
					m.Unusual++
				}
			}
		}
		m.Rows = append(m.Rows, r)
	}
	slices.SortFunc(m.Rows, func(a, b Row) int {
		if a.off != b.off {
			return map[bool]int{true: -1, false: 1}[a.off > b.off]
		}
		return strings.Compare(a.Series, b.Series)
	})
	m.Left = max(0, len(m.Rows)-maxRows)
	m.Rows = m.Rows[:len(m.Rows)-m.Left]
	m.drawPanels()
	return m
}

func text(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return unit.Number(x)
}

// bandOf is where a value of a series is expected tonight; nil where nobody can tell.
func bandOf(night *compare.Night, tonight, key string) *compare.Departure {
	if night == nil || night.Date != tonight {
		return nil
	}
	for _, d := range slices.Concat(night.Unusual, night.Within) {
		if d.Name == key {
			return &d
		}
	}
	return nil
}

// turns are the places of dates from which on the code, files or environment of a
// series are others.
func turns(s series, dates []string) []changes.Turn {
	var outcomes []*outcome.Outcome
	for _, d := range dates {
		outcomes = append(outcomes, s[d].BestOut)
	}
	return changes.Turns(outcomes)
}
