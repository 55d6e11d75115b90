package report

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"

	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/templates"
)

// page is parsed once; the template is ours and embedded.
var page = template.Must(template.New("summary").Parse(templates.SummaryPage))

// HTML lays the summary out as one page that needs nothing else: the pictures
// are in it. It reads without its script, in light and in dark.
func (s *Summary) HTML() ([]byte, error) {
	var source strings.Builder
	var figures []figure
	for _, p := range s.sections {
		figures = append(figures, p.figures...)
		source.WriteString(p.markdown(func(f figure) string { return f.file }) + "\n\n")
	}
	return pageOf(s.in.Name, source.String(), figures)
}

// pageOf renders Markdown of ours as a page, with the figures whose files it
// names.
func pageOf(title, source string, figures []figure) ([]byte, error) {
	text, err := render.Markdown(source)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", title, err)
	}
	for _, f := range figures {
		image := fmt.Sprintf(`<img width="%d" src="data:image/png;base64,%s"`, f.Width(), base64Text(f.PNG))
		text = bytes.ReplaceAll(text, []byte(`<img src="`+f.file+`"`), []byte(image))
	}
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Title string
		Body  template.HTML
	}{plain(title), template.HTML(text)})
	return out.Bytes(), err
}
