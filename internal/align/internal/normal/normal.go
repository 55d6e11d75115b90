// Package normal brings the outputs of cells into the form in which they are
// compared.
//
// In goes a code cell of an executed notebook, out come its parts: what it
// printed, what it showed by MIME type, what it raised. Two executions of the
// same code with the same values give equal parts, although the bytes differ:
// addresses, random ids, temporary paths, durations, progress bars and the
// order in which streams were written are not in them. What somebody computed
// is: no number, date or digest of data is taken for noise.
//
// It decodes no picture and compares nothing.
package normal

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// A Kind says how a part is compared.
type Kind int

// The kinds of parts.
const (
	Text    Kind = iota // lines
	HTML                // markup, or a table
	Data                // JSON in canonical form
	Picture             // what a raster image is made of
	Error               // class and message, then the frames
	Table               // a sentence of its size, then a data resource of its rows
)

// What parts that have no MIME type are.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	Raised = "error"
)

// A Part is one representation of one output.
type Part struct {
	What string // MIME type, or one of the constants
	Kind Kind
	Of   int    // which output it is of; representations of one have the same number
	Text string // normalised; of a picture its pixels as they are compressed
	Raw  []byte // of a picture: the file
}

// A Clock is when a notebook was executed. Points in time between its ends are
// the clock's, not the data's. The zero Clock knows none.
type Clock struct{ Start, End time.Time }

// Widgets are the states of a notebook's widgets by their ids.
type Widgets map[string]any

// WidgetsOf reads them from a notebook's metadata.
func WidgetsOf(n *notebook.Notebook) Widgets {
	all, _ := n.Metadata["widgets"].(map[string]any)
	kept, _ := all["application/vnd.jupyter.widget-state+json"].(map[string]any)
	states, _ := kept["state"].(map[string]any)
	return states
}

// Strict digests the outputs of a cell as they are, apart from counts and
// metadata: equal digests, equal outputs.
func Strict(outputs []notebook.Output) [16]byte {
	h := sha256.New()
	for _, o := range outputs {
		add(h, o.Type, o.Name, o.Text, o.Ename, o.Evalue)
		add(h, o.Traceback...)
		for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
			add(h, mime)
			fmt.Fprintf(h, "%d:", len(o.Data[mime]))
			h.Write(o.Data[mime])
		}
	}
	return [16]byte(h.Sum(nil))
}

// Digest is that of normalised parts.
func Digest(parts []Part) [16]byte {
	h := sha256.New()
	for _, p := range parts {
		add(h, p.What, p.Text)
	}
	return [16]byte(h.Sum(nil))
}

func add(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:", len(t))
		h.Write([]byte(t))
	}
}

// Parts are the outputs of a cell, normalised: what it printed first, what it
// raised last.
func Parts(outputs []notebook.Output, w Widgets) []Part {
	n := normalizer{widgets: w, visited: new(int)}
	var stdout, stderr strings.Builder
	var shown, errors []Part
	for i, o := range outputs {
		switch o.Type {
		case "stream":
			if o.Name == Stderr {
				stderr.WriteString(o.Text)
			} else {
				stdout.WriteString(o.Text)
			}
		case "error":
			errors = append(errors, Part{What: Raised, Kind: Error, Of: i, Text: raised(o)})
		default:
			shown = append(shown, scraps(o, i)...)
			*n.visited = 0
			shown = append(shown, n.bundle(o.Data, i)...)
		}
	}
	var parts []Part
	for _, s := range []struct {
		what string
		text string
	}{{Stdout, stdout.String()}, {Stderr, stderr.String()}} {
		if text := normalised(s.text); text != "" {
			parts = append(parts, Part{What: s.what, Of: -1, Text: text})
		}
	}
	return slices.Concat(parts, shown, errors)
}

type normalizer struct {
	widgets Widgets
	visited *int // widgets, in one output: they may hold one another
}

func raised(o notebook.Output) string {
	return normalised(begins(o.Ename) + ": " + begins(o.Evalue) + "\n" + begins(strings.Join(o.Traceback, "\n")))
}

// maxRaised is how many bytes are compared of what an exception says; of what is
// longer, the length, too.
const maxRaised = 1 << 20

func begins(text string) string {
	if len(text) <= maxRaised {
		return text
	}
	return fmt.Sprintf("%s\n(%d bytes)", strings.ToValidUTF8(text[:maxRaised], ""), len(text))
}

// Shorten leaves of what exceptions say in a notebook no more than is compared, with
// what tells texts apart that begin alike, and returns how many bytes that saves.
func Shorten(n *notebook.Notebook) (saved int64) {
	short := func(text *string) {
		if len(*text) <= maxRaised {
			return
		}
		digest := sha256.Sum256([]byte(*text))
		brief := fmt.Sprintf("%s\n(%d bytes, %x)", strings.ToValidUTF8((*text)[:maxRaised/2], ""), len(*text), digest[:8])
		saved += int64(len(*text) - len(brief))
		*text = brief
	}
	for _, c := range n.Cells {
		for i := range c.Outputs {
			o := &c.Outputs[i]
			if o.Type != "error" {
				continue
			}
			if trace := strings.Join(o.Traceback, "\n"); len(trace) > maxRaised {
				o.Traceback = []string{trace}
				short(&o.Traceback[0])
			}
			short(&o.Ename)
			short(&o.Evalue)
		}
	}
	return saved
}

// scraps are the values that an output recorded, by name.
func scraps(o notebook.Output, of int) []Part {
	if !o.HoldsScraps() {
		return nil
	}
	var parts []Part
	recorded, _ := notebook.ScrapsOf(0, o)
	for _, s := range recorded {
		p := Part{What: "scrap " + s.Name, Kind: Data, Of: of}
		switch {
		case !s.HasData:
			continue
		case s.IsFrame():
			p.Kind, p.Text = Table, tableText(s)
		default:
			p.Text = normalizer{}.data("", s.Data)
		}
		parts = append(parts, p)
	}
	return parts
}

// bundle normalises what one output shows, by MIME type.
func (n normalizer) bundle(data map[string]json.RawMessage, of int) []Part {
	var parts []Part
	for _, mime := range slices.Sorted(maps.Keys(data)) {
		if notebook.IsScrapType(mime) {
			continue
		}
		p := Part{What: mime, Of: of}
		switch kind := kindOf(mime, data); {
		case kind == Picture:
			p.Kind, p.Raw = Picture, raster(data[mime])
			p.Text = pixels(p.Raw)
		case kind == Data:
			p.Kind, p.Text = Data, n.data(mime, data[mime])
		case kind == HTML:
			p.Kind, p.Text = HTML, markup(textOf(data[mime]))
		default:
			p.Text = normalised(textOf(data[mime]))
		}
		parts = append(parts, p)
	}
	return parts
}

// kindOf is how a representation is compared.
func kindOf(mime string, data map[string]json.RawMessage) Kind {
	switch mime {
	case "image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp":
		return Picture
	case "text/html", "image/svg+xml", "application/javascript", "text/javascript":
		return HTML
	}
	if raw := data[mime]; strings.HasSuffix(mime, "json") || len(raw) > 0 && raw[0] != '"' {
		return Data
	}
	return Text
}

// textOf is a JSON string's text, and the source of anything else.
func textOf(raw json.RawMessage) string {
	o := notebook.Output{Data: map[string]json.RawMessage{"": raw}}
	if text, ok := o.DataText(""); ok {
		return text
	}
	return string(raw)
}
