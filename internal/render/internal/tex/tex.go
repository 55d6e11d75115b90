// Package tex turns TeX formulas into MathML with Temml, which is vendored and
// runs in an interpreter: no browser needs a script to show them.
//
// What Temml writes is not trusted: every element and attribute is written anew
// from a list. A formula that cannot be typeset in time stays as it was written.
package tex

import (
	"fmt"
	"html"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/templates"
)

const (
	longest   = 20_000                 // characters of a formula
	patience  = 300 * time.Millisecond // for one formula
	maxCached = 20_000                 // formulas
)

// typeset is Temml in its interpreter; one formula at a time.
var typeset = sync.OnceValues(func() (*engine, error) {
	source, err := templates.Vendored("temml.min.js")
	if err != nil {
		return nil, err
	}
	vm := goja.New()
	vm.SetMaxCallStackSize(2000)
	if _, err := vm.RunScript("temml.min.js", string(source)); err != nil {
		return nil, fmt.Errorf("load Temml: %w", err)
	}
	call, err := vm.RunString(`(function (tex, display) { return temml.renderToString(tex, {displayMode: display, annotate: true, throwOnError: true, trust: false, maxExpand: 500, maxSize: [50, 500]}) })`)
	if err != nil {
		return nil, fmt.Errorf("load Temml: %w", err)
	}
	f, _ := goja.AssertFunction(call)
	return &engine{vm: vm, call: f, known: map[string]string{}}, nil
})

type engine struct {
	mu    sync.Mutex
	vm    *goja.Runtime
	call  goja.Callable
	known map[string]string
}

// Prepare has Temml loaded in the background, before the first formula.
func Prepare() { go typeset() }

// MathML returns a formula as HTML: MathML, or the formula as it is written where
// it is none.
func MathML(tex string, display bool) string {
	if len(tex) <= longest {
		if e, err := typeset(); err == nil {
			if out := e.mathML(tex, display); out != "" {
				return out
			}
		}
	}
	tag := "code"
	if display {
		tag = "pre"
	}
	return "<" + tag + ` class="tex">` + html.EscapeString(tex) + "</" + tag + ">"
}

func (e *engine) mathML(tex string, display bool) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := fmt.Sprint(display, tex)
	if out, ok := e.known[key]; ok {
		return out
	}
	stop := time.AfterFunc(patience, func() { e.vm.Interrupt("it takes too long") })
	v, err := e.call(goja.Undefined(), e.vm.ToValue(tex), e.vm.ToValue(display))
	stop.Stop()
	e.vm.ClearInterrupt()
	out := ""
	if err == nil {
		out = rebuild(v.String())
	}
	if len(e.known) >= maxCached {
		clear(e.known)
	}
	e.known[key] = out
	return out
}

// elements are those of MathML Core that a formula may hold.
var elements = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`math semantics annotation mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded
		mphantom msub msup msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd mlabeledtr menclose`) {
		all[name] = true
	}
	return all
}()

var attributes = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`display displaystyle scriptlevel mathvariant stretchy fence separator form lspace rspace largeop
		movablelimits symmetric minsize maxsize accent accentunder linethickness width height depth voffset columnalign rowalign
		rowspacing columnspacing columnlines rowlines columnspan rowspan notation encoding class mathcolor mathbackground`) {
		all[name] = true
	}
	return all
}()

var (
	harmless = pattern.Of(`^[A-Za-z0-9 .%#_/+-]{0,200}$`)
	declared = pattern.Of(`^(?:padding|border|margin|color|background-color|text-align|width|height|font-weight|font-style|font-size|vertical-align)[a-z-]*: ?[a-z0-9 .#%-]{1,80}$`)
)

// rebuild writes MathML anew; it is empty if there is none in text.
func rebuild(text string) string {
	nodes, err := xhtml.ParseFragment(strings.NewReader(text), &xhtml.Node{Type: xhtml.ElementNode, DataAtom: atom.Body, Data: "body"})
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, n := range nodes {
		write(&b, n, 0)
	}
	if !strings.HasPrefix(b.String(), "<math") {
		return ""
	}
	return b.String()
}

func write(b *strings.Builder, n *xhtml.Node, depth int) {
	switch {
	case depth > 200:
		return
	case n.Type == xhtml.TextNode:
		b.WriteString(html.EscapeString(n.Data))
		return
	case n.Type != xhtml.ElementNode || n.Namespace != "math" || !elements[n.Data]:
		return
	}
	b.WriteString("<" + n.Data)
	for _, a := range n.Attr {
		name := strings.ToLower(a.Key)
		switch {
		case name == "style":
			if style := styleOf(a.Val); style != "" {
				b.WriteString(` style="` + html.EscapeString(style) + `"`)
			}
		case attributes[name] && harmless().MatchString(a.Val):
			b.WriteString(" " + name + `="` + html.EscapeString(a.Val) + `"`)
		}
	}
	b.WriteString(">")
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		write(b, c, depth+1)
	}
	b.WriteString("</" + n.Data + ">")
}

func styleOf(text string) string {
	var kept []string
	for d := range strings.SplitSeq(text, ";") {
		if d = strings.ToLower(strings.TrimSpace(d)); declared().MatchString(d) {
			kept = append(kept, d)
		}
	}
	return strings.Join(kept, ";")
}
