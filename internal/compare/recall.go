package compare

// A Found is what a look at a sweep that grows has found of one comparison.
type Found struct {
	Shift, Lo, Hi, P float64 // P is below Alpha where a difference is told
	Pairs            int     // or the smaller number of values; 0 where no look found a value
	Verdict          Verdict
	Test             *Comparison // with P, Size, Saved and Plain as the look saw them; nil where it kept none
}

// known is what an earlier look has found; nil where it is tested now.
func (c *comparer) known(t *MetricTable, g *Group) *Found {
	if c.o.Looked == nil || t.Guardrail || t.Exploratory {
		return nil
	}
	return c.o.Looked(t.Name, g)
}

// or is p, or what takes its place in Holm's family, which told differences leave.
func (f *Found) or(p float64) float64 {
	switch {
	case f == nil:
		return p
	case f.Verdict == Better || f.Verdict == Worse || f.Verdict == Different:
		return 0
	}
	return 1
}

// recall gives comparisons the numbers and verdicts that looks have found.
func (c *comparer) recall(tables []MetricTable) {
	for i := range tables {
		t := &tables[i]
		for j := range t.Groups {
			g := &t.Groups[j]
			if f := c.known(t, g); f != nil && g.Against != nil {
				a := g.Against
				a.Lo, a.Hi, a.PAdjusted, a.Verdict = f.Lo, f.Hi, f.P, f.Verdict
				if f.Pairs > 0 {
					a.Shift, a.Pairs, a.Possible = f.Shift, f.Pairs, f.Pairs
				}
				a.As(f.Test)
				a.Relate(t.Groups[0].Centre, t.Groups[0].Values, g.Values)
			}
		}
	}
}
