package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/png"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"

	"github.com/fanout-dev/fanout/templates"
)

// page is parsed once; the template is ours and embedded.
var page = template.Must(template.New("summary").Parse(templates.SummaryPage))

// markdown renders what this package writes. It leaves out raw HTML and links
// that could execute something, should any get so far.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// HTML lays the summary out as one page that needs nothing else: the pictures
// are in it. It reads without its script, in light and in dark.
func (s *Summary) HTML() ([]byte, error) {
	var source strings.Builder
	pictures := map[string][]byte{}
	for _, p := range s.sections {
		source.WriteString(p.markdown(func(p picture) string { pictures[p.file] = p.png; return p.file }) + "\n\n")
	}
	return pageOf(s.in.Name, source.String(), pictures)
}

// pageOf renders Markdown of ours as a page. Pictures are by the files that it
// names.
func pageOf(title, source string, pictures map[string][]byte) ([]byte, error) {
	var body bytes.Buffer
	if err := markdown.Convert([]byte(source), &body); err != nil {
		return nil, fmt.Errorf("render %s: %w", title, err)
	}
	text := body.Bytes()
	for file, data := range pictures {
		shown := fmt.Sprintf(`<img width="%d" src="data:image/png;base64,%s"`, widthOf(data), base64Text(data))
		text = bytes.ReplaceAll(text, []byte(`<img src="`+file+`"`), []byte(shown))
	}
	var out bytes.Buffer
	err := page.Execute(&out, struct {
		Title string
		Body  template.HTML
	}{plain(title), template.HTML(text)})
	return out.Bytes(), err
}

// widthOf is how wide a picture is on a page: pictures have density times as
// many pixels.
func widthOf(picture []byte) int {
	c, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		panic(err) // drawn by us
	}
	return int(float64(c.Width) / density)
}
