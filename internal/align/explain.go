package align

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/value"
)

// maxExplaining is how many axes together may explain groups.
const maxExplaining = 3

// members are the runs that reached a cell, with their groups.
type members struct {
	runs  []Run
	class []int // by member
	n     int   // of classes
}

// pattern says how the groups lie among the values of axes.
func (m members) pattern() (Pattern, []string) {
	if len(m.runs) == 2 {
		return Between, nil
	}
	sizes := make([]int, m.n)
	for _, c := range m.class {
		sizes[c]++
	}
	if m.n == 2 && slices.Min(sizes) == 1 {
		return Alone, nil
	}
	axes, distinct := m.explaining()
	switch {
	case axes != nil && distinct == m.n && m.n < len(m.runs):
		return Exactly, axes
	case m.n == len(m.runs):
		return Every, nil
	case axes != nil && distinct < len(m.runs):
		return Within, axes
	case len(axes) == 1 && m.neighbours(axes[0]):
		return Within, axes
	}
	return Unknown, nil
}

// maxCombined is how many axes are combined with one another: of three among
// thousands there are too many.
const maxCombined = 24

// explaining are the fewest axes whose values determine the group of a run, and
// how many combinations of their values there are; nil when all together do not.
func (m members) explaining() (axes []string, distinct int) {
	values := byName(m.runs)
	varying := m.varying(values)
	for size := 1; size <= min(maxExplaining, len(varying)); size++ {
		var best []string
		if size > 1 {
			varying = varying[:min(maxCombined, len(varying))]
		}
		for _, choice := range choices(varying, size) {
			n, ok := m.determined(values, choice)
			if ok && (best == nil || n < distinct) {
				best, distinct = choice, n
			}
		}
		if best != nil {
			return best, distinct
		}
	}
	return nil, 0
}

// byName has the values of each run by their names: there may be thousands.
func byName(runs []Run) []map[string]value.Value {
	all := make([]map[string]value.Value, len(runs))
	for i, r := range runs {
		all[i] = make(map[string]value.Value, len(r.Values))
		for _, b := range r.Values {
			all[i][b.Name] = b.Value
		}
	}
	return all
}

// varying are the axes of which the runs have several values.
func (m members) varying(values []map[string]value.Value) []string {
	var names []string
	for _, b := range m.runs[0].Values {
		for _, v := range values[1:] {
			if !value.Equal(v[b.Name], b.Value) {
				names = append(names, b.Name)
				break
			}
		}
	}
	return names
}

// choices are the ways to choose some of the names, in order.
func choices(names []string, size int) [][]string {
	if size == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i := range names {
		for _, rest := range choices(names[i+1:], size-1) {
			all = append(all, append([]string{names[i]}, rest...))
		}
	}
	return all
}

// determined reports whether runs with equal values are in one group, and how
// many combinations of values there are.
func (m members) determined(values []map[string]value.Value, axes []string) (distinct int, ok bool) {
	class := map[string]int{}
	for i, v := range values {
		key := ""
		for _, name := range axes {
			if x, has := v[name]; has {
				key += x.String()
			}
			key += "\x00"
		}
		if known, seen := class[key]; seen && known != m.class[i] {
			return 0, false
		}
		class[key] = m.class[i]
	}
	return len(class), true
}

// keyOf is the values of some axes as a key.
func keyOf(values []value.Binding, counts func(name string) bool) string {
	key := ""
	for _, b := range values {
		if counts(b.Name) {
			key += b.Name + "=" + b.Value.String() + "\x00"
		}
	}
	return key
}

// neighbours reports whether the groups follow one another along an axis.
func (m members) neighbours(axis string) bool {
	order := make([]int, len(m.runs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		v, _ := value.Lookup(m.runs[i].Values, axis)
		w, _ := value.Lookup(m.runs[j].Values, axis)
		return value.Compare(v, w)
	})
	left := map[int]bool{}
	for k, i := range order {
		if c := m.class[i]; left[c] {
			return false
		} else if k+1 < len(order) && m.class[order[k+1]] != c {
			left[c] = true
		}
	}
	return true
}

// own are the values that all runs of a group have, and together none of the
// others: one where that is enough. Of a single run it is all of its values.
func own(first Run, in, others []map[string]value.Value) []value.Binding {
	common := slices.Clone(first.Values)
	for _, v := range in {
		common = slices.DeleteFunc(common, func(b value.Binding) bool { return !value.Equal(v[b.Name], b.Value) })
	}
	shared := func(want []value.Binding) bool {
		return slices.ContainsFunc(others, func(v map[string]value.Value) bool {
			return !slices.ContainsFunc(want, func(b value.Binding) bool { return !value.Equal(v[b.Name], b.Value) })
		})
	}
	for _, b := range common {
		if one := []value.Binding{b}; !shared(one) {
			return one
		}
	}
	if len(common) == 0 || shared(common) {
		return nil
	}
	for i := 0; i < len(common) && len(common) > 1; { // leave out what is not needed
		if fewer := slices.Delete(slices.Clone(common), i, i+1); !shared(fewer) {
			common = fewer
			continue
		}
		i++
	}
	return common
}
