package dialect

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pythontest"
)

// interpreter returns a program on this machine; the test is skipped without.
func interpreter(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// hostile are texts that try to become code, or to break the one they are in.
var hostile = []string{
	"", " ", "'", `"`, "`", `\`, `\\`, `\"`, `\'`, "'''", `"""`, "$", "${HOME}", "$HOME", "$(touch pwned)", "`touch pwned`", "#{x}", "{}", "{x}", "%s", "%", "!", "!!", "!x",
	`"; touch pwned; "`, `'; touch pwned; '`, "\"\ntouch pwned\n\"", "'\ntouch pwned\n'", "\n", "\r", "\r\n", "\t", "\v\f\b\a", "a\nb", "\x00"[:0] + "\x01\x1b[31m\x7f", "\x03\x04\x15\x1a",
	`")); import os; os.system("touch pwned")#`, `" + system("touch pwned") + "`, `"); system("touch pwned"); c("`, `\u0022; touch pwned`, `\x22`, `\N{BULLET}`, `\u{22}`, `\U00000022`,
	"é", "ÿ", "éa1b", "\u0080\u0085\u00a0", "\u2028\u2029", "\ufeff", "漢字", "😀", "\U0010ffff", "\u200b\u202e", "‘’“”„", "a\u0301", "//", "/*", "*/", "(*", "*)", "<!--", "-->", "</script>",
	"true", "null", "None", "NULL", "NaN", "nan", "1", "-1", "1e5", "~", "~/x", "*", "?", "[a]", "a=b", "-n", "--", "=", ";", "&", "|", ">", "<", "()", "x y", "…", `C:\new\table`, "${", "$'x'", "\\\n", "a\\", "__proto__",
}

var anyText = rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.StringMatching(`[\\"'$\x60\n\r\t{}#;%!\x01-\x1f\x7f-\xa0é漢😀u0-9a-fxUN]{0,12}`))

// values yields fixed hostile values and then random ones, always the same.
func values(nested bool, texts func(string) bool) []any {
	var all []any
	for _, s := range hostile {
		if texts(s) {
			all = append(all, s)
		}
	}
	tenTo30, _ := new(big.Int).SetString("1000000000000000000000000000000", 10)
	all = append(all, nil, true, false, int64(0), int64(-1), int64(1<<31-1), int64(-1<<31), int64(1<<31), int64(1<<53), int64(-1<<53), 0.1, -2.5, 1e20, 1e-7, 5e-324, math.MaxFloat64, 3.0, math.Copysign(0, -1))
	if !nested {
		return slices.DeleteFunc(all, func(v any) bool { return v == nil })
	}
	all = append(all, int64(1<<53+1), int64(math.MaxInt64), int64(math.MinInt64), tenTo30, new(big.Int).Neg(tenTo30), math.NaN(), math.Inf(1), math.Inf(-1),
		[]any{}, map[string]any{}, []any{nil}, []any{[]any{}}, []any{[]any{int64(1)}, "a", 2.5, nil, true}, map[string]any{"": int64(1), "b": nil, "é": "x", `q"'\$`: []any{map[string]any{"z": false}}, "__proto__": int64(3)})
	text := anyText.Filter(texts)
	scalar := rapid.OneOf(rapid.Just(any(nil)), rapid.Map(rapid.Bool(), toAny), rapid.Map(text, toAny), rapid.Map(rapid.Int64(), toAny), rapid.Map(rapid.Float64(), toAny))
	value := rapid.OneOf(scalar, rapid.Map(text, toAny),
		rapid.Map(rapid.SliceOfN(scalar, 0, 4), func(s []any) any { return append([]any{}, s...) }),
		rapid.Map(rapid.MapOfN(text, scalar, 0, 4), func(m map[string]any) any { return m }))
	for i := range 300 {
		all = append(all, value.Example(i))
	}
	return all
}

func toAny[T any](v T) any { return v }

func everyText(string) bool { return true }

func noNUL(s string) bool { return !strings.Contains(s, "\x00") }

// shown is the text by which the interpreters' programs below show a value.
// whole says which whole numbers the language keeps apart from floats.
func shown(v any, whole func(n *big.Int) bool) string {
	v, _ = Plain(v)
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case string:
		return "s" + hex.EncodeToString([]byte(v))
	case *big.Int:
		if whole(v) {
			return "i" + v.String()
		}
		f, _ := new(big.Float).SetInt(v).Float64()
		return shown(f, whole)
	case float64:
		if math.IsNaN(v) {
			return "nan"
		}
		return fmt.Sprintf("d%016x", math.Float64bits(v))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = shown(e, whole)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, hex.EncodeToString([]byte(k))+":"+shown(v[k], whole))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "?"
}

// roundTrip runs the injected cell and a program that shows its variables, one
// a line, and compares them with the values.
func roundTrip(t *testing.T, d *Dialect, all []any, whole func(*big.Int) bool, show func(name string) string, run func(dir, program string) *exec.Cmd) {
	t.Helper()
	var args []Argument
	for i, v := range all {
		args = append(args, Argument{Name: fmt.Sprintf("p%d", i), Value: v})
	}
	source, _, err := d.Source("Parameters", args, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(source, "\n"); lines != len(args)+1 {
		t.Errorf("%d lines for %d parameters", lines, len(args))
	}
	var program strings.Builder
	program.WriteString(source)
	for _, a := range args {
		program.WriteString(show(a.Name) + "\n")
	}
	dir := t.TempDir()
	cmd := run(dir, program.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%.2000s\n%.3000s", err, stderr.String(), program.String())
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(all) {
		t.Fatalf("%d lines for %d values\n%.500s\n%.2000s", len(lines), len(all), out, stderr.String())
	}
	for i, v := range all {
		if want := shown(v, whole); lines[i] != want {
			literal, _ := d.Literal(v)
			t.Errorf("%#v\nwritten as %s\nis %s, want %s", v, literal, lines[i], want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a value became code")
	}
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func always(*big.Int) bool { return true }

func TestPythonKeepsValues(t *testing.T) {
	python3 := pythontest.Path(t)
	roundTrip(t, &python, values(true, everyText), always, func(n string) string { return "print(show(" + n + "))" }, func(dir, program string) *exec.Cmd {
		return exec.Command(python3, "-I", file(t, dir, "p.py", `import math, struct
def show(v):
    if v is None: return "null"
    if isinstance(v, bool): return str(v).lower()
    if isinstance(v, str): return "s" + v.encode().hex()
    if isinstance(v, int): return "i%d" % v
    if isinstance(v, float): return "nan" if math.isnan(v) else "d" + struct.pack(">d", v).hex()
    if isinstance(v, list): return "[" + ",".join(map(show, v)) + "]"
    return "{" + ",".join(sorted(k.encode().hex() + ":" + show(x) for k, x in v.items())) + "}"
`+program))
	})
}

const javascriptShow = `
function hexOf(s) { return Array.from(new TextEncoder().encode(s), b => b.toString(16).padStart(2, "0")).join("") }
function show(v) {
  if (v === null) return "null"
  if (typeof v === "boolean") return String(v)
  if (typeof v === "string") return "s" + hexOf(v)
  if (typeof v === "bigint") return "i" + v
  if (typeof v === "number") {
    if (Number.isNaN(v)) return "nan"
    const d = new DataView(new ArrayBuffer(8)); d.setFloat64(0, v)
    return "d" + d.getBigUint64(0).toString(16).padStart(16, "0")
  }
  if (Array.isArray(v)) return "[" + v.map(show).join(",") + "]"
  return "{" + Object.keys(v).map(k => hexOf(k) + ":" + show(v[k])).sort().join(",") + "}"
}
`

func TestJavaScriptKeepsValues(t *testing.T) {
	node := interpreter(t, "node")
	roundTrip(t, &javascript, values(true, everyText), func(n *big.Int) bool { return rounded(n) }, func(n string) string { return "console.log(show(" + n + "))" }, func(dir, program string) *exec.Cmd {
		return exec.Command(node, file(t, dir, "p.js", javascriptShow+program))
	})
}

func TestTypeScriptKeepsValues(t *testing.T) {
	deno := interpreter(t, "deno")
	roundTrip(t, &javascript, values(true, everyText), func(n *big.Int) bool { return rounded(n) }, func(n string) string { return "console.log(show(" + n + " as any))" }, func(dir, program string) *exec.Cmd {
		return exec.Command(deno, "run", "--no-remote", "--quiet", file(t, dir, "p.ts", "// @ts-nocheck\n"+javascriptShow+program))
	})
}

func TestRKeepsValues(t *testing.T) {
	rscript := interpreter(t, "Rscript")
	all := slices.DeleteFunc(values(true, noNUL), func(v any) bool { return strings.Contains(fmt.Sprint(v), "\x00") })
	roundTrip(t, &rlang, all, func(*big.Int) bool { return false }, func(n string) string { return "cat(show(" + n + "), '\\n', sep = '')" }, func(dir, program string) *exec.Cmd {
		return exec.Command(rscript, "--vanilla", file(t, dir, "p.R", `hexOf <- function(s) paste(sprintf("%02x", as.integer(charToRaw(enc2utf8(s)))), collapse = "")
show <- function(v) {
  if (is.null(v)) return("null")
  if (is.list(v)) {
    parts <- vapply(v, show, "")
    if (is.null(names(v))) return(paste0("[", paste(parts, collapse = ","), "]"))
    if (length(v) == 0) return("{}")
    keys <- vapply(names(v), hexOf, "")
    return(paste0("{", paste(sort(paste0(keys, ":", parts), method = "radix"), collapse = ","), "}"))
  }
  if (is.logical(v)) return(if (v) "true" else "false")
  if (is.character(v)) return(paste0("s", hexOf(v)))
  if (is.nan(v)) return("nan")
  paste0("d", paste(sprintf("%02x", as.integer(writeBin(as.numeric(v), raw(), endian = "big"))), collapse = ""))
}
`+program))
	})
}

func TestScalaKeepsValues(t *testing.T) {
	if !strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "scala") {
		t.Skip("the compiler takes half a minute; FANOUT_TEST_REQUIRE=scala runs it")
	}
	program := interpreter(t, "scala")
	all := values(true, everyText)[:len(hostile)+40]
	roundTrip(t, &scala, all, always, func(n string) string { return "println(show(" + n + "))" }, func(dir, source string) *exec.Cmd {
		cmd := exec.Command(program, "-encoding", "UTF-8", "-nc", file(t, dir, "p.scala", `object Show {
  def hexOf(s: String): String = s.getBytes("UTF-8").map("%02x".format(_)).mkString
  def show(v: Any): String = v match {
    case None => "null"
    case b: Boolean => b.toString
    case s: String => "s" + hexOf(s)
    case i: Int => "i" + i
    case l: Long => "i" + l
    case n: BigInt => "i" + n
    case d: Double => if (d.isNaN) "nan" else "d%016x".format(java.lang.Double.doubleToRawLongBits(d))
    case q: Seq[_] => q.map(show).mkString("[", ",", "]")
    case m: Map[_, _] => m.toSeq.map { case (k, x) => hexOf(k.toString) + ":" + show(x) }.sorted.mkString("{", ",", "}")
  }
}
import Show._
`+source))
		return cmd
	})
}

func TestBashKeepsValues(t *testing.T) {
	bashPath := interpreter(t, "bash")
	text := func(v any) string { // what bash holds for a scalar
		switch p, _ := Plain(v); p := p.(type) {
		case nil:
			return ""
		case string:
			return p
		case float64:
			return bash.float(p)
		default:
			return fmt.Sprint(p)
		}
	}
	var want []string
	var program strings.Builder
	var args []Argument
	next := func(v any) string {
		name := fmt.Sprintf("p%d", len(args))
		args = append(args, Argument{Name: name, Value: v})
		return name
	}
	for _, v := range append(values(false, noNUL), nil, math.NaN(), math.Inf(-1)) {
		name := next(v)
		fmt.Fprintf(&program, `printf '%%s\0' "$%s"`+"\n", name)
		want = append(want, text(v))
	}
	randomText := anyText.Filter(noNUL)
	list, m := []any{nil, true}, map[string]any{"k": nil}
	for i := range 200 {
		s := randomText.Example(i)
		list = append(list, s)
		if s != "" {
			m[s] = s + "'"
		}
	}
	name := next(list)
	fmt.Fprintf(&program, `for x in "${%s[@]}"; do printf '%%s\0' "$x"; done`+"\n", name)
	for _, v := range list {
		want = append(want, text(v))
	}
	name = next(m)
	fmt.Fprintf(&program, `for x in "${!%s[@]}"; do printf '%%s=%%s\0' "$x" "${%s[$x]}"; done | sort -z`+"\n", name, name)
	var pairs []string
	for k, v := range m {
		pairs = append(pairs, k+"="+text(v))
	}
	slices.Sort(pairs)
	want = append(want, pairs...)
	source, _, err := bash.Source("Parameters", args, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(source, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }) {
		t.Error("a control character would reach the kernel's terminal")
	}
	dir := t.TempDir()
	cmd := exec.Command(bashPath, "--norc", file(t, dir, "p.sh", source+program.String()))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a value became code")
	}
}

// TestSecretsAreReadWhereTheyRun runs the code that stands for a secret.
func TestSecretsAreReadWhereTheyRun(t *testing.T) {
	for _, c := range []struct {
		program, show string
		d             *Dialect
		args          []string
	}{
		{"python3", "print(x)", &python, []string{"-c"}},
		{"node", "console.log(x)", &javascript, []string{"-e"}},
		{"bash", `echo "$x"`, &bash, []string{"-c"}},
		{"Rscript", "cat(x)", &rlang, []string{"-e"}},
	} {
		t.Run(c.program, func(t *testing.T) {
			path := interpreter(t, c.program)
			source, _, err := c.d.Source("Parameters", []Argument{{Name: "x", Secret: "FANOUT_TEST_SECRET"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, append(c.args, source+c.show)...)
			cmd.Env = append(os.Environ(), "FANOUT_TEST_SECRET=s p'a\"c$e")
			if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != `s p'a"c$e` {
				t.Errorf("%v %q\n%s", err, out, source)
			}
		})
	}
}

// TestUnverifiedDialects pins what no interpreter has confirmed: written from
// the languages' references.
func TestUnverifiedDialects(t *testing.T) {
	nasty := "q\"'`\\$x\n\té\x01😀‘%"
	value := []any{int64(1), "a", nil}
	m := map[string]any{"k": int64(1), nasty: false}
	for name, c := range map[string]struct {
		d    *Dialect
		v    any
		want string
	}{
		"julia text":         {&julia, nasty, `p = "q\"'` + "`" + `\\\$x\n\t\u00e9\u0001\U0001f600\u2018%"`},
		"julia floats":       {&julia, []any{math.NaN(), math.Inf(-1)}, `p = [NaN, -Inf]`},
		"julia map":          {&julia, map[string]any{"a$": nil}, `p = Dict("a\$" => nothing)`},
		"matlab text":        {&matlab, nasty, `p = "q""'` + "`" + `\$x" + char([10 9 233 1 55357 56832 8216]) + "%";`},
		"matlab newline":     {&matlab, "\n", `p = "" + char([10]);`},
		"matlab empty":       {&matlab, "", `p = "";`},
		"matlab list":        {&matlab, value, `p = {1, "a", NaN};`},
		"matlab map":         {&matlab, m, `p = containers.Map({'k', ['q"''` + "`" + `\$x', char([10 9 233 1 55357 56832 8216]), '%']}, {1, false});`},
		"matlab no map":      {&matlab, map[string]any{}, `p = containers.Map('KeyType', 'char', 'ValueType', 'any');`},
		"c# text":            {&csharp, nasty, `var p = "q\"'` + "`" + `\\$x\n\t\u00e9\u0001\U0001f600\u2018%";`},
		"c# null":            {&csharp, nil, `object p = null;`},
		"c# mixed":           {&csharp, value, `var p = new object[] { 1, "a", null };`},
		"c# same":            {&csharp, []any{int64(1), int64(1 << 40)}, `var p = new [] { 1, 1099511627776L };`},
		"c# huge":            {&csharp, new(big.Int).Lsh(big.NewInt(1), 70), `var p = System.Numerics.BigInteger.Parse("1180591620717411303424");`},
		"c# map":             {&csharp, map[string]any{"k": 0.5}, `var p = new Dictionary<string,Object>{ { "k" , 0.5 } };`},
		"c# nan":             {&csharp, math.NaN(), `var p = double.NaN;`},
		"f# text":            {&fsharp, nasty, `let p = "q\"'` + "`" + `\\$x\n\t\u00e9\u0001\U0001f600\u2018%"`},
		"f# mixed":           {&fsharp, value, `let p = [ box (1); box ("a"); box (None) ]`},
		"f# sizes":           {&fsharp, []any{int64(1), int64(1 << 40)}, `let p = [ box (1); box (1099511627776L) ]`},
		"f# map":             {&fsharp, map[string]any{"k": nil}, `let p = [ ("k", null :> IComparable) ] |> Map.ofList`},
		"powershell text":    {&powershell, nasty, "$p = \"q`\"'``\\`$x`n`t`u{e9}`u{1}`u{1f600}`u{2018}%\""},
		"powershell nested":  {&powershell, []any{[]any{int64(1), int64(2)}}, `$p = @(,@(1, 2))`},
		"powershell pairs":   {&powershell, []any{[]any{int64(1)}, []any{int64(2)}}, `$p = @(@(1), @(2))`},
		"powershell map":     {&powershell, map[string]any{"a": int64(1), "b": true}, "$p = @{\"a\" = 1\n \"b\" = $True}"},
		"powershell huge":    {&powershell, new(big.Int).Lsh(big.NewInt(1), 70), `$p = [bigint]::Parse("1180591620717411303424")`},
		"powershell nothing": {&powershell, []any{}, `$p = @()`},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := c.d.Source("", []Argument{{Name: "p", Value: c.v}}, nil)
			_, got, _ = strings.Cut(got, "\n")
			if got = strings.TrimSuffix(got, "\n"); got != c.want || err != nil {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
		})
	}
}

// TestTextsStayOneLiteral holds for languages without an interpreter: what is
// written for a text has no line break, no character that a reader may take
// for a quote, and quotes only at its ends or escaped.
func TestTextsStayOneLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyText.Draw(t, "text")
		for _, d := range []*Dialect{&julia, &csharp, &fsharp, &powershell, &scala} {
			lit, err := d.Literal(s)
			if err != nil {
				t.Fatal(err)
			}
			escape := byte('\\')
			if d == &powershell {
				escape = '`'
			}
			inner := lit[1 : len(lit)-1]
			for i := 0; i < len(inner); i++ {
				switch c := inner[i]; {
				case c == escape:
					if i++; i == len(inner) {
						t.Fatalf("%s: %s ends in an escape", d.language, lit)
					}
				case c == '"' || c < ' ' || c > '~' || c == '$' && (d == &julia || d == &powershell):
					t.Fatalf("%s: %q in %s", d.language, c, lit)
				}
			}
		}
	})
}

func TestRoundedNumbersAreReported(t *testing.T) {
	for _, c := range []struct {
		language string
		v        any
		warns    bool
	}{
		{"R", int64(1<<53 + 1), true}, {"R", int64(1 << 53), false}, {"R", []any{map[string]any{"a": int64(1<<53 + 1)}}, true}, {"R", 0.1, false},
		{"python", int64(1<<53 + 1), false}, {"matlab", int64(math.MaxInt64), true}, {"julia", int64(math.MaxInt64), false},
	} {
		d, err1 := Of("k", c.language)
		_, warnings, err2 := d.Source("", []Argument{{Name: "x", Value: c.v}}, nil)
		warned := slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "rounds") })
		if err := errors.Join(err1, err2); err != nil || warned != c.warns {
			t.Error(c, err, warnings)
		}
	}
}
