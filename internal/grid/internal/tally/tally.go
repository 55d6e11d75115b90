// Package tally counts the points of a step without listing them.
//
// In go a product of axes, what a step keeps of each, and which combinations count;
// out comes how many of those differ in what the step keeps. Memory grows with the
// combinations of what is kept, a bit for each, and not with the points.
package tally

import (
	"context"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
)

// A Kept is what a step keeps of an axis: the number of the class of each choice,
// where choices of one class are the same to the step.
type Kept struct {
	Class []int
	N     int // classes
}

// Classes finds the classes of an axis for a step that keeps some names. text is that
// of a value, the same for values that are one to the step.
func Classes(dim *axes.Dim, names map[string]bool, text func(c *axes.Column, choice int) string) Kept {
	k := Kept{Class: make([]int, dim.N)}
	seen := map[string]int{}
	for i := range dim.N {
		var b []byte
		for _, c := range dim.Cols {
			if names[c.Name] && !c.Label {
				b = append(b, 0)
				if c.Has(i) {
					b = append(b, text(c, i)...)
				}
			}
		}
		if _, known := seen[string(b)]; !known {
			seen[string(b)] = len(seen)
		}
		k.Class[i] = seen[string(b)]
	}
	k.N = len(seen)
	return k
}

// maxBits is how many combinations of what a step keeps are told apart.
const maxBits = 1 << 31

// Count counts the combinations that differ in what is kept, of those that pass. look
// are the axes that pass depends on. It reports false where there are too many.
func Count(ctx context.Context, b *axes.Block, kept []Kept, look []bool, pass func(idx []int) (bool, error)) (n int, fits bool, err error) {
	size, free := 1, 1
	for d, k := range kept {
		if look[d] {
			size = axes.Times(size, k.N)
		} else {
			free = axes.Times(free, k.N)
		}
	}
	if size > maxBits {
		return 0, false, nil
	}
	seen := make([]uint64, size/64+1)
	steps, found := 0, 0
	b.Walk(axes.Matcher{}, look, func(idx []int, _ int) bool {
		if steps++; steps%65536 == 0 && ctx.Err() != nil {
			err = ctx.Err()
			return false
		}
		at := 0
		for d, k := range kept {
			if look[d] {
				at = at*k.N + k.Class[idx[d]]
			}
		}
		if seen[at/64]&(1<<(at%64)) != 0 {
			return true
		}
		var ok bool
		if ok, err = pass(idx); err != nil {
			return false
		}
		if ok {
			seen[at/64] |= 1 << (at % 64)
			found++
		}
		return true
	})
	return axes.Times(found, free), true, err
}

// maxTable is how many results of one test are remembered.
const maxTable = 1 << 24

// A Test is a condition that depends on some axes. What it came to is remembered.
type Test struct {
	b     *axes.Block
	look  []bool
	table []uint8 // 0 not known, 1 false, 2 true; nil where there are too many
	eval  func(idx []int) (bool, error)
}

// NewTest is a test that depends on the axes of look.
func NewTest(b *axes.Block, look []bool, eval func(idx []int) (bool, error)) *Test {
	t := &Test{b: b, look: look, eval: eval}
	size := 1
	for d, dim := range b.Dims {
		if look[d] {
			size = axes.Times(size, dim.N)
		}
	}
	if size <= maxTable {
		t.table = make([]uint8, size)
	}
	return t
}

// Pass is what the test comes to for a combination.
func (t *Test) Pass(idx []int) (bool, error) {
	if t.table == nil {
		return t.eval(idx)
	}
	at := 0
	for d, dim := range t.b.Dims {
		if t.look[d] {
			at = at*dim.N + idx[d]
		}
	}
	if t.table[at] == 0 {
		ok, err := t.eval(idx)
		if err != nil {
			return false, err
		}
		t.table[at] = 1
		if ok {
			t.table[at] = 2
		}
	}
	return t.table[at] == 2, nil
}
