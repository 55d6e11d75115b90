package remote

import (
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// Escape writes the characters of a key that a protocol cannot carry, and a slash
// after "..", as "__0x" and their number and "__". What looks like that in the key
// is escaped as well.
func Escape(key string, bad func(byte) bool) string {
	var out strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case bad(c), c == '/' && strings.HasSuffix(key[:i], ".."), strings.HasPrefix(key[i:], "__0x"):
			out.WriteString("__0x" + strconv.FormatUint(uint64(c), 16) + "__")
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

var escaped = pattern.Of("__0x[0-9a-f]{1,6}__")

// Unescape is the key that was escaped.
func Unescape(name string) string {
	if !strings.Contains(name, "__0x") {
		return name
	}
	return escaped().ReplaceAllStringFunc(name, func(s string) string {
		n, err := strconv.ParseUint(s[len("__0x"):len(s)-len("__")], 16, 32)
		if err != nil {
			return s
		}
		return string(rune(n))
	})
}
