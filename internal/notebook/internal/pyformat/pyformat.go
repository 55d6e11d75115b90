// Package pyformat is Python's str.format: a format and values by name go in, a
// text comes out, the one Python writes. What is not known here, as attributes,
// and what Python refuses is an error; nothing is guessed.
package pyformat

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/value"
)

// Format fills the fields of format: {name}, {name[key]}, {name!r}, and
// Python's format specifications. named holds the values by name: what
// [dialect.Plain] takes, a time.Time, [Naive] or [Secret]. An error says what
// Python's format refuses, a name without a value for one.
func Format(format string, named map[string]any) (string, error) {
	return (&formatter{named}).text(format, 0)
}

// Secret represents a value that must not be written.
type Secret struct{}

// Naive is a time that shows no zone.
type Naive time.Time

type formatter struct{ named map[string]any }

// text fills the fields of s; nested in a specification, depth is 1.
func (p *formatter) text(s string, depth int) (string, error) {
	var b strings.Builder
	for s != "" {
		n := strings.IndexAny(s, "{}")
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		switch s = s[n:]; {
		case s == "":
		case strings.HasPrefix(s, "{{") && depth == 0, strings.HasPrefix(s, "}}") && depth == 0:
			b.WriteByte(s[0])
			s = s[2:]
		case s[0] == '}':
			return "", fmt.Errorf("it contains a single }; write }} for one")
		default:
			end := fieldEnd(s)
			if end < 0 {
				return "", fmt.Errorf("a field is not closed; write {{ for a brace")
			}
			v, err := p.field(s[1:end], depth)
			if err != nil {
				return "", err
			}
			b.WriteString(v)
			s = s[end+1:]
		}
	}
	return b.String(), nil
}

// fieldEnd is the offset of the brace that closes the field s begins with.
func fieldEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		case '[':
			if end := strings.IndexByte(s[i:], ']'); end > 0 && depth == 1 && !strings.Contains(s[:i], ":") {
				i += end
			}
		}
	}
	return -1
}

// field is the text of name[key]!conversion:specification.
func (p *formatter) field(s string, depth int) (string, error) {
	if depth > 1 {
		return "", fmt.Errorf("fields nest too deeply")
	}
	head, spec := s, ""
	for i := 0; i < len(s); i++ {
		if s[i] == '[' {
			if end := strings.IndexByte(s[i:], ']'); end > 0 {
				i += end
				continue
			}
		}
		if s[i] == ':' {
			head, spec = s[:i], s[i+1:]
			break
		}
	}
	head, conversion, converts := strings.Cut(head, "!")
	v, err := p.lookup(head)
	if err != nil {
		return "", err
	}
	if spec, err = p.text(spec, depth+1); err != nil {
		return "", err
	}
	if converts {
		switch conversion {
		case "r", "a":
			v = pyRepr(v, conversion == "a")
		case "s":
			v = pyStr(v)
		default:
			return "", fmt.Errorf("{%s} has an unknown conversion", s)
		}
	}
	out, err := formatValue(v, spec)
	if err != nil {
		return "", fmt.Errorf("{%s}: %w", s, err)
	}
	return out, nil
}

// lookup finds the value of name[key][index].
func (p *formatter) lookup(expr string) (any, error) {
	name, keys, _ := strings.Cut(expr, "[")
	if strings.Contains(name, ".") {
		return nil, fmt.Errorf("{%s} asks for an attribute; use [key]", expr)
	}
	v, ok := p.named[name]
	if !ok {
		return nil, fmt.Errorf("missing parameter %q", name)
	}
	if _, hidden := v.(Secret); hidden {
		return nil, fmt.Errorf("{%s} is a secret and belongs in no path", expr)
	}
	for keys != "" {
		key, rest, closed := strings.Cut(keys, "]")
		if !closed || rest != "" && rest[0] != '[' {
			return nil, fmt.Errorf("{%s} is not a name with keys", expr)
		}
		if v, ok = item(v, key); !ok {
			return nil, fmt.Errorf("{%s} has no item %q", expr, key)
		}
		keys = strings.TrimPrefix(rest, "[")
	}
	return v, nil
}

func item(v any, key string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		e, ok := v[key]
		return e, ok
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

// A formatSpec is [[fill]align][sign][z][#][0][width][grouping][.precision][type].
type formatSpec struct {
	fill      rune
	align     byte // 0 is the type's own
	sign      byte
	alternate bool
	width     int
	group     string
	precision int // -1 is none
	verb      byte
}

func parseSpec(s string) (formatSpec, error) {
	f := formatSpec{fill: ' ', sign: '-', precision: -1}
	isAlign := func(s string) bool { return s != "" && strings.IndexByte("<>=^", s[0]) >= 0 }
	filled := false
	if r, n := utf8.DecodeRuneInString(s); n > 0 && isAlign(s[n:]) {
		f.fill, f.align, s, filled = r, s[n], s[n+1:], true
	} else if isAlign(s) {
		f.align, s = s[0], s[1:]
	}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	number := func() int {
		n := len(s) - len(strings.TrimLeft(s, "0123456789"))
		v, _ := strconv.Atoi(s[:n])
		s = s[n:]
		return v
	}
	if c := take("+- "); c != 0 {
		f.sign = c
	}
	f.alternate = take("#") != 0
	if take("0") != 0 {
		if !filled {
			f.fill = '0'
		}
		if f.align == 0 {
			f.align = '='
		}
	}
	f.width = number()
	if c := take(",_"); c != 0 {
		f.group = string(c)
	}
	if take(".") != 0 {
		if s == "" || s[0] < '0' || s[0] > '9' {
			return f, fmt.Errorf("the format has a point and no precision")
		}
		f.precision = number()
	}
	f.verb = take("bcdeEfFgGnosxX%")
	const most = 1 << 12 // of a path
	if s != "" || f.width > most || f.precision > most {
		return f, fmt.Errorf("the format is not one that Python knows")
	}
	return f, nil
}

func formatValue(v any, spec string) (string, error) {
	switch t := v.(type) {
	case time.Time:
		return formatTime(t, spec, pyStr(v))
	case Naive:
		return formatTime(time.Time(t), spec, pyStr(v))
	}
	v, err := dialect.Plain(v)
	if err != nil {
		return "", err
	}
	if spec == "" {
		return pyStr(v), nil
	}
	f, err := parseSpec(spec)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return f.text(v)
	case bool:
		n := big.NewInt(0)
		if v {
			n.SetInt64(1)
		}
		return f.integer(n)
	case *big.Int:
		return f.integer(v)
	case float64:
		return f.float(v)
	}
	return "", fmt.Errorf("a value of this type takes no format")
}

func (f formatSpec) text(s string) (string, error) {
	if f.verb != 0 && f.verb != 's' || f.align == '=' && f.fill != '0' || f.sign != '-' || f.group != "" || f.alternate {
		return "", fmt.Errorf("a text does not take this format")
	}
	if r := []rune(s); f.precision >= 0 && f.precision < len(r) {
		s = string(r[:f.precision])
	}
	if f.align == 0 || f.align == '=' {
		f.align = '<'
	}
	return f.pad("", s), nil
}

func (f formatSpec) integer(n *big.Int) (string, error) {
	bases := map[byte]int{0: 10, 'd': 10, 'n': 10, 'b': 2, 'o': 8, 'x': 16, 'X': 16}
	base, whole := bases[f.verb]
	switch {
	case f.verb == 'c':
		if !n.IsInt64() || !utf8.ValidRune(rune(n.Int64())) || n.Int64() > utf8.MaxRune {
			return "", fmt.Errorf("%s is no character", n)
		}
		return f.pad("", string(rune(n.Int64()))), nil
	case !whole:
		x, _ := new(big.Float).SetInt(n).Float64()
		return f.float(x)
	case f.precision >= 0:
		return "", fmt.Errorf("a whole number takes no precision")
	}
	digits := new(big.Int).Abs(n).Text(base)
	if f.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	size := 3
	if base != 10 {
		size = 4
	}
	prefix := ""
	if f.alternate && base != 10 {
		prefix = "0" + string(f.verb)
	}
	return f.number(n.Sign() < 0, prefix, digits, "", size), nil
}

func (f formatSpec) float(x float64) (string, error) {
	precision, verb, percent := f.precision, f.verb, ""
	if strings.IndexByte("\x00eEfFgGn%", verb) < 0 {
		return "", fmt.Errorf("a number does not take this format")
	}
	negative := math.Signbit(x) && !math.IsNaN(x)
	x = math.Abs(x)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		word := map[bool]string{true: "nan", false: "inf"}[math.IsNaN(x)]
		if verb == 'E' || verb == 'F' || verb == 'G' {
			word = strings.ToUpper(word)
		}
		if verb == '%' {
			word += "%"
		}
		return f.number(negative, "", word, "", 0), nil
	}
	var s string
	switch {
	case verb == 0 && precision < 0:
		s = value.FloatRepr(x)
	case verb == 0 || verb == 'g' || verb == 'G' || verb == 'n':
		s = general(x, significant(precision), verb == 0)
	case verb == '%':
		percent = "%"
		x *= 100
		fallthrough
	default:
		if precision < 0 {
			precision = 6
		}
		kind := byte('f')
		if verb|0x20 == 'e' {
			kind = 'e'
		}
		s = strconv.FormatFloat(x, kind, precision, 64)
	}
	if verb == 'E' || verb == 'G' {
		s = strings.ToUpper(s)
	}
	digits, rest := s, percent
	if i := strings.IndexAny(s, ".eE"); i >= 0 {
		digits, rest = s[:i], s[i:]+percent
	}
	return f.number(negative, "", digits, rest, 3), nil
}

// significant is how many digits a general format shows.
func significant(precision int) int {
	if precision < 0 {
		return 6
	}
	return max(precision, 1)
}

// general is Python's 'g' with p significant digits; the form without a type
// keeps a digit behind the point and turns to exponents one digit earlier.
func general(x float64, p int, typeless bool) string {
	s := strconv.FormatFloat(x, 'e', p-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	exp, _ := strconv.Atoi(exponent)
	most := p
	if typeless {
		most = p - 1
	}
	if exp < -4 || exp >= most {
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return mantissa + "e" + exponent
	}
	s = strconv.FormatFloat(x, 'f', max(p-1-exp, 0), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if typeless && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// number puts sign, prefix, grouped digits and rest together.
func (f formatSpec) number(negative bool, prefix, digits, rest string, size int) string {
	sign := ""
	switch {
	case negative:
		sign = "-"
	case f.sign != '-':
		sign = string(f.sign)
	}
	head := sign + prefix
	if f.group != "" && size > 0 {
		want := 0
		if f.fill == '0' && f.align == '=' {
			want = f.width - len(head) - len(rest)
		}
		digits = grouped(digits, f.group, size, want)
	}
	if f.align == 0 {
		f.align = '>'
	}
	return f.pad(head, digits+rest)
}

// grouped separates digits, with zeros before them up to a width.
func grouped(digits, separator string, size, width int) string {
	group := func(d string) string {
		var parts []string
		for len(d) > size {
			parts = append(parts, d[len(d)-size:])
			d = d[:len(d)-size]
		}
		parts = append(parts, d)
		slices.Reverse(parts)
		return strings.Join(parts, separator)
	}
	out := group(digits)
	for len(out) < width {
		digits = "0" + digits
		out = group(digits)
	}
	return out
}

func (f formatSpec) pad(head, s string) string {
	n := f.width - utf8.RuneCountInString(head) - utf8.RuneCountInString(s)
	if n <= 0 {
		return head + s
	}
	fill := func(n int) string { return strings.Repeat(string(f.fill), n) }
	switch f.align {
	case '<':
		return head + s + fill(n)
	case '^':
		return fill(n/2) + head + s + fill(n-n/2)
	case '=':
		return head + fill(n) + s
	}
	return fill(n) + head + s
}

// pyStr is Python's str of a value.
func pyStr(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return isoTime(v, "-07:00")
	case Naive:
		return isoTime(time.Time(v), "")
	}
	return pyRepr(v, false)
}

func isoTime(t time.Time, zone string) string {
	layout := "2006-01-02 15:04:05"
	if t.Nanosecond()/1000 != 0 {
		layout += ".000000"
	}
	return t.Format(layout + zone)
}

// pyRepr is Python's repr of a value.
func pyRepr(v any, ascii bool) string {
	switch t := v.(type) {
	case time.Time, Naive:
		return pyStr(t)
	}
	v, err := dialect.Plain(v)
	if err != nil {
		return ""
	}
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case *big.Int:
		return v.String()
	case float64:
		switch {
		case math.IsNaN(v):
			return "nan"
		case math.IsInf(v, 0):
			return map[bool]string{true: "inf", false: "-inf"}[v > 0]
		}
		return value.FloatRepr(v)
	case string:
		return quotedRepr(v, ascii)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = pyRepr(e, ascii)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quotedRepr(k, ascii)+": "+pyRepr(v[k], ascii))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}

func quotedRepr(s string, ascii bool) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case string(r) == quote || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r < 0x100 && r > 0x7e && (ascii || !strconv.IsPrint(r)):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0x7e && (ascii || !strconv.IsPrint(r)):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + quote
}

// strftime are the directives of Python's dates that Go can say.
var strftime = map[byte]string{
	'a': "Mon", 'A': "Monday", 'd': "02", 'b': "Jan", 'B': "January", 'm': "01", 'y': "06", 'Y': "2006", 'H': "15", 'I': "03", 'p': "PM", 'M': "04", 'S': "05", 'z': "-0700",
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'h': "Jan", 'e': "_2",
}

func formatTime(t time.Time, spec, whole string) (string, error) {
	if spec == "" {
		return whole, nil
	}
	zoned := whole[len(whole)-3] == ':' && strings.LastIndexAny(whole, "+-") > 10
	var b strings.Builder
	for i := 0; i < len(spec); i++ {
		if spec[i] != '%' || i+1 == len(spec) {
			b.WriteByte(spec[i])
			continue
		}
		i++
		switch c := spec[i]; c {
		case '%':
			b.WriteByte('%')
		case 'f':
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1000)
		case 'j':
			fmt.Fprintf(&b, "%03d", t.YearDay())
		case 's':
			fmt.Fprint(&b, t.Unix())
		case 'u':
			fmt.Fprint(&b, (int(t.Weekday())+6)%7+1)
		case 'w':
			fmt.Fprint(&b, int(t.Weekday()))
		case 'V':
			_, week := t.ISOWeek()
			fmt.Fprintf(&b, "%02d", week)
		case 'G':
			year, _ := t.ISOWeek()
			fmt.Fprintf(&b, "%04d", year)
		case 'Z':
			if zoned {
				b.WriteString(t.Format("MST"))
			}
		default:
			layout, known := strftime[c]
			if !known {
				return "", fmt.Errorf("%%%c is not known", c)
			}
			if c != 'z' || zoned {
				b.WriteString(t.Format(layout))
			}
		}
	}
	return b.String(), nil
}
