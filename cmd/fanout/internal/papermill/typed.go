// Package papermill is the command line of papermill: flags that take two
// words, and values that are typed as they look.
package papermill

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/pflag"
)

// Typed is a word as papermill's -p types it: True, False and None, then what
// Python's int() and float() read, else a string.
func Typed(word string) any {
	switch word {
	case "True":
		return true
	case "False":
		return false
	case "None":
		return nil
	}
	trimmed := strings.TrimFunc(word, unicode.IsSpace)
	if n, ok := pythonInt(trimmed); ok {
		return n
	}
	if x, ok := pythonFloat(trimmed); ok {
		return x
	}
	return word
}

// pythonInt reads decimal digits with single underscores between them.
func pythonInt(s string) (any, bool) {
	digits, ok := withoutUnderscores(strings.TrimLeft(s, "+-"))
	if !ok || len(s)-len(strings.TrimLeft(s, "+-")) > 1 || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return nil, false
	}
	if strings.HasPrefix(s, "-") {
		n.Neg(n)
	}
	if n.IsInt64() {
		return n.Int64(), true
	}
	return n, true
}

// withoutUnderscores removes underscores between digits; others are mistakes.
func withoutUnderscores(s string) (string, bool) {
	if s == "" || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return "", false
	}
	return strings.ReplaceAll(s, "_", ""), true
}

// pythonFloat reads what Python's float() does; too large is infinite.
func pythonFloat(s string) (float64, bool) {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity":
		return math.Inf(map[bool]int{true: -1, false: 1}[strings.HasPrefix(s, "-")]), true
	}
	plain, ok := withoutUnderscores(s)
	if !ok || strings.ContainsAny(plain, "xXpPiInN") {
		return 0, false
	}
	x, err := strconv.ParseFloat(plain, 64)
	if err != nil && !math.IsInf(x, 0) {
		return 0, false
	}
	return x, true
}

// NormalizeFlag treats papermill's spellings with underscores and with dashes
// as the same.
func NormalizeFlag(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "-", "_"))
}
