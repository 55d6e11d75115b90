// Package delta says in what the outputs of two executions of a cell differ.
//
// In go normalised parts, out come the differences that a person would name:
// numbers that moved, cells of a table, how much of a picture, values of a
// plot, lines of text. It promises to find a difference where there is one;
// of many it names the first.
package delta

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Delta is one difference between an output and the one it is compared with.
type Delta struct {
	Output string  `json:"output"`          // MIME type, stdout, stderr or error
	Kind   Kind    `json:"kind"`            //
	Where  string  `json:"where,omitempty"` // words beside a number, row and column, path of a value
	From   string  `json:"from,omitempty"`
	To     string  `json:"to,omitempty"`
	Change float64 `json:"change,omitempty"` // of a number
	Share  float64 `json:"share,omitempty"`  // of a number: Change as a share of From; of a picture: pixels that differ
	Alike  bool    `json:"alike,omitempty"`  // pictures that show the same at a glance
	Count  int     `json:"count,omitempty"`  // how many numbers moved, of which this is the furthest
	Pair   [2]int  `json:"pair,omitzero"`    // of pictures: which output of either cell they are, from 1
	// Sizes are those of the pair of pictures in pixels: how wide and how high each is.
	Sizes [2][2]int `json:"sizes,omitzero"`
}

// A Kind is what differs.
type Kind string

// The kinds of differences.
const (
	Number  Kind = "number"
	Numbers Kind = "numbers" // Count of them; the one that moved most is shown
	Text    Kind = "text"
	Cell    Kind = "cell"    // of a table
	Shape   Kind = "shape"   // of a table or a picture
	Picture Kind = "picture" //
	Value   Kind = "value"   // of JSON
	Added   Kind = "added"   // an output, or lines
	Removed Kind = "removed"
	Order   Kind = "order"
	Markup  Kind = "markup" // how something looks, not what it says
	Raised  Kind = "raised"
)

// Most is how many differences of one output are named.
const Most = 40

// Of names the differences from a to b, the best form of each output alone,
// and how many are left out. tolerance is relative.
func Of(a, b []normal.Part, tolerance float64) (found []Delta, left int) {
	c := comparer{tolerance: tolerance}
	pairs := pair(a, b)
	for len(pairs) > 0 {
		n := 1
		for n < len(pairs) && pairs[n].of() == pairs[0].of() && pairs[0].of() >= 0 {
			n++
		}
		c.output(pairs[:n])
		pairs = pairs[n:]
	}
	return c.found, c.left
}

type comparer struct {
	tolerance float64
	found     []Delta
	left      int
}

func (c *comparer) add(d Delta) {
	if len(c.found) >= Most {
		c.left++
		return
	}
	d.From, d.To, d.Where = short(d.From), short(d.To), short(d.Where)
	c.found = append(c.found, d)
}

// short is foreign text as a line.
func short(s string) string {
	const most = 120
	if len(s) > 8*most {
		s = strings.ToValidUTF8(s[:8*most], "")
	}
	return unit.Cut(unit.Line(strings.TrimSpace(s)), most)
}

// moved adds a number that moved.
func (c *comparer) moved(d Delta, from, to float64) {
	d.Change = to - from
	if from != 0 {
		d.Share = d.Change / math.Abs(from)
	}
	if math.IsInf(d.Share, 0) || math.IsNaN(d.Share) || math.Abs(d.Share) > 1e6 {
		d.Share = 0
	}
	if math.IsInf(d.Change, 0) || math.IsNaN(d.Change) {
		d.Change = 0
	}
	c.add(d)
}

// A couple is a part and the one it is compared with; one may be missing.
type couple struct{ a, b *normal.Part }

func (p couple) of() int {
	if p.b != nil {
		return p.b.Of
	}
	return -2 - p.a.Of
}

func (p couple) what() string {
	if p.b != nil {
		return p.b.What
	}
	return p.a.What
}

// pair finds for each part the one of the same kind in the same place.
func pair(a, b []normal.Part) []couple {
	var pairs []couple
	byWhat := map[string][]*normal.Part{}
	for i := range a {
		byWhat[a[i].What] = append(byWhat[a[i].What], &a[i])
	}
	for i := range b {
		p := couple{b: &b[i]}
		if same := byWhat[b[i].What]; len(same) > 0 {
			p.a, byWhat[b[i].What] = same[0], same[1:]
		}
		pairs = append(pairs, p)
	}
	for i := range a {
		if rest := byWhat[a[i].What]; len(rest) > 0 && rest[0] == &a[i] {
			byWhat[a[i].What] = rest[1:]
			pairs = append(pairs, couple{a: &a[i]})
		}
	}
	return pairs
}

// output compares the representations of one output: the first, in the order
// of how much they say, that differs speaks for all.
func (c *comparer) output(pairs []couple) {
	slices.SortStableFunc(pairs, func(p, q couple) int { return cmp.Compare(rank(p.what()), rank(q.what())) })
	was := len(c.found) + c.left
	var markup []couple
	for _, p := range pairs {
		switch {
		case p.a == nil:
			c.add(Delta{Output: p.b.What, Kind: Added, To: summary(p.b)})
		case p.b == nil:
			c.add(Delta{Output: p.a.What, Kind: Removed, From: summary(p.a)})
		case p.a.Text == p.b.Text:
			continue
		default:
			c.parts(p.a, p.b)
			if p.a.Kind == normal.HTML && len(c.found)+c.left == was {
				markup = append(markup, p)
			}
		}
		if len(c.found)+c.left > was {
			return
		}
	}
	for _, p := range markup {
		c.markup(p.a, p.b)
	}
	for _, p := range pairs {
		if len(c.found)+c.left == was && p.a.Text != p.b.Text && !c.near(p) {
			c.add(Delta{Output: p.b.What, Kind: Markup, Where: "spacing"})
		}
	}
}

// near reports whether the parts of a couple differ by no more than the
// tolerance, or are pictures of the same.
func (c *comparer) near(p couple) bool {
	return p.a.Kind == normal.Picture || FrameOf([]normal.Part{*p.a}, math.MaxInt).Near(FrameOf([]normal.Part{*p.b}, math.MaxInt), c.tolerance, new(int))
}

func rank(what string) int {
	switch what {
	case "application/vnd.dataresource+json":
		return 0
	case "text/html":
		return 2
	case "text/plain", "text/latex", "text/markdown":
		return 4
	case "application/javascript", "text/javascript":
		return 5
	}
	if strings.HasPrefix(what, "image/") {
		return 3
	}
	return 1
}

func summary(p *normal.Part) string {
	if p.Kind == normal.Picture {
		return unit.Bytes(int64(len(p.Raw)))
	}
	line, _, _ := strings.Cut(strings.TrimSpace(p.Text), "\n")
	return line
}

func (c *comparer) parts(a, b *normal.Part) {
	if a.Kind == normal.Table || b.Kind == normal.Table {
		c.recorded(a, b)
		return
	}
	switch b.Kind {
	case normal.Picture:
		c.pictures(a, b)
	case normal.Data:
		c.data(a, b)
	case normal.HTML:
		if !c.tables(b.What, tablesOf(a.Text), tablesOf(b.Text)) {
			c.lines(b.What, visible(a.Text), visible(b.Text))
		}
	case normal.Error:
		c.raised(a, b)
	default:
		c.lines(b.What, a.Text, b.Text)
	}
}

func (c *comparer) raised(a, b *normal.Part) {
	from, _, _ := strings.Cut(a.Text, "\n")
	to, _, _ := strings.Cut(b.Text, "\n")
	if from != to {
		c.add(Delta{Output: normal.Raised, Kind: Raised, From: from, To: to})
		return
	}
	c.lines(normal.Raised, a.Text, b.Text)
}

// markup names the first place where two texts in HTML differ that read alike.
func (c *comparer) markup(a, b *normal.Part) {
	before := len(c.found) + c.left
	c.lines(b.What, strings.ReplaceAll(a.Text, ">", ">\n"), strings.ReplaceAll(b.Text, ">", ">\n"))
	for i := min(before, len(c.found)); i < len(c.found); i++ {
		c.found[i].Kind = Markup
	}
}
