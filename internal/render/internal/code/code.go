// Package code gives source code the colours of its language: spans with the
// short classes of chroma (k, s, c, …), which the page's style sheet knows.
package code

import (
	"html"
	"strings"
	"sync"

	"github.com/alecthomas/chroma/v2"

	"github.com/fanout-dev/fanout/templates"
)

// Longest is how much code gets colours; more stays plain.
const Longest = 100_000

// grammars are the files of languages other than Python, by the names that
// kernels have for them.
var grammars = map[string]string{
	"r": "r", "ir": "r", "julia": "julia", "scala": "scala", "sql": "sql", "bash": "bash", "sh": "bash", "zsh": "bash", "shell": "bash",
	"javascript": "javascript", "js": "javascript", "typescript": "typescript", "ts": "typescript", "deno": "typescript",
	"c++": "cpp", "cpp": "cpp", "c++11": "cpp", "c++14": "cpp", "c++17": "cpp", "c++20": "cpp", "c++23": "cpp",
	"c#": "csharp", "csharp": "csharp", "f#": "fsharp", "fsharp": "fsharp", "java": "java", "kotlin": "kotlin", "ruby": "ruby",
	"rust": "rust", "octave": "octave", "matlab": "matlab", "haskell": "haskell",
}

// read are the lexers whose grammars were read, by file.
var read sync.Map

// lexerOf is the lexer of a language, nil if there is none.
func lexerOf(language string) chroma.Lexer {
	file, ok := grammars[strings.ToLower(language)]
	if !ok {
		return nil
	}
	if l, ok := read.Load(file); ok {
		return l.(chroma.Lexer)
	}
	l := chroma.Coalesce(chroma.MustNewXMLLexer(templates.Lexers, "vendor/lexers/"+file+".xml"))
	read.Store(file, l)
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
