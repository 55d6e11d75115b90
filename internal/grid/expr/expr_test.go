package expr

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/value"
)

func TestExpressions(t *testing.T) {
	env := map[string]any{
		"region": "eu", "rate": 0.5, "n": 3, "day": "2026-03-31", "xs": []any{1, 2, 3}, "none": nil,
		"conf": map[string]any{"deep": "yes"}, "type": "a name that is a function, too", "mean": 3, "shift": "s",
	}
	for src, want := range map[string]any{
		"rate < 0.6 && region in ['eu', 'us']": true,
		"n in [1, 2, 3]":                       true,
		"n == 3.0":                             true,
		"not (region startsWith 'e')":          false,
		"region matches '^e.$'":                true,
		"'events_' + region":                   "events_eu",
		"string(n) + '/' + string(0.5)":        "3/0.5",
		"any(xs, # > 2)":                       true,
		"sum(map(xs, # * n))":                  18,
		"conf.deep":                            "yes",
		"none ?? 'x'":                          "x",
		"weekday(day)":                         2,
		"weekday('2026-03-29')":                7,
		"strftime(day, '%Y/%m')":               "2026/03",
		"shift(day, '-1mo')":                   "2026-02-28",
		"shift(day, '1bd')":                    "2026-04-01",
		"shift('2026-03-31T23:30', '1h')":      "2026-04-01T00:30",
		"replace(day, '-', '')":                "20260331",
		"join(split('a b', ' '), '-')":         "a-b",
		"upper(region) + trim(' x ')":          "EUx",
		"type":                                 "a name that is a function, too",
		"mean == 3 and mean * 2 > mean and string(mean) + shift == '3s'": true,
		"mean([1, mean]) + max(mean, 1)":                                 5,
		"n > 2 ? 'many' : 'few'":                                         "many",
		"max(n, 7) - min(n, 7)":                                          4,
		"len(filter(xs, # != 2)) == count(xs, # != 2)":                   true,
	} {
		e, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := e.Eval(env)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s = %v, %v, want %v", src, got, err, want)
		}
	}
}

// Whatever a name is, there is an expression that reads it, and an identifier is
// read as it is.
func TestEveryNameIsRead(t *testing.T) {
	for name, want := range map[string]string{
		"auc": "auc", "Ωμέγα": "Ωμέγα", "mean": "mean", "column": "column", "_x1": "_x1",
		"mean loss": `column("mean loss")`, "a-b": `column("a-b")`, "in": `column("in")`, "true": `column("true")`, "1st": `column("1st")`, "auc@10": `column("auc@10")`,
		`"quoted"`: "", "a\\b": "", " auc": "", "auc ": "", "a.b": "", "f()": "", "# x": "", "x /* y */": "", "tab\there": "", "😀": "", "漢 字": "", "nul\x00": "", "$env": "", "column(\"x\")": "",
	} {
		src := Name(name)
		if want != "" && src != want {
			t.Errorf("%q is read as %s, want %s", name, src, want)
		}
		if name == "$env" { // all values together, which have no name
			continue
		}
		e, err := Compile(src + " == 7")
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got, err := e.Bool(map[string]any{name: 7}); !got || err != nil {
			t.Errorf("%q: %s is %v, %v", name, e, got, err)
		}
		if _, err := e.Bool(map[string]any{"other": 7}); err == nil {
			t.Errorf("%q: a name that is not there is read", name)
		}
	}
	for _, src := range []string{"column(auc) > 1", "column('a', 'b') > 1", "column() > 1", "column('$env') > 1"} {
		if _, err := Compile(src); err == nil || !strings.Contains(err.Error(), "one name in quotes") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// Numbers compare in the order of IEEE, however large they are and whatever
// kind they have; null is in no order.
func TestNumbers(t *testing.T) {
	parse := func(text string) value.Value {
		v, err := value.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	env := map[string]any{
		"nan": OfScrap(parse(`"NaN"`)), "inf": OfScrap(parse(`"Infinity"`)), "low": OfScrap(parse(`"-Infinity"`)),
		"text": Of(parse(`"NaN"`)), "curve": OfScrap(parse(`[1,"NaN",{"y":"Infinity"}]`)),
		"big": Of(parse("18446744073709551615")), "max": Of(parse("9223372036854775807")), "ids": Of(parse("[1,9223372036854775808]")),
		"neg": Of(parse("-9223372036854775809")), "none": nil, "n": 3, "half": 0.5,
	}
	for src, want := range map[string]any{
		"nan < 1 || nan <= 1 || nan > 1 || nan >= 1 || nan == 1 || nan == nan || nan in [nan, 1]": false,
		"nan != 1 && nan != nan && not (nan > 0)":                                                 true,
		"inf > 1e308 && inf == inf && low < neg && low < inf && inf >= big && -inf == low":        true,
		"curve[0] < 2 && not (curve[1] < 2) && curve[2].y > 1":                                    true,
		"text == 'NaN'": true,
		"big > max && big > 18446744073709551614.5e-3 && big == 18446744073709551615 && n < big": true,
		"big >= 9_223_372_036_854_775_808 && neg <= -9223372036854775808 && neg < 0":             true,
		"ids[1] > ids[0] && any(ids, # >= 9223372036854775808) && big / 2 > 1e18":                true,
		"'18446744073709551615' + '' == '18446744073709551615'":                                  true,
		"max == 9223372036854775807 && max > 9223372036854775806":                                true,
		"none < 1 || none > 1 || none <= none || n >= none":                                      false,
		"none == nil && none != 1 && not (none < 1)":                                             true,
		"count([1, nan, none, 4], # > 2)":                                                        1,
		"int(half) + int(2.9) + int(-2.9) + int('4')":                                            4,
		"int(inf) > 1 && int(nan) != int(nan) && int(big) == big":                                true,
		"nan ?? 1":                  "NaN",
		"nan < 1 ? 'low' : 'other'": "other",
	} {
		e, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := e.Eval(env)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s = %v, %v, want %v", src, got, err, want)
		}
		if e.String() != src {
			t.Errorf("%s calls itself %s", src, e)
		}
	}
}

// A comparison of what has no order is a mistake, not an answer.
func TestNoOrder(t *testing.T) {
	for src, want := range map[string]string{
		"region < 3": "string < int", "1 < 'a'": "int and string", "n > region": "int > string", "int(region)": "int wants a number",
	} {
		e, err := Compile(src)
		if err == nil {
			_, err = e.Eval(map[string]any{"region": "eu", "n": 1})
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), src) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

// An expression reads nothing but names, and says what is wrong.
func TestExpressionsRefused(t *testing.T) {
	for src, want := range map[string]string{
		"now()":                          "no function `now`",
		"date('2026-01-01')":             "no function `date`",
		"lenn(xs)":                       "no function `lenn`, did you mean `len`?",
		"x.foo()":                        "a method",
		"$env":                           "not part of the language",
		"let y = x; y":                   "not part of the language",
		"reduce(xs, #acc + #)":           "reduce",
		"repeat('x', 1000)":              "repeat",
		"toJSON(x)":                      "toJSON",
		"fromBase64(x)":                  "fromBase64",
		"x +":                            "unexpected token EOF",
		"all(xs, all(xs, all(xs, #)))":   "nest deeper",
		strings.Repeat("x+", 2000) + "x": "exceeds maximum allowed nodes",
		"map(xs, [" + strings.Repeat("#,", 30) + "#])": "more than 16 times",
	} {
		_, err := Compile(src)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", src, err, want)
		}
	}
}

// What an expression may cost is bounded, however it is written.
func TestExpressionsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<19)
	env := map[string]any{"s": long, "xs": make([]any, 500)}
	start := time.Now()
	for _, src := range []string{
		"len(1..99999999)",
		"count(1..90000, all(1..90000, true))",
		"count(xs, count(xs, true) > 0)",
		"replace(replace(s, 'x', s), 'x', s)",
		"join(map(1..1000, s), s)",
		"join(map([s], # + # + #), s)",
		"s matches '(x+x+)+y'",
		"len(map(map(map([xs], [#, #]), [#, #]), [#, #]))",
		"string(map(map(map([s], [#, #, #]), [#, #, #]), [#, #, #]))",
		"sort(map(xs, 1)) == sort(map(xs, 1))",
	} {
		e, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		e.Eval(env) // an error, or an end
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// The values are those of NumPy's float64, or Python's ints where they fit.
func TestIntsDoNotWrap(t *testing.T) {
	const most = 1<<63 - 1
	env := map[string]any{"n": most, "least": -most - 1, "one": 1, "xs": []any{most, 1, 0.5}, "ns": []any{most, most}}
	for _, c := range []struct {
		src  string
		want any
	}{
		{"n + one", 9223372036854775808.0}, {"n - -one", 9223372036854775808.0}, {"least - one", -9223372036854775808.0}, {"n * 2", 18446744073709551616.0},
		{"least * -1", 9223372036854775808.0}, {"-1 * least", 9223372036854775808.0}, {"-least", 9223372036854775808.0}, {"-n", -most}, {"n + 0", most}, {"n - n", 0},
		{"least + n", -1}, {"n * one", most}, {"9223372036854775807 + 1", 9223372036854775808.0}, {"4611686018427387904 * 2", 9223372036854775808.0},
		{"sum(ns)", 18446744073709551616.0}, {"sum(xs)", 9223372036854775808.0}, {"sum(xs, # * 0)", 0.0}, {"sum(1..3)", 6}, {"sum([])", 0}, {"sum(map(ns, # * 2))", 36893488147419103232.0},
		{"n + one > n", false}, {"n * n > 0", true}, {"1 + 2 * 3 - 4", 3}, {"'a' + 'b'", "ab"}, {"1.5 * 2", 3.0}, {"-(one + 0.5)", -1.5},
	} {
		e, err := Compile(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		if got, err := e.Eval(env); err != nil || got != c.want {
			t.Errorf("%s is %v (%T), %v; want %v", c.src, got, got, err, c.want)
		}
	}
	for _, src := range []string{"'a' - 'b'", "sum(n)", "n + 'a'", "-'a'"} {
		e, err := Compile(src)
		if err == nil {
			_, err = e.Eval(env)
		}
		if err == nil {
			t.Errorf("%s is no error", src)
		}
	}
}

func TestNames(t *testing.T) {
	e, err := Compile("strftime(day, '%Y') == year && any(xs, #.name == region) && conf.x > 1")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(e.Names(), " "); got != "conf day region xs year" {
		t.Errorf("Names = %s", got)
	}
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{"a < 1 || b == 'x'", "map(xs, # + 1)[0]", "replace(b, 'a', b + b)", "{'a': [1, a]}.a[1:2]", "strftime(b, '%Y')", "a ?? b?.c", "xs | filter(# > 1) | len()"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Compile(src)
		if err != nil {
			return
		}
		env := map[string]any{}
		for _, n := range e.Names() {
			env[n] = []any{1, "x", 0.5, nil, []any{1, 2}}[len(n)%5]
		}
		if out, err := e.Eval(env); err == nil {
			value.Of(out)
		}
	})
}

func TestExpressionsSeveralAtOnce(t *testing.T) {
	e, err := Compile("sum(map(xs, # * n)) + n")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for i := range 8 {
		go func() {
			for range 200 {
				got, err := e.Eval(map[string]any{"n": i, "xs": []any{1, 2}})
				if err != nil || got != 4*i {
					done <- fmt.Errorf("%v, %v, want %d", got, err, 4*i)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// What goes wrong while a value is computed is said in words of the language.
func TestExpressionsFailInWords(t *testing.T) {
	env := map[string]any{"n": 3, "s": "x", "none": nil, "xs": []any{nil, 3}, "m": map[string]any{"k": 1}}
	for src, want := range map[string]string{
		"map(n, #)":        "a list is wanted, and this is none",
		"map(m, #)":        "a list is wanted, and this is none",
		"map(none, #)":     "a list is wanted, and this is none",
		"filter(xs, #)":    "true or false is wanted, and this is null",
		"not s":            "true or false is wanted, and this is string",
		"s ? 1 : 2":        "true or false is wanted, and this is string",
		"m[n]":             "a map has names, and this is none",
		"xs[s]":            "a list has numbers, and this is a name",
		"sum(xs)":          "invalid operation: int + null",
		"sum(none)":        "sum wants a list, not null",
		"mean(xs)":         "invalid argument for mean (type null)",
		"len(none)":        "invalid argument for len (type null)",
		"none.k":           "cannot fetch k from null",
		"m + 1":            "invalid operation: a map + int",
		"none + 'x'":       "invalid operation: null + string",
		"join(xs, ', ')":   "join wants a list of texts",
		"xs[7]":            "index out of range: 7",
		"artifact(n, 'x')": "artifact is for one run",
	} {
		e, err := Compile(src)
		if err == nil {
			_, err = e.Eval(env)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "interface {}") || strings.Contains(err.Error(), "reflect") {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

// A name is used as a whole, or for what it has.
func TestUses(t *testing.T) {
	for src, want := range map[string][2]bool{
		"a.n": {true, false}, "a?.n": {true, false}, `a["n"]`: {true, false}, "a.n ?? 3": {true, false}, `a.artifact("x")`: {true, false}, `artifact(a, "x")`: {true, false},
		`column("a").n`: {true, false}, "a": {false, true}, "a[0].n": {false, true}, "len(a)": {false, true}, "map(a, .n)": {false, true},
		"sum(map(a, .n)) + a.n": {true, true}, `map(a, .artifact("x"))`: {false, true}, "b.a": {false, false},
	} {
		e, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if parts, whole := e.Uses("a"); parts != want[0] || whole != want[1] {
			t.Errorf("%s: parts %v, whole %v", src, parts, whole)
		}
	}
	e, err := Compile(`map(a, .artifact("x") + .artifact)`)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Reads(); len(got) != 1 || got[0] != (Read{"", "artifact"}) {
		t.Errorf("it reads %v", got)
	}
}
