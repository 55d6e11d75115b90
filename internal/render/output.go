package render

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/render/internal/ansi"
	"github.com/fanout-dev/fanout/internal/render/internal/markup"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A form is one way to show a MIME bundle.
type form struct {
	mime  string
	frame bool
}

var (
	vegaType   = pattern.Of(`^application/vnd\.vega(lite)?\.v\d+[.\d]*(\+json|\.json)$`)
	rasterType = pattern.Of(`^image/(png|jpeg|gif|webp|bmp)$`)
)

const (
	typeWidget   = "application/vnd.jupyter.widget-view+json"
	typePlotly   = "application/vnd.plotly.v1+json"
	typeResource = "application/vnd.dataresource+json"
	typeBokeh    = "application/vnd.bokehjs_exec.v0+json"
	typeHolo     = "application/vnd.holoviews_exec.v0+json"
	typeHTML     = "text/html"
	typePlain    = "text/plain"
	typeSVG      = "image/svg+xml"
	typeGeo      = "application/geo+json"
)

// rank orders the forms of a bundle: what says most comes first. A type that is
// not shown has no rank.
func rank(mime string) (order int, frame, known bool) {
	switch {
	case mime == typeWidget:
		return 0, true, true
	case mime == typePlotly:
		return 1, true, true
	case vegaType().MatchString(mime):
		return 2, true, true
	case mime == typeBokeh || mime == typeHolo:
		return 3, true, true
	case mime == typeResource:
		return 4, false, true
	case mime == typeGeo:
		return 5, false, true
	case mime == typeHTML:
		return 6, true, true
	case isScript(mime):
		return 7, true, true
	case mime == "text/markdown":
		return 8, false, true
	case mime == typeSVG:
		return 9, false, true
	case mime == "text/latex" || mime == "application/x-latex":
		return 10, false, true
	case rasterType().MatchString(mime):
		return 11, false, true
	case mime == "application/pdf":
		return 12, false, true
	case mime == "text/vnd.mermaid":
		return 13, false, true
	case mime == typePlain:
		return 16, false, true
	case mime == "application/json" || strings.HasSuffix(mime, "+json") && !strings.HasPrefix(mime, "application/vnd."):
		return 14, false, true
	case strings.HasPrefix(mime, "text/") || mime == "application/vnd.jupyter.stdout" || mime == "application/vnd.jupyter.stderr":
		return 15, false, true
	}
	return 0, false, false
}

func isScript(mime string) bool { return mime == "application/javascript" || mime == "text/javascript" }

// forms lists how an output can be shown, best first.
func (d *Document) forms(o *notebook.Output) []form {
	var all []form
	for mime, raw := range o.Data {
		if _, frame, known := rank(mime); known && len(raw) > 0 && !notebook.IsScrapType(mime) {
			all = append(all, form{mime, frame})
		}
	}
	slices.SortFunc(all, func(a, b form) int {
		x, _, _ := rank(a.mime)
		y, _, _ := rank(b.mime)
		if x != y {
			return x - y
		}
		return strings.Compare(b.mime, a.mime) // the newer version of two
	})
	return slices.DeleteFunc(all, func(f form) bool {
		return f.frame && d.options.Still && !d.isTable(o, f.mime) || f.mime == typeWidget && !d.frames.hasWidget(o.Data[f.mime])
	})
}

// outputs shows the outputs of a cell: prints of one stream as one text, and
// neighbours that need a frame in one frame.
func (s *sheet) outputs(c *notebook.Cell) {
	s.WriteString(`<div class="outputs">`)
	for i := 0; i < len(c.Outputs); {
		o := &c.Outputs[i]
		n := 1
		switch o.Type {
		case "stream":
			for i+n < len(c.Outputs) && c.Outputs[i+n].Type == "stream" && c.Outputs[i+n].Name == o.Name {
				n++
			}
			s.stream(c.Outputs[i : i+n])
		case "error":
			s.failure(o)
		case "display_data", "execute_result":
			n = s.display(c, i)
		default:
			s.writef(`<p class="note">An output of type %s is not shown.</p>`, unit.Cut(unit.Line(o.Type), 100))
		}
		i += n
	}
	s.WriteString(`</div>`)
}

// display shows output i, and returns how many outputs that took.
func (s *sheet) display(c *notebook.Cell, i int) int {
	o := &c.Outputs[i]
	if s.d.frames.loads(o) {
		return 1 // it is put before what needs it
	}
	s.scraps(o)
	forms := s.d.forms(o)
	for at, f := range forms {
		if f.frame && !s.d.isTable(o, f.mime) {
			n := s.framed(c, i)
			s.others(o, forms[at+1:], true)
			return n
		}
		if s.inline(o, i, f) {
			s.others(o, forms[at+1:], false)
			return 1
		}
	}
	if len(forms) == 0 && len(o.Data) > 0 && !o.HoldsScraps() {
		s.writef(`<p class="note">This output is %s, which is not shown here.</p>`, unit.List(slices.Sorted(maps.Keys(o.Data))))
	}
	return 1
}

// table reads HTML that is nothing but a table.
func (d *Document) table(o *notebook.Output) (markup.Table, bool) {
	if d.last.of != o {
		text, _ := o.DataText(typeHTML)
		d.last.of = o
		d.last.table, d.last.ok = markup.ReadTable(text)
	}
	return d.last.table, d.last.ok
}

// inline writes one form of an output as HTML of ours; false if it cannot be
// read, and another form should be shown.
func (s *sheet) inline(o *notebook.Output, i int, f form) bool {
	if len(o.Data[f.mime]) > maxInline {
		s.writef(`<p class="note">An output of %s as %s is too large to be shown.</p>`, unit.Bytes(int64(len(o.Data[f.mime]))), f.mime)
		return true
	}
	switch f.mime {
	case typeResource:
		return s.resource(o.Data[f.mime], i)
	case typeGeo:
		return s.outline(o.Data[f.mime])
	}
	if rasterType().MatchString(f.mime) || f.mime == typeSVG {
		return s.picture(o, i, f.mime)
	}
	text, isText := o.DataText(f.mime)
	if !isText {
		return s.tree(o.Data[f.mime], o.Metadata)
	}
	switch f.mime {
	case typeHTML:
		t, _ := s.d.table(o)
		s.WriteString(t.HTML())
	case "text/markdown":
		s.d.text.Image = nil
		s.WriteString(`<div class="prose">` + s.d.text.Markdown(text) + `</div>`)
	case "text/latex", "application/x-latex":
		s.maths(text)
	case "application/pdf":
		s.pdf(text)
	default:
		s.writef(`<pre class="result" tabindex="0">%s</pre>`, template.HTML(ansi.HTML(cut(text))))
	}
	return true
}

// What one output may be, and what of a long text is shown.
const (
	maxInline = 64 << 20
	maxText   = 1 << 20
	keptText  = 200_000 // at the start, and at the end
)

// cut leaves out the middle of a text that is too long to be read.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	head, tail := text[:keptText], text[len(text)-keptText:]
	if i := strings.LastIndexByte(head, '\n'); i > 0 {
		head = head[:i+1]
	}
	if i := strings.IndexByte(tail, '\n'); i >= 0 {
		tail = tail[i+1:]
	}
	return strings.ToValidUTF8(head, "") + fmt.Sprintf("\n… %s left out …\n\n", unit.Bytes(int64(len(text)-len(head)-len(tail)))) + strings.ToValidUTF8(tail, "")
}

func (s *sheet) stream(outputs []notebook.Output) {
	text := outputs[0].Text
	if len(outputs) > 1 {
		var b strings.Builder
		for _, o := range outputs {
			b.WriteString(o.Text)
		}
		text = b.String()
	}
	class := "stdout"
	if outputs[0].Name == "stderr" {
		class = "stderr"
	}
	if text = strings.TrimRight(text, "\n"); text != "" {
		s.writef(`<pre class="stream %s" tabindex="0">%s</pre>`, template.HTML(class), template.HTML(ansi.HTML(cut(text))))
	}
}

var pictureSize = func(meta map[string]any, mime, key string) string {
	for _, m := range []any{meta[mime], meta} {
		of, _ := m.(map[string]any)
		if n, ok := of[key].(json.Number); ok {
			if size, err := strconv.ParseFloat(string(n), 64); err == nil && size >= 1 && size <= 10000 {
				return fmt.Sprintf(` %s="%.0f"`, key, size)
			}
		}
	}
	return ""
}

// picture shows an image as <img>, in which nothing executes or loads.
func (s *sheet) picture(o *notebook.Output, i int, mime string) bool {
	data, ok := imageData(mime, o.Data[mime])
	if !ok {
		return false
	}
	address := ""
	if i >= 0 && len(data) > 4096 {
		address = s.d.address(Part{Cell: s.cell, Output: i, MIME: mime})
	}
	alt, _ := o.DataText(typePlain)
	if alt = unit.Cut(unit.Line(alt), 200); alt == "" || strings.HasPrefix(alt, "<") {
		alt = fmt.Sprintf("picture that cell %d shows", s.d.book.CodeCell(s.cell))
	}
	class := ""
	if m, _ := o.Metadata[mime].(map[string]any); m["needs_background"] != nil || mime == typeSVG || mime == "image/png" {
		class = ` class="paper"`
	}
	s.WriteString(`<p class="picture"><img loading="lazy"` + class + pictureSize(o.Metadata, mime, "width") + pictureSize(o.Metadata, mime, "height"))
	s.writef(` alt="%s" src="%s`, alt, address)
	if address == "" {
		s.Grow(len(data) + 100)
		s.WriteString("data:" + mime + ";base64,")
		s.Write(data)
	}
	s.WriteString(`"></p>`)
	return true
}

// imageData is an image in base64, as a data address holds it; false if it is
// not what its type says.
func imageData(mime string, raw json.RawMessage) ([]byte, bool) {
	if mime != typeSVG && len(raw) > 2 {
		plain := bytes.TrimSuffix(raw[1:len(raw)-1], []byte(`\n`))
		if onlyBase64(plain) {
			return plain, true // the bytes of the file
		}
	}
	text, _ := jsonOf(raw).(string)
	if text = strings.TrimSpace(text); text == "" {
		return nil, false
	}
	if mime == typeSVG {
		return []byte(base64.StdEncoding.EncodeToString([]byte(standalone(text)))), true
	}
	joined := []byte(strings.Join(strings.Fields(text), ""))
	return joined, onlyBase64(joined)
}

// dataURL is an image as an address; empty if it is none.
func dataURL(mime string, raw json.RawMessage) string {
	data, ok := imageData(mime, raw)
	if !ok {
		return ""
	}
	return "data:" + mime + ";base64," + string(data)
}

var isBase64 = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
	}
	return is
}()

func onlyBase64(text []byte) bool {
	for _, c := range text {
		if !isBase64[c] {
			return false
		}
	}
	return len(text) > 0
}

// standalone is an SVG with the name space that an image needs.
func standalone(svg string) string {
	if head := svg[:min(len(svg), 4096)]; strings.Contains(head, "xmlns=") {
		return svg
	}
	return strings.Replace(svg, "<svg", `<svg xmlns="http://www.w3.org/2000/svg"`, 1)
}

// attached is a picture of a Markdown cell.
func attached(c *notebook.Cell, name string) string {
	bundle := c.Attachments[name]
	for _, mime := range slices.Sorted(maps.Keys(bundle)) {
		if rasterType().MatchString(mime) || mime == typeSVG {
			return dataURL(mime, bundle[mime])
		}
	}
	return ""
}

func (s *sheet) pdf(text string) {
	if data := strings.Join(strings.Fields(text), ""); onlyBase64([]byte(data)) {
		s.WriteString(`<p class="note"><a download="output.pdf" href="data:application/pdf;base64,` + data + `">Download PDF</a></p>`)
	}
}

// maxOther is how large a second form of an output may be.
const maxOther = 1 << 20

// others offers the other forms of an output that a reader may want: of what is
// framed all that is inline, otherwise pictures and text.
func (s *sheet) others(o *notebook.Output, forms []form, framed bool) {
	for _, f := range forms {
		text, ok := o.DataText(f.mime)
		trivial := f.mime == typePlain && (!framed || strings.HasPrefix(text, "<") || strings.HasPrefix(text, "alt.") || len(text) < 40)
		if f.frame || !ok || trivial || len(o.Data[f.mime]) > maxOther || !framed && f.mime != typePlain && !rasterType().MatchString(f.mime) {
			continue
		}
		s.writef(`<details class="fold other"><summary>As %s</summary>`, strings.TrimPrefix(f.mime, "application/"))
		s.inline(o, -1, f)
		s.WriteString(`</details>`)
	}
}

func (d *Document) isTable(o *notebook.Output, mime string) bool {
	if mime != typeHTML {
		return false
	}
	_, ok := d.table(o)
	return ok
}
