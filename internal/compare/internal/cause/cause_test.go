package cause

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/value"
)

// grid are the axes of rows with every combination of so many levels, the last
// one fastest; the first is ordered.
func grid(sizes ...int) (axes []Axis, rows [][]int) {
	rows = [][]int{nil}
	for _, n := range sizes {
		var longer [][]int
		for _, r := range rows {
			for level := range n {
				longer = append(longer, append(append([]int{}, r...), level))
			}
		}
		rows = longer
	}
	for k, n := range sizes {
		a := Axis{Factor: &factor.Factor{}, Name: fmt.Sprint("axis", k), Ordered: k == 0}
		for level := range n {
			v, _ := value.Of(level)
			a.Levels, a.Texts = append(a.Levels, v), append(a.Texts, fmt.Sprint(level))
		}
		for _, r := range rows {
			a.At = append(a.At, r[k])
		}
		axes = append(axes, a)
	}
	return axes, rows
}

// said are the conditions that tell the rows of which fails is true.
func said(axes []Axis, rows [][]int, fails func(levels []int) bool) string {
	var failed, succeeded []int
	for i, r := range rows {
		if fails(r) {
			failed = append(failed, i)
		} else {
			succeeded = append(succeeded, i)
		}
	}
	var out []string
	for _, c := range Separate(axes, failed, succeeded) {
		out = append(out, c.Name+" "+c.Op+" "+c.Value.Text())
	}
	return strings.Join(out, ", ")
}

// Two and three failures are explained where that is no chance, and not where it
// may be.
func TestFewFailuresAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		sizes []int
		fails func(at []int) bool
		want  string
	}{
		"the last three of sixty days":       {[]int{60}, func(at []int) bool { return at[0] >= 57 }, "axis0 >= 57"},
		"three days in the middle":           {[]int{60}, func(at []int) bool { return at[0] >= 30 && at[0] < 33 }, "axis0 >= 30, axis0 <= 32"},
		"the last two days of one region":    {[]int{60, 12}, func(at []int) bool { return at[0] >= 58 && at[1] == 4 }, "axis1 = 4, axis0 >= 58"},
		"all seeds of one point":             {[]int{5, 4, 5, 2}, func(at []int) bool { return at[0] == 2 && at[1] == 3 && at[2] == 1 }, "axis0 = 2, axis1 = 3, axis2 = 1"},
		"two neighbouring days of sixty":     {[]int{60}, func(at []int) bool { return at[0] == 30 || at[0] == 31 }, "axis0 >= 30, axis0 <= 31"},
		"two neighbouring days of thirty":    {[]int{30}, func(at []int) bool { return at[0] == 20 || at[0] == 21 }, ""},
		"the last two of eight days":         {[]int{8}, func(at []int) bool { return at[0] >= 6 }, ""},
		"one run of a grid of three axes":    {[]int{4, 4, 4}, func(at []int) bool { return at[0] == 2 && at[1] == 3 && at[2] == 1 }, ""},
		"four neighbouring days, as before":  {[]int{12}, func(at []int) bool { return at[0] >= 5 && at[0] < 9 }, "axis0 >= 5, axis0 <= 8"},
		"one value, however few have failed": {[]int{3, 2}, func(at []int) bool { return at[0] == 1 }, "axis0 = 1"},
	} {
		axes, rows := grid(c.sizes...)
		if got := said(axes, rows, c.fails); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Where chance alone decides which two or three runs fail, ranges explain them
// less often than once in twenty times.
func TestChanceExplainsFewFailures(t *testing.T) {
	const sweeps = 2000
	r := rand.New(rand.NewPCG(61, 62))
	for _, sizes := range [][]int{{60}, {60, 12}, {10, 3, 3}, {30, 2}} {
		axes, rows := grid(sizes...)
		for _, n := range []int{2, 3} {
			found := 0
			for range sweeps {
				fails := map[string]bool{}
				for len(fails) < n {
					fails[fmt.Sprint(rows[r.IntN(len(rows))])] = true
				}
				if text := said(axes, rows, func(at []int) bool { return fails[fmt.Sprint(at)] }); strings.Contains(text, ">=") || strings.Contains(text, "<=") || strings.Count(text, ",") == 2 {
					found++
				}
			}
			if limit := chanceAlpha + 3*math.Sqrt(chanceAlpha*(1-chanceAlpha)/sweeps); float64(found)/sweeps > limit {
				t.Errorf("%v: %d of %d failures of chance are explained", sizes, found, sweeps)
			}
		}
	}
}
