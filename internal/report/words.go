package report

import (
	"strings"
	"text/template"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// words are what the summary says; they are ours and embedded.
var words = template.Must(template.New("summary").Funcs(template.FuncMap{
	"safe": safe, "sentence": sentence, "number": unit.Number, "table": plainTable, "list": joined, "some": listed, "count": unit.Plural,
	"words": func(words ...string) []string { return words },
}).Parse(templates.SummaryText))

// say writes a part of the summary in words.
func say(name string, of any) string {
	var b strings.Builder
	if err := words.ExecuteTemplate(&b, name, of); err != nil {
		panic(err) // a template of ours that does not fit: every one is executed by a test
	}
	return strings.Trim(b.String(), "\n")
}
