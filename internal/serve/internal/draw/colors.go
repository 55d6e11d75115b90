package draw

import (
	"fmt"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/table"
)

const shades = 5

// Colors are those of points by one of their values, alike in every picture: a
// colour for each text if they are few, and otherwise one for each fifth of the
// values in their order.
type Colors struct {
	scale  Scale
	value  int       // its index among the values of a point
	sorted []float64 // numbers of all points
}

// ColorsOf gives points the colours of their i-th values, which s measured.
func ColorsOf(s Scale, points []Point, i int) *Colors {
	c := &Colors{scale: s, value: i}
	for _, p := range points {
		if x, ok := table.Number(p.Values[i]); ok && len(s.levels) == 0 && !math.IsNaN(x) {
			c.sorted = append(c.sorted, x)
		}
	}
	slices.Sort(c.sorted)
	return c
}

// class is the class of a point's colour. Without colours all points have one.
func (c *Colors) class(p Point) string {
	if c == nil {
		return shade(shades / 2)
	}
	v := p.Values[c.value]
	if n := len(c.scale.levels); n > 0 && v != nil {
		return c.ofLevel(slices.Index(c.scale.levels, textOf(v)))
	}
	x, ok := table.Number(v)
	if !ok || math.IsNaN(x) || len(c.sorted) == 0 {
		return "none"
	}
	smaller, _ := slices.BinarySearch(c.sorted, x) // equal values have one colour
	return shade(min(shades*smaller/len(c.sorted), shades-1))
}

func (c *Colors) ofLevel(i int) string {
	n := len(c.scale.levels)
	switch {
	case i < 0:
		return "none"
	case n <= shades:
		return shade(i * (shades - 1) / max(n-1, 1))
	}
	return shade(shades * i / n)
}

func shade(i int) string { return fmt.Sprintf("q%d", i) }

// A Key says what colours mean: of each text, or from Low to High.
type Key struct {
	Swatches  []Swatch
	Low, High string
}

// A Swatch is a colour, and the text that has it.
type Swatch struct {
	Class, Text string
}

// Key is what the colours mean.
func (c *Colors) Key() (key Key) {
	levels := c.scale.levels
	if len(levels) > 0 && len(levels) <= shades {
		for i, text := range levels {
			key.Swatches = append(key.Swatches, Swatch{c.ofLevel(i), label(text)})
		}
		return key
	}
	for i := range shades {
		key.Swatches = append(key.Swatches, Swatch{Class: shade(i)})
	}
	if len(levels) > 0 {
		key.Low, key.High = label(levels[0]), label(levels[len(levels)-1])
		return key
	}
	ticks := c.scale.ticks()
	key.Low, key.High = ticks[0].text, ticks[len(ticks)-1].text
	return key
}
