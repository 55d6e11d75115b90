package render

import (
	"html/template"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/render/internal/ansi"
	"github.com/fanout-dev/fanout/internal/unit"
)

// library matches the head of a frame that is none of the notebook's: its file
// is installed, or belongs to the interpreter.
var library = pattern.Of(`site-packages|dist-packages|[/\\]lib[/\\]python\d|<frozen |[/\\]R[/\\]library[/\\]|node_modules|IPython[/\\]core`)

var escape = pattern.Of("\x1b\\[[0-9;]*[A-Za-z]")

// maxFrames is how many frames of a traceback are shown.
const maxFrames = 200

// failure shows an error: what it says, and its traceback with the frames of
// libraries folded.
func (s *sheet) failure(o *notebook.Output) {
	s.WriteString(`<div class="error">`)
	s.writef(`<p class="what"><strong>%s</strong>`, unit.Line(o.Ename))
	if o.Evalue != "" {
		s.writef(`: %s`, unit.Short(o.Evalue, 1000))
	}
	s.WriteString(`</p>`)
	frames := o.Traceback
	if len(frames) > maxFrames {
		s.writef(`<p class="note">Shown are the first and the last %d of %d frames.</p>`, maxFrames/2, len(frames))
		frames = append(frames[:maxFrames/2:maxFrames/2], frames[len(frames)-maxFrames/2:]...)
	}
	for len(frames) > 0 {
		n := 1
		folds := isLibrary(frames[0])
		for n < len(frames) && isLibrary(frames[n]) == folds {
			n++
		}
		text := template.HTML(ansi.HTML(cut(strings.Join(frames[:n], "\n"))))
		if folds {
			s.writef(`<details class="fold"><summary>%s of libraries</summary><pre tabindex="0">%s</pre></details>`, unit.Plural(n, "frame"), text)
		} else if strings.TrimSpace(string(text)) != "" {
			s.writef(`<pre tabindex="0">%s</pre>`, text)
		}
		frames = frames[n:]
	}
	s.WriteString(`</div>`)
}

func isLibrary(frame string) bool {
	head, _, _ := strings.Cut(strings.TrimLeft(escape().ReplaceAllString(frame[:min(len(frame), 2000)], ""), "\n"), "\n")
	return library().MatchString(head)
}
