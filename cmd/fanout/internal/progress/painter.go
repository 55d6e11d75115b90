// Package progress shows people how runs are going.
//
//   - Results go to stdout, text about progress to stderr.
//   - On a terminal that text ends in one live view, which is repainted.
//   - Elsewhere it is a line now and then, less often the longer it takes.
//   - With JSON every note is an object a line on stdout, and nothing else.
//   - A failure is reported when it happens, with what to look at and what to
//     type.
//   - Text out of a notebook is printed without control characters.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/unit"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Painter shows how runs are going. Its methods may be called from any
// goroutine; Stop is called once, last.
type Painter interface {
	Note(sweep.Note)
	Print(text string) // a remark that stays
	Stop()
}

// New chooses how to show the progress of work: as JSON objects on stdout, one a
// note, or on stderr, painted where that is a terminal and as lines elsewhere;
// show says whether the state is wanted besides remarks.
func New(w Work, stdout, stderr unit.Printer, asJSON, show bool) Painter {
	p := newProgress(w)
	switch {
	case asJSON:
		return &jsonPainter{enc: json.NewEncoder(stdout.Data())}
	case show && isTerminal(stderr.Data()):
		return newLive(p, stderr.Data().(*os.File))
	}
	return newPlain(p, stderr.Lines(), show)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// jsonPainter writes one object a note.
type jsonPainter struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (j *jsonPainter) Note(n sweep.Note) {
	e := Event{Event: string(n.Kind), Run: n.Run, Attempt: n.Attempt, Cell: n.Cell, Cells: n.Cells, Runs: n.Runs, Stream: n.Stream, Text: n.Text, Where: n.Where, Outcome: n.Outcome}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.enc.Encode(e)
}

func (j *jsonPainter) Print(text string) { j.Note(sweep.Note{Kind: sweep.NoteWord, Text: text}) }
func (j *jsonPainter) Stop()             {}

// event is one line of --json.
type Event struct {
	Event   string           `json:"event"`
	Run     string           `json:"run,omitempty"`
	Attempt int              `json:"attempt,omitempty"`
	Cell    int              `json:"cell,omitempty"`
	Cells   int              `json:"cells,omitempty"`
	Runs    int              `json:"runs,omitempty"`
	Stream  string           `json:"stream,omitempty"`
	Text    string           `json:"text,omitempty"`
	Where   string           `json:"where,omitempty"` // who executes it elsewhere
	Outcome *outcome.Outcome `json:"outcome,omitempty"`
}

// plain writes lines: remarks at once, the state now and then.
type plain struct {
	mu   sync.Mutex
	p    *progress
	w    io.Writer
	quit chan struct{}
	done chan struct{}
}

func newPlain(p *progress, w io.Writer, states bool) *plain {
	l := &plain{p: p, w: w, quit: make(chan struct{}), done: make(chan struct{})}
	go l.loop(states)
	return l
}

// loop prints the state after 5 s, then at intervals that grow to a minute.
func (l *plain) loop(states bool) {
	defer close(l.done)
	wait := 5 * time.Second
	for {
		select {
		case <-l.quit:
			return
		case <-time.After(wait):
		}
		if states {
			l.Print(l.p.line())
		}
		wait = min(wait*3/2, time.Minute)
	}
}

func (l *plain) Note(n sweep.Note) { l.p.note(n) }

func (l *plain) Print(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, text)
}

func (l *plain) Stop() {
	close(l.quit)
	<-l.done
}

// live repaints a view at the foot of the terminal.
type live struct {
	p    *progress
	prog *tea.Program
	done chan struct{}
}

func newLive(p *progress, out *os.File) *live {
	l := &live{p: p, done: make(chan struct{})}
	// The command handles signals, and keys belong to the shell.
	l.prog = tea.NewProgram(liveModel{p: p}, tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler())
	go func() {
		defer close(l.done)
		l.prog.Run()
	}()
	return l
}

func (l *live) Note(n sweep.Note) { l.p.note(n) }

// Print cleans the text itself: what the view writes is escape sequences.
func (l *live) Print(text string) { l.prog.Println(unit.Lines(text)) }

func (l *live) Stop() {
	l.prog.Send(tickMsg{last: true})
	<-l.done
}

type tickMsg struct{ last bool }

// liveModel paints what progress says, ten times a second.
type liveModel struct {
	p      *progress
	width  int
	height int
	last   bool
}

func tick() tea.Cmd {
	return tea.Tick(100*time.Millisecond, func(time.Time) tea.Msg { return tickMsg{} })
}

func (m liveModel) Init() tea.Cmd { return tick() }

func (m liveModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		if msg.last {
			m.last = true
			return m, tea.Quit
		}
		return m, tick()
	}
	return m, nil
}

// View is empty at the end: the closing words replace it.
func (m liveModel) View() tea.View {
	if m.last {
		return tea.NewView("")
	}
	width := m.width
	if width == 0 {
		width = 80
	}
	lines := m.p.view(width, m.height)
	for i, line := range lines {
		lines[i] = unit.Fit(unit.Line(line), width-1)
	}
	return tea.NewView(strings.Join(lines, "\n"))
}
