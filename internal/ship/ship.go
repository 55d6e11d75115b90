// Package ship tells the logs of others what goes on, as it goes on: lines of JSON, in a
// file or on stderr, syslog, or the journal of systemd.
//
// In go notes about runs and remarks for people; out come events, one for each line that
// a cell prints, and one for whatever begins, ends or goes wrong. It is the only home of
// the protocols of logs.
//
// It promises that nothing waits for it, or fails because of it: events wait in a queue
// within bounds, what does not fit is left out, counted and said, and of whatever else
// goes wrong somebody is told once. Secrets that the process knows do not leave with it.
package ship

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Place is where a log is.
type Place struct {
	kind string // "" is nowhere, text is stderr as people read it
	at   string // a file, socket or address; "" is the usual one
}

// The kinds of places.
const (
	kindText     = "text"
	kindJSON     = "json"
	kindSyslog   = "syslog"
	kindJournald = "journald"
)

// ParsePlace reads what a user calls a place. What it was before there were others,
// true and false, is text and nowhere.
func ParsePlace(name string) (Place, error) {
	if on, err := strconv.ParseBool(name); err == nil {
		name = map[bool]string{true: kindText, false: "off"}[on]
	}
	kind, at, named := strings.Cut(name, ":")
	switch {
	case name == "" || name == "off":
		return Place{}, nil
	case kind == kindText && !named, kind == kindJSON, kind == kindSyslog, kind == kindJournald:
		if !named || at != "" {
			return Place{kind, at}, nil
		}
	}
	return Place{}, unit.Mistake(unit.WithHint(fmt.Errorf("log output %q: want text, json, syslog or journald", name),
		"write --log-output, --log-output=json, --log-output=json:FILE, --log-output=syslog, --log-output=syslog:udp://HOST:514 or --log-output=journald"))
}

// String is the name of the place.
func (p Place) String() string {
	switch {
	case p.kind == "":
		return "off"
	case p.at == "":
		return p.kind
	}
	return p.kind + ":" + p.at
}

// Text says that people read it on stderr: there is nothing to ship.
func (p Place) Text() bool { return p.kind == kindText }

// Ships says that events go there.
func (p Place) Ships() bool { return p.kind != "" && !p.Text() }

// Stderr says that stderr is that place, and is to have nothing but events.
func (p Place) Stderr() bool { return p.kind == kindJSON && p.at == "" }

// File is the file that a place is; "" is none.
func (p Place) File() string {
	if p.kind != kindJSON {
		return ""
	}
	return p.at
}

// An Event is one thing that went on. Empty fields do not apply.
type Event struct {
	Time       string         `json:"time"`  // RFC 3339 in UTC, with milliseconds
	Event      string         `json:"event"` // start, began, log, ended, blocked, grew, word, warning, dropped or exit
	Role       string         `json:"role"`  // run, worker or serve
	Sweep      string         `json:"sweep,omitempty"`
	Place      string         `json:"place,omitempty"` // of the sweep
	Run        string         `json:"run,omitempty"`
	Step       string         `json:"step,omitempty"`
	Attempt    int            `json:"attempt,omitempty"`
	Cell       int            `json:"cell,omitempty"` // among code cells, from 1
	Stream     string         `json:"stream,omitempty"`
	Status     string         `json:"status,omitempty"`
	Reason     string         `json:"reason,omitempty"`  // the kind of it
	Seconds    float64        `json:"seconds,omitempty"` // that an attempt took
	Host       string         `json:"host,omitempty"`    // that executes it
	Count      int            `json:"count,omitempty"`   // of what was dropped, or joined
	Code       *int           `json:"code,omitempty"`    // of the exit
	Text       string         `json:"text"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

// Bounds of what waits, and of how long the end of a command waits for a reader.
const (
	maxEvents = 10_000
	maxBytes  = 16 << 20
	endWithin = 5 * time.Second
)

// size is about how many bytes an event takes.
func (e Event) size() int { return 300 + len(e.Text) + 50*len(e.Parameters) }

// A Log is the log of one process, until Close.
type Log struct {
	place  Place
	role   string
	to     sink
	warn   func(string)
	within time.Duration // of Close
	once   sync.Once     // a problem is told
	mask   atomic.Pointer[secret.Mask]
	sweep  atomic.Pointer[watched]

	mu      sync.Mutex
	waiting []Event
	bytes   int
	dropped int // and not said yet
	lost    int // in all
	closed  bool
	more    chan struct{} // something waits, or it is closed
	done    chan struct{}
}

// New begins the log of a process of this role. warn is called from other goroutines:
// once with the first thing that goes wrong, and at the end with how much was left out.
func New(role string, p Place, stderr io.Writer, warn func(string)) *Log {
	l := &Log{place: p, role: role, to: newSink(p, stderr), warn: warn, within: endWithin, more: make(chan struct{}, 1), done: make(chan struct{})}
	go l.work()
	return l
}

// Tell adds an event, and does not wait. Its time, role and sweep are those of the
// moment and the process.
func (l *Log) Tell(e Event) {
	e.Time, e.Role = time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), l.role
	if w := l.sweep.Load(); w != nil {
		e.Sweep, e.Place = w.sweep.Name(), w.sweep.Where()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return
	case len(l.waiting) == maxEvents || l.bytes+e.size() > maxBytes:
		l.dropped++
		l.lost++
		return
	}
	l.waiting = append(l.waiting, e)
	l.bytes += e.size()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// work writes what waits until the log is closed and nothing does.
func (l *Log) work() {
	defer close(l.done)
	defer l.to.close()
	for range l.more {
		events, closed := l.take()
		if err := l.to.write(events); err != nil {
			l.mu.Lock()
			l.lost += len(events)
			l.mu.Unlock()
			l.once.Do(func() { l.warn(fmt.Sprintf("log output %s: %v; what is not written is left out", l.place, err)) })
		}
		if closed {
			return
		}
	}
}

// take returns all that waits, without secrets.
func (l *Log) take() (events []Event, closed bool) {
	l.mu.Lock()
	events, l.waiting, l.bytes, closed = l.waiting, nil, 0, l.closed
	dropped := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	if dropped > 0 {
		last := events[len(events)-1]
		events = append(events, Event{Time: last.Time, Event: "dropped", Role: l.role, Sweep: last.Sweep, Place: last.Place, Count: dropped,
			Text: unit.Plural(dropped, "event") + " left out: what reads this is too slow"})
	}
	mask := l.mask.Load()
	for i, e := range events {
		events[i] = secret.Pass(mask, e)
	}
	return events, closed
}

// Close writes what waits, for at most five seconds.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	select {
	case <-l.done:
	case <-time.After(l.within):
	}
	l.mu.Lock()
	lost := l.lost + len(l.waiting)
	l.mu.Unlock()
	if lost > 0 {
		l.warn(fmt.Sprintf("log output %s: %s left out: what reads it is away or too slow", l.place, unit.Plural(lost, "event")))
	}
}

// Lines is for what is printed for people: each line becomes an event. It is not for
// several goroutines at once.
func (l *Log) Lines() io.Writer { return &lines{log: l} }

type lines struct {
	log  *Log
	mu   sync.Mutex
	rest string
}

func (w *lines) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest += string(text)
	for {
		line, rest, whole := strings.Cut(w.rest, "\n")
		if !whole {
			break
		}
		w.rest = rest
		if line = strings.TrimPrefix(line, "fanout: "); strings.TrimSpace(line) != "" {
			w.log.Tell(remark(line))
		}
	}
	return len(text), nil
}

// remark is a line that was meant for people.
func remark(line string) Event {
	if text, warning := strings.CutPrefix(line, "warning: "); warning {
		return Event{Event: "warning", Text: text}
	}
	return Event{Event: "word", Text: line}
}
