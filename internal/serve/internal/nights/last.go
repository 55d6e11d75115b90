package nights

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Bounds of what the page of a sweep says of its last date.
const (
	maxOdd  = 8
	maxRuns = 12
)

// A Last is how the last date of a sweep went, in short.
type Last struct {
	Axis    string      `json:"axis"`
	Date    string      `json:"date"`
	Tally   query.Tally `json:"tally"`
	Unusual []Odd       `json:"unusual,omitempty"` // the first ones
	More    int         `json:"more_unusual,omitempty"`
	Nightly bool        `json:"-"`        // the date before it is the day before
	Known   bool        `json:"compared"` // there are earlier values to hold it against
	Runs    []Named     `json:"-"`        // of that date, the first ones
	Left    int         `json:"-"`        // runs that are not named
}

// An Odd is an unusual value of that date.
type Odd struct {
	Metric   string `json:"metric"`
	Series   string `json:"series,omitempty"`
	Run      string `json:"run,omitempty"`
	Now      string `json:"now"`
	Expected string `json:"expected"`
}

// A Named is a run of that date by its other axes.
type Named struct {
	ID, Name string
	Status   outcome.Status
}

// LastOf is the last date of a sweep; ok is false where it has no nights. night is that of
// Of.
func LastOf(s *sweep.Sweep, night func(metric string) *compare.Night) (v Last, ok bool) {
	if v.Axis = dateAxis(s); v.Axis == "" {
		return v, false
	}
	v.Tally.Counts = map[outcome.Status]int{}
	at := map[string]string{} // runs by series
	before := ""
	for st := range s.All() {
		date, name := place(s, st.Run, v.Axis)
		if date == "" || date < v.Date || st.Run.Unplanned {
			if date > before {
				before = date
			}
			continue
		}
		if date > v.Date {
			before, v.Date, v.Tally.Runs, v.Runs = v.Date, date, 0, nil
			clear(v.Tally.Counts)
			clear(at)
		}
		v.Tally.Runs++
		v.Tally.Counts[st.Status]++
		v.Runs = append(v.Runs, Named{st.Run.ID, name, st.Status})
		if st.Run.Replicate == 0 {
			at[name] = st.Run.ID
		}
	}
	v.Nightly = isNext(before, v.Date)
	for _, m := range s.Spec().Metrics {
		n := night(m.Name)
		if n == nil || n.Date != v.Date {
			continue
		}
		v.Known = v.Known || n.Series > 0
		for _, d := range n.Unusual {
			v.Unusual = append(v.Unusual, Odd{m.Name, d.Name, at[d.Name], unit.Number(d.Value), expected(d)})
		}
	}
	v.More = max(0, len(v.Unusual)-maxOdd)
	v.Unusual = v.Unusual[:len(v.Unusual)-v.More]
	slices.SortStableFunc(v.Runs, func(a, b Named) int { return urgent(a.Status) - urgent(b.Status) })
	v.Left = max(0, len(v.Runs)-maxRuns)
	v.Runs = v.Runs[:len(v.Runs)-v.Left]
	return v, v.Date != ""
}

// isNext reports whether a date is the day after another.
func isNext(before, date string) bool {
	first, err := time.Parse(time.DateOnly, before)
	return err == nil && first.AddDate(0, 0, 1).Format(time.DateOnly) == date
}

// Title is what the last date is called.
func (v Last) Title() string {
	if v.Nightly {
		return "Last night"
	}
	return "The last date"
}

// urgent orders runs for whoever looks at a night: what went wrong leads.
func urgent(s outcome.Status) int {
	switch s {
	case outcome.Succeeded:
		return 2
	case outcome.Planned, outcome.Running:
		return 1
	}
	return 0
}

// Words are how its runs went, for people.
func (v Last) Words() []string { return v.Tally.Words() }

// expected is where a value was expected to lie.
func expected(d compare.Departure) string {
	if d.Constant {
		return unit.Number(d.Expected) + ", always"
	}
	return unit.Number(d.Expected) + " ± " + unit.Number(d.Usual)
}
