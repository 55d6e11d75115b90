package cell

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/value"
)

// A value of a cell is nil, bool, int64, *big.Int, float64, string, instant,
// DecimalText, []any, map[string]any, or JSONText for JSON that is none of them.

// DecimalText is an exact decimal number, as "12.50".
type DecimalText string

// JSONText is the JSON of a value, which goes into a table as it is.
type JSONText string

// instant is a point in time and the zone it was written in.
type instant struct {
	t    time.Time
	zone string
}

// digits counts the digits before and after the point.
func (d DecimalText) digits() (whole, scale int32) {
	s := strings.TrimLeft(string(d), "+-")
	before, after, _ := strings.Cut(s, ".")
	return int32(len(strings.TrimLeft(before, "0"))), int32(len(after))
}

func (d DecimalText) valid() bool {
	s := strings.TrimPrefix(string(d), "-")
	before, after, point := strings.Cut(s, ".")
	return before != "" && allDigits(before) && (!point || after != "" && allDigits(after)) && len(s) <= 2*MaxDigits
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Of brings what callers hand in to one of the forms of a cell's value.
func Of(x any) (any, error) {
	switch v := x.(type) {
	case nil, bool, int64, float64, JSONText, instant:
		return v, nil
	case *big.Int:
		return WholeNumber(v.String()), nil
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			var err error
			if list[i], err = Of(e); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for k, e := range v {
			var err error
			if object[value.ToUTF8(k)], err = Of(e); err != nil {
				return nil, err
			}
		}
		return object, nil
	case string:
		return value.ToUTF8(v), nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint64:
		return WholeNumber(strconv.FormatUint(v, 10)), nil
	case float32:
		return float64(v), nil
	case json.Number:
		return numberOf(string(v)), nil
	case json.RawMessage:
		return ParseJSON(v)
	case time.Duration:
		return v.Seconds(), nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return instant{v.UTC(), "UTC"}, nil
	case DecimalText:
		if !v.valid() {
			return nil, fmt.Errorf("put %q in a table: not a decimal number", string(v))
		}
		return v, nil
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = value.ToUTF8(s)
		}
		return list, nil
	}
	return nil, fmt.Errorf("put a %T in a table: no column holds it", x)
}

// ParseJSON reads one JSON value. Integers stay exact whatever their size; NaN,
// Infinity and -Infinity, which Python writes, are read as what they are.
func ParseJSON(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("read value: %w", err)
	}
	return value.Each(v, settled), nil
}

func settled(v any) any {
	if n, ok := v.(json.Number); ok {
		return numberOf(string(n))
	}
	return v
}

func numberOf(s string) any {
	switch s {
	case "NaN":
		return math.NaN()
	case "Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	if !strings.ContainsAny(s, ".eE") {
		return WholeNumber(s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return JSONText(s)
	}
	return f
}

// Converting longer integers costs more than they are worth.
const maxIntegerDigits = 4096

// WholeNumber is an integer as int64 or *big.Int, or as JSONText when it is too
// long.
func WholeNumber(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if len(s) > maxIntegerDigits {
		return JSONText(s)
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return JSONText(s)
	}
	return n
}

// AppendJSON writes v as JSON: keys sorted, a float keeps its point, what JSON
// has no number for is a string.
func AppendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case *big.Int:
		return v.Append(b, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return value.AppendText(b, value.FloatJSON(v))
		}
		return append(b, value.FloatJSON(v)...)
	case string:
		return value.AppendText(b, v)
	case instant:
		return value.AppendText(b, v.String())
	case DecimalText:
		return append(b, v...)
	case JSONText:
		return append(b, v...)
	case []byte:
		return value.AppendText(b, Base64(v))
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, e)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(value.AppendText(b, k), ':')
			b = AppendJSON(b, v[k])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// How days and times are written.
const (
	DayLayout   = "2006-01-02"
	LocalLayout = "2006-01-02T15:04:05.999999999"
	ClockLayout = "15:04:05.999999999"
	ZonedLayout = "2006-01-02T15:04:05.999999999Z07:00"
)

func (v instant) String() string { return v.t.In(location(v.zone)).Format(ZonedLayout) }

// location is the zone as Go knows it; one that is not known here is UTC.
func location(zone string) *time.Location {
	if zone == "UTC" || zone == "" {
		return time.UTC
	}
	if t, err := time.Parse("-07:00", zone); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(zone, offset)
	}
	if l, err := time.LoadLocation(zone); err == nil {
		return l
	}
	return time.UTC
}

// classify says whether a text is a date, a local time or an instant in the one
// spelling (ISO 8601, at most microseconds) that reads back as the same value.
func classify(s string) (kind Seen, zone string) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' || s[0] < '0' || s[0] > '9' {
		return SawText, ""
	}
	if len(s) == 10 {
		if _, err := time.Parse(DayLayout, s); err == nil {
			return SawDate, ""
		}
		return SawText, ""
	}
	if len(s) < 19 || len(s) > 32 || s[10] != 'T' {
		return SawText, ""
	}
	rest := strings.TrimLeft(s[19:], ".0123456789")
	if fraction := s[19 : len(s)-len(rest)]; len(fraction) > 7 || len(fraction) == 1 || fraction != "" && fraction[0] != '.' {
		return SawText, ""
	}
	if rest == "" {
		if _, err := time.Parse(LocalLayout, s); err != nil {
			return SawText, ""
		}
		return SawLocal, ""
	}
	if _, err := time.Parse(ZonedLayout, s); err != nil {
		return SawText, ""
	}
	if rest == "Z" || rest == "+00:00" {
		return SawTime, "UTC"
	}
	return SawTime, rest
}

// Cells are kept as tagged bytes, one run of them a column: no pointers for
// the collector to follow, and nothing lost before the type is known.
const (
	tagNull    = 'n'
	tagTrue    = 'T'
	tagFalse   = 'F'
	tagInt     = 'i'
	tagBig     = 'I'
	tagFloat   = 'f'
	tagText    = 's'
	tagList    = 'l'
	tagObject  = 'm'
	tagInstant = 't'
	tagDecimal = 'd'
	tagOdd     = 'o'
)

// Append encodes a value in the form that Of gives.
func Append(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(b, tagTrue)
		}
		return append(b, tagFalse)
	case int64:
		return binary.LittleEndian.AppendUint64(append(b, tagInt), uint64(v))
	case *big.Int:
		return v.Append(append(b, tagBig), 10)
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(v))
	case string:
		return append(append(b, tagText), v...)
	case instant:
		return append(binary.LittleEndian.AppendUint64(append(b, tagInstant), uint64(v.t.UnixMicro())), v.zone...)
	case DecimalText:
		return append(append(b, tagDecimal), v...)
	case JSONText:
		return append(append(b, tagOdd), v...)
	case []any:
		b = append(b, tagList)
		for _, e := range v {
			b = appendPart(b, Append(nil, e))
		}
		return b
	case map[string]any:
		b = append(b, tagObject)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b = appendPart(b, []byte(k))
			b = appendPart(b, Append(nil, v[k]))
		}
		return b
	}
	return append(b, tagNull)
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// cutPart takes the first part of what appendPart wrote.
func cutPart(b []byte) (part, rest []byte) {
	size, n := binary.Uvarint(b)
	return b[n : n+int(size)], b[n+int(size):]
}

// Decode is the value that Append encoded; of nothing it is nil.
func Decode(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	body := b[1:]
	switch b[0] {
	case tagTrue:
		return true
	case tagFalse:
		return false
	case tagInt:
		return int64(binary.LittleEndian.Uint64(body))
	case tagBig:
		return WholeNumber(string(body))
	case tagFloat:
		return math.Float64frombits(binary.LittleEndian.Uint64(body))
	case tagText:
		return string(body)
	case tagInstant:
		return instant{time.UnixMicro(int64(binary.LittleEndian.Uint64(body))).UTC(), string(body[8:])}
	case tagDecimal:
		return DecimalText(body)
	case tagOdd:
		return JSONText(body)
	case tagList:
		list := []any{}
		for len(body) > 0 {
			var part []byte
			part, body = cutPart(body)
			list = append(list, Decode(part))
		}
		return list
	case tagObject:
		object := map[string]any{}
		for len(body) > 0 {
			var key, part []byte
			key, body = cutPart(body)
			part, body = cutPart(body)
			object[string(key)] = Decode(part)
		}
		return object
	}
	return nil
}

// Base64 is how bytes are written as text.
func Base64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
