package ship

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// watched makes events of the notes about one sweep.
type watched struct {
	log   *Log
	sweep *sweep.Sweep

	mu   sync.Mutex
	runs map[string]*at
}

// at is where a run is.
type at struct {
	attempt, cell int
	open          map[string]string // the line that may still grow, by stream
}

// maxLine is how many bytes of a line are one event.
const maxLine = 32 << 10

// Runs takes notes about the runs of a sweep, once. What is told from then on has the name
// of the sweep, and none of the secrets of its runs that this process knows.
func (l *Log) Runs(of *sweep.Sweep, secrets []sweep.Secret) func(sweep.Note) {
	var values []string
	for _, s := range secrets {
		if v := os.Getenv(s.Env); secret.Check(v) == nil {
			values = append(values, v)
		}
	}
	if mask, err := secret.New(values); err == nil {
		l.mask.Store(mask)
	}
	w := &watched{log: l, sweep: of, runs: map[string]*at{}}
	l.sweep.Store(w)
	return w.note
}

// note may be called by several goroutines; notes about one run come one after the other.
func (w *watched) note(n sweep.Note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch n.Kind {
	case sweep.NoteBegan:
		w.flush(n.Run)
		w.runs[n.Run] = &at{attempt: n.Attempt, open: map[string]string{}}
		w.log.Tell(w.about(Event{Event: "began", Run: n.Run, Attempt: n.Attempt, Host: n.Where, Text: fmt.Sprintf("attempt %d began", n.Attempt), Parameters: w.parameters(n.Run)}))
	case sweep.NoteCell:
		w.flush(n.Run)
		w.of(n).cell = n.Cell
	case sweep.NoteLog:
		w.print(n)
	case sweep.NoteEnded:
		w.flush(n.Run)
		delete(w.runs, n.Run)
		if n.Outcome != nil {
			w.ended(n)
		}
	case sweep.NoteBlock:
		w.log.Tell(w.about(Event{Event: "blocked", Run: n.Run, Text: n.Text}))
	case sweep.NoteGrew:
		w.word(Event{Event: "grew", Count: n.Runs, Text: n.Text})
	case sweep.NoteWord:
		w.word(Event{Event: "word", Run: n.Run, Attempt: n.Attempt, Text: n.Text})
	}
}

// word is a remark, which stderr has anyhow.
func (w *watched) word(e Event) {
	if !w.log.place.Stderr() {
		w.log.Tell(w.about(e))
	}
}

func (w *watched) of(n sweep.Note) *at {
	if w.runs[n.Run] == nil {
		w.runs[n.Run] = &at{attempt: n.Attempt, open: map[string]string{}}
	}
	return w.runs[n.Run]
}

// print makes an event of each line that is whole. Of one that is overwritten, such as a
// progress bar, the last form counts.
func (w *watched) print(n sweep.Note) {
	run := w.of(n)
	text := run.open[n.Stream] + n.Text
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole && len(line) <= maxLine {
			run.open[n.Stream] = line
			return
		}
		if len(line) > maxLine {
			line = strings.ToValidUTF8(text[:maxLine], "")
			rest = text[maxLine:]
		}
		w.line(n.Run, n.Stream, line)
		text = rest
	}
}

func (w *watched) line(run, stream, line string) {
	line = strings.TrimSuffix(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	at := w.runs[run]
	w.log.Tell(w.about(Event{Event: "log", Run: run, Attempt: at.attempt, Cell: at.cell, Stream: stream, Text: line}))
}

// flush ends the lines of a run that no cell will continue.
func (w *watched) flush(run string) {
	at := w.runs[run]
	if at == nil {
		return
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if line := at.open[stream]; line != "" {
			w.line(run, stream, line)
		}
	}
	clear(at.open)
}

func (w *watched) ended(n sweep.Note) {
	o := *n.Outcome
	if !o.Plausible() { // it is in a log, where anybody may have written it
		o.Status, o.Kind = "implausible", ""
	}
	text := string(o.Status)
	if o.Status != outcome.Succeeded && o.Reason != "" {
		text = unit.Cut(o.Reason, maxLine/2)
	}
	host := o.Node
	if host == "" {
		host = o.Host
	}
	w.log.Tell(w.about(Event{Event: "ended", Run: n.Run, Attempt: n.Attempt, Cell: o.Cell, Status: string(o.Status), Reason: string(o.Kind), Seconds: o.Duration().Seconds(), Host: host, Text: text, Parameters: w.parameters(n.Run)}))
}

// about adds what is known of a run.
func (w *watched) about(e Event) Event {
	if st, ok := w.sweep.Run(e.Run); ok {
		e.Step = st.Run.Template
	}
	return e
}

// maxParameter is how many bytes of a parameter are worth telling.
const maxParameter = 1000

// parameters are those of a run, of which long ones are cut and become texts.
func (w *watched) parameters(id string) map[string]any {
	st, ok := w.sweep.Run(id)
	if !ok || len(st.Run.Params) == 0 {
		return nil
	}
	all := map[string]any{}
	for _, p := range st.Run.Params {
		b, err := json.Marshal(p.Value)
		if err != nil || len(b) > maxParameter {
			all[p.Name] = unit.Cut(p.Value.String(), maxParameter)
			continue
		}
		all[p.Name] = p.Value.Any()
	}
	return all
}
