// Package tail reads what the cells of runs printed, the tracebacks of those
// that failed, and what their kernels printed outside the cells.
//
// In go a sweep and which of its runs; out come lines, in order. It reads the
// sweep only, so it does not matter where the runs execute.
package tail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Line is a line that a run printed, without its end.
type Line struct {
	Run     string
	Attempt int
	Cell    int    // among code cells, from 1; 0 outside the cells
	Stream  string // stdout, stderr, kernel for what its kernel printed outside the cells, …
	Text    string // foreign text: it may hold anything
}

// Options select what of a sweep's output to read.
type Options struct {
	Runs    []string                           // ids; none is all planned runs
	Attempt int                                // this attempt at each run; 0 is the last, and with Follow all that come
	Keep    func(sweep.RunState) (bool, error) // only runs for which it is true; nil is all
	Results bool                               // also results and displays that have a text form
	Follow  bool                               // continue until the runs have ended

	Line func(Line)                    // called with every line, in order
	Next func(run string, attempt int) // called when another attempt at a run begins

	// Called with a notebook that cannot be read; the other runs are read all the same.
	Problem func(run string, attempt int, err error)
}

// Read calls o.Line with what runs print. A line that is overwritten, as progress
// bars are, comes once, in its final form.
func Read(ctx context.Context, s *sweep.Sweep, o Options) error {
	if o.Keep == nil {
		o.Keep = func(sweep.RunState) (bool, error) { return true, nil }
	}
	t := &tail{Options: o, sweep: s, heads: map[string]*readHead{}}
	if o.Follow {
		return t.follow(ctx)
	}
	return t.round(ctx)
}

// tail reads what runs print.
type tail struct {
	Options
	sweep *sweep.Sweep
	heads map[string]*readHead // by run
	again bool                 // this is not the first round
}

// readHead is how far the output of a run has been read.
type readHead struct {
	attempt int
	ended   bool // and read to its end
	known   store.Object
	seen    map[channel][]string // lines of the attempt
}

// channel is one stream of one cell.
type channel struct {
	cell   int
	stream string
}

// Every is how often a sweep is looked at.
const Every = time.Second

// follow reads what is new until nothing more can come.
func (t *tail) follow(ctx context.Context) error {
	f := t.sweep.Follow()
	for {
		if err := f.Read(ctx); err != nil {
			return err
		}
		quiet := t.quiet(ctx)
		if quiet { // what was written before it became so
			if err := f.Read(ctx); err != nil {
				return err
			}
		}
		if err := t.round(ctx); err != nil || quiet || t.over() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(Every):
		}
	}
}

// quiet reports whether nobody executes the sweep: runs of this machine die
// with the process that executes them, those of workers do not.
func (t *tail) quiet(ctx context.Context) bool {
	if _, held := t.sweep.Held(ctx); held {
		return false
	}
	return !slices.ContainsFunc(t.sweep.Runs(), func(st sweep.RunState) bool {
		return t.wanted(st) && st.Began != nil && st.Began.Worker != ""
	})
}

// over reports whether every run that was named has ended.
func (t *tail) over() bool {
	for _, id := range t.Runs {
		st, _ := t.sweep.Run(id)
		if r := t.heads[id]; r == nil || !r.ended || t.Attempt == 0 && r.attempt < st.Attempts {
			return false
		}
	}
	return len(t.Runs) > 0
}

func (t *tail) wanted(st sweep.RunState) bool {
	if len(t.Runs) > 0 {
		return slices.Contains(t.Runs, st.Run.ID)
	}
	return !st.Run.Unplanned
}

// round reads what is new of every run, in the order of the plan.
func (t *tail) round(ctx context.Context) error {
	for _, st := range t.sweep.Runs() {
		r, err := t.head(st)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		if err := t.run(ctx, st, r); err != nil {
			return err
		}
	}
	t.again = true
	return nil
}

// head finds how far a run has been read; nil is not to be read.
func (t *tail) head(st sweep.RunState) (*readHead, error) {
	if r := t.heads[st.Run.ID]; r != nil || !t.wanted(st) || st.Attempts == 0 {
		return r, nil
	}
	ok, err := t.Keep(st)
	if err != nil || !ok {
		return nil, err
	}
	r := &readHead{attempt: st.Attempts, seen: map[channel][]string{}}
	if t.again {
		r.attempt = 1 // all of them are new
	}
	if t.Attempt > 0 {
		r.attempt = t.Attempt
	}
	t.heads[st.Run.ID] = r
	return r, nil
}

// run reads what is new of a run, attempt by attempt.
func (t *tail) run(ctx context.Context, st sweep.RunState, r *readHead) error {
	for {
		if !r.ended {
			if err := t.read(ctx, st, r); err != nil {
				return err
			}
		}
		if !r.ended || t.Attempt > 0 || r.attempt >= st.Attempts {
			return nil
		}
		*r = readHead{attempt: r.attempt + 1, seen: map[channel][]string{}}
		t.Next(st.Run.ID, r.attempt)
	}
}

// read reads what is new of one attempt.
func (t *tail) read(ctx context.Context, st sweep.RunState, r *readHead) error {
	saved, err := t.sweep.Saved(ctx, st.Run.ID, r.attempt, r.known)
	var file *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t.missing(st, r)
	case errors.As(err, &file): // it is no file, or not ours to read
		r.ended = true
		t.Problem(st.Run.ID, r.attempt, err)
		return nil
	case err != nil:
		return err
	}
	r.known, r.ended = saved.Object, saved.Ended
	if saved.Text != nil {
		t.notebook(st, r, saved)
	}
	if !saved.Ended {
		return nil
	}
	r.seen = nil
	log, err := t.sweep.Store().Get(ctx, sweep.LogKey(st.Run.ID, r.attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for line := range strings.Lines(string(log)) {
		t.emit(st, r, channel{stream: "kernel"}, overtyped(line))
	}
	return err
}

// notebook passes on what is new in a notebook as it was saved.
func (t *tail) notebook(st sweep.RunState, r *readHead, saved sweep.Saved) {
	doc, err := notebook.Decode(saved.Text)
	if err != nil {
		t.Problem(st.Run.ID, r.attempt, fmt.Errorf("read %s: %w", saved.Object.Key, err))
		return
	}
	t.emitNew(st, r, linesOf(doc.Prints(t.Results), t.Follow && !saved.Ended))
}

// missing is an attempt without a notebook: it has just begun, was removed, or
// has never been.
func (t *tail) missing(st sweep.RunState, r *readHead) error {
	switch {
	case st.Began != nil && st.Began.Attempt <= r.attempt:
		return nil
	case t.Attempt > st.Attempts && len(t.Runs) > 0 && !t.Follow:
		return unit.Mistake(unit.WithHint(fmt.Errorf("run %s has %s; there is no attempt %d", st.Run.ID, unit.Plural(st.Attempts, "attempt"), t.Attempt),
			"fanout show %s %s lists them", unit.Quote(unit.Path(t.sweep.Where())), st.Run.ID))
	}
	r.ended = t.Attempt <= st.Attempts
	return nil
}

// emitNew passes on the lines that differ from those that were read before,
// stream by stream: output is taken back where a cell clears it.
func (t *tail) emitNew(st sweep.RunState, r *readHead, lines []line) {
	now := map[channel][]string{}
	for _, l := range lines {
		now[l.channel] = append(now[l.channel], l.text)
	}
	at := map[channel]int{}
	for _, l := range lines {
		if at[l.channel] >= common(r.seen[l.channel], now[l.channel]) {
			t.emit(st, r, l.channel, l.text)
		}
		at[l.channel]++
	}
	r.seen = now
}

// common is how many lines two texts begin with alike.
func common(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// emit passes on one line of a run.
func (t *tail) emit(st sweep.RunState, r *readHead, ch channel, text string) {
	t.Line(Line{Run: st.Run.ID, Attempt: r.attempt, Cell: ch.cell, Stream: ch.stream, Text: text})
}

// line is a line that a cell printed.
type line struct {
	channel
	text string
}

// linesOf divides what cells printed into lines. While the attempt is open, a
// line that may still grow is left out.
func linesOf(prints []notebook.Print, open bool) []line {
	last := map[channel]int{} // which print is the last of its stream
	for i, p := range prints {
		last[channel{p.Cell, p.Stream}] = i
	}
	var lines []line
	for i, p := range prints {
		ch := channel{p.Cell, p.Stream}
		grows := open && last[ch] == i && p.Cell == prints[len(prints)-1].Cell
		for text := range strings.Lines(p.Text) {
			if grows && !strings.HasSuffix(text, "\n") {
				break
			}
			lines = append(lines, line{ch, overtyped(text)})
		}
	}
	return lines
}

// overtyped is the final form of a line: after a carriage return it begins
// again.
func overtyped(text string) string {
	text = strings.TrimRight(text, "\r\n")
	return text[strings.LastIndexByte(text, '\r')+1:]
}
