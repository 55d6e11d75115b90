// Package sampling chooses some of many points, the same ones for the same seed.
//
// In goes the value of `sample:` and a digest or the numbers of choices of every
// point; out come those that are kept, each with its rank: the first k of a
// larger sample are the sample of k. Which points there are is the business of
// package grid.
package sampling

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/repeat"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
)

// Sample keeps N points, the same ones for the same seed; N = 0 keeps all. One
// that grows begins with N and has up to Max.
type Sample struct {
	N, Seed int
	By      string // Halton, or empty for chance
	Max     int    // 0 where Until is empty
	Until   repeat.Until
}

// Halton is the choice of points that fill the grid evenly.
const Halton = "halton"

// Grows reports whether points are added until a question is answered.
func (s Sample) Grows() bool { return s.Until != repeat.Until{} }

// Form is how many points, or a map.
func Form() form.Form[Sample] {
	n := func(s *Sample) *int { return &s.N }
	by := form.Form[string]{What: "chance or halton", Schema: form.Word("chance", Halton).Schema, Read: func(r *yaml.Reader, n *yaml.Node, into *string) {
		if *into = r.OneOf(n, "chance", Halton); *into == "chance" {
			*into = ""
		}
	}}
	return form.Or(form.Whole(1), n, form.Map(
		form.Field("n", "", form.Whole(1), n),
		form.Field("seed", "", form.Whole(0), func(s *Sample) *int { return &s.Seed }),
		form.Field("by", "chance, or halton: points that fill the grid evenly.", by, func(s *Sample) *string { return &s.By }),
		form.Field("max", "With until: how many points there may be.", form.Whole(2), func(s *Sample) *int { return &s.Max }),
		form.Field("until", "Adds points until it is so: decided, or width(METRIC) < SIZE.", repeat.UntilForm(), func(s *Sample) *repeat.Until { return &s.Until }),
	).Checked(func(r *yaml.Reader, n *yaml.Node, s *Sample) {
		switch {
		case s.N == 0:
			r.Hintf(n, "for example sample: {n: 50, seed: 1}", "`sample` needs `n`, how many points it keeps")
		default:
			repeat.CheckMax(r, n, "points", s.N, s.Max, s.Grows())
		}
	}))
}

// A Digest identifies a point.
type Digest [16]byte

// Smallest collects the n smallest of many digests.
type Smallest struct {
	n       int
	largest digests
	have    map[Digest]bool
}

// NewSmallest collects n.
func NewSmallest(n int) *Smallest { return &Smallest{n: n, have: map[Digest]bool{}} }

// Add counts a digest once, however often it comes.
func (s *Smallest) Add(d Digest) {
	if s.have[d] {
		return
	}
	if len(s.largest) == s.n {
		if bytes.Compare(d[:], s.largest[0][:]) >= 0 {
			return
		}
		delete(s.have, heap.Pop(&s.largest).(Digest))
	}
	s.have[d] = true
	heap.Push(&s.largest, d)
}

// Ranks are the digests that were kept, and how many of them are smaller.
func (s *Smallest) Ranks() map[Digest]int {
	slices.SortFunc(s.largest, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
	out := make(map[Digest]int, len(s.largest))
	for i, d := range s.largest {
		out[d] = i
	}
	return out
}

// digests is a heap with the largest on top.
type digests []Digest

func (h digests) Len() int           { return len(h) }
func (h digests) Less(i, j int) bool { return bytes.Compare(h[i][:], h[j][:]) > 0 }
func (h digests) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *digests) Push(x any)        { *h = append(*h, x.(Digest)) }
func (h *digests) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}
