package expr

import (
	"regexp"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// phrases are what the library says of values that do not fit, in its words and in
// ours.
var phrases = []struct {
	theirs func() *regexp.Regexp
	ours   string
}{
	{pattern.Of(`^interface conversion: interface \{\} is nil, not bool$`), "true or false is wanted, and this is null"},
	{pattern.Of(`^interface conversion: interface \{\} is (.+), not bool$`), "true or false is wanted, and this is $1"},
	{pattern.Of(`^reflect: call of reflect\.Value\.(Len|Index) on (zero|\w+) Value$`), "a list is wanted, and this is none"},
	{pattern.Of(`^reflect\.Value\.MapIndex: .*$`), "a map has names, and this is none"},
	{pattern.Of(`^invalid operation: int\(string\)$`), "a list has numbers, and this is a name"},
	{pattern.Of(`map\[string\](interface \{\}|any|string)`), "a map"},
	{pattern.Of(`\[\](interface \{\}|any|string)`), "a list"},
	{pattern.Of(`<nil>`), "null"},
}

// inWords is the first line of a message, without names of Go.
func inWords(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	for _, p := range phrases {
		line = p.theirs().ReplaceAllString(line, p.ours)
	}
	return line
}
