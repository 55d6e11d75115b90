package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// minLine is how many values of a weekday have a line of their own.
const minLine = 3

// expectOfWeekday takes the next value, which is of day own, from the earlier
// ones of that weekday: their level, or where their line leads. How far from it
// is usual is by all values, each from what its own weekday says, as one
// weekday has few; where own is shown to spread more, by that alone. off is the
// values without their trend.
func expectOfWeekday(at []int, y, off []float64, next, family int, of weekdays, own int) Expectation {
	w := of.fit(at, y, off)
	e := Expectation{OnLine: w.onLine, Weekday: true, From: len(of[own]), off: make([]float64, len(y))}
	for i := range y {
		e.off[i] = math.Abs(y[i] - w.fitted[i])
	}
	e.Value = w.lines[own].at(next)
	e.same = e.Value
	m := float64(e.From)
	error2 := errorOf(e.From, false)
	switch {
	case w.onLine && e.From >= minLine:
		error2 = 2 * (2*m + 1) / m / (m - 1) // of a line through few values, one further
	case w.onLine:
		error2 += errorOf(len(y), true)
	}
	fitted, parameters := w.fitted, w.parameters
	if of.spreadsMore(e.off, own) {
		e.off, fitted, parameters = pick(e.off, of[own]), pick(fitted, of[own]), 1
	}
	e.limit(e.off, fitted, parameters, family, error2)
	return e
}

// weekly are the levels of weekdays, or their lines where there is a trend.
type weekly struct {
	onLine     bool
	lines      [7]weekdayLine
	fitted     []float64 // by value
	parameters int       // that were taken from the values
}

type weekdayLine struct{ base, slope float64 }

func (l weekdayLine) at(place int) float64 { return l.base + l.slope*float64(place) }

// fit takes the level or line of each weekday from values y at places; off is
// the values without their trend.
func (of weekdays) fit(at []int, y, off []float64) weekly {
	levelled := make([]float64, len(y))
	for _, day := range of {
		if len(day) == 0 {
			continue
		}
		level := medianOf(pick(off, day))
		for _, i := range day {
			levelled[i] = y[i] - level
		}
	}
	w := weekly{fitted: make([]float64, len(y))}
	common, onLine := trendOf(at, levelled)
	w.onLine = onLine
	for d, day := range of {
		if len(day) == 0 {
			continue
		}
		slope := common
		w.parameters++
		if onLine && len(day) >= minLine { // days that are lower may rise less
			slope = theilSen(pick(at, day), pick(y, day))
			w.parameters++
		}
		w.lines[d] = weekdayLine{medianOf(without(pick(at, day), pick(y, day), slope)), slope}
		for _, i := range day {
			w.fitted[i] = w.lines[d].at(at[i])
		}
	}
	return w
}

// weekdays are, for each day of the week, which values are of it.
type weekdays [7][]int

func byWeekday(at, weekday []int) (of weekdays) {
	for i, place := range at {
		of[weekday[place]] = append(of[weekday[place]], i)
	}
	return of
}

// spreadsMore says whether the values of a day are shown to lie farther from
// their level than those of the others.
func (of weekdays) spreadsMore(distances []float64, day int) bool {
	var rest []int
	for d := range of {
		if d != day {
			rest = append(rest, of[d]...)
		}
	}
	return kruskalWallis(distances, [][]int{of[day], rest}) < alarmAlpha &&
		medianOf(pick(distances, of[day])) > medianOf(pick(distances, rest))
}

// kruskalWallis is Kruskal and Wallis's p that the values of groups, which are
// places of y, are of one distribution: by chi-squared, corrected for ties.
func kruskalWallis(y []float64, groups [][]int) float64 {
	n := float64(len(y))
	doubled, ties := doubledRanks(y)
	sum, filled := 0.0, 0
	for _, group := range groups {
		if len(group) == 0 {
			continue
		}
		ranks := 0.0
		for _, i := range group {
			ranks += float64(doubled[i]) / 2
		}
		sum += ranks * ranks / float64(len(group))
		filled++
	}
	untied := 1 - ties/(n*n*n-n)
	if filled < 2 || untied <= 0 {
		return 1
	}
	h := (12/(n*(n+1))*sum - 3*(n+1)) / untied
	return distuv.ChiSquared{K: float64(filled - 1)}.Survival(math.Max(h, 0))
}

// pick is some of all values.
func pick[T any](all []T, which []int) []T {
	out := make([]T, len(which))
	for k, i := range which {
		out[k] = all[i]
	}
	return out
}
