// Package decide says when a sweep that grows has answered its question.
//
// In go the table of a sweep, what it is asked and what earlier looks found; out
// comes a Look: what is decided of every variant by every metric that decides,
// and which variants get more replicates. However often a sweep is looked at, a
// difference that is not there is told in at most alpha of all sweeps: each look
// uses a share of alpha of its own, and Holm's method divides that among metrics
// and variants. The intervals of a comparison at all its looks hold the change
// together as often as one interval of a single look would.
//
// Package decide is pure: it reads the table, and the same table gives the same
// Look. It plans and executes nothing.
package decide

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// Alpha is the share of sweeps that may tell a difference that is not there.
const Alpha = 0.05

// A Rule says when a sweep need not grow any more.
type Rule struct {
	First, Most int    // at the first look, and at the last there can be
	Of          string // what they count: replicates or, in a sample that grows, points
	// Width names a metric, and Below how narrow the interval of its change must
	// be, in its unit or as a fraction of the baseline's centre. Without a name
	// every metric that decides must be decided.
	Width    string
	Below    float64
	Relative bool
}

// A Look is what was found when so many replicates had ended.
type Look struct {
	Replicates int           `json:"replicates"`     // of the baseline and the variants that were looked at
	Level      float64       `json:"level"`          // the share of alpha that this look used
	Axes       []string      `json:"axes"`           // whose values make the variants
	Baseline   []value.Value `json:"baseline"`       // its values of these axes
	Found      []Finding     `json:"found"`          // of those that were open and have values
	Next       int           `json:"next,omitempty"` // replicates at the next look; 0 where this was the last one
	Why        string        `json:"why,omitempty"`  // it was the last one, though something is open
}

// A Finding is what a look says of one variant by one metric.
type Finding struct {
	Metric  string          `json:"metric"`
	Key     []value.Value   `json:"key"` // the variant's values of Look.Axes
	Variant string          `json:"variant"`
	Pairs   int             `json:"pairs"` // or the smaller number of values
	Shift   number          `json:"change"`
	Lo      number          `json:"lo"`
	Hi      number          `json:"hi"`
	P       number          `json:"p"` // below Alpha where the look tells a difference
	Verdict compare.Verdict `json:"verdict,omitempty"`
	Open    bool            `json:"open,omitempty"` // more replicates may change the answer
	Test    *test           `json:"test,omitempty"` // nil in a look that an earlier version took
}

// A test is what P rests on, so that a row of a table has all its numbers from one
// look.
type test struct {
	P     number `json:"p"`
	Size  number `json:"effect"`
	Saved number `json:"variance_saved"`
	Flat  bool   `json:"unvarying,omitempty"`
	Plain *plain `json:"unadjusted,omitempty"`
}

// A plain is the change that nothing adjusts.
type plain struct {
	Shift number `json:"change"`
	Lo    number `json:"lo"`
	Hi    number `json:"hi"`
	P     number `json:"p"`
}

func testOf(a *compare.Comparison) *test {
	t := &test{P: number(a.P), Size: number(a.Size), Saved: number(a.Saved), Flat: a.Flat}
	if p := a.Plain; p != nil {
		t.Plain = &plain{Shift: number(p.Shift), Lo: number(p.Lo), Hi: number(p.Hi), P: number(p.P)}
	}
	return t
}

// comparison is what compare.Found needs of a test.
func (t *test) comparison() *compare.Comparison {
	if t == nil {
		return nil
	}
	a := &compare.Comparison{Size: float64(t.Size), Saved: float64(t.Saved)}
	a.P, a.Flat = float64(t.P), t.Flat
	if p := t.Plain; p != nil {
		a.Plain = &compare.Plain{}
		a.Plain.Shift, a.Plain.P = float64(p.Shift), float64(p.P)
		a.Plain.Lo, a.Plain.Hi = float64(p.Lo.or(math.Inf(-1))), float64(p.Hi.or(math.Inf(1)))
	}
	return a
}

// A number is null in JSON where it is not finite, and 0 where it is −0.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n) + 0)
}

func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// A Path is the looks at a sweep, the first first.
type Path []Look

// Decode reads what Encode wrote; of nothing it is no look. Ends of intervals
// that are not there are infinite.
func Decode(text []byte) (Path, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var path Path
	if err := json.Unmarshal(text, &path); err != nil {
		return nil, fmt.Errorf("read looks: %w", err)
	}
	for _, l := range path {
		for i := range l.Found {
			f := &l.Found[i]
			f.Lo, f.Hi, f.P = f.Lo.or(math.Inf(-1)), f.Hi.or(math.Inf(1)), f.P.or(1)
		}
	}
	return path, nil
}

func (n number) or(otherwise float64) number {
	if math.IsNaN(float64(n)) {
		return number(otherwise)
	}
	return n
}

// Encode is the path as JSON.
func (p Path) Encode() ([]byte, error) { return json.Marshal([]Look(p)) }

// Replicates is how many replicates the runs with these values of the axes have,
// where first is what all begin with.
func (p Path) Replicates(key []value.Value, first int) int {
	n := first
	for _, l := range p {
		wanted := equal(key, l.Baseline) || slices.ContainsFunc(l.Found, func(f Finding) bool { return f.Open && equal(f.Key, key) })
		if wanted && l.Next > n {
			n = l.Next
		}
	}
	return n
}

// Blank reports whether a look compared nothing. It has used nothing of alpha, and is
// taken again when there is something to compare.
func (l Look) Blank() bool { return len(l.Found) == 0 }

// Compared are the looks before one that compared nothing.
func (p Path) Compared() Path {
	for len(p) > 0 && p[len(p)-1].Blank() {
		p = p[:len(p)-1]
	}
	return p
}

// Ended reports whether no further look is to come, as things stand.
func (p Path) Ended() bool { return len(p) > 0 && p[len(p)-1].Next == 0 }

func equal(a, b []value.Value) bool { return slices.EqualFunc(a, b, value.Equal) }

// last is the last finding on a variant by a metric; nil where there is none.
func (p Path) last(metric string, key []value.Value) *Finding {
	for i := range slices.Backward(p) {
		for j := range p[i].Found {
			if f := &p[i].Found[j]; f.Metric == metric && equal(f.Key, key) {
				return f
			}
		}
	}
	return nil
}

// Found is what the looks say of a group, for compare.Options: as long as there
// was no look, that there are too few runs.
func (p Path) Found(metric string, g *compare.Group) *compare.Found {
	f := p.last(metric, g.Key)
	if f == nil {
		return &compare.Found{Lo: math.Inf(-1), Hi: math.Inf(1), P: 1, Verdict: compare.TooFew}
	}
	return f.found()
}

func (f *Finding) found() *compare.Found {
	return &compare.Found{Shift: float64(f.Shift), Lo: float64(f.Lo), Hi: float64(f.Hi), P: float64(f.P), Pairs: f.Pairs, Verdict: f.Verdict, Test: f.Test.comparison()}
}

// Take looks at the runs of a table, of which the variants that are open have n
// replicates. o has the metrics, axes and baseline of the sweep.
func (p Path) Take(t *table.Table, o compare.Options, rule Rule, n int) (Look, error) {
	last := 0
	if len(p) > 0 {
		last = p[len(p)-1].Replicates
	}
	// An early look has next to nothing to use, and 0 would be no level at all.
	look := Look{Replicates: n, Level: math.Max(Level(Alpha, last, n, rule.Most), 1e-12)}
	o.Alpha, o.Confidence, o.Brief = look.Level, 1-look.Level, true
	o.Looked = func(metric string, g *compare.Group) *compare.Found {
		if f := p.last(metric, g.Key); f != nil && !f.Open {
			return f.found()
		}
		return nil
	}
	r, err := compare.Compare(t, o)
	if err != nil {
		return look, err
	}
	look.Axes = r.Rows
	base := 0 // values of the baseline, of any metric that decides
	for _, m := range r.Metrics {
		if m.Exploratory || m.Guardrail || len(m.Groups) == 0 || !m.Groups[0].Baseline {
			continue
		}
		look.Baseline = m.Groups[0].Key
		base += m.Groups[0].N
		for _, g := range m.Groups[1:] {
			if f := p.last(m.Name, g.Key); g.Against != nil && (f == nil || f.Open) {
				look.Found = append(look.Found, p.finding(m, g, look.Level))
			}
		}
	}
	p.open(&look, r, rule)
	look.conclude(rule, base)
	return look, nil
}

// finding is what is found now of a group that is open.
func (p Path) finding(m compare.MetricTable, g compare.Group, level float64) Finding {
	f := Finding{Metric: m.Name, Key: g.Key, Variant: g.Name, Shift: number(math.NaN()), Lo: number(math.Inf(-1)), Hi: number(math.Inf(1)), P: 1}
	a := g.Against
	f.Pairs, f.Verdict, f.Shift, f.Lo, f.Hi = a.Pairs, a.Verdict, number(a.Shift), number(a.Lo), number(a.Hi)
	f.P, f.Test = number(math.Min(1, a.PAdjusted*Alpha/level)), testOf(a)
	base := m.Groups[0]
	limit := m.Limit(base.Centre)
	decided := slices.Contains([]compare.Verdict{compare.Better, compare.Worse, compare.Different}, a.Verdict)
	if !decided && a.Lo > -limit && a.Hi < limit {
		if f.Verdict = compare.Equivalent; a.Lowest <= -limit || a.Highest >= limit {
			f.Verdict = compare.Withheld // the pairs that are missing could matter
		}
	}
	// One value in all runs, at a second look too: more of them tell nothing.
	one := base.Values[0]
	if len(p) > 0 && one == base.Values[base.N-1] && one == g.Values[0] && one == g.Values[g.N-1] {
		f.Verdict = compare.Same
	}
	return f
}

// open marks the findings that more replicates may change.
func (p Path) open(look *Look, r *compare.Report, rule Rule) {
	for i := range look.Found {
		f := &look.Found[i]
		if rule.Width != "" {
			f.Open = p.wide(look, f.Key, r, rule)
			continue
		}
		switch f.Verdict {
		case compare.Better, compare.Worse, compare.Different, compare.Equivalent:
		case compare.Same:
			f.Open = len(p) == 0
		default:
			f.Open = true
		}
	}
}

// wide reports whether the interval of the metric that must be narrow is not.
func (p Path) wide(look *Look, key []value.Value, r *compare.Report, rule Rule) bool {
	for _, f := range look.Found {
		if f.Metric != rule.Width || !equal(f.Key, key) {
			continue
		}
		if f.Verdict == compare.Same && len(p) > 0 {
			return false // a second look found one value again: more of it tell nothing
		}
		below := rule.Below
		if rule.Relative {
			below *= math.Abs(centre(r, rule.Width))
		}
		return !(float64(f.Hi-f.Lo) < below)
	}
	return false
}

func centre(r *compare.Report, metric string) float64 {
	for _, m := range r.Metrics {
		if m.Name == metric {
			return m.Groups[0].Centre
		}
	}
	return math.NaN()
}

// End makes a look the last one, though something is open.
func (l *Look) End(why string) {
	l.Next, l.Why = 0, why
	for i := range l.Found {
		l.Found[i].Open = false // nothing more is to come
	}
}

// conclude says whether the sweep grows, and why not where something is open.
func (l *Look) conclude(rule Rule, base int) {
	open := slices.ContainsFunc(l.Found, func(f Finding) bool { return f.Open })
	switch {
	case base == 0:
		l.Why = "the baseline has no values, so nothing is compared"
	case len(l.Found) == 0:
		l.Why = "no variant has values, so nothing is compared"
	case !open:
	case l.Replicates >= rule.Most:
		l.Why = fmt.Sprintf("max, %d %s, is reached", rule.Most, rule.Of)
	default:
		l.Next = Next(l.Replicates, rule.Most)
		return
	}
	if l.Why != "" {
		l.End(l.Why)
	}
}
