package grid

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/value"
)

// A Point is one assignment of every parameter.
type Point struct {
	params, labels []value.Binding
	replicate      int
	slot           string
	round          int    // of a sweep that grows by points
	unit           string // what of it is the same in all rounds, or in all variants
}

// Params are the parameters passed to the template: constants, then axes, then
// derived ones.
func (p Point) Params() []value.Binding { return p.params }

// Labels are axis values that are not parameters.
func (p Point) Labels() []value.Binding { return p.labels }

// Replicate counts from 0.
func (p Point) Replicate() int { return p.replicate }

// Template is the slot of the template axis, or the step; empty when there is
// neither.
func (p Point) Template() string { return p.slot }

// Identity is the canonical text of what is computed: parameters by name,
// replicate and template slot. The order of axes does not change it.
func (p Point) Identity() string {
	b := append(p.canonical(make([]byte, 0, 128)), ' ')
	b = append(strconv.AppendInt(b, int64(p.replicate), 10), ' ')
	return string(appendQuoted(b, p.slot))
}

// canonical writes the parameters by name, as JSON.
func (p Point) canonical(b []byte) []byte {
	params := p.params
	if !slices.IsSortedFunc(params, byName) {
		params = slices.Clone(params)
		slices.SortFunc(params, byName)
	}
	b = append(b, '{')
	for i, x := range params {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, x.Name), ':')
		b = append(b, x.Value.String()...)
	}
	return append(b, '}')
}

func appendQuoted(b []byte, s string) []byte {
	if value.PlainText(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	v, _ := value.Of(s)
	return append(b, v.String()...)
}

func byName(a, b value.Binding) int { return strings.Compare(a.Name, b.Name) }

// get finds a name among labels and parameters.
func (p Point) get(name string) (value.Value, bool) {
	if v, ok := value.Lookup(p.labels, name); ok {
		return v, true
	}
	return value.Lookup(p.params, name)
}

// matches reports whether a point has every value of a partial point.
func (p Point) matches(partial []value.Binding) bool {
	for _, b := range partial {
		if v, ok := p.get(b.Name); !ok || !value.Equal(v, b.Value) {
			return false
		}
	}
	return true
}
