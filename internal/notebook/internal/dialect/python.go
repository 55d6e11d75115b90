package dialect

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// pythonBody is the Python of a cell, without a cell magic that runs it; ""
// when the cell is in another language.
func pythonBody(source string) string {
	source = UnixLines(source)
	magic, body, _ := strings.Cut(strings.TrimLeft(source, "\n \t"), "\n")
	if !strings.HasPrefix(magic, "%%") {
		return source
	}
	switch word, _, _ := strings.Cut(strings.TrimSpace(magic), " "); word {
	case "%%time", "%%timeit", "%%capture", "%%prun":
		lost := strings.Count(source, "\n") - strings.Count(body, "\n")
		return strings.Repeat("\n", lost) + body // lines keep their numbers
	}
	return ""
}

func pyDeclarations(source string) ([]Parameter, error) {
	source = pythonBody(source)
	lines, err := pyLines(source)
	r := &pyReader{src: source, skipBelow: -1}
	for _, l := range lines {
		r.line(l)
	}
	return r.ps, err
}

type pyReader struct {
	src       string
	ps        []Parameter
	skipBelow int // lines indented deeper belong to a function or class; -1 is none
}

func (r *pyReader) line(l pyLine) {
	if r.skipBelow >= 0 && l.indent > r.skipBelow {
		return
	}
	r.skipBelow = -1
	if l.startsWith(blockWords...) {
		r.skipBelow = l.indent
		return
	}
	parts := splitTop(l.tokens, "=")
	target := parts[0]
	if annotated := splitTop(target, ":"); len(annotated) == 2 && len(annotated[0]) == 1 && annotated[0][0].isName() {
		if len(parts) == 1 {
			r.add(l, annotated[0][0], annotated[1], nil)
			return
		}
		r.add(l, annotated[0][0], annotated[1], l.tokens[len(target)+1:])
		return
	}
	// x = y = value: every part but the last that is a target.
	at := 0
	for _, p := range parts[:len(parts)-1] {
		if !isTarget(p) {
			break
		}
		at += len(p) + 1
	}
	if at == 0 {
		return
	}
	value, from := l.tokens[at:], 0
	for _, p := range parts {
		if from+len(p)+1 > at {
			break
		}
		from += len(p) + 1
		r.assign(l, p, value)
	}
}

// isTarget reports whether tokens are names with commas between them.
func isTarget(p []pyToken) bool {
	return len(p) > 0 && !slices.ContainsFunc(splitTop(unwrap(p), ","), func(t []pyToken) bool {
		return len(t) > 1 || len(t) == 1 && !t[0].isName()
	})
}

// unwrap removes the parentheses around a tuple of names.
func unwrap(p []pyToken) []pyToken {
	if len(p) > 2 && (p[0].isOp("(") && p[len(p)-1].isOp(")") || p[0].isOp("[") && p[len(p)-1].isOp("]")) {
		return p[1 : len(p)-1]
	}
	return p
}

// assign declares the names of one target. Several names take a tuple apart.
func (r *pyReader) assign(l pyLine, target, value []pyToken) {
	names := splitTop(unwrap(target), ",")
	if len(names) > 1 && len(names[len(names)-1]) == 0 {
		names = names[:len(names)-1]
	}
	values := splitTop(unwrap(value), ",")
	for i, name := range names {
		switch {
		case len(name) == 0:
		case len(names) == 1 && len(splitTop(target, ",")) == 1:
			r.add(l, name[0], nil, value)
		case len(values) == len(names):
			r.add(l, name[0], nil, values[i])
		default:
			r.add(l, name[0], nil, value)
			i := slices.IndexFunc(r.ps, func(p Parameter) bool { return p.Name == name[0].text })
			r.ps[i].HasValue, r.ps[i].Value, r.ps[i].Type = false, nil, ""
		}
	}
}

var typeComment = regexp.MustCompile(`^type:\s*(\S*)\s*`)

func (r *pyReader) add(l pyLine, name pyToken, annotation, value []pyToken) {
	p := Parameter{Name: name.text, Line: l.line, Help: strings.TrimSpace(strings.TrimPrefix(l.comment, "#"))}
	p.Value, p.HasValue = pyLiteral(value)
	p.Default = strings.TrimSpace(render(r.src, value))
	if m := typeComment.FindStringSubmatch(p.Help); m != nil {
		p.Type, p.Help = m[1], p.Help[len(m[0]):]
	}
	if annotation != nil {
		if len(annotation) == 1 && annotation[0].kind == pyString {
			if text, ok := pyTextValue(annotation[0].text); ok {
				annotation = pyTokens(text)
				p.Type = strings.TrimSpace(text)
			}
		} else {
			p.Type = strings.TrimSpace(render(r.src, annotation))
		}
		if values, only := choices(annotation); only {
			p.Choices = values
		}
	}
	if p.Type == "" && len(value) > 0 {
		p.Type = pyTypeOf(value, p.Value, p.HasValue)
	}
	r.ps = declare(r.ps, p)
}

// pyTokens are the tokens of one expression.
func pyTokens(text string) []pyToken {
	lines, err := pyLines("(" + strings.TrimSpace(text) + ")")
	if err != nil || len(lines) != 1 {
		return nil
	}
	t := lines[0].tokens
	return t[1 : len(t)-1]
}

// pyTypeOf is the type of a default, where its source shows it.
func pyTypeOf(tokens []pyToken, v any, isLiteral bool) string {
	first := tokens[0]
	if isLiteral {
		switch v.(type) {
		case nil:
			return "None"
		case bool:
			return "bool"
		case int64, *big.Int:
			return "int"
		case float64:
			return "float"
		case string:
			return "str"
		case map[string]any:
			return "dict"
		case []any:
			if first.isOp("[") {
				return "list"
			}
			return "tuple"
		}
	}
	last := tokens[len(tokens)-1]
	switch {
	case !wraps(tokens):
		return ""
	case first.kind == pyString && len(tokens) == 1 && strings.ContainsAny(first.text[:stringPrefix(first.text)], "bB"):
		return "bytes"
	case first.kind == pyString && len(tokens) == 1:
		return "str"
	case first.isOp("[") && last.isOp("]"):
		return "list"
	case first.isOp("{") && last.isOp("}"):
		if entries := splitTop(tokens[1:len(tokens)-1], ":"); len(entries) > 1 || tokens[1].isOp("**") {
			return "dict"
		}
		return "set"
	case first.text == "float" && last.isOp(")"), first.text == "int" && last.isOp(")"), first.text == "str" && last.isOp(")"),
		first.text == "dict" && last.isOp(")"), first.text == "list" && last.isOp(")"):
		return first.text
	}
	return ""
}

// wraps reports whether the first bracket is closed by the last token: the
// tokens are one display or one call, and not several with operators.
func wraps(tokens []pyToken) bool {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.kind != pyOp:
		case strings.Contains("([{", t.text):
			depth++
		case strings.Contains(")]}", t.text):
			if depth--; depth == 0 && i < len(tokens)-1 {
				return false
			}
		}
		if depth == 0 && i > 0 && i < len(tokens)-1 {
			return false
		}
	}
	return true
}

// choices lists the values an annotation allows; ok is false when it allows
// others too.
func choices(annotation []pyToken) (values []any, ok bool) {
	if parts := splitTop(annotation, "|"); len(parts) > 1 {
		return eachChoice(parts)
	}
	if len(annotation) == 1 && annotation[0].text == "None" {
		return []any{nil}, true
	}
	open := slices.IndexFunc(annotation, func(t pyToken) bool { return t.isOp("[") })
	if open < 1 || !annotation[len(annotation)-1].isOp("]") {
		return nil, false
	}
	inner := annotation[open+1 : len(annotation)-1]
	args := splitTop(inner, ",")
	if len(args) > 0 && len(args[len(args)-1]) == 0 {
		args = args[:len(args)-1]
	}
	switch annotation[open-1].text { // the name after any module's
	case "Literal":
		for _, a := range args {
			v, isLiteral := pyLiteral(a)
			if isLiteral {
				values = append(values, v)
			} else if more, nested := choices(a); nested {
				values = append(values, more...)
			} else {
				return nil, false
			}
		}
		return values, true
	case "Optional":
		values, ok = choices(inner)
		return append(values, nil), ok
	case "Union":
		return eachChoice(args)
	case "Annotated", "Final":
		if len(args) > 0 {
			return choices(args[0])
		}
	}
	return nil, false
}

func eachChoice(parts [][]pyToken) (values []any, ok bool) {
	literal := false
	for _, p := range parts {
		v, ok := choices(p)
		if !ok {
			return nil, false
		}
		literal = literal || len(p) > 1
		values = append(values, v...)
	}
	return values, literal
}
