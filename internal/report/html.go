package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/templates"
)

// page is parsed once; the template is ours and embedded.
var page = sync.OnceValue(func() *template.Template { return template.Must(template.New("summary").Parse(templates.SummaryPage)) })

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

// Sections lays the summary out as HTML for a page of somebody else: the verdict,
// and all below it. link says where a run's notebook or a picture is that the
// summary names by its path beside it; Picture has the pictures.
func (s *Summary) Sections(link func(path string) string) (verdict, rest template.HTML, err error) {
	texts := make([]string, len(s.sections))
	for i, p := range s.sections {
		if i == 0 {
			p.title = ""
		}
		texts[i] = p.markdown(func(f figure) string { return f.file })
	}
	if len(texts) == 0 {
		return "", "", nil
	}
	if verdict, err = fragment(texts[0], link); err != nil {
		return "", "", err
	}
	rest, err = fragment(strings.Join(texts[1:], "\n\n"), link)
	return verdict, rest, err
}

// places are where a page says what lies beside it. Foreign text has no quotes
// that could look like one.
var places = regexp.MustCompile(`(<a href|<img src)="([^"#:]+)"`)

func fragment(source string, link func(string) string) (template.HTML, error) {
	body, err := render.Markdown(source)
	if err != nil {
		return "", fmt.Errorf("render the summary: %w", err)
	}
	return template.HTML(places.ReplaceAllStringFunc(string(body), func(found string) string {
		m := places.FindStringSubmatch(found)
		return m[1] + `="` + template.HTMLEscapeString(link(html.UnescapeString(m[2]))) + `"`
	})), nil
}

// Picture is a picture of the summary, as PNG.
func (s *Summary) Picture(file string) (png []byte, ok bool) {
	for _, p := range s.sections {
		for _, f := range p.figures {
			if f.file == file {
				return f.PNG, true
			}
		}
	}
	return nil, false
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
	err = page().Execute(&out, struct {
		Title string
		Body  template.HTML
	}{plain(title), template.HTML(text)})
	return out.Bytes(), err
}
