package axes

import (
	"math"
	"math/big"
	"strconv"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// maxValues bounds an axis that comes from a rule.
const maxValues = 1_000_000

// numbers is a map with from, to and another word, all of them numbers. Only
// the step of a range may be missing.
func numbers(rule, last string) form.Form[map[string]value.Value] {
	required := []string{"from", "to"}
	schema := form.Schema{"type": "number"}
	var keys []form.Key[map[string]value.Value]
	for _, word := range []string{"from", "to", last} {
		if word == "n" {
			required = append(required, word)
			schema = form.Whole(2).Schema
		}
		keys = append(keys, form.Key[map[string]value.Value]{Name: word, Form: form.Form[map[string]value.Value]{
			Read: func(r *yaml.Reader, n *yaml.Node, args *map[string]value.Value) {
				v := r.Value(n)
				if _, ok := v.Float(); !ok {
					r.Errorf(n, "`%s` of a %s must be a number, not %s", word, rule, v)
				}
				(*args)[word] = v
			}, Schema: schema}})
	}
	f := form.Map(keys...)
	f.Schema["required"] = required
	return f
}

// readNumbers reads the arguments of a rule; ok is false after a mistake.
func readNumbers(r *yaml.Reader, k yaml.Field, last string) (args map[string]value.Value, ok bool) {
	f := numbers(k.Name, last)
	args = map[string]value.Value{}
	bad := r.Mistakes()
	f.Read(r, k.Node, &args)
	for _, word := range f.Schema["required"].([]string) {
		if _, ok := args[word]; !ok && r.Mistakes() == bad {
			r.Errorf(k.Key, "`%s` needs `%s`", k.Name, word)
		}
	}
	return args, r.Mistakes() == bad
}

func readRange(r *yaml.Reader, k yaml.Field, a *Axis) {
	a.Ordered = true
	if args, ok := readNumbers(r, k, "step"); ok {
		a.Cols[0].Values = numberRange(r, k, args)
	}
}

func readSpace(r *yaml.Reader, k yaml.Field, a *Axis) {
	a.Ordered = true
	if args, ok := readNumbers(r, k, "n"); ok {
		a.Cols[0].Values = numberSpace(r, k, args)
	}
}

// numberSpace returns n numbers, evenly spaced or with equal ratios.
func numberSpace(r *yaml.Reader, k yaml.Field, args map[string]value.Value) []value.Value {
	from, _ := args["from"].Float()
	to, _ := args["to"].Float()
	n, ok := args["n"].Any().(int64)
	switch {
	case !ok || n < 2 || n > maxValues:
		r.Errorf(k.Key, "`n` of a %s is the number of values: a whole number from 2 to %d", k.Name, maxValues)
		return nil
	case k.Name == "logspace" && (from <= 0 || to <= 0):
		r.Errorf(k.Key, "`logspace` needs `from` and `to` above zero: they are the first and last value, not exponents")
		return nil
	case from == to:
		r.Errorf(k.Key, "`from` and `to` are the same")
		return nil
	}
	xs := make([]float64, n)
	first, last := exact(args["from"]), exact(args["to"])
	span := new(big.Rat).Sub(last, first)
	for i := range xs {
		switch {
		case i == 0:
			xs[i] = from
		case i == int(n)-1:
			xs[i] = to
		case k.Name == "logspace":
			t := float64(i) / float64(n-1)
			xs[i] = rounded(math.Pow(10, math.Log10(from)+(math.Log10(to)-math.Log10(from))*t))
		default:
			part := new(big.Rat).Mul(span, big.NewRat(int64(i), n-1))
			xs[i], _ = part.Add(part, first).Float64()
		}
	}
	return floats(r, k, xs)
}

// exact is the decimal number as it was written: 0.1 is a tenth, which no
// binary fraction is, so that 0.1 + 2 × 0.1 is 0.3.
func exact(v value.Value) *big.Rat {
	r, ok := new(big.Rat).SetString(v.String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

// floats returns values that must differ: those of a rule too fine for a float
// do not.
func floats(r *yaml.Reader, k yaml.Field, xs []float64) []value.Value {
	out := make([]value.Value, len(xs))
	for i, x := range xs {
		v, err := value.Of(x)
		if err != nil {
			r.Errorf(k.Key, "%v", err)
			return nil
		}
		if i > 0 && v == out[i-1] {
			r.Errorf(k.Key, "the values of this %s are closer together than numbers can be", k.Name)
			return nil
		}
		out[i] = v
	}
	return out
}

// rounded drops the noise of powers and logarithms: 0.09999999999999999 is 0.1.
func rounded(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 14, 64), 64)
	return y
}

// numberRange counts from `from` to `to`, both included, by `step`.
func numberRange(r *yaml.Reader, k yaml.Field, args map[string]value.Value) []value.Value {
	from, _ := args["from"].Float()
	to, _ := args["to"].Float()
	step, given := args["step"].Float()
	if !given {
		step = math.Copysign(1, to-from)
	}
	if step == 0 || (to-from)*step < 0 {
		r.Errorf(k.Key, "a step of %s does not lead from %s to %s", args["step"], args["from"], args["to"])
		return nil
	}
	if about := (to - from) / step; !(about < maxValues) {
		r.Errorf(k.Key, "the range has %s values, and an axis of a rule has at most %s", unit.Count(math.Floor(about+1e-6)+1), unit.Count(maxValues))
		return nil
	}
	first, by := exact(args["from"]), new(big.Rat).SetFloat64(step)
	if given {
		by = exact(args["step"])
	}
	span := new(big.Rat).Sub(exact(args["to"]), first)
	steps := span.Quo(span, by)
	n := int(new(big.Int).Quo(steps.Num(), steps.Denom()).Int64()) + 1
	if whole(args["from"]) && whole(args["to"]) && (!given || whole(args["step"])) {
		return value.Ints(int64(from), int64(step), n)
	}
	xs := make([]float64, n)
	for i := range xs {
		x := new(big.Rat).Mul(by, big.NewRat(int64(i), 1))
		xs[i], _ = x.Add(x, first).Float64()
	}
	return floats(r, k, xs)
}

// whole reports whether a value is an int that a float holds exactly.
func whole(v value.Value) bool {
	x, ok := v.Float()
	return ok && v.Kind() == value.Int && math.Abs(x) < 1<<53
}
