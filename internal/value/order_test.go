package value

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func parse(t testing.TB, text string) Value {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1", "1.0", true},
		{"0.00005", "5e-05", true},
		{"1000000", "1e6", true},
		{"0", "-0.0", true},
		{"null", "null", true},
		{"9007199254740993", "9007199254740992.0", false},
		{"1", `"1"`, false},
		{"1", "true", false},
		{"null", `""`, false},
		{"[1, [2]]", "[1.0, [2.0]]", true},
		{`{"a": 1, "b": null}`, `{"b": null, "a": 1.0}`, true},
		{`{"a": 1}`, `{"a": 1, "b": 2}`, false},
		{`"7"`, `"07"`, false},
		{`"1e3"`, `"1000"`, false},
	} {
		if got := Equal(parse(t, c.a), parse(t, c.b)); got != c.want {
			t.Errorf("Equal(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

func TestOrder(t *testing.T) {
	sorted := []string{
		"null", "false", "true", "-1e300", "-1", "0", "0.5", "1", "9007199254740992.0", "9007199254740993", "1e300",
		`"2"`, `"10"`, `""`, `"day2"`, `"day10"`, "[]", "[1]", "[1,null]", "[2]", "{}", `{"a":1}`, `{"a":2}`, `{"b":0}`,
	}
	for i, a := range sorted {
		for j, b := range sorted {
			got := Compare(parse(t, a), parse(t, b))
			if want := min(max(i-j, -1), 1); min(max(got, -1), 1) != want {
				t.Errorf("Compare(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestOrderIsTotal(t *testing.T) {
	any := rapid.SampledFrom([]string{"null", "true", "1", "1.0", "2", "1e3", `"1"`, `"a1"`, `"a01"`, `"1e0"`, `"x"`, "[1]", "[1.0]", `{"a":1}`})
	rapid.Check(t, func(r *rapid.T) {
		a, b, c := any.Draw(r, "a"), any.Draw(r, "b"), any.Draw(r, "c")
		x, y, z := mustParse(a), mustParse(b), mustParse(c)
		if Compare(x, y) != -Compare(y, x) {
			r.Errorf("%s and %s are not ordered the same way round", a, b)
		}
		if Compare(x, y) <= 0 && Compare(y, z) <= 0 && Compare(x, z) > 0 {
			r.Errorf("%s ≤ %s ≤ %s, and the first is greater than the last", a, b, c)
		}
	})
}

func mustParse(text string) Value {
	v, err := Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{"1e6": "1000000.0", "0.00005": "5e-05", "1": "1", `"a\"b"`: `a"b`, "null": "null", "[1.0]": "[1.0]"} {
		if got := parse(t, text).Text(); got != want {
			t.Errorf("the text of %s is %q, want %q", text, got, want)
		}
	}
}

// Short numbers, which are compared as floats, and long ones are in one order.
func TestCompareNumbers(t *testing.T) {
	numbers := []string{"0", "0.1", "0.10000000000000001", "0.3", "1", "1.0", "9007199254740992", "9007199254740993", "9007199254740993.0",
		"-1", "1e3", "1000", "999999999999999", "1e-400", "123456789012.25"}
	for _, a := range numbers {
		for _, b := range numbers {
			x, _ := new(big.Rat).SetString(a)
			y, _ := new(big.Rat).SetString(b)
			if got := compareNumbers(a, b); got != x.Cmp(y) {
				t.Errorf("%s is to %s as %d", a, b, got)
			}
		}
	}
}
