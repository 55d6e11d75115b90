// Package changes says where along its dates a sweep began to be computed in another
// way: with other code, files or another environment.
//
// In go the outcomes of a sweep's runs; out come dates. It compares fingerprints of
// successes alone, each with that of the date before in the same series, and knows no
// numbers: whether one moved there, package compare says.
package changes

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// parts are those of a fingerprint that somebody edits or upgrades. Inputs are not:
// they change every night.
var parts = []string{"code", "files", "environment"}

// A Change is that runs of a date were computed in another way than those before.
type Change struct {
	Date   string
	Parts  []string
	Series []string // those that changed; nil where all that have a value before it did
}

// Places are those of the dates at which a series changed.
func Places(all []Change, dates []string, series string) (places []int) {
	for _, c := range all {
		if at := slices.Index(dates, c.Date); at >= 0 && (c.Series == nil || slices.Contains(c.Series, series)) {
			places = append(places, at)
		}
	}
	return places
}

// A Turn is a place in a series from which on parts of it are others.
type Turn struct {
	At    int
	Parts []string
}

// Turns are those of a series of outcomes in the order of its dates; nil is a date
// without one.
func Turns(series []*outcome.Outcome) (all []Turn) {
	var last *outcome.Outcome
	for i, now := range series {
		if !succeeded(now) {
			continue
		}
		if last != nil {
			if differ := last.Fingerprint.Differs(now.Fingerprint, parts); len(differ) > 0 {
				all = append(all, Turn{i, differ})
			}
		}
		last = now
	}
	return all
}

func succeeded(o *outcome.Outcome) bool { return o != nil && o.Status == outcome.Succeeded }

// Of returns what Along says of a sweep that stays as it is, found out once for each
// axis and its series. It may be called concurrently; what it returns is shared.
func Of(s *sweep.Sweep) func(dates string, by []string) []Change {
	var mu sync.Mutex
	known := map[string][]Change{}
	return func(dates string, by []string) []Change {
		mu.Lock()
		defer mu.Unlock()
		key := strings.Join(append([]string{dates}, by...), "\x00")
		if _, is := known[key]; !is {
			known[key] = Along(s, dates, by)
		}
		return known[key]
	}
}

// Along are the changes along a parameter of dates, the first first. Series are told
// apart by the values of other parameters or labels, and named by them.
func Along(s *sweep.Sweep, dates string, by []string) (all []Change) {
	found := map[[2]string][]string{} // the series that changed, by date and parts
	began := map[string]string{}      // the first date of every series with a success
	for _, series := range seriesOf(s, dates, by) {
		days := slices.Sorted(maps.Keys(series.of))
		var outcomes []*outcome.Outcome
		for _, day := range days {
			outcomes = append(outcomes, series.of[day])
		}
		for _, t := range Turns(outcomes) {
			at := [2]string{days[t.At], strings.Join(t.Parts, " ")}
			found[at] = append(found[at], series.name)
		}
		if i := slices.IndexFunc(outcomes, succeeded); i >= 0 && (began[series.name] == "" || days[i] < began[series.name]) {
			began[series.name] = days[i]
		}
	}
	for at, names := range found {
		c := Change{Date: at[0], Parts: strings.Fields(at[1]), Series: slices.Compact(slices.Sorted(slices.Values(names)))}
		before := 0
		for _, first := range began {
			if first < c.Date {
				before++
			}
		}
		if len(c.Series) == before {
			c.Series = nil
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Change) int {
		return strings.Compare(a.Date+" "+strings.Join(a.Parts, " "), b.Date+" "+strings.Join(b.Parts, " "))
	})
	return all
}

// one is the outcomes of a series by date.
type one struct {
	name string
	of   map[string]*outcome.Outcome
}

// seriesOf are those of a sweep: steps and templates are apart, whatever they are
// called.
func seriesOf(s *sweep.Sweep, dates string, by []string) map[string]one {
	all := map[string]one{}
	for st := range s.All() {
		if st.Run.Replicate > 0 || st.BestOut == nil {
			continue
		}
		values := map[string]string{}
		for _, b := range slices.Concat(st.Run.Labels, st.Run.Params) {
			values[b.Name] = b.Value.Text()
		}
		if values[dates] == "" {
			continue
		}
		var texts []string
		for _, name := range by {
			texts = append(texts, values[name])
		}
		name := unit.Together(texts)
		key := strings.Join([]string{st.Run.Template, name}, "\x00")
		if all[key].of == nil {
			all[key] = one{name, map[string]*outcome.Outcome{}}
		}
		all[key].of[values[dates]] = st.BestOut
	}
	return all
}
