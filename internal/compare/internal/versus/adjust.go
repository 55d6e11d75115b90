package versus

import "github.com/fanout-dev/fanout/internal/compare/internal/stats"

// An Adjustment is what a change is adjusted by: what makes runs differ for other
// reasons than their group.
type Adjustment struct {
	// Covariate is a number of every row; nil without one.
	Covariate func(row int) float64
	// Stratum is where a row belongs, and Shares how large a part of the planned
	// runs each stratum has; nil without strata.
	Stratum func(row int) int
	Shares  []float64
}

// ofPairs adjusts the change between pairs, and their differences: by how much the
// covariate differs within the pair, and by how far the pairs of its stratum are
// from those of all strata.
func (a *Adjustment) ofPairs(c *Comparison, m stats.Method, pairs [][2]Sample, along []stats.Difference, confidence float64) bool {
	if a == nil {
		return false
	}
	var by [][]float64
	if a.Covariate != nil {
		by = append(by, listed(pairs, func(p [2]Sample) float64 { return stats.Minus(a.Covariate(p[1].Row), a.Covariate(p[0].Row)) }))
	}
	by = append(by, a.strata(len(pairs), func(i int) int { return pairs[i][1].Row })...)
	adjusted, ok := stats.AdjustOne(listed(along, func(d stats.Difference) float64 { return d.By }), by)
	if !ok {
		return false
	}
	c.adjust(m.OneOf(adjusted, confidence), adjusted)
	for i := range along {
		along[i].By = adjusted.Values[i]
	}
	return true
}

// ofSamples adjusts the change between two samples.
func (a *Adjustment) ofSamples(c *Comparison, m stats.Method, base, g Side, confidence float64) {
	if a == nil {
		return
	}
	both := append(append([]Sample(nil), base.Samples...), g.Samples...)
	var by [][]float64
	if a.Covariate != nil {
		by = append(by, listed(both, func(s Sample) float64 { return a.Covariate(s.Row) }))
	}
	by = append(by, a.strata(len(both), func(i int) int { return both[i].Row })...)
	value := func(s Sample) float64 { return s.Value }
	if adjusted, ok := stats.AdjustTwo(listed(base.Samples, value), listed(g.Samples, value), by); ok {
		c.adjust(m.TwoOf(adjusted, base.n(), confidence), adjusted)
		n := base.n()
		c.Size = m.SizeTwo(sorted(adjusted.Values[:n]), sorted(adjusted.Values[n:]))
	}
}

func (c *Comparison) adjust(change stats.Change, by stats.Adjusted) {
	c.Plain, c.Saved, c.Change = &Plain{Change: c.Change}, by.Saved, change
}

// strata are a list for each stratum but one that is there: the rows in it, as they
// differ from its share, so that all together are at zero.
func (a *Adjustment) strata(n int, row func(i int) int) (by [][]float64) {
	if a.Stratum == nil {
		return nil
	}
	there, whole := map[int]bool{}, 0.0
	for i := range n {
		if k := a.Stratum(row(i)); !there[k] {
			there[k] = true
			whole += a.Shares[k]
		}
	}
	for k, share := range a.Shares {
		if !there[k] || len(by) == len(there)-1 {
			continue
		}
		in := make([]float64, n)
		for i := range in {
			if in[i] = -share / whole; a.Stratum(row(i)) == k {
				in[i]++
			}
		}
		by = append(by, in)
	}
	return by
}

func listed[T any](all []T, of func(T) float64) []float64 {
	out := make([]float64, len(all))
	for i, x := range all {
		out[i] = of(x)
	}
	return out
}
