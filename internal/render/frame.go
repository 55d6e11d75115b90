package render

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
	"github.com/fanout-dev/fanout/templates"
)

// maxFrame is how large a framed output may be.
const maxFrame = 48 << 20

// A shelf is what the frames of one notebook share.
type shelf struct {
	loaders []loader // what Bokeh and its kin load in one cell and need in others
	widgets map[string]json.RawMessage
}

type loader struct {
	cell   int
	script string
}

const (
	bokehLoad  = "application/vnd.bokehjs_load.v0+json"
	holoLoad   = "application/vnd.holoviews_load.v0+json"
	widgetInfo = "application/vnd.jupyter.widget-state+json"
)

func newShelf(n *notebook.Notebook) *shelf {
	s := &shelf{}
	for i, c := range n.Cells {
		for j := range c.Outputs {
			o := &c.Outputs[j]
			for _, mime := range []string{bokehLoad, holoLoad} {
				if script, ok := o.DataText(mime); ok && strings.TrimSpace(script) != "" {
					s.loaders = append(s.loaders, loader{i, script})
				}
			}
		}
	}
	info, _ := n.Metadata["widgets"].(map[string]any)
	state, _ := info[widgetInfo].(map[string]any)
	models, _ := state["state"].(map[string]any)
	s.widgets = make(map[string]json.RawMessage, len(models))
	for id, model := range models {
		if b, err := json.Marshal(model); err == nil {
			s.widgets[id] = b
		}
	}
	return s
}

// loads reports whether an output only loads a library, or says that one loads.
func (s *shelf) loads(o *notebook.Output) bool {
	if o.Data[bokehLoad] != nil || o.Data[holoLoad] != nil {
		return true
	}
	text, ok := o.DataText(typeHTML)
	if !ok {
		return false
	}
	return len(s.loaders) > 0 && strings.Contains(text, "bk-notebook-logo") ||
		len(text) > 1<<20 && strings.Contains(text, "PlotlyConfig") && !strings.Contains(text, "plotly-graph-div")
}

func (s *shelf) hasWidget(view json.RawMessage) bool {
	return s.widgets[modelOf(view)] != nil
}

func modelOf(view json.RawMessage) string {
	var v struct {
		ID string `json:"model_id"`
	}
	if json.Unmarshal(view, &v) != nil {
		return ""
	}
	return v.ID
}

var reference = pattern.Of(`IPY_MODEL_([0-9a-zA-Z-]+)`)

// state is the state of a widget and of all that it refers to.
func (s *shelf) state(id string) json.RawMessage {
	found := map[string]json.RawMessage{}
	for todo := []string{id}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		model, known := s.widgets[next]
		if _, done := found[next]; done || !known {
			continue
		}
		found[next] = model
		for _, m := range reference().FindAllSubmatch(model, -1) {
			todo = append(todo, string(m[1]))
		}
	}
	b, err := json.Marshal(map[string]any{"version_major": 2, "version_minor": 0, "state": found})
	if err != nil {
		return nil
	}
	return b
}

// A framing is the document of one frame, under way.
type framing struct {
	shelf     *shelf
	cell      int
	body      strings.Builder
	libraries []string // vendored, in the order of their use
	loads     bool     // what the notebook loaded itself
	eval      bool
	hosts     []string // that the output would load something from
}

// frameOf builds the frame that begins with output i, and says how many outputs
// are in it.
func (d *Document) frameOf(cell, i int) (f *framing, n int) {
	c := d.book.Cells[cell]
	f = &framing{shelf: d.frames, cell: cell}
	for n < len(c.Outputs)-i && n < 100 {
		o := &c.Outputs[i+n]
		if o.Type != "display_data" && o.Type != "execute_result" {
			break
		}
		if !d.frames.loads(o) {
			best, ok := d.framedForm(o)
			if !ok || n > 0 && o.HoldsScraps() {
				break
			}
			f.add(o, best)
		}
		n++
	}
	return f, n
}

// framedForm is the form of an output that is shown, if that needs a frame.
func (d *Document) framedForm(o *notebook.Output) (string, bool) {
	forms := d.forms(o)
	if len(forms) == 0 || !forms[0].frame || d.isTable(o, forms[0].mime) {
		return "", false
	}
	return forms[0].mime, true
}

func (f *framing) add(o *notebook.Output, mime string) {
	raw := o.Data[mime]
	if len(raw) > maxFrame {
		f.body.WriteString("<p>An output of " + unit.Bytes(int64(len(raw))) + " is too large to be shown.</p>")
		return
	}
	f.body.WriteString(`<div class="output">`)
	defer f.body.WriteString("</div>\n")
	switch {
	case mime == typeWidget:
		f.widget(raw)
	case mime == typePlotly:
		f.needs("plotly")
		f.call("plotly", inScript(raw))
	case vegaType().MatchString(mime):
		f.needs("vega", "vega-lite", "vega-embed")
		f.eval = true
		f.hosts = append(f.hosts, hostsIn(string(raw))...)
		mode := "vega"
		if strings.Contains(mime, "vegalite") {
			mode = "vega-lite"
		}
		f.call("vega", inScript(raw), `"`+mode+`"`)
	case mime == typeBokeh || mime == typeHolo:
		f.loads = true
		f.html(o)
		f.script(o)
	case mime == typeHTML:
		f.html(o)
		f.script(o)
	default:
		f.script(o)
	}
}

// call has the frame's own script draw into the output's element.
func (f *framing) call(name string, args ...string) {
	f.body.WriteString("<div></div><script>fanout." + name + "(document.currentScript.previousElementSibling, " + strings.Join(args, ", ") + ")</script>")
}

// inScript is JSON that may stand in a script.
func inScript(raw []byte) string {
	var b bytes.Buffer
	json.HTMLEscape(&b, raw)
	return b.String()
}

func (f *framing) needs(libraries ...string) {
	for _, name := range libraries {
		if !slices.Contains(f.libraries, name) {
			f.libraries = append(f.libraries, name)
		}
	}
}

func (f *framing) html(o *notebook.Output) {
	text, ok := o.DataText(typeHTML)
	if !ok {
		return
	}
	switch {
	case strings.Contains(text, "vegaEmbed"):
		f.needs("vega", "vega-lite", "vega-embed")
		f.eval = true
	case strings.Contains(text, "Plotly."):
		f.needs("plotly")
	}
	if strings.Contains(text, "data-root-id") || strings.Contains(text, "Bokeh.") {
		f.loads = true
	}
	f.hosts = append(f.hosts, hostsIn(text)...)
	f.body.WriteString(text)
}

func (f *framing) script(o *notebook.Output) {
	for _, mime := range []string{"application/javascript", "text/javascript"} {
		if text, ok := o.DataText(mime); ok {
			f.loads = f.loads || strings.Contains(text, "Bokeh")
			f.call("script", inScript(notebook.TextJSON(text)))
			return
		}
	}
}

func (f *framing) widget(view json.RawMessage) {
	f.needs("widgets")
	f.eval = true
	f.body.WriteString(`<script type="` + widgetInfo + `">` + inScript(f.shelf.state(modelOf(view))) + `</script>` +
		`<script type="` + typeWidget + `">` + inScript(view) + `</script>`)
}

// What an output would load. The tiles of maps have addresses with a part of the
// host left open.
var (
	host       = pattern.Of(`(?:src|href|url|from|import|tileLayer)\\?["']?\s*[=:(]?\s*\\?(?:&quot;|&#3[49];|["'])?https?://(?:\{s\}\.)?([a-zA-Z0-9.-]+)`)
	scriptHost = pattern.Of(`"https://([a-zA-Z0-9.-]+)/[^"]*\.js"`)
	link       = pattern.Of(`(?:<|&lt;|\\u003c)(?:a|area)\s[^<>&]*$`)
)

// vendored are the hosts whose libraries stand in the frame already.
var vendoredHosts = []string{"cdn.plot.ly"}

// loaderHosts lists the hosts that the loaders before the frame would load
// scripts from, instead of bringing them.
func (f *framing) loaderHosts() []string {
	var hosts []string
	for _, l := range f.shelf.loaders {
		if f.loads && l.cell <= f.cell && len(l.script) < 1<<20 {
			for _, m := range scriptHost().FindAllStringSubmatch(l.script, 50) {
				hosts = append(hosts, m[1])
			}
		}
	}
	return hosts
}

// hostsIn lists the hosts that HTML or a chart would load something from: not
// those that it links to.
func hostsIn(text string) []string {
	var hosts []string
	for _, m := range host().FindAllStringSubmatchIndex(text, 200) {
		name := strings.ToLower(text[m[2]:m[3]])
		if slices.Contains(hosts, name) || slices.Contains(vendoredHosts, name) || link().MatchString(text[max(0, m[0]-200):m[0]]) {
			continue
		}
		hosts = append(hosts, name)
	}
	return hosts
}

// asks lists the hosts that the frame would load something from.
func (f *framing) asks() []string {
	hosts := slices.Concat(f.hosts, f.loaderHosts())
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// document is the HTML of the frame. library writes the element that loads a
// vendored library.
func (f *framing) document(library func(name string) string) []byte {
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>output</title><style>" + templates.FrameStyle + "</style>\n")
	for _, name := range f.libraries {
		if name == "widgets" { // its bundle wants to have been loaded from somewhere, and asks for nothing there
			b.WriteString(`<script type="text/plain" src="https://widgets.invalid/"></script>`)
		}
		b.WriteString(library(name))
	}
	b.WriteString("<script>" + templates.FrameScript + "</script>\n")
	if f.loads {
		for _, l := range f.shelf.loaders {
			if l.cell <= f.cell {
				b.WriteString("<script>fanout.script(document.head, " + inScript(notebook.TextJSON(l.script)) + ")</script>\n")
			}
		}
	}
	b.WriteString("</head><body>\n")
	b.WriteString(f.body.String())
	b.WriteString("</body></html>\n")
	return b.Bytes()
}

// framed shows the outputs from i on that need a frame, and returns how many
// they are.
func (s *sheet) framed(c *notebook.Cell, i int) int {
	f, n := s.d.frameOf(s.cell, i)
	if n == 0 {
		s.writef(`<p class="note">This output cannot be shown.</p>`)
		return 1
	}
	part := Part{Cell: s.cell, Output: i, MIME: typeHTML}
	title := fmt.Sprintf("output of cell %d", s.d.book.CodeCell(s.cell))
	name := fmt.Sprintf("%s-output-%d", s.d.anchor(s.cell), i)
	address, online := s.d.address(part), ""
	if address != "" {
		s.frames = append(s.frames, part)
		part.Online = true
		online = s.d.address(part)
		s.writef(`<iframe class="frame" sandbox="allow-scripts" loading="lazy" name="%s" title="%s" src="%s"></iframe>`, name, title, address)
	} else {
		s.writef(`<iframe class="frame" sandbox="allow-scripts" title="%s" data-libraries="%s"></iframe>`, title, strings.Join(f.libraries, " "))
		s.WriteString(`<script type="application/gzip">` + packed(f.document(func(name string) string { return slot(name) })) + `</script>`)
		s.WriteString(`<noscript><p class="note">This output needs scripts to be shown.</p></noscript>`)
	}
	hosts := f.asks()
	switch {
	case len(hosts) == 0:
	case online != "": // the link leads the frame elsewhere, which needs no script
		s.writef(`<p class="note">This output asks for files of %s. They are not loaded, so it may be incomplete. <a class="online" target="%s" href="%s">Load them</a></p>`, unit.List(hosts), name, online)
	case s.d.options.Online:
		s.writef(`<p class="note">This output loads files of %s.</p>`, unit.List(hosts))
	default:
		s.writef(`<p class="note">This output asks for files of %s. They are not loaded, so it may be incomplete.</p>`, unit.List(hosts))
	}
	return n
}

// address is where a part is had; "" if it is within the document.
func (d *Document) address(p Part) string {
	if d.options.Address == nil {
		return ""
	}
	return d.options.Address(p)
}

// slot is where the page puts a library into a frame's document.
func slot(name string) string { return "<!--library " + name + "-->" }

// packed is text compressed, as the page's script unpacks it.
func packed(text []byte) string {
	var b bytes.Buffer
	encoder := base64.NewEncoder(base64.StdEncoding, &b)
	w, _ := gzip.NewWriterLevel(encoder, gzip.BestSpeed)
	w.Write(text)
	w.Close()
	encoder.Close()
	return b.String()
}

// A Response is a part as the answer to a request for its address.
type Response struct {
	Header map[string]string
	Body   []byte
}

// A PartError says that there is nothing at an address.
type PartError struct{ why string }

func (e *PartError) Error() string { return "show output: " + e.why }

// Respond answers a request for a part. static is the address, with host, under
// which the files of [Assets] are served. A frame needs all of the headers: they
// keep what it shows in an origin of its own, also when it is opened by its
// address.
func Respond(n *notebook.Notebook, p Part, static string) (Response, error) {
	if p.Cell < 0 || p.Cell >= len(n.Cells) || p.Output < 0 || p.Output >= len(n.Cells[p.Cell].Outputs) {
		return Response{}, &PartError{"the notebook has no such output"}
	}
	if p.MIME != typeHTML {
		return picturePart(&n.Cells[p.Cell].Outputs[p.Output], p.MIME)
	}
	d := &Document{book: n, frames: newShelf(n)}
	f, count := d.frameOf(p.Cell, p.Output)
	if count == 0 {
		return Response{}, &PartError{"the output needs no frame"}
	}
	body := f.document(func(name string) string {
		return `<script src="` + html.EscapeString(static+assetFile(name)) + `"></script>` + "\n"
	})
	return Response{headers("text/html; charset=utf-8", f.policy(static, p.Online)), body}, nil
}

func headers(mime, policy string) map[string]string {
	return map[string]string{
		"Content-Type":                 mime,
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
}

func (f *framing) policy(static string, online bool) string {
	eval := ""
	if f.eval || online { // what a library needs that is not here is not known
		eval = " 'unsafe-eval'"
	}
	return "sandbox allow-scripts; " + framePolicy(eval+" data: "+static, online) + "; frame-ancestors 'self'"
}

// framePolicy is what a frame may load and do; scripts is where its scripts come
// from. Frames that are online load from any host with HTTPS: what they show has
// no other secret than itself.
func framePolicy(scripts string, online bool) string {
	net, connect := "", "'none'"
	if online {
		net, connect = " https:", "https:"
	}
	return "default-src 'none'; script-src 'unsafe-inline'" + scripts + net + "; style-src 'unsafe-inline'" + net + "; img-src data: blob:" + net +
		"; media-src data: blob:" + net + "; font-src data:" + net + "; worker-src blob:; connect-src " + connect + "; form-action 'none'; base-uri 'none'"
}

func picturePart(o *notebook.Output, mime string) (Response, error) {
	text, ok := o.DataText(mime)
	if !ok || !rasterType().MatchString(mime) && mime != typeSVG {
		return Response{}, &PartError{"the output has no such picture"}
	}
	body := []byte(standalone(text))
	if mime != typeSVG {
		var err error
		if body, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return Response{}, &PartError{"the picture is damaged"}
		}
	}
	return Response{headers(mime, "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"), body}, nil
}

// jsonOf reads JSON; nil where it is none.
func jsonOf(raw json.RawMessage) any {
	v, err := value.Decode(raw)
	if err != nil {
		return nil
	}
	return v
}
