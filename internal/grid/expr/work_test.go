package expr

import (
	"runtime"
	"strings"
	"testing"
)

// list is a list of n numbers.
func list(n int) []any {
	xs := make([]any, n)
	for i := range xs {
		xs[i] = i
	}
	return xs
}

// Expressions that would work for minutes or take gigabytes end with an error that
// names them.
func TestWorkIsBounded(t *testing.T) {
	rows := make([]any, 300)
	for i := range rows {
		rows[i] = list(300)
	}
	env := map[string]any{"xs": list(10_000), "ys": list(10_000), "rows": rows, "s": strings.Repeat("x", 1<<20)}
	for _, src := range []string{
		"count(xs, count(xs, # > 1) > 1)",
		"all(xs, all(xs, true))",
		"count(xs, # in ys)",
		"count(xs, xs == ys)",
		"map(xs, sort(xs))",
		"sum(map(xs, sum(xs)))",
		"map(xs, upper(s))",
		"map(xs, s + s)",
		"map(xs, split(s, ''))",
		"count(xs, s matches 'y')",
		"count(xs, s contains 'y')",
		"map(xs, string(rows))",
		"count(xs, rows == rows)",
		"map(xs, replace(s, 'y', s))",
		"map(rows, map(xs, s + 'x'))",
		"count(xs, len(values({'a': rows, 'b': sort(xs)})) > 1)",
	} {
		e, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = e.Eval(env)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), src) {
			t.Errorf("%s: %v, want an error that names it", src, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
			t.Errorf("%s: allocated %d MB", src, used>>20)
		}
	}
}

// What people ask of long lists is no such expression, and may be asked again.
func TestWorkOfLongLists(t *testing.T) {
	env := map[string]any{"xs": list(100_000), "few": list(1000)}
	for src, want := range map[string]any{
		"count(xs, # > xs[99990]) + len(xs)":      100_009,
		"max(xs) - min(xs) + last(xs)":            199_998,
		"count(few, # in few)":                    1000,
		"any(few, count(few, # > 998) == 1)":      true,
		"len(filter(xs, # > 3 && # < 100)) * 1.0": 96.0,
		"sum(map(few, # * 2)) == 2 * sum(few)":    true,
		"xs == xs":                                true,
		"findIndex(xs, # == 77777) in [1, 77777]": true,
	} {
		e, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		for range 3 {
			if got, err := e.Eval(env); err != nil || got != want {
				t.Errorf("%s = %v, %v, want %v", src, got, err, want)
			}
		}
	}
}
