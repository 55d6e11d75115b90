package markup

import (
	"html"
	"strings"

	xhtml "golang.org/x/net/html"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// A Heading is a heading of a Markdown text.
type Heading struct {
	Level int
	Text  string
}

var heading = pattern.Of(`^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*\r?\n?$`)

// Headings lists the headings that begin with #, outside of fenced code. Their
// texts are those of which Markdown makes ids.
func Headings(source string) []Heading {
	var all []Heading
	end := ""
	for line := range strings.Lines(source) {
		mark := fence().FindStringSubmatch(line)
		switch {
		case end != "":
			if mark != nil && strings.HasPrefix(mark[1], end) {
				end = ""
			}
		case mark != nil:
			end = mark[1]
		default:
			if m := heading().FindStringSubmatch(line); m != nil && strings.TrimSpace(m[2]) != "" {
				all = append(all, Heading{len(m[1]), plain(m[2])})
			}
		}
	}
	return all
}

// plain is the text of one line of Markdown.
func plain(line string) string {
	r := Reader{}
	doc, err := xhtml.Parse(strings.NewReader(r.Markdown("# " + line)))
	if err != nil {
		return line
	}
	return strings.TrimSpace(textOf(doc))
}

// Latex returns a text as HTML whose formulas are mathematics.
func (r *Reader) Latex(source string) string {
	text, formulas := takeMath(source)
	b := rebuilder{Options: r.Options, formulas: formulas}
	b.text(strings.TrimSpace(text))
	if len(formulas) == 0 {
		return "<code>" + html.EscapeString(source) + "</code>"
	}
	return b.out.String()
}
