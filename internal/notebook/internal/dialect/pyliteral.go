package dialect

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A pyParser reads literals: what Python's ast.literal_eval takes, without
// bytes, complex numbers, sets and maps whose keys are not texts.
type pyParser struct {
	tokens []pyToken
	i      int
}

// Literal returns the value of Python source that is one literal: nil, bool,
// int64, *big.Int, float64, string, []any or map[string]any.
func Literal(source string) (v any, ok bool) { return pyLiteral(pyTokens(source)) }

// pyLiteral returns the value of tokens that are one literal: nil, bool,
// int64, *big.Int, float64, string, []any or map[string]any.
func pyLiteral(tokens []pyToken) (v any, ok bool) {
	p := &pyParser{tokens: tokens}
	if v, ok = p.tuple(); ok && p.i == len(tokens) {
		return v, true
	}
	return nil, false
}

func (p *pyParser) peek() pyToken {
	if p.i < len(p.tokens) {
		return p.tokens[p.i]
	}
	return pyToken{kind: pyMagic}
}

func (p *pyParser) accept(op string) bool {
	if p.peek().isOp(op) {
		p.i++
		return true
	}
	return false
}

// tuple reads one literal, or several with commas.
func (p *pyParser) tuple() (any, bool) {
	v, ok := p.value()
	if !ok || !p.peek().isOp(",") {
		return v, ok
	}
	list := []any{v}
	for p.accept(",") && p.i < len(p.tokens) {
		if v, ok = p.value(); !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

func (p *pyParser) value() (any, bool) {
	switch t := p.peek(); t.kind {
	case pyNumber:
		p.i++
		return pyNumberValue(t.text)
	case pyString:
		return p.text()
	case pyName:
		p.i++
		v, ok := map[string]any{"None": nil, "True": true, "False": false}[t.text]
		return v, ok
	case pyOp:
		p.i++
		switch t.text {
		case "-", "+":
			return p.signed(t.text)
		case "[":
			return p.items("]")
		case "(":
			return p.parenthesised()
		case "{":
			return p.braced()
		}
	}
	return nil, false
}

func (p *pyParser) signed(sign string) (any, bool) {
	if p.peek().kind != pyNumber {
		return nil, false
	}
	v, ok := pyNumberValue(p.peek().text)
	p.i++
	if !ok || sign == "+" {
		return v, ok
	}
	switch v := v.(type) {
	case int64:
		return -v, true
	case *big.Int:
		if n := new(big.Int).Neg(v); n.IsInt64() {
			return n.Int64(), true
		} else {
			return n, true
		}
	case float64:
		return -v, true
	}
	return nil, false
}

// items reads values up to a closing bracket.
func (p *pyParser) items(end string) ([]any, bool) {
	list := []any{}
	for !p.accept(end) {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		list = append(list, v)
		if !p.accept(",") && !p.peek().isOp(end) {
			return nil, false
		}
	}
	return list, true
}

// parenthesised reads a value in parentheses, or a tuple.
func (p *pyParser) parenthesised() (any, bool) {
	if p.accept(")") {
		return []any{}, true
	}
	from := p.i
	if v, ok := p.value(); ok && p.accept(")") {
		return v, true
	}
	p.i = from
	return p.items(")")
}

// braced reads a map. A set is not one.
func (p *pyParser) braced() (any, bool) {
	m := map[string]any{}
	for !p.accept("}") {
		k, _ := p.value()
		key, ok := k.(string)
		if !ok || !p.accept(":") {
			return nil, false
		}
		if m[key], ok = p.value(); !ok {
			return nil, false
		}
		if !p.accept(",") && !p.peek().isOp("}") {
			return nil, false
		}
	}
	return m, true
}

// text reads adjacent texts.
func (p *pyParser) text() (any, bool) {
	var b strings.Builder
	for p.peek().kind == pyString {
		s, ok := pyTextValue(p.peek().text)
		if !ok {
			return nil, false
		}
		b.WriteString(s)
		p.i++
	}
	return b.String(), true
}

func pyNumberValue(text string) (any, bool) {
	lower := strings.ToLower(text)
	if n, err := strconv.ParseInt(lower, 0, 64); err == nil && (!strings.HasPrefix(lower, "0") || strings.Trim(lower, "0_") == "" || strings.ContainsAny(lower, "xob")) {
		return n, true
	}
	if n, ok := new(big.Int).SetString(lower, 0); ok && !strings.HasPrefix(lower, "0") || ok && strings.ContainsAny(lower, "xob") {
		return n, true
	}
	if strings.ContainsAny(lower, "xj") || !strings.ContainsAny(lower, ".e") || strings.Contains(lower, "__") || strings.HasPrefix(lower, "0b") {
		return nil, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(lower, "_", ""), 64)
	return f, err == nil
}

// pyTextValue is the value of one text as it is written.
func pyTextValue(token string) (string, bool) {
	n := stringPrefix(token)
	if n < 0 {
		return "", false
	}
	prefix, s := strings.ToLower(token[:n]), token[n:]
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) && len(s) >= 6 {
		quote = s[:3]
	}
	s = s[len(quote) : len(s)-len(quote)]
	if strings.ContainsAny(prefix, "bft") {
		return "", false
	}
	if strings.Contains(prefix, "r") || !strings.Contains(s, `\`) {
		return s, true
	}
	return pyUnescape(s)
}

var pyEscapes = map[byte]string{'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}

func pyUnescape(s string) (string, bool) {
	var b strings.Builder
	for {
		n := strings.IndexByte(s, '\\')
		if n < 0 || n+1 == len(s) {
			b.WriteString(s)
			return b.String(), true
		}
		b.WriteString(s[:n])
		c := s[n+1]
		s = s[n+2:]
		if e, ok := pyEscapes[c]; ok {
			b.WriteString(e)
			continue
		}
		size, base := 0, 16
		switch {
		case c == 'x':
			size = 2
		case c == 'u':
			size = 4
		case c == 'U':
			size = 8
		case c >= '0' && c <= '7':
			s = string(c) + s
			base = 8
			for size < 3 && size < len(s) && s[size] >= '0' && s[size] <= '7' {
				size++
			}
		case c == 'N':
			return "", false // named characters are not known here
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
			continue
		}
		if len(s) < size {
			return "", false
		}
		code, err := strconv.ParseUint(s[:size], base, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			return "", false
		}
		b.WriteRune(rune(code))
		s = s[size:]
	}
}
