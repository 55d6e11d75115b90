// Package markup reads foreign Markdown and HTML and writes HTML of ours: every
// element, attribute and address is written anew, from a short list of what a
// document needs. What is not on the list is left out, and its text stays.
package markup

import (
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// Options say where what a document refers to comes from. Every function may be
// nil.
type Options struct {
	// Image is the address of an image that the text names otherwise than by a
	// whole URL; empty when there is none.
	Image func(name string) string
	// Math writes a formula as HTML of ours.
	Math func(tex string, display bool) string
	// Code writes a block of code as HTML of ours.
	Code func(language, code string) string
	// Anchor begins every id.
	Anchor string
}

// kept are the elements that a document may hold, by what they become.
var kept = map[atom.Atom]string{
	atom.P: "p", atom.H1: "h1", atom.H2: "h2", atom.H3: "h3", atom.H4: "h4", atom.H5: "h5", atom.H6: "h6",
	atom.Ul: "ul", atom.Ol: "ol", atom.Li: "li", atom.Dl: "dl", atom.Dt: "dt", atom.Dd: "dd", atom.Blockquote: "blockquote",
	atom.Pre: "pre", atom.Code: "code", atom.Hr: "hr", atom.Br: "br", atom.Div: "div", atom.Span: "span", atom.Center: "div", atom.Font: "span",
	atom.Table: "table", atom.Thead: "thead", atom.Tbody: "tbody", atom.Tfoot: "tfoot", atom.Tr: "tr", atom.Th: "th", atom.Td: "td", atom.Caption: "caption",
	atom.Em: "em", atom.Strong: "strong", atom.B: "b", atom.I: "i", atom.U: "u", atom.S: "s", atom.Strike: "s", atom.Del: "del", atom.Ins: "ins",
	atom.Sub: "sub", atom.Sup: "sup", atom.Small: "small", atom.Mark: "mark", atom.Kbd: "kbd", atom.Samp: "samp", atom.Var: "var", atom.Tt: "code",
	atom.Abbr: "abbr", atom.Cite: "cite", atom.Q: "q", atom.Details: "details", atom.Summary: "summary", atom.Figure: "figure", atom.Figcaption: "figcaption",
	atom.Section: "div", atom.Article: "div", atom.A: "a", atom.Img: "img",
}

// silent are the elements whose text is none of the document's.
var silent = []atom.Atom{atom.Script, atom.Style, atom.Iframe, atom.Object, atom.Embed, atom.Noscript, atom.Template, atom.Svg, atom.Math,
	atom.Textarea, atom.Select, atom.Title, atom.Noembed, atom.Noframes, atom.Frame, atom.Frameset, atom.Audio, atom.Video, atom.Canvas}

var void = []string{"br", "hr", "img"}

const deepest = 200

// rebuild writes what is kept of HTML anew; ok is false when it cannot be read.
func (r *rebuilder) rebuild(text string) (out string, ok bool) {
	body := &xhtml.Node{Type: xhtml.ElementNode, DataAtom: atom.Body, Data: "body"}
	nodes, err := xhtml.ParseFragment(strings.NewReader(text), body)
	if err != nil {
		return "", false
	}
	for _, n := range nodes {
		r.node(n, 0)
	}
	return r.out.String(), true
}

type rebuilder struct {
	Options
	out      strings.Builder
	formulas []formula
	verbatim int  // how many elements of code are open
	linked   bool // within <a>
	ids      map[string]bool
}

func (r *rebuilder) node(n *xhtml.Node, depth int) {
	switch {
	case depth > deepest:
		return
	case n.Type == xhtml.TextNode:
		r.text(n.Data)
		return
	case n.Type != xhtml.ElementNode:
		return
	case n.Namespace != "" || slices.Contains(silent, n.DataAtom):
		return
	}
	tag, known := kept[n.DataAtom]
	switch {
	case n.DataAtom == atom.Input:
		r.checkbox(n)
	case n.DataAtom == atom.Img:
		r.image(n)
	case n.DataAtom == atom.Pre && r.code(n):
	case !known || n.DataAtom == atom.A && (r.linked || attribute(n, "href") == ""):
		r.children(n, depth)
	default:
		r.out.WriteString("<" + tag + r.attributes(n, tag) + ">")
		if slices.Contains(void, tag) {
			return
		}
		verbatim, linked := r.verbatim, r.linked
		if tag == "code" || tag == "pre" {
			r.verbatim++
		}
		r.linked = r.linked || tag == "a"
		r.children(n, depth)
		r.verbatim, r.linked = verbatim, linked
		r.out.WriteString("</" + tag + ">")
	}
}

func (r *rebuilder) children(n *xhtml.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		r.node(c, depth+1)
	}
}

// code writes <pre><code class="language-…"> with the colours of its language.
func (r *rebuilder) code(pre *xhtml.Node) bool {
	c := pre.FirstChild
	if r.Code == nil || c == nil || c.NextSibling != nil || c.DataAtom != atom.Code {
		return false
	}
	language, _ := strings.CutPrefix(attribute(c, "class"), "language-")
	r.out.WriteString(r.Code(language, r.source(textOf(c))))
	return true
}

// checkbox writes the box of a task; other inputs are left out.
func (r *rebuilder) checkbox(n *xhtml.Node) {
	if attribute(n, "type") != "checkbox" {
		return
	}
	mark := `<span class="task">☐</span> `
	if slices.ContainsFunc(n.Attr, func(a xhtml.Attribute) bool { return a.Key == "checked" }) {
		mark = `<span class="task">☑</span> `
	}
	r.out.WriteString(mark)
}

func (r *rebuilder) attributes(n *xhtml.Node, tag string) string {
	out := ""
	add := func(name, value string) { out += " " + name + `="` + html.EscapeString(value) + `"` }
	style := styleOf(attribute(n, "style"))
	if align := strings.ToLower(attribute(n, "align")); n.DataAtom == atom.Center || properties()["text-align"].MatchString(align) {
		if n.DataAtom == atom.Center {
			align = "center"
		}
		style = strings.TrimPrefix(style+";text-align:"+align, ";")
	}
	if colour := strings.ToLower(attribute(n, "color")); n.DataAtom == atom.Font && properties()["color"].MatchString(colour) {
		style = strings.TrimPrefix(style+";color:"+colour, ";")
	}
	if style != "" {
		add("style", style)
	}
	switch tag {
	case "a":
		if href := r.link(attribute(n, "href")); href != "" {
			add("href", href)
			if !strings.HasPrefix(href, "#") {
				out += ` rel="noopener noreferrer nofollow"`
			}
		}
	case "td", "th":
		for _, name := range []string{"colspan", "rowspan"} {
			if span := spanOf(n, name); span > 0 {
				add(name, strconv.Itoa(span))
			}
		}
	case "ol":
		if start, err := strconv.Atoi(attribute(n, "start")); err == nil {
			add("start", strconv.Itoa(start))
		}
	case "h1", "h2", "h3", "h4", "h5", "h6":
		if id := r.Anchor + Slug(r.source(textOf(n))); r.ids != nil && !r.ids[id] {
			r.ids[id] = true
			add("id", id)
		}
	}
	if title := attribute(n, "title"); title != "" {
		add("title", r.source(title))
	}
	return out
}

// Slug is the name of a heading in an address.
func Slug(heading string) string {
	return strings.Join(strings.Fields(heading), "-")
}

// link is an address that leads somewhere and does nothing; otherwise empty.
func (r *rebuilder) link(href string) string {
	href = strings.TrimSpace(r.source(href))
	if fragment, ok := strings.CutPrefix(href, "#"); ok {
		if plain, err := url.PathUnescape(fragment); err == nil {
			fragment = plain
		}
		return "#" + r.Anchor + Slug(fragment)
	}
	u, err := url.Parse(href)
	if err != nil {
		return ""
	}
	switch {
	case u.Scheme == "http" || u.Scheme == "https":
		return u.String()
	case u.Scheme == "mailto" || u.Scheme == "tel":
		return u.Scheme + ":" + url.PathEscape(u.Opaque)
	case u.Scheme == "" && u.Host == "" && u.Opaque == "" && !strings.HasPrefix(href, "/") && !strings.HasPrefix(href, `\`):
		return u.String()
	}
	return ""
}

var dataImage = pattern.Of(`^data:image/(?:png|jpeg|gif|webp|bmp|svg\+xml)(?:;charset=[a-z0-9-]+)?(?:;base64)?,[A-Za-z0-9+/=%._~!*'();:@&,$?-]*$`)

// image writes a picture that is here; another is named, and not fetched.
func (r *rebuilder) image(n *xhtml.Node) {
	src, alt := strings.TrimSpace(r.source(attribute(n, "src"))), r.source(attribute(n, "alt"))
	address := ""
	switch {
	case dataImage().MatchString(src):
		address = src
	case r.Image != nil && isBeside(src):
		address = r.Image(src)
	}
	if address == "" {
		r.elsewhere(src, alt)
		return
	}
	r.out.WriteString(`<img src="` + html.EscapeString(address) + `" alt="` + html.EscapeString(alt) + `"`)
	for _, name := range []string{"width", "height"} {
		if size, err := strconv.Atoi(strings.TrimSuffix(attribute(n, name), "px")); err == nil && size > 0 && size <= 10000 {
			r.out.WriteString(" " + name + `="` + strconv.Itoa(size) + `"`)
		}
	}
	r.out.WriteString(">")
}

// isBeside reports whether an image belongs to the document: it is attached, or a
// file beside it.
func isBeside(src string) bool {
	u, err := url.Parse(src)
	return err == nil && u.Host == "" && (u.Scheme == "" && !strings.HasPrefix(src, "/") || u.Scheme == "attachment")
}

func (r *rebuilder) elsewhere(src, alt string) {
	words := "image"
	if alt != "" {
		words += ": " + alt
	}
	href := ""
	if !strings.HasPrefix(src, "data:") && len(src) < 2000 {
		href = r.link(src)
	}
	if href == "" || r.linked {
		r.out.WriteString(`<span class="elsewhere">[` + html.EscapeString(words) + `]</span>`)
		return
	}
	r.out.WriteString(`<a class="elsewhere" rel="noopener noreferrer nofollow" href="` + html.EscapeString(href) + `">[` + html.EscapeString(words) + `]</a>`)
}
