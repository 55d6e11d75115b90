// Package draw draws values of runs, or rows, as SVG: lines over parallel axes,
// and dots over two.
//
// In go axes and points with a value an axis; out comes SVG in which all text is
// escaped. It reads without a script, names each axis and its values in
// attributes, for a script that lets people choose a part of one, and never draws
// more than its limits: who asks says how many there were. Nothing is averaged.
package draw

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of what is drawn.
const (
	MaxAxes  = 12
	MaxLines = 400
	MaxDots  = 2000

	MaxLevels = 40 // texts along an axis
	maxTicks  = 12 // of them that are written
	maxLabel  = 18 // characters
	maxTitle  = 200
)

// A Point is a run or a row: where it leads, and its value on every axis, nil
// where it has none.
type Point struct {
	ID, Name, Link string
	Values         []any
}

// A Scale is an axis with the place of every value along it.
type Scale struct {
	Name      string // for a script
	Title     string // for people
	low, high float64
	levels    []string // texts; none: it has numbers
}

// ScaleOf measures the i-th values of points. ok is false when they do not
// differ, or are too many texts.
func ScaleOf(name, title string, points []Point, i int) (s Scale, ok bool) {
	s = Scale{Name: name, Title: title, low: math.Inf(1), high: math.Inf(-1)}
	numbers := true
	for _, p := range points {
		if p.Values[i] == nil {
			continue
		}
		x, isNumber := table.Number(p.Values[i])
		if numbers = numbers && isNumber; !numbers {
			break
		}
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			s.low, s.high = min(s.low, x), max(s.high, x)
		}
	}
	if numbers {
		return s, s.low < s.high
	}
	for _, p := range points {
		if text := textOf(p.Values[i]); p.Values[i] != nil && !slices.Contains(s.levels, text) {
			if s.levels = append(s.levels, text); len(s.levels) > MaxLevels {
				return s, false
			}
		}
	}
	slices.Sort(s.levels)
	return s, len(s.levels) > 1
}

func textOf(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// at is the place of a value from 0 to 1.
func (s Scale) at(v any) (place float64, ok bool) {
	if v == nil {
		return 0, false
	}
	if len(s.levels) > 0 {
		i := slices.Index(s.levels, textOf(v))
		return (float64(i) + 0.5) / float64(len(s.levels)), i >= 0
	}
	x, ok := table.Number(v)
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, false
	}
	return (x/2 - s.low/2) / (s.high/2 - s.low/2), true // halves: the difference may be too large
}

// A tick is a value that is written along an axis.
type tick struct {
	at   float64
	text string
}

func (s Scale) ticks() (all []tick) {
	if len(s.levels) == 0 {
		middle := s.low/2 + s.high/2
		ends := unit.Numbers(s.low, s.high)
		return []tick{{0, ends(s.low)}, {0.5, unit.Numbers(middle)(middle)}, {1, ends(s.high)}}
	}
	step := (len(s.levels) + maxTicks - 1) / maxTicks
	for i := 0; i < len(s.levels); i += step {
		all = append(all, tick{(float64(i) + 0.5) / float64(len(s.levels)), label(s.levels[i])})
	}
	return all
}

func label(text string) string { return unit.Cut(unit.Line(text), maxLabel) }

func title(text string) string { return unit.Cut(unit.Line(text), maxTitle) }

// data are the attributes by which a script knows the axis.
func (s Scale) data() string {
	what := struct {
		Name   string   `json:"name"`
		Low    float64  `json:"low"`
		High   float64  `json:"high"`
		Levels []string `json:"levels,omitempty"`
	}{s.Name, s.low, s.high, s.levels}
	if len(s.levels) > 0 {
		what.Low, what.High = 0, 0
	}
	b, _ := json.Marshal(what) // finite numbers and texts
	return ` data-axis="` + escape(string(b)) + `"`
}

func escape(text string) string { return template.HTMLEscapeString(text) }

// Some are points evenly chosen, where there are more than most.
func Some[T any](points []T, most int) []T {
	if len(points) <= most {
		return points
	}
	some := make([]T, most)
	for i := range some {
		some[i] = points[i*len(points)/most]
	}
	return some
}
