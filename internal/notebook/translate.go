package notebook

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/fanout-dev/fanout/internal/value"
)

// A dialect writes values as literals of one language. What it writes is the
// value and nothing else, whatever the value holds.
type dialect struct {
	language string // its one name, whatever notebooks call it
	comment  func(text string) string
	assign   func(name, value, declared string) string // declared: how the parameters cell declares name
	name     *regexp.Regexp
	reserved string // words that are no names, between spaces
	null     string
	bools    [2]string
	integer  func(n *big.Int) (string, error)
	special  [3]string // NaN, infinity, minus infinity
	text     func(s string) (string, error)
	list     func(items []string, values []any) (string, error)
	dict     func(keys []string, items []string, values []any) (string, error)
	secret   func(env string) string
	// exact is false when whole numbers beyond 2^53 are rounded.
	exact bool
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// source is the injected cell: a comment and an assignment for each argument.
func (d *dialect) source(comment string, args []Argument, declared map[string]string) (source string, warnings []string, err error) {
	var b strings.Builder
	b.WriteString(d.comment(oneLine(comment)) + "\n")
	seen := map[string]bool{}
	for _, a := range args {
		if !d.isName(a.Name) {
			return "", nil, fmt.Errorf("inject parameter %q: it is not a name in this notebook's language", a.Name)
		}
		value, err := d.argument(a)
		if err != nil {
			return "", nil, fmt.Errorf("inject parameter %q: %w", a.Name, err)
		}
		if !d.exact && rounded(a.Value) {
			warnings = append(warnings, fmt.Sprintf("Parameter %s holds a whole number that this notebook's language rounds", a.Name))
		}
		line := d.assign(a.Name, value, declared[a.Name])
		target, _, _ := strings.Cut(line, "=")
		if seen[target] {
			return "", nil, fmt.Errorf("inject parameter %q: another parameter has the same name in this notebook's language", a.Name)
		}
		seen[target] = true
		b.WriteString(line + "\n")
	}
	return b.String(), warnings, nil
}

// oneLine keeps a comment from becoming code.
func oneLine(s string) string { return strings.Join(linesOf(s), " ") }

func (d *dialect) isName(s string) bool {
	return d.name.MatchString(s) && !strings.Contains(d.reserved, " "+s+" ")
}

func (d *dialect) argument(a Argument) (string, error) {
	if a.Secret == "" {
		return d.literal(a.Value)
	}
	if !envName.MatchString(a.Secret) {
		return "", fmt.Errorf("%q is not the name of an environment variable", a.Secret)
	}
	return d.secret(a.Secret), nil
}

func (d *dialect) literal(v any) (string, error) {
	v, err := plain(v)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case nil:
		return d.null, nil
	case bool:
		if v {
			return d.bools[1], nil
		}
		return d.bools[0], nil
	case string:
		return d.text(strings.ToValidUTF8(v, "\ufffd"))
	case *big.Int:
		return d.integer(v)
	case float64:
		return d.float(v), nil
	case []any:
		items, err := d.literals(v)
		if err != nil {
			return "", err
		}
		return d.list(items, v)
	case map[string]any:
		return d.mapping(v)
	}
	return "", fmt.Errorf("cannot write a %T", v)
}

func (d *dialect) literals(values []any) ([]string, error) {
	items := make([]string, len(values))
	for i, v := range values {
		var err error
		if items[i], err = d.literal(v); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (d *dialect) mapping(m map[string]any) (string, error) {
	keys := slices.Sorted(maps.Keys(m))
	values := make([]any, len(keys))
	for i, k := range keys {
		values[i] = m[k]
		keys[i] = strings.ToValidUTF8(k, "\ufffd")
	}
	items, err := d.literals(values)
	if err != nil {
		return "", err
	}
	return d.dict(keys, items, values)
}

func (d *dialect) float(f float64) string {
	switch {
	case math.IsNaN(f):
		return d.special[0]
	case math.IsInf(f, 1):
		return d.special[1]
	case math.IsInf(f, -1):
		return d.special[2]
	}
	return value.FloatRepr(f)
}

// plain is v as nil, bool, string, *big.Int, float64, []any or map[string]any.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, *big.Int, float64, []any, map[string]any:
		return v, nil
	case int:
		return big.NewInt(int64(v)), nil
	case int64:
		return big.NewInt(v), nil
	case json.Number:
		return number(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot write a %T: %w", v, err)
	}
	if v, err = value.Decode(b); err != nil {
		return nil, err
	}
	return plain(v)
}

// number is the value of a number as JSON writes it: whole, or a float.
func number(n json.Number) (any, error) {
	if whole, ok := new(big.Int).SetString(string(n), 10); ok {
		return whole, nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%q is not a number", n)
	}
	return f, nil
}

// rounded reports whether v holds a whole number that a double cannot.
func rounded(v any) bool {
	switch p, _ := plain(v); p := p.(type) {
	case *big.Int:
		f, _ := new(big.Float).SetInt(p).Float64()
		back, _ := big.NewFloat(f).Int(nil)
		return math.IsInf(f, 0) || back.Cmp(p) != 0
	case []any:
		return slices.ContainsFunc(p, rounded)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(p)), rounded)
	}
	return false
}

// language finds the dialect as papermill does: by the kernel's name, then by
// the language. Beyond that it knows how languages spell their own names.
func dialectOf(kernel, language string) (*dialect, error) {
	for _, key := range []string{kernel, language, strings.ToLower(language), strings.ToLower(kernel)} {
		if d, ok := dialects[key]; ok {
			return d, nil
		}
	}
	if strings.HasPrefix(kernel, "python") {
		return &python, nil
	}
	if kernel == "" && language == "" {
		return nil, &formatError{"inject parameters: the notebook names neither kernel nor language", "name the kernel: -k python3"}
	}
	return nil, fmt.Errorf("inject parameters: no literals are known for kernel %q or language %q", kernel, language)
}

var dialects = map[string]*dialect{
	"python": &python, "pysparkkernel": &python, "ipython": &python,
	"R": &rlang, "r": &rlang, "ir": &rlang, "sparkrkernel": &rlang,
	"scala": &scala, "sparkkernel": &scala,
	"julia":       &julia,
	"matlab":      &matlab,
	".net-csharp": &csharp, "c#": &csharp, "csharp": &csharp,
	".net-fsharp": &fsharp, "f#": &fsharp, "fsharp": &fsharp,
	".net-powershell": &powershell, "powershell": &powershell, "pwsh": &powershell,
	"bash":       &bash,
	"javascript": &javascript, "typescript": &javascript, "deno": &javascript, "jslab": &javascript, "tslab": &javascript,
}

func hashed(text string) string  { return strings.TrimSpace("# " + text) }
func slashed(text string) string { return strings.TrimSpace("// " + text) }

func equals(name, value, _ string) string { return name + " = " + value }

func digits(n *big.Int) (string, error) { return n.String(), nil }

var unicodeName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{Nd}_]*$`)

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

var python = dialect{
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

var rlang = dialect{
	language: "r",
	comment:  hashed,
	assign:   func(name, value, _ string) string { return strings.TrimLeft(name, "_") + " = " + value },
	name:     regexp.MustCompile(`^_*([\p{L}]|\.[\p{L}._]|\.$)[\p{L}\p{Nd}._]*$`),
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

var scala = dialect{
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

var julia = dialect{
	language: "julia",
	comment:  hashed,
	assign:   equals,
	name:     regexp.MustCompile(`^[\p{L}_][\p{L}\p{Nd}_!]*$`),
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

var javascript = dialect{
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
	name: regexp.MustCompile(`^[\p{L}_$][\p{L}\p{Nd}_$]*$`),
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

var bash = dialect{
	language: "bash",
	comment:  hashed,
	assign: func(name, value, _ string) string {
		if strings.HasPrefix(value, "([") {
			return "declare -A " + name + "=" + value
		}
		return name + "=" + value
	},
	name:     regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`),
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
		switch p, _ := plain(v); p.(type) {
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

var matlab = dialect{
	language: "matlab",
	comment:  func(text string) string { return strings.TrimSpace("% " + text) },
	assign:   func(name, value, _ string) string { return name + " = " + value + ";" },
	name:     regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`),
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

// C#.

var csharp = dialect{
	language: "c#",
	comment:  slashed,
	assign: func(name, value, _ string) string {
		if value == "null" {
			return "object " + name + " = null;"
		}
		return "var " + name + " = " + value + ";"
	},
	name: unicodeName,
	reserved: " abstract as base bool break byte case catch char checked class const continue decimal default delegate do double else enum event explicit extern false " +
		"finally fixed float for foreach goto if implicit in int interface internal is lock long namespace new null object operator out override params private protected " +
		"public readonly ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using " +
		"virtual void volatile while ",
	null:  "null",
	bools: [2]string{"false", "true"},
	integer: func(n *big.Int) (string, error) {
		return sized(n, "%sL", `System.Numerics.BigInteger.Parse("%s")`), nil
	},
	special: [3]string{"double.NaN", "double.PositiveInfinity", "double.NegativeInfinity"},
	text:    csharpText,
	list: func(items []string, values []any) (string, error) {
		open := "new [] { "
		if !uniform(values) {
			open = "new object[] { "
		}
		return open + strings.Join(items, ", ") + " }", nil
	},
	dict:   inDict("new Dictionary<string,Object>{ ", "{ %s , %s }", ", ", " }", csharpText),
	secret: func(env string) string { return `System.Environment.GetEnvironmentVariable("` + env + `")` },
	exact:  true,
}

func csharpText(s string) (string, error) { return escaped(s, usual, longEscape), nil }

// uniform reports whether a list holds only texts, only booleans, only whole
// numbers of 64 bits or only floats.
func uniform(values []any) bool {
	kind := ""
	for _, v := range values {
		p, _ := plain(v)
		this := ""
		switch p := p.(type) {
		case string, bool, float64:
			this = fmt.Sprintf("%T", p)
		case *big.Int:
			if p.IsInt64() {
				this = "int"
			}
		}
		if this == "" || kind != "" && this != kind {
			return false
		}
		kind = this
	}
	return kind != ""
}

// F#.

var fsharp = dialect{
	language: "f#",
	comment: func(text string) string {
		return strings.TrimSpace("(* " + strings.NewReplacer("(*", "( *", "*)", "* )", `"`, "'").Replace(text) + " *)")
	},
	assign: func(name, value, _ string) string { return "let " + name + " = " + value },
	name:   unicodeName,
	reserved: " _ abstract and as assert base begin class default delegate do done downcast downto elif else end exception extern false finally fixed for fun function " +
		"global if in inherit inline interface internal lazy let match member module mutable namespace new not null of open or override private public rec return sig " +
		"static struct then to true try type upcast use val void when while with yield const ",
	null:    "None",
	bools:   [2]string{"false", "true"},
	integer: func(n *big.Int) (string, error) { return fsharpInt(n), nil },
	special: [3]string{"nan", "infinity", "-infinity"},
	text:    csharpText,
	list: func(items []string, values []any) (string, error) {
		if !uniform(values) || mixedSizes(items) {
			for i := range items {
				items[i] = "box (" + items[i] + ")"
			}
		}
		return "[ " + strings.Join(items, "; ") + " ]", nil
	},
	dict: func(keys, items []string, values []any) (string, error) {
		for i, v := range values {
			if v == nil {
				items[i] = "null"
			}
		}
		return inDict("[ ", "(%s, %s :> IComparable)", "; ", " ] |> Map.ofList", csharpText)(keys, items, values)
	},
	secret: func(env string) string { return `System.Environment.GetEnvironmentVariable("` + env + `")` },
	exact:  true,
}

func fsharpInt(n *big.Int) string { return sized(n, "%sL", "%sI") }

// mixedSizes reports whether some whole numbers are long and some are not.
func mixedSizes(items []string) bool {
	long := 0
	for _, s := range items {
		if strings.HasSuffix(s, "L") && !strings.HasPrefix(s, `"`) {
			long++
		}
	}
	return long > 0 && long < len(items)
}

// PowerShell.

var powershell = dialect{
	language: "powershell",
	comment:  hashed,
	assign:   func(name, value, _ string) string { return "$" + name + " = " + value },
	name:     regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`),
	reserved: " true false null _ args input this ",
	null:     "$Null",
	bools:    [2]string{"$False", "$True"},
	integer: func(n *big.Int) (string, error) {
		if n.IsInt64() {
			return n.String(), nil
		}
		return `[bigint]::Parse("` + n.String() + `")`, nil
	},
	special: [3]string{"[double]::NaN", "[double]::PositiveInfinity", "[double]::NegativeInfinity"},
	text:    powershellText,
	list: func(items []string, values []any) (string, error) {
		if len(values) == 1 {
			if _, nested := values[0].([]any); nested {
				return "@(," + items[0] + ")", nil // otherwise the inner list would be the whole
			}
		}
		return "@(" + strings.Join(items, ", ") + ")", nil
	},
	dict: func(keys, items []string, values []any) (string, error) {
		seen := map[string]bool{}
		for _, k := range keys {
			if seen[strings.ToLower(k)] {
				return "", fmt.Errorf("keys of PowerShell differ in more than case: %q", k)
			}
			seen[strings.ToLower(k)] = true
		}
		return inDict("@{", "%s = %s", "\n ", "}", powershellText)(keys, items, values)
	},
	secret: func(env string) string { return `[System.Environment]::GetEnvironmentVariable("` + env + `")` },
	exact:  true,
}

func powershellText(s string) (string, error) {
	short := map[rune]string{'"': "`\"", '`': "``", '$': "`$", '\n': "`n", '\r': "`r", '\t': "`t", 0: "`0"}
	return escaped(s, short, func(r rune) string { return fmt.Sprintf("`u{%x}", r) }), nil
}
