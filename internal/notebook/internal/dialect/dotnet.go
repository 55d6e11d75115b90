package dialect

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// C#.

var csharp = Dialect{
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
		p, _ := Plain(v)
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

var fsharp = Dialect{
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

var powershell = Dialect{
	language: "powershell",
	comment:  hashed,
	assign:   func(name, value, _ string) string { return "$" + name + " = " + value },
	name:     pattern.Of(`^[A-Za-z_][A-Za-z0-9_]*$`),
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
