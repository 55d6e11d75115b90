package shelf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Question is what somebody looks for: words, all of which are to be found, and
// conditions.
type Question struct {
	words []string
	conds []condition
}

// A condition is "owner:ana" or "failed:>0".
type condition struct {
	key, op, text string
	number        float64
}

// Fields are the keys of conditions; any other is the name of an axis, or of a parameter
// that is the same for every run.
var Fields = []string{"owner", "template", "state", "tag", "name", "metric", "unusual", "schedule", "month", "runs", "failed"}

// Parse reads a question: words, "words in quotes", and conditions.
func Parse(text string) (Question, error) {
	var q Question
	for _, part := range split(strings.ToLower(text)) {
		key, want, isCondition := strings.Cut(part, ":")
		if !isCondition || key == "" || want == "" || strings.HasPrefix(part, `"`) {
			q.words = append(q.words, strings.Trim(part, `"`))
			continue
		}
		c := condition{key: key, text: strings.Trim(want, `"`)}
		if key == "runs" || key == "failed" {
			rest := strings.TrimLeft(c.text, "<>=")
			n, err := strconv.ParseFloat(rest, 64)
			c.op, c.number = c.text[:len(c.text)-len(rest)], n
			if err != nil || !slices.Contains([]string{"", "=", "<", ">", "<=", ">="}, c.op) {
				return q, unit.Mistake(unit.WithHint(fmt.Errorf("%s:%s is no condition: want a number", key, c.text), "for example %s:>0", key))
			}
		}
		q.conds = append(q.conds, c)
	}
	return q, nil
}

// split is a text at its spaces, but for those in quotes.
func split(text string) (parts []string) {
	quoted := false
	for _, part := range strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n')
	}) {
		if strings.Trim(part, `"`) != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// words is the text of a record in lower case, whole and by how much its parts say.
type words struct {
	all   string
	parts []weighed
}

type weighed struct {
	weight int
	text   string // a part of all
}

// What a word that is found says, by where: in a title, a tag, a parameter, a
// scrap, or another text.
const (
	inTitle     = 8
	inTag       = 5
	inParameter = 4
	inScrap     = 3
	inText      = 1
)

func wordsOf(r Record) (w words) {
	var all strings.Builder
	var ends []int
	add := func(weight int, texts ...string) {
		for _, t := range texts {
			if t != "" {
				all.WriteString(strings.ToLower(t))
				w.parts, ends = append(w.parts, weighed{weight: weight}), append(ends, all.Len())
				all.WriteByte(0) // which no word has
			}
		}
	}
	add(inTitle, r.Name, r.Title)
	add(inTag, r.Tags...)
	add(inTag, r.Owner)
	for _, a := range r.Axes {
		add(inParameter, a.Name)
		for _, v := range a.Values {
			add(inParameter, a.Name+"="+v, v)
		}
	}
	for _, f := range r.Fixed {
		add(inParameter, f.Name+"="+f.Value, f.Value)
	}
	for _, m := range r.Metrics {
		add(inScrap, m.Name)
	}
	add(inScrap, r.Scraps...)
	add(inScrap, r.Templates...)
	add(inText, r.About, r.Root+"/"+r.Path)
	for _, f := range r.Failures {
		add(inText, f.Text)
	}
	add(inText, r.Unusual...)
	w.all = all.String()
	from := 0
	for i, end := range ends {
		w.parts[i].text = w.all[from:end]
		from = end + 1
	}
	return w
}

// score is how well a word fits; 0 is not at all.
func (w words) score(word string) (best int) {
	if !strings.Contains(w.all, word) {
		return 0
	}
	for _, t := range w.parts {
		if 3*t.weight <= best {
			continue
		}
		at := strings.Index(t.text, word)
		switch {
		case at < 0:
		case len(t.text) == len(word):
			best = max(best, 3*t.weight)
		case at == 0:
			best = max(best, 2*t.weight)
		default:
			best = max(best, t.weight)
		}
	}
	return best
}

// A Count is how many of the found sweeps share something.
type Count struct {
	Value string `json:"value"`
	N     int    `json:"n"`
}

// A Facet is one property by which found sweeps can be narrowed.
type Facet struct {
	Key    string  `json:"key"`
	Counts []Count `json:"counts"`
}

// Found is an answer.
type Found struct {
	Sweeps []Record
	Facets []Facet
}

// Find looks among the records that are known of some places: the best first, and
// without words by state and age. It reads no sweep.
func (s *Shelf) Find(q Question, places []roots.Sweep) Found {
	type hit struct {
		*known
		score float64
	}
	var hits []hit
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range places {
		k := s.known[p.Where]
		if k == nil {
			k = &known{Record: Record{Sweep: p, State: Unread}}
			k.words = wordsOf(k.Record)
		}
		if score, ok := k.fits(q, now); ok {
			hits = append(hits, hit{k, score})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), a.Record.rank()-b.Record.rank(),
			b.Record.Ended.Compare(a.Record.Ended), strings.Compare(a.Record.Where, b.Record.Where))
	})
	f := Found{Sweeps: make([]Record, len(hits))}
	for i, h := range hits {
		f.Sweeps[i] = h.Record
	}
	f.Facets = facets(f.Sweeps)
	return f
}

// halfAfter is after how long a sweep says half as much as one of now.
const halfAfter = 90 * 24 * time.Hour

// fits scores a record; what is older counts less.
func (k *known) fits(q Question, now time.Time) (score float64, ok bool) {
	for _, c := range q.conds {
		if !c.holds(k.Record) {
			return 0, false
		}
	}
	for _, word := range q.words {
		n := k.words.score(word)
		if n == 0 {
			return 0, false
		}
		score += float64(n)
	}
	age := max(0, now.Sub(k.Record.Ended))
	if k.Record.State == Running {
		age = 0
	}
	return score / (1 + float64(age)/float64(halfAfter)), true
}

// holds reports whether a condition is true of a record.
func (c condition) holds(r Record) bool {
	switch c.key {
	case "runs":
		return c.compares(float64(r.Tally.Runs))
	case "failed":
		return c.compares(float64(bad(r.Tally)))
	}
	return slices.ContainsFunc(valuesOf(r, c.key), func(v string) bool { return strings.Contains(strings.ToLower(v), c.text) })
}

func bad(t query.Tally) int {
	return t.Counts[outcome.Failed] + t.Counts[outcome.TimedOut] + t.Counts[outcome.Lost]
}

func (c condition) compares(n float64) bool {
	switch c.op {
	case ">":
		return n > c.number
	case ">=":
		return n >= c.number
	case "<":
		return n < c.number
	case "<=":
		return n <= c.number
	}
	return n == c.number
}

// valuesOf are what a record has under a key, or on an axis of that name.
func valuesOf(r Record, key string) (all []string) {
	switch key {
	case "owner":
		return []string{r.Owner}
	case "template":
		return r.Templates
	case "state":
		return []string{r.State}
	case "tag":
		return r.Tags
	case "name":
		return []string{r.Name, r.Title}
	case "month":
		if r.Ended.IsZero() {
			return nil
		}
		return []string{r.Ended.UTC().Format("2006-01")}
	case "unusual":
		if len(r.Unusual) > 0 {
			return []string{"yes"}
		}
		return []string{"no"}
	case "schedule":
		switch {
		case r.Schedule == nil:
			return []string{"no"}
		case r.Schedule.Paused:
			return []string{"yes", "paused"}
		}
		return []string{"yes"}
	case "metric":
		for _, m := range r.Metrics {
			all = append(all, m.Name)
		}
		return all
	}
	for _, a := range r.Axes {
		if strings.EqualFold(a.Name, key) {
			all = append(all, a.Values...)
		}
	}
	for _, f := range r.Fixed {
		if strings.EqualFold(f.Name, key) {
			all = append(all, f.Value)
		}
	}
	return all
}

// maxCounts is how many values of a facet are named.
const maxCounts = 8

// facets count what the sweeps have in common.
func facets(all []Record) (out []Facet) {
	for _, key := range []string{"state", "owner", "template", "tag", "schedule", "month"} {
		n := map[string]int{}
		for _, r := range all {
			for _, v := range valuesOf(r, key) {
				if v != "" && v != Unread {
					n[v]++
				}
			}
		}
		f := Facet{Key: key}
		for v, count := range n {
			f.Counts = append(f.Counts, Count{v, count})
		}
		slices.SortFunc(f.Counts, func(a, b Count) int { return cmp.Or(b.N-a.N, strings.Compare(a.Value, b.Value)) })
		f.Counts = f.Counts[:min(len(f.Counts), maxCounts)]
		if len(f.Counts) > 1 {
			out = append(out, f)
		}
	}
	return out
}
