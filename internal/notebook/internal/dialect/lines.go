package dialect

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// A grammar is how a language other than Python writes a parameter: enough to
// find simple assignments, not to understand programs.
type grammar struct {
	declare   func() *regexp.Regexp // groups: keyword, name, type; the value follows the match
	comment   string
	quotes    string // characters that open and close texts
	words     map[string]any
	float     bool   // numbers without a point are floats
	strip     string // what may follow a number literal
	untyped   bool   // every value is text: defaults imply no types
	backslash bool   // escapes in texts
	oneLine   bool   // texts end with their line; an open quote is none
}

var yesNo = map[string]any{"true": true, "false": false}

func words(null string, more map[string]any) map[string]any {
	m := map[string]any{null: nil}
	for k, v := range more {
		m[k] = v
	}
	return m
}

var grammars = map[*Dialect]grammar{
	&rlang: {
		declare: pattern.Of(`^()([\p{L}.][\p{L}\p{Nd}._]*)()\s*(?:<<?-|=(?:[^=]|$))`), comment: "#", quotes: `"'`,
		words: words("NULL", map[string]any{"TRUE": true, "FALSE": false, "T": true, "F": false}), float: true, strip: "L", backslash: true,
	},
	&julia: {
		declare: pattern.Of(`^(?:(const|global)\s+)?([\p{L}_][\p{L}\p{Nd}_!]*)(?:\s*::\s*([^=]+?))?\s*=(?:[^=]|$)`), comment: "#", quotes: `"`,
		words: words("nothing", yesNo), backslash: true,
	},
	&scala: {
		declare: pattern.Of(`^(val|var)\s+([\p{L}_][\p{L}\p{Nd}_]*)(?:\s*:\s*([^=]+?))?\s*=(?:[^=]|$)`), comment: "//", quotes: `"`,
		words: words("None", yesNo), strip: "L", backslash: true,
	},
	&javascript: {
		declare: pattern.Of(`^(?:export\s+)?(?:(let|var|const)\s+)?([\p{L}_$][\p{L}\p{Nd}_$]*)(?:\s*:\s*([^=]+?))?\s*=(?:[^=>]|$)`), comment: "//", quotes: "\"'`",
		words: words("null", yesNo), float: true, backslash: true,
	},
	&bash: {
		declare: pattern.Of(`^(?:(export|declare|readonly|local|typeset)\s+(?:-\w+\s+)*)?([A-Za-z_][A-Za-z0-9_]*)()=`), comment: "#", quotes: `"'`,
		untyped: true, backslash: true,
	},
	&matlab: {
		declare: pattern.Of(`^()([A-Za-z][A-Za-z0-9_]*)()\s*=(?:[^=]|$)`), comment: "%", quotes: `"'`, words: yesNo, float: true, oneLine: true,
	},
	&csharp: {
		declare: pattern.Of(`^()(?:const\s+)?(?:var|[\p{L}_][\p{L}\p{Nd}_.<>,\[\]?]*)\s+([\p{L}_][\p{L}\p{Nd}_]*)()\s*=(?:[^=]|$)`), comment: "//", quotes: `"'`,
		words: words("null", yesNo), strip: "LlmMdDfF", backslash: true,
	},
	&fsharp: {
		declare: pattern.Of(`^(let)\s+(?:mutable\s+)?([\p{L}_][\p{L}\p{Nd}_]*)(?:\s*:\s*([^=]+?))?\s*=`), comment: "//", quotes: `"`,
		words: words("None", yesNo), strip: "LI", backslash: true,
	},
	&powershell: {
		declare: pattern.Of(`^(?:\[[^\]]*\]\s*)?()\$([A-Za-z_][A-Za-z0-9_]*)()\s*=(?:[^=]|$)`), comment: "#", quotes: `"'`,
		words: map[string]any{"$Null": nil, "$True": true, "$False": false, "$null": nil, "$true": true, "$false": false},
	},
}

var assignment = regexp.MustCompile(`^\s*(?:<<?-|=)`)

// lineDeclarations lists the assignments at the beginning of statements.
func lineDeclarations(g grammar, source string) []Parameter {
	var ps []Parameter
	for _, s := range g.statements(UnixLines(source)) {
		m := g.declare().FindStringSubmatchIndex(s.text)
		if m == nil {
			continue
		}
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return s.text[m[2*i]:m[2*i+1]]
		}
		value := assignment.ReplaceAllString(s.text[max(m[5], m[7]):], "") // behind name and type
		p := Parameter{Name: group(2), Type: group(3), Default: strings.TrimSpace(value), Help: s.comment, Line: s.line, keyword: group(1)}
		if !g.untyped {
			p.Value, p.HasValue, p.Type = g.literal(p.Default, p.Type)
		}
		ps = declare(ps, p)
	}
	return ps
}

// A statement of a language that is read line by line.
type statement struct {
	text, comment string
	line          int
}

// statements splits source where brackets and quotes are closed: at newlines
// and semicolons. Statements that are indented belong to others and are left
// out.
func (g grammar) statements(src string) []statement {
	var all []statement
	cur := statement{line: 1}
	start, depth, line := 0, 0, 1
	end := func(at int) {
		text := src[start:at]
		if trimmed := strings.TrimSpace(text); trimmed != "" && text[0] != ' ' && text[0] != '\t' {
			cur.text = trimmed
			all = append(all, cur)
		}
		cur = statement{line: line}
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '\n' && depth <= 0:
			end(i)
			line++
			i++
			start, depth, cur.line = i, 0, line
			continue
		case c == '\n':
			line++
		case c == ';' && depth <= 0:
			end(i)
			for i++; i < len(src) && (src[i] == ' ' || src[i] == '\t'); i++ {
			}
			start = i
			continue
		case strings.HasPrefix(src[i:], g.comment) && (i == 0 || strings.IndexByte(" \t\n;", src[i-1]) >= 0 || g.comment != "#"):
			n := lineLen(src[i:])
			text := strings.TrimSpace(strings.TrimLeft(src[i:i+n], g.comment[:1]))
			if strings.TrimSpace(src[start:i]) == "" && len(all) > 0 && all[len(all)-1].line == line {
				all[len(all)-1].comment = text // behind a semicolon
			}
			cur.comment = text
			src = src[:i] + src[i+n:]
			continue
		case strings.IndexByte(g.quotes, c) >= 0:
			n := g.quoted(src[i:])
			line += strings.Count(src[i:i+n], "\n")
			i += n
			continue
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		i++
	}
	end(len(src))
	return all
}

// quoted is the length of the text that src begins with.
func (g grammar) quoted(src string) int {
	for i := 1; i < len(src); i++ {
		switch {
		case src[i] == '\\' && g.backslash:
			i++
		case src[i] == src[0]:
			return i + 1
		case src[i] == '\n' && g.oneLine:
			return 1
		}
	}
	if g.oneLine {
		return 1
	}
	return len(src)
}

// literal is the value of a simple literal, and its type.
func (g grammar) literal(s, declared string) (v any, ok bool, typ string) {
	if w, known := g.words[s]; known {
		if w == nil {
			return nil, true, declared
		}
		return w, true, or(declared, "bool")
	}
	if n := len(s); n >= 2 && strings.IndexByte(g.quotes, s[0]) >= 0 && g.quoted(s) == n {
		inner := s[1 : n-1]
		if strings.ContainsAny(inner, "\\$`") || strings.Contains(inner, s[:1]) {
			return nil, false, or(declared, "str") // escapes differ from language to language
		}
		return inner, true, or(declared, "str")
	}
	digits := strings.TrimRight(s, g.strip)
	if n, err := strconv.ParseInt(strings.ReplaceAll(digits, "_", ""), 10, 64); err == nil && !strings.HasPrefix(digits, "_") {
		if g.float && digits == s {
			return float64(n), true, or(declared, "float")
		}
		return n, true, or(declared, "int")
	}
	if f, err := strconv.ParseFloat(digits, 64); err == nil && strings.ContainsAny(digits, "0123456789") && !strings.ContainsAny(digits, "xXpP") {
		return f, true, or(declared, "float")
	}
	return nil, false, declared
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
