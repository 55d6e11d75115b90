// Package code gives source code the colours of its language: spans with the
// short classes of chroma (k, s, c, …), which the page's style sheet knows.
package code

import (
	"html"
	"strings"
	"sync"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// Longest is how much code gets colours; more stays plain.
const Longest = 100_000

// names are those that kernels use and chroma does not.
var names = map[string]string{"ir": "r", "c++": "cpp", "c++17": "cpp", "deno": "typescript"}

// languages are the names of those with colours, in lower case.
var languages = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, name := range lexers.Names(true) {
		all[strings.ToLower(name)] = true
	}
	return all
})

// found are the lexers that were used, by language.
var found sync.Map

// lexerOf is the lexer of a language, nil if there is none. chroma would look an
// unknown name up among the file names of every language.
func lexerOf(language string) chroma.Lexer {
	language = strings.ToLower(language)
	if known, ok := names[language]; ok {
		language = known
	}
	if !languages()[language] {
		return nil
	}
	if l, ok := found.Load(language); ok {
		return l.(chroma.Lexer)
	}
	l := chroma.Coalesce(lexers.Get(language))
	found.Store(language, l)
	return l
}

// HTML returns code as HTML that stands within <code>.
func HTML(language, source string) string {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	if len(source) <= Longest && isPython[strings.ToLower(language)] {
		return python(source)
	}
	lexer := lexerOf(language)
	if lexer == nil || len(source) > Longest {
		return html.EscapeString(source)
	}
	tokens, err := lexer.Tokenise(&chroma.TokeniseOptions{State: "root"}, source)
	if err != nil {
		return html.EscapeString(source)
	}
	var b strings.Builder
	b.Grow(3 * len(source))
	for t := tokens(); t != chroma.EOF; t = tokens() {
		class := classOf(t.Type)
		if class == "" || strings.TrimSpace(t.Value) == "" {
			b.WriteString(html.EscapeString(t.Value))
			continue
		}
		b.WriteString(`<span class="` + class + `">` + html.EscapeString(t.Value) + `</span>`)
	}
	return b.String()
}

// classOf is the class of a token: few, since a page is read and not edited.
func classOf(t chroma.TokenType) string {
	switch {
	case t == chroma.NameFunction || t == chroma.NameClass || t == chroma.NameFunctionMagic:
		return "nf"
	case t == chroma.NameBuiltin || t == chroma.NameBuiltinPseudo:
		return "nb"
	case t == chroma.NameDecorator:
		return "nd"
	case t.InCategory(chroma.Keyword):
		return "k"
	case t.InSubCategory(chroma.LiteralString):
		return "s"
	case t.InSubCategory(chroma.LiteralNumber):
		return "m"
	case t.InCategory(chroma.Comment):
		return "c"
	case t == chroma.OperatorWord:
		return "k"
	case t.InCategory(chroma.Operator):
		return "o"
	}
	return ""
}
