// Package dialect reads and writes the parameters of notebooks in the languages
// that notebooks are written in.
//
// A kernel and a language name go in, a [Dialect] comes out ([Of]). It reads
// which parameters a cell declares ([Dialect.Declarations]) and writes the cell
// that gives them their values ([Dialect.Source]). Python is read by its
// grammar, which also finds imports ([Imports]) and literals ([Literal]); other
// languages are read line by line.
//
// It promises that what it writes for a value is that value and nothing else,
// whatever the value holds. It knows no notebook, and executes nothing.
package dialect

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

	"github.com/fanout-dev/fanout/internal/value"
)

// An Argument is a parameter with the value it is given. Value is nil, bool,
// string, a whole number, *big.Int, float64, []any or map[string]any, or
// something encoding/json renders as one of these. A Secret is the name of the
// environment variable that holds the value where the notebook runs; the
// notebook then holds code that reads it, never the value.
type Argument struct {
	Name   string
	Value  any
	Secret string
}

// A Dialect is one language: how it declares parameters, and how it writes
// values.
type Dialect struct {
	language string // its one name, whatever notebooks call it
	comment  func(text string) string
	assign   func(name, value, declared string) string // declared: how the parameters cell declares name
	name     func() *regexp.Regexp
	reserved string // words that cannot be names, between spaces
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

// Language is the one name of the language, whatever notebooks call it.
func (d *Dialect) Language() string { return d.language }

// Unknown lists the arguments that are not among the declared parameters.
func (d *Dialect) Unknown(args []Argument, declared []Parameter) (names []string) {
	for _, a := range args {
		if d.declaration(a.Name, declared) == nil {
			names = append(names, a.Name)
		}
	}
	return names
}

// declaration is what declares a name; nil when nothing does.
func (d *Dialect) declaration(name string, declared []Parameter) *Parameter {
	if d == &rlang {
		name = strings.TrimLeft(name, "_") // as it is assigned
	}
	i := slices.IndexFunc(declared, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &declared[i]
}

// Source is a cell that gives parameters their values: a comment and an
// assignment for each argument, in their order. declared is what the
// parameters cell declares. Warnings name values that the language rounds.
func (d *Dialect) Source(comment string, args []Argument, declared []Parameter) (source string, warnings []string, err error) {
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
		keyword := ""
		if p := d.declaration(a.Name, declared); p != nil {
			keyword = p.keyword
		}
		line := d.assign(a.Name, value, keyword)
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
func oneLine(s string) string { return strings.Join(SplitLines(s), " ") }

func (d *Dialect) isName(s string) bool {
	return d.name().MatchString(s) && !strings.Contains(d.reserved, " "+s+" ")
}

func (d *Dialect) argument(a Argument) (string, error) {
	if a.Secret == "" {
		return d.Literal(a.Value)
	}
	if !envName.MatchString(a.Secret) {
		return "", fmt.Errorf("%q is not the name of an environment variable", a.Secret)
	}
	return d.secret(a.Secret), nil
}

// Literal writes a value as the language does.
func (d *Dialect) Literal(v any) (string, error) {
	v, err := Plain(v)
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

func (d *Dialect) literals(values []any) ([]string, error) {
	items := make([]string, len(values))
	for i, v := range values {
		var err error
		if items[i], err = d.Literal(v); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (d *Dialect) mapping(m map[string]any) (string, error) {
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

func (d *Dialect) float(f float64) string {
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

// Plain is v as nil, bool, string, *big.Int, float64, []any or map[string]any.
func Plain(v any) (any, error) {
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
	return Plain(v)
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
	switch p, _ := Plain(v); p := p.(type) {
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

// Of finds the dialect as papermill does: by the kernel's name, then by the
// language. Beyond that it knows how languages spell their own names. The error
// may carry a Hint.
func Of(kernel, language string) (*Dialect, error) {
	for _, key := range []string{kernel, language, strings.ToLower(language), strings.ToLower(kernel)} {
		if d, ok := dialects[key]; ok {
			return d, nil
		}
	}
	if strings.HasPrefix(kernel, "python") {
		return &python, nil
	}
	if kernel == "" && language == "" {
		return nil, errNoLanguage
	}
	return nil, fmt.Errorf("inject parameters: no literals are known for kernel %q or language %q", kernel, language)
}

// errNoLanguage is the error of a notebook that names no kernel and no language.
var errNoLanguage = noLanguage{}

type noLanguage struct{}

func (noLanguage) Error() string {
	return "inject parameters: the notebook names neither kernel nor language"
}
func (noLanguage) Hint() string { return "name the kernel: -k python3" }

// Python is the dialect of notebooks that name no language.
func Python() *Dialect { return &python }

// dialects are the dialects by the names of kernels and languages.
var dialects = map[string]*Dialect{
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
