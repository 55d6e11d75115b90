package dialect

import (
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/fanout-dev/fanout/internal/pattern"
)

func hashed(text string) string  { return strings.TrimSpace("# " + text) }
func slashed(text string) string { return strings.TrimSpace("// " + text) }

func equals(name, value, _ string) string { return name + " = " + value }

func digits(n *big.Int) (string, error) { return n.String(), nil }

var unicodeName = pattern.Of(`^[\p{L}_][\p{L}\p{Nd}_]*$`)

// escaped writes s between double quotes. short are two-letter escapes by
// character; escape writes every other character that is not printable ASCII.
func escaped(s string, short map[rune]string, escape func(r rune) string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if e, ok := short[r]; ok {
			b.WriteString(e)
		} else if r >= ' ' && r <= '~' {
			b.WriteRune(r)
		} else {
			b.WriteString(escape(r))
		}
	}
	b.WriteByte('"')
	return b.String()
}

var usual = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

// utf16Escape is \uNNNN once, or twice for characters beyond the first plane.
func utf16Escape(r rune) string {
	if r > 0xffff {
		hi, lo := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// longEscape is \uNNNN or \UNNNNNNNN.
func longEscape(r rune) string {
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// inList puts items between the two ends.
func inList(before, between, after string) func([]string, []any) (string, error) {
	return func(items []string, _ []any) (string, error) {
		return before + strings.Join(items, between) + after, nil
	}
}

// inDict writes each key and item by the format pair.
func inDict(before, pair, between, after string, text func(string) (string, error)) func([]string, []string, []any) (string, error) {
	return func(keys, items []string, _ []any) (string, error) {
		pairs := make([]string, len(keys))
		for i, k := range keys {
			key, err := text(k)
			if err != nil {
				return "", err
			}
			pairs[i] = fmt.Sprintf(pair, key, items[i])
		}
		return before + strings.Join(pairs, between) + after, nil
	}
}

// Python, as papermill writes it without black.

var python = Dialect{
	language: "python",
	comment:  hashed,
	assign:   equals,
	name:     unicodeName,
	reserved: " False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda " +
		"nonlocal not or pass raise return try while with yield __debug__ ",
	null:    "None",
	bools:   [2]string{"False", "True"},
	integer: digits,
	special: [3]string{"float('nan')", "float('inf')", "float('-inf')"},
	text:    pythonText,
	list:    inList("[", ", ", "]"),
	dict:    inDict("{", "%s: %s", ", ", "}", pythonText),
	secret:  func(env string) string { return `__import__("os").environ["` + env + `"]` },
	exact:   true,
}

func pythonText(s string) (string, error) {
	return escaped(s, usual, func(r rune) string {
		if r < 0x100 {
			return fmt.Sprintf(`\x%02x`, r)
		}
		return longEscape(r)
	}), nil
}

// R. Escapes are \u throughout: R refuses to mix them with \x.

var rlang = Dialect{
	language: "r",
	comment:  hashed,
	assign:   func(name, value, _ string) string { return strings.TrimLeft(name, "_") + " = " + value },
	name:     pattern.Of(`^_*([\p{L}]|\.[\p{L}._]|\.$)[\p{L}\p{Nd}._]*$`),
	reserved: " if else repeat while function for next break TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_ NA_complex_ NA_character_ in ",
	null:     "NULL",
	bools:    [2]string{"FALSE", "TRUE"},
	integer:  digits,
	special:  [3]string{"NaN", "Inf", "-Inf"},
	text:     rText,
	list:     inList("list(", ", ", ")"),
	dict:     rDict,
	secret:   func(env string) string { return `Sys.getenv("` + env + `")` },
}

func rText(s string) (string, error) {
	if strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("a text of R cannot hold NUL")
	}
	return escaped(s, usual, longEscape), nil
}

// rDict names the items in the call where R takes the names as they are.
func rDict(keys, items []string, values []any) (string, error) {
	simple := func(k string) bool {
		return k != "" && !strings.ContainsFunc(k, func(r rune) bool { return r > unicode.MaxASCII })
	}
	if len(keys) == 0 {
		return "structure(list(), names = character(0))", nil // a list without names would be an empty list
	}
	if !slices.ContainsFunc(keys, func(k string) bool { return !simple(k) }) {
		return inDict("list(", "%s = %s", ", ", ")", rText)(keys, items, values)
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		var err error
		if names[i], err = rText(k); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("structure(list(%s), names = c(%s))", strings.Join(items, ", "), strings.Join(names, ", ")), nil
}

// Scala.

var scala = Dialect{
	language: "scala",
	comment:  slashed,
	assign:   func(name, value, _ string) string { return "val " + name + " = " + value },
	name:     unicodeName,
	reserved: " _ abstract case catch class def do else enum export extends false final finally for forSome given if implicit import lazy macro match new null " +
		"object override package private protected return sealed super then this throw trait try true type val var while with yield ",
	null:  "None",
	bools: [2]string{"false", "true"},
	integer: func(n *big.Int) (string, error) {
		return sized(n, "%sL", `BigInt("%s")`), nil
	},
	special: [3]string{"Double.NaN", "Double.PositiveInfinity", "Double.NegativeInfinity"},
	text:    scalaText,
	list:    inList("Seq(", ", ", ")"),
	dict:    inDict("Map(", "%s -> %s", ", ", ")", scalaText),
	secret:  func(env string) string { return `sys.env("` + env + `")` },
	exact:   true,
}

// scalaText uses no escape that old compilers resolve before they look for
// the end of the text.
func scalaText(s string) (string, error) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	return escaped(s, short, utf16Escape), nil
}

// sized writes whole numbers of 32 bits plainly, of 64 bits as long, and
// others as huge.
func sized(n *big.Int, long, huge string) string {
	switch {
	case !n.IsInt64():
		return fmt.Sprintf(huge, n)
	case n.Int64() != int64(int32(n.Int64())):
		return fmt.Sprintf(long, n.String())
	}
	return n.String()
}

// Julia.

var julia = Dialect{
	language: "julia",
	comment:  hashed,
	assign:   equals,
	name:     pattern.Of(`^[\p{L}_][\p{L}\p{Nd}_!]*$`),
	reserved: " _ baremodule begin break catch const continue do else elseif end export false finally for function global if import let local macro module quote " +
		"return struct true try using while ",
	null:    "nothing",
	bools:   [2]string{"false", "true"},
	integer: digits,
	special: [3]string{"NaN", "Inf", "-Inf"},
	text:    juliaText,
	list:    inList("[", ", ", "]"),
	dict:    inDict("Dict(", "%s => %s", ", ", ")", juliaText),
	secret:  func(env string) string { return `ENV["` + env + `"]` },
	exact:   true,
}

func juliaText(s string) (string, error) {
	short := maps.Clone(usual)
	short['$'] = `\$`
	return escaped(s, short, longEscape), nil
}

// JavaScript and TypeScript.

var javascript = Dialect{
	language: "javascript",
	comment:  slashed,
	assign: func(name, value, declared string) string {
		switch declared {
		case "let", "var":
			return name + " = " + value + ";"
		case "const":
			return "const " + name + " = " + value + ";"
		}
		return "var " + name + " = " + value + ";"
	},
	name: pattern.Of(`^[\p{L}_$][\p{L}\p{Nd}_$]*$`),
	reserved: " await break case catch class const continue debugger default delete do else enum eval arguments export extends false finally for function if implements " +
		"import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield undefined NaN Infinity ",
	null:  "null",
	bools: [2]string{"false", "true"},
	integer: func(n *big.Int) (string, error) {
		if rounded(n) {
			return n.String() + "n", nil
		}
		return n.String(), nil
	},
	special: [3]string{"NaN", "Infinity", "-Infinity"},
	text:    javascriptText,
	list:    inList("[", ", ", "]"),
	dict: func(keys, items []string, values []any) (string, error) {
		return inDict("{", "%s: %s", ", ", "}", func(k string) (string, error) {
			text, err := javascriptText(k)
			if k == "__proto__" { // otherwise it would name the prototype
				text = "[" + text + "]"
			}
			return text, err
		})(keys, items, values)
	},
	secret: func(env string) string {
		return `(typeof Deno === "undefined" ? process.env["` + env + `"] : Deno.env.get("` + env + `"))`
	},
	exact: true,
}

func javascriptText(s string) (string, error) { return escaped(s, usual, utf16Escape), nil }

// Bash.

var bash = Dialect{
	language: "bash",
	comment:  hashed,
	assign: func(name, value, _ string) string {
		if strings.HasPrefix(value, "([") {
			return "declare -A " + name + "=" + value
		}
		return name + "=" + value
	},
	name:     pattern.Of(`^[A-Za-z_][A-Za-z0-9_]*$`),
	reserved: " _ ",
	bools:    [2]string{"false", "true"},
	integer:  digits,
	special:  [3]string{"nan", "inf", "-inf"},
	text:     bashText,
	list: func(items []string, values []any) (string, error) {
		if err := flat(values); err != nil {
			return "", err
		}
		for i, item := range items {
			if item == "" {
				items[i] = "''"
			}
		}
		return "(" + strings.Join(items, " ") + ")", nil
	},
	dict: func(keys, items []string, values []any) (string, error) {
		if err := flat(values); err != nil {
			return "", err
		}
		if len(keys) == 0 || slices.Contains(keys, "") {
			return "", fmt.Errorf("bash has no map that is empty or has an empty key")
		}
		return inDict("(", "[%s]=%s", " ", ")", bashQuoted)(keys, items, values)
	},
	secret: func(env string) string { return `"${` + env + `}"` },
	exact:  true,
}

func flat(values []any) error {
	for _, v := range values {
		switch p, _ := Plain(v); p.(type) {
		case []any, map[string]any:
			return fmt.Errorf("bash has no nested lists or maps")
		}
	}
	return nil
}

var bashPlain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// bashText quotes as Python's shlex does, except that control characters are
// escaped: a terminal would act on them.
func bashText(s string) (string, error) {
	if bashPlain.MatchString(s) {
		return s, nil
	}
	return bashQuoted(s)
}

func bashQuoted(s string) (string, error) {
	switch {
	case strings.ContainsRune(s, 0):
		return "", fmt.Errorf("a text of bash cannot hold NUL")
	case !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'", nil
	}
	var b strings.Builder
	b.WriteString("$'")
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\%03o`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + "'", nil
}

// The dialects below are written from their languages' references; no
// interpreter has confirmed them.

// MATLAB. Its double-quoted texts know no escapes but the doubled quote, so
// everything else is joined to them by code.

var matlab = Dialect{
	language: "matlab",
	comment:  func(text string) string { return strings.TrimSpace("% " + text) },
	assign:   func(name, value, _ string) string { return name + " = " + value + ";" },
	name:     pattern.Of(`^[A-Za-z][A-Za-z0-9_]*$`),
	reserved: " break case catch classdef continue else elseif end for function global if otherwise parfor persistent return spmd switch try while ",
	null:     "NaN",
	bools:    [2]string{"false", "true"},
	integer:  digits,
	special:  [3]string{"NaN", "Inf", "-Inf"},
	text: func(s string) (string, error) {
		return matlabParts(s, `"`, " + "), nil
	},
	list: inList("{", ", ", "}"),
	dict: func(keys, items []string, _ []any) (string, error) {
		if len(keys) == 0 {
			return "containers.Map('KeyType', 'char', 'ValueType', 'any')", nil
		}
		names := make([]string, len(keys))
		for i, k := range keys {
			if names[i] = matlabParts(k, "'", ", "); strings.Contains(names[i], "char(") {
				names[i] = "[" + names[i] + "]"
			}
		}
		return fmt.Sprintf("containers.Map({%s}, {%s})", strings.Join(names, ", "), strings.Join(items, ", ")), nil
	},
	secret: func(env string) string { return `string(getenv("` + env + `"))` },
}

// matlabParts writes s as quoted parts and the codes of all other characters.
func matlabParts(s, quote, join string) string {
	var parts []string
	var codes []string
	text := &strings.Builder{}
	flushText := func() {
		if text.Len() > 0 || len(parts) == 0 { // the first part makes the others join as text
			parts = append(parts, quote+strings.ReplaceAll(text.String(), quote, quote+quote)+quote)
			text.Reset()
		}
	}
	flushCodes := func() {
		if len(codes) > 0 {
			parts = append(parts, "char(["+strings.Join(codes, " ")+"])")
			codes = nil
		}
	}
	for _, r := range s {
		if r >= ' ' && r <= '~' {
			flushCodes()
			text.WriteRune(r)
			continue
		}
		flushText()
		for _, u := range utf16.AppendRune(nil, r) {
			codes = append(codes, strconv.Itoa(int(u)))
		}
	}
	flushCodes()
	flushText()
	return strings.Join(parts, join)
}
