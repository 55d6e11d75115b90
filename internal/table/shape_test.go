package table

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/value"
)

// anyValue draws values of every kind, nested too, those that lie at the edges
// of a type more often than others.
func anyValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 9
		if depth > 0 {
			kinds = 12
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.SampledFrom([]int64{0, 1, -1, cell.Exact, cell.Exact + 1, -cell.Exact, -cell.Exact - 1, math.MaxInt64, math.MinInt64, 42}).Draw(t, "int")
		case 3:
			n, _ := new(big.Int).SetString(rapid.SampledFrom([]string{"9223372036854775808", "-99999999999999999999999999999999999999", "100000000000000000000000000000000000000"}).Draw(t, "big"), 10)
			return n
		case 4:
			return rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 0.1, math.NaN(), math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64, cell.Exact + 2}).Draw(t, "float")
		case 5:
			return rapid.SampledFrom([]string{"", "a", "2026-01-01", "2026-02-30", "0000-01-01", "9999-12-31", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+02:00",
				"2026-01-01T00:00:00-00:30", "2026-01-01T24:00:00", "2026-01-01T00:00:00.1234567Z", "2026-01-01 00:00:00", "1", "null", "\x00", "\"", "漢字"}).Draw(t, "text")
		case 6:
			return rapid.String().Draw(t, "any text")
		case 7:
			return DecimalText(rapid.SampledFrom([]string{"0", "1.50", "-0.001", "12345678901234567890.1", "0.00000000000000000000000000000000001"}).Draw(t, "decimal"))
		case 8:
			return rapid.Float64().Draw(t, "any float")
		case 9:
			return rapid.SliceOfN(anyValue(depth-1), 0, 3).Draw(t, "list")
		default:
			return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "A", "é"}), anyValue(depth-1), 0, 2).Draw(t, "object")
		}
	})
}

// similarValues draws columns whose values have something in common, so that
// there are columns of every type.
func similarValues() *rapid.Generator[[]any] {
	return rapid.Custom(func(t *rapid.T) []any {
		pool := rapid.SliceOfN(anyValue(3), 1, 4).Draw(t, "pool")
		return rapid.SliceOfN(rapid.SampledFrom(pool), 0, 12).Draw(t, "values")
	})
}

func shapeOf(values ...any) *cell.Shape {
	s := &cell.Shape{}
	for _, v := range values {
		v, err := cell.Of(v)
		if err != nil {
			panic(err)
		}
		s.See(v)
	}
	return s
}

func joined(shapes ...*cell.Shape) *cell.Shape {
	s := &cell.Shape{}
	for _, o := range shapes {
		s.Join(o)
	}
	return s
}

func TestUnifyIsCommutativeAndAssociative(t *testing.T) {
	same := func(t *rapid.T, law string, a, b *cell.Shape) {
		if d := cmp.Diff(a, b, cmp.AllowUnexported(cell.Shape{})); d != "" {
			t.Fatalf("%s: %s", law, d)
		}
		if x, y := a.Resolve(), b.Resolve(); !cmp.Equal(x, y) {
			t.Fatalf("%s: %v and %v", law, x, y)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []any { return similarValues().Draw(t, name) }
		x, y, z := draw("x"), draw("y"), draw("z")
		a, b, c := shapeOf(x...), shapeOf(y...), shapeOf(z...)
		same(t, "commutative", joined(a, b), joined(b, a))
		same(t, "associative", joined(joined(a, b), c), joined(a, joined(b, c)))
		same(t, "idempotent", joined(a, a), joined(a))
		all := append(append(append([]any{}, x...), y...), z...)
		same(t, "one by one", shapeOf(all...), joined(a, b, c))
	})
}

// TestNoValueChangesMeaning writes columns and reads them back by the accessors.
func TestNoValueChangesMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := similarValues().Draw(t, "values")
		rows := make([][]any, len(values))
		for i, v := range values {
			rows[i] = []any{v}
		}
		table, err := Build([]ColumnSpec{{Name: "x"}}, rows)
		if err != nil {
			t.Fatal(err)
		}
		c := table.Columns()[0]
		for i, v := range values {
			if got := c.Any(i); !means(c.typ, v, got) {
				t.Fatalf("%v: row %d of %s was %#v, is %#v", values, i, c.typ, v, got)
			}
			if c.Null(i) != (v == nil) {
				t.Fatalf("row %d: null is %v for %#v", i, c.Null(i), v)
			}
		}
	})
}

// means reports whether got is what was put in, in a column of type d.
func means(d cell.Type, v, got any) bool {
	switch v := v.(type) {
	case nil:
		return got == nil
	case int64:
		switch d.Kind {
		case Float:
			return got == float64(v) && int64(got.(float64)) == v
		case Decimal:
			return equalDecimal(got, big.NewInt(v).String())
		}
		return got == v
	case *big.Int:
		return equalDecimal(got, v.String())
	case DecimalText:
		return equalDecimal(got, string(v)) || d.Kind == JSON && sameNumber(got, string(v))
	case float64:
		f, ok := got.(float64)
		if d.Kind == JSON && (math.IsNaN(v) || math.IsInf(v, 0)) {
			return got == value.FloatJSON(v)
		}
		return ok && (f == v || f != f && v != v)
	case string:
		v = value.ToUTF8(v)
		if d.Kind == Time || d.Kind == LocalTime {
			return sameMoment(v, got)
		}
		return got == v
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(v) {
			return false
		}
		for i := range v {
			if !means(partOf(d, ""), v[i], list[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(v) {
			return false
		}
		for k := range v {
			if !means(partOf(d, k), v[k], object[k]) {
				return false
			}
		}
		return true
	}
	return got == v
}

func partOf(d cell.Type, name string) cell.Type {
	switch d.Kind {
	case List:
		return *d.Elem
	case Struct:
		for _, f := range d.Fields {
			if f.Name == name {
				return f.Type
			}
		}
	}
	return d
}

func equalDecimal(got any, want string) bool {
	text := func(v any) string { return string(AppendJSON(nil, v)) }
	trim := func(s string) string {
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	return trim(text(got)) == trim(want)
}

// sameNumber compares where JSON text was decoded to a double.
func sameNumber(got any, want string) bool {
	var f float64
	return json.Unmarshal([]byte(want), &f) == nil && got == f
}

func sameMoment(was string, got any) bool {
	moment := func(v any) time.Time {
		s, _ := v.(string)
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04:05", s)
		}
		if err != nil {
			panic(err)
		}
		return at
	}
	return moment(was).Equal(moment(got))
}

func TestUnify(t *testing.T) {
	tests := []struct {
		values []any
		want   string
	}{
		{[]any{nil}, "null"},
		{[]any{1, nil, 2}, "int"},
		{[]any{1, 2.5}, "float"},
		{[]any{cell.Exact + 1, 2.5}, "json"},
		{[]any{true, 1}, "json"},
		{[]any{"a", 1}, "json"},
		{[]any{"2026-01-01", "2026-01-02"}, "date"},
		{[]any{"2026-01-01", "soon"}, "string"},
		{[]any{"2026-01-01", "2026-01-01T00:00:00"}, "string"},
		{[]any{"2026-02-30"}, "string"},
		{[]any{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00"}, "time"},
		{[]any{time.Unix(0, 0)}, "time"},
		{[]any{DecimalText("1.5"), 2}, "decimal"},
		{[]any{DecimalText("1.5"), 2.5}, "json"},
		{[]any{[]any{1}, []any{2.5}}, "list of float"},
		{[]any{[]any{1}, []any{"a"}}, "json"},
		{[]any{[]any{}}, "json"},
		{[]any{map[string]any{"a": 1}, map[string]any{"a": nil}}, "struct of a int"},
		{[]any{map[string]any{"a": 1}, map[string]any{"b": 1}}, "json"},
		{[]any{map[string]any{"a": 1, "A": 1}}, "json"},
		{[]any{map[string]any{}}, "json"},
	}
	for _, tt := range tests {
		var values []any
		for _, v := range tt.values {
			v, err := cell.Of(v)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, v)
		}
		if got := shapeOf(values...).Resolve().String(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.values, got, tt.want)
		}
	}
}
