// Package metric is what one may want to know of a scrap that runs are compared
// by.
//
// A Metric is written in a sweep file and read by whoever compares. Package
// metric computes nothing: it says what is asked, and which metrics decide.
package metric

import (
	"math"
	"slices"
)

// A Metric is a scrap to compare runs by.
type Metric struct {
	Name              string
	Goal              string // maximize, minimize or empty
	Unit              string
	MinEffect         float64 // a change smaller than this does not matter
	MinEffectRelative bool    // MinEffect is a fraction of the baseline
	Guardrail         bool    // must not get worse: tested on that side only
	Trials            string  // the scrap that counts the trials of which Name counts the successes
	Split             Split   // how trials are to be divided among the groups
	By                Method  // what is compared; of a proportion it says nothing
	Primary           bool
	Per               string `json:",omitempty"` // the scrap by which the sum of Name is divided, for a ratio of sums
	Adjust            string `json:",omitempty"` // the scrap that explains what runs had before the variant made a difference
	Within            string `json:",omitempty"` // the axis within whose values runs are compared, instead of over them
}

// Over is the scrap that the metric is divided by; empty without one.
func (m Metric) Over() string {
	if m.Trials != "" {
		return m.Trials
	}
	return m.Per
}

// A Method is how a metric is compared.
type Method string

// The methods.
const (
	ByMedian    Method = ""          // assumes nothing
	ByMean      Method = "mean"      // t tests: one far value can move it
	ByBootstrap Method = "bootstrap" // the mean too, by resampling
	ByExact     Method = "exact"     // no chance is in the values: any difference is one
)

// A Split is how trials are divided among variants.
type Split string

// Even is the split of trials that were assigned at random, in equal parts.
const Even Split = "even"

// CentreName is what the centre of a group is called.
func (m Metric) CentreName() string {
	switch {
	case m.Trials != "":
		return "rate"
	case m.Per != "":
		return "ratio"
	case m.ByMean():
		return "mean"
	}
	return "median"
}

// ByMean reports whether means, or ratios of sums, are compared.
func (m Metric) ByMean() bool { return m.By == ByMean || m.By == ByBootstrap || m.Per != "" }

// Wanted is the direction of a change for the better: 1 or -1; 0 without a goal.
func (m Metric) Wanted() int {
	return map[string]int{"maximize": 1, "minimize": -1}[m.Goal]
}

// Limit is the size below which a change does not matter, in the metric's unit,
// where the baseline is at centre.
func (m Metric) Limit(centre float64) float64 {
	if m.MinEffectRelative {
		return m.MinEffect * math.Abs(centre)
	}
	return m.MinEffect
}

// Decisive says of each metric whether it is among those whose p values answer
// for each other: those declared primary or, where none is, those with a goal.
func Decisive(all []Metric) []bool {
	declared := slices.ContainsFunc(all, func(m Metric) bool { return m.Primary })
	out := make([]bool, len(all))
	for i, m := range all {
		out[i] = m.Primary || !declared && m.Goal != ""
	}
	return out
}
