package report

import (
	"strings"
	"sync"
	"text/template"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// summaryText is the words of the summary; they are ours and embedded.
var summaryText = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("summary").Funcs(template.FuncMap{
		"safe": safe, "sentence": sentence, "number": unit.Number, "table": plainTable, "list": joined, "some": listed, "count": unit.Plural, "duration": unit.Duration,
		"be": func(n int) string {
			if n == 1 {
				return "is"
			}
			return "are"
		},
		"words": func(texts ...string) []string { return texts },
		"texts": func(all []string) []string { return textsOf(all, safe) },
	}).Parse(templates.SummaryText))
})

// words are the part of the summary of that name, about a value.
func words(name string, of any) string {
	var b strings.Builder
	if err := summaryText().ExecuteTemplate(&b, name, of); err != nil {
		panic(err) // a template of ours that does not fit: every one is executed by a test
	}
	return strings.Trim(b.String(), "\n")
}
