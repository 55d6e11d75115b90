package cell

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"

	"github.com/fanout-dev/fanout/internal/value"
)

// AppendTo adds v to an Arrow builder of type d. The type was resolved from
// a shape that has seen v, so that it holds it; an error is a bug of ours.
func AppendTo(b array.Builder, d Type, v any) error {
	if v == nil {
		b.AppendNull()
		return nil
	}
	switch d.Kind {
	case JSON:
		b.(*array.StringBuilder).Append(string(AppendJSON(nil, v)))
		return nil
	case String:
		b.(*array.StringBuilder).Append(plainText(v))
		return nil
	case List:
		return appendList(b.(*array.ListBuilder), d, v)
	case Struct:
		return appendStruct(b.(*array.StructBuilder), d, v)
	}
	if !appendScalar(b, d, v) {
		return fmt.Errorf("a %T does not fit %s", v, d)
	}
	return nil
}

func appendScalar(b array.Builder, d Type, v any) bool {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		x, ok := v.(bool)
		b.Append(x)
		return ok
	case *array.Int64Builder:
		x, ok := v.(int64)
		b.Append(x)
		return ok
	case *array.Float64Builder:
		x, ok := v.(float64)
		if n, whole := v.(int64); whole {
			x, ok = float64(n), true
		}
		b.Append(x)
		return ok
	case *array.Date32Builder:
		x, _ := v.(string)
		t, err := time.Parse(DayLayout, x)
		b.Append(arrow.Date32FromTime(t))
		return err == nil
	case *array.TimestampBuilder:
		t, ok := moment(v)
		b.Append(arrow.Timestamp(t.UnixMicro()))
		return ok
	case *array.Decimal128Builder:
		n, ok := scaled(v, d.Scale)
		b.Append(decimal128.FromBigInt(n))
		return ok
	}
	return false
}

// moment reads an instant or a local time.
func moment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case instant:
		return v.t, true
	case string:
		t, err := time.Parse(ZonedLayout, v)
		if err != nil {
			t, err = time.Parse(LocalLayout, v)
		}
		return t, err == nil
	}
	return time.Time{}, false
}

// scaled is v × 10^scale.
func scaled(v any, scale int32) (*big.Int, bool) {
	var n *big.Int
	own := int32(0)
	switch v := v.(type) {
	case int64:
		n = big.NewInt(v)
	case *big.Int:
		n = v
	case DecimalText:
		_, own = v.digits()
		var ok bool
		if n, ok = new(big.Int).SetString(strings.Replace(string(v), ".", "", 1), 10); !ok {
			return new(big.Int), false
		}
	default:
		return new(big.Int), false
	}
	return new(big.Int).Mul(n, Pow10(scale-own)), true
}

func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case instant:
		return v.String()
	}
	return string(AppendJSON(nil, v))
}

func appendList(b *array.ListBuilder, d Type, v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("a %T does not fit %s", v, d)
	}
	b.Append(true)
	for _, e := range list {
		if err := AppendTo(b.ValueBuilder(), *d.Elem, e); err != nil {
			return err
		}
	}
	return nil
}

func appendStruct(b *array.StructBuilder, d Type, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("a %T does not fit %s", v, d)
	}
	b.Append(true)
	for i, f := range d.Fields {
		if err := AppendTo(b.FieldBuilder(i), f.Type, object[f.Name]); err != nil {
			return err
		}
	}
	return nil
}

// Instant is a timestamp in the zone of the type.
func (d Type) Instant(v arrow.Timestamp) time.Time {
	t := time.UnixMicro(int64(v))
	if d.Nano {
		t = time.Unix(0, int64(v))
	}
	return t.In(location(d.Zone))
}

// Text is the value of row i as people write it; of a null it is "".
func Text(a arrow.Array, i int, d Type) string {
	switch v := At(a, i, d).(type) {
	case nil:
		return ""
	case string:
		if d.Kind == JSON {
			return a.(*array.String).Value(i)
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return value.FloatJSON(v)
	default:
		if d.Kind == JSON {
			return a.(*array.String).Value(i)
		}
		return string(AppendJSON(nil, v))
	}
}

// At is the value of row i of an array of type d.
func At(a arrow.Array, i int, d Type) any {
	if IsNull(a, i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.String:
		return textAt(a.Value(i), d)
	case *array.Binary:
		return a.Value(i)
	case *array.Date32:
		return a.Value(i).ToTime().Format(DayLayout)
	case *array.Timestamp:
		if d.Kind == LocalTime {
			return d.Instant(a.Value(i)).Format(LocalLayout)
		}
		return d.Instant(a.Value(i)).Format(ZonedLayout)
	case *array.Time64:
		return time.Unix(0, int64(a.Value(i))*d.Tick()).UTC().Format(ClockLayout)
	case *array.Duration:
		return time.Duration(int64(a.Value(i)) * d.Tick()).String()
	case *array.Decimal128:
		return DecimalAt(a.Value(i).BigInt(), d.Scale)
	case *array.List:
		return listAt(a, i, d)
	case *array.Struct:
		object := make(map[string]any, len(d.Fields))
		for k, f := range d.Fields {
			object[f.Name] = At(a.Field(k), i, f.Type)
		}
		return object
	}
	return nil
}

// Tick is the nanoseconds of one unit.
func (d Type) Tick() int64 {
	if d.Nano {
		return 1
	}
	return 1000
}

func textAt(s string, d Type) any {
	if d.Kind != JSON {
		return s
	}
	v, err := ParseJSON([]byte(s))
	if err != nil {
		return s
	}
	return v
}

// DecimalAt is n / 10^scale: n itself, or a DecimalText.
func DecimalAt(n *big.Int, scale int32) any {
	if scale == 0 {
		return n
	}
	return DecimalText(new(big.Rat).SetFrac(n, Pow10(scale)).FloatString(int(scale)))
}

// Pow10 is 10^n.
func Pow10(n int32) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func listAt(a *array.List, i int, d Type) any {
	start, end := a.ValueOffsets(i)
	list := make([]any, 0, end-start)
	for k := start; k < end; k++ {
		list = append(list, At(a.ListValues(), int(k), *d.Elem))
	}
	return list
}

// IsNull knows what Arrow's own IsNull forgets: a null array has no bitmap.
func IsNull(a arrow.Array, i int) bool {
	return a.DataType().ID() == arrow.NULL || a.IsNull(i)
}
