package ship

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

func place(t *testing.T, name string) Place {
	t.Helper()
	p, err := ParsePlace(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// warnings collects what somebody is told.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, text)
}

func (w *warnings) want(t *testing.T, words ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) != len(words) {
		t.Fatalf("%d warnings, want %d: %q", len(w.all), len(words), w.all)
	}
	for i, text := range words {
		if !strings.Contains(w.all[i], text) {
			t.Errorf("%q does not say %q", w.all[i], text)
		}
	}
}

func TestParsePlace(t *testing.T) {
	for name, want := range map[string]Place{
		"": {}, "off": {}, "false": {}, "0": {}, "true": {kind: "text"}, "1": {kind: "text"}, "text": {kind: "text"}, "json": {kind: "json"},
		"json:a:b": {"json", "a:b"}, "syslog": {kind: "syslog"}, "syslog:udp://h:514": {"syslog", "udp://h:514"}, "journald": {kind: "journald"}, "journald:/x": {"journald", "/x"},
	} {
		if got, err := ParsePlace(name); got != want || err != nil {
			t.Errorf("%q is %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"yes", "text:x", "json:", "file.jsonl", "JSON", "syslog:"} {
		if got, err := ParsePlace(name); err == nil {
			t.Errorf("%q is %+v", name, got)
		}
	}
}

// tell tells of a run that prints in pieces, fails, and holds a secret.
func tell(t *testing.T, l *Log) (run string) {
	t.Helper()
	t.Setenv("SHIP_TEST_KEY", "hunter2-hunter2")
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 1, fantest.Succeed)
	run = s.Runs()[0].Run.ID
	note := l.Runs(s, []sweep.Secret{{Param: "key", Env: "SHIP_TEST_KEY"}, {Param: "none", Env: "SHIP_TEST_NONE"}})
	note(sweep.Note{Kind: sweep.NoteBegan, Run: run, Attempt: 2, Where: "node7"})
	for _, n := range []sweep.Note{
		{Kind: sweep.NoteCell, Cell: 1}, {Kind: sweep.NoteLog, Stream: "stdout", Text: "one\ntw"}, {Kind: sweep.NoteLog, Stream: "stderr", Text: "bad \x1b[31mhunter2-hunter2\n"},
		{Kind: sweep.NoteLog, Stream: "stdout", Text: "o\r\n10%\r20%\r100%"}, {Kind: sweep.NoteCell, Cell: 2}, {Kind: sweep.NoteLog, Stream: "stdout", Text: "last"},
		{Kind: sweep.NoteWord, Text: "a word"},
		{Kind: sweep.NoteEnded, Outcome: &outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Reason: "E: bad", Host: "node7", Start: time.Unix(100, 0), End: time.Unix(101, 5e8)}},
	} {
		n.Run, n.Attempt = run, 2
		note(n)
	}
	return run
}

// want is what tell tells.
func want(run string) []Event {
	params := map[string]any{"x": float64(0), "y": float64(0)}
	at := func(e Event) Event { e.Role, e.Sweep, e.Run, e.Attempt = "run", "test", run, 2; return e }
	return []Event{
		at(Event{Event: "began", Host: "node7", Text: "attempt 2 began", Parameters: params}),
		at(Event{Event: "log", Cell: 1, Stream: "stdout", Text: "one"}),
		at(Event{Event: "log", Cell: 1, Stream: "stderr", Text: "bad \x1b[31m[secret]"}),
		at(Event{Event: "log", Cell: 1, Stream: "stdout", Text: "two"}),
		at(Event{Event: "log", Cell: 1, Stream: "stdout", Text: "100%"}),
		at(Event{Event: "word", Text: "a word"}),
		at(Event{Event: "log", Cell: 2, Stream: "stdout", Text: "last"}),
		at(Event{Event: "ended", Status: "failed", Reason: "exception", Seconds: 1.5, Host: "node7", Text: "E: bad", Parameters: params}),
	}
}

// A file has a line of JSON for each line that cells print and for whatever begins and
// ends, behind what it had before.
func TestJSON(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log.jsonl")
	if err := os.WriteFile(name, []byte("{\"text\":\"before\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var w warnings
	l := New("run", place(t, "json:"+name), nil, w.add)
	run := tell(t, l)
	l.Close()
	w.want(t)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got []Event
	for line := range bytes.Lines(b) {
		var e Event
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", e.Time); e.Text != "before" && (err != nil || time.Since(must(time.Parse(time.RFC3339, e.Time))) > time.Minute) {
			t.Errorf("the time %q: %v", e.Time, err)
		}
		e.Time, e.Place = "", ""
		got = append(got, e)
	}
	if d := cmp.Diff(append([]Event{{Text: "before"}}, want(run)...), got); d != "" {
		t.Errorf("want and got differ:\n%s", d)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// socket receives datagrams.
func socket(t *testing.T) (path string, receive func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return path, func() string {
		b := make([]byte, 1<<18)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// fieldsOf reads a message as the journal does.
func fieldsOf(t *testing.T, message string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for message != "" {
		name, rest, ok := strings.Cut(message, "\n")
		if !ok || len(rest) < 9 || strings.Contains(name, "=") {
			t.Fatalf("no field: %q", message)
		}
		n := binary.LittleEndian.Uint64([]byte(rest))
		all[name], message = rest[8:8+n], rest[8+n+1:]
	}
	return all
}

// The journal gets a message an event, with fields to filter by.
func TestJournald(t *testing.T) {
	path, receive := socket(t)
	var w warnings
	l := New("run", place(t, "journald:"+path), nil, w.add)
	run := tell(t, l)
	for i, e := range want(run) {
		got := fieldsOf(t, receive())
		if got["FANOUT_EVENT"] != e.Event || got["FANOUT_RUN"] != run || got["FANOUT_STREAM"] != e.Stream || got["FANOUT_CELL"] != number(e.Cell) || got["FANOUT_SWEEP"] == "" || got["FANOUT_ATTEMPT"] != "2" {
			t.Errorf("%d: %q, want %+v", i, got, e)
		}
		switch e.Event {
		case "ended":
			if got["PRIORITY"] != "3" || got["FANOUT_SECONDS"] != "1.500" || got["FANOUT_PARAMETERS"] != `{"x":0,"y":0}` || got["MESSAGE"] != run+": E: bad" {
				t.Errorf("%q", got)
			}
		case "log":
			if strings.Contains(got["MESSAGE"], "\x1b") || got["PRIORITY"] != "6" || got["SYSLOG_IDENTIFIER"] != "fanout" {
				t.Errorf("%q", got)
			}
		}
	}
	l.Close()
	w.want(t)
}

// syslog gets the event as JSON.
func TestSyslog(t *testing.T) {
	path, receive := socket(t)
	var w warnings
	l := New("run", place(t, "syslog:"+path), nil, w.add)
	run := tell(t, l)
	for i, e := range want(run) {
		got := receive()
		priority, rest, _ := strings.Cut(got, ">")
		_, text, found := strings.Cut(rest, structured)
		var read Event
		if err := json.Unmarshal([]byte(text), &read); err != nil || !found || read.Text != e.Text || read.Run != run || read.Stream != e.Stream {
			t.Errorf("%d: %q: %v", i, got, err)
		}
		if want := map[bool]string{true: "<11", false: "<14"}[e.Event == "ended"]; priority != want || !strings.Contains(rest, "fanout[") {
			t.Errorf("%d: %q", i, got)
		}
	}
	l.Close()
	w.want(t)
}

// Who reads too slowly holds nobody up: what does not fit is counted and said, and the end
// waits for a while only.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stuck := io.Pipe()
		var w warnings
		l := New("run", place(t, "json"), stuck, w.add)
		l.Tell(Event{Event: "word", Text: "first"})
		synctest.Wait() // it is being written, to nobody
		for range maxEvents + 5 {
			l.Tell(Event{Event: "word", Text: "more"})
		}
		var got bytes.Buffer
		b := make([]byte, 1<<16)
		n, err := r.Read(b) // now somebody reads
		if got.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(got.String(), `"dropped"`) {
			n, err := r.Read(b)
			if got.Write(b[:n]); err != nil {
				t.Fatal(err)
			}
		}
		if text := got.String(); strings.Count(text, "\n") != 1+maxEvents+1 || !strings.Contains(text, `"count":5`) || !strings.Contains(text, "5 events left out") {
			t.Errorf("%d lines, the end is %s", strings.Count(text, "\n"), text[max(0, len(text)-300):])
		}
		l.Tell(Event{Event: "word", Text: "stuck again"})
		synctest.Wait()
		l.Tell(Event{Event: "word", Text: "waits"})
		began := time.Now()
		l.Close()
		if took := time.Since(began); took != endWithin {
			t.Errorf("the end took %v", took)
		}
		w.want(t, "6 events left out") // five, and the one that waits
		l.Tell(Event{Text: "after the end"})
		r.CloseWithError(errors.New("gone"))
		synctest.Wait()
	})
}

// Large texts count, too, and one line is never more than one event takes.
func TestBounds(t *testing.T) {
	var w warnings
	var b bytes.Buffer
	l := &Log{place: Place{kind: kindJSON}, role: "run", to: jsonLines{&b}, warn: w.add, within: time.Minute, more: make(chan struct{}, 1), done: make(chan struct{})}
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 1, fantest.Succeed)
	note := l.Runs(s, nil)
	note(sweep.Note{Kind: sweep.NoteLog, Run: s.Runs()[0].Run.ID, Stream: "stdout", Text: strings.Repeat("ü", maxBytes)})
	if l.bytes > maxBytes || l.dropped == 0 || len(l.waiting[0].Text) > maxLine {
		t.Errorf("%d bytes wait, %d are left out, the first has %d", l.bytes, l.dropped, len(l.waiting[0].Text))
	}
	go l.work()
	l.Close()
	w.want(t, "left out")
}

// A place that cannot be written to is one warning, and how much is missing another.
func TestProblem(t *testing.T) {
	for _, name := range []string{"json:" + filepath.Join(t.TempDir(), "none", "x"), "journald:/none/x", "syslog:/none/x", "syslog:ftp://h"} {
		var w warnings
		l := New("run", place(t, name), nil, w.add)
		for range 3 {
			l.Tell(Event{Event: "word"})
			time.Sleep(time.Millisecond)
		}
		l.Close()
		w.want(t, "log output "+name, "3 events left out")
	}
}

// A journal that was away and comes back is told again.
func TestAgain(t *testing.T) {
	path, receive := socket(t)
	j := &journal{at: path}
	defer j.close()
	if err := j.write([]Event{{Text: "1"}}); err != nil {
		t.Fatal(err)
	}
	receive()
	os.Remove(path)
	j.conn.Close()
	if err := j.write([]Event{{Text: "2"}}); err == nil {
		t.Error("nobody took it")
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := j.write([]Event{{Text: "3"}}); err != nil {
		t.Error(err)
	}
}

// What is printed for people becomes events, line by line.
func TestLines(t *testing.T) {
	var b bytes.Buffer
	l := New("serve", Place{kind: kindJSON}, &b, nil)
	w := l.Lines()
	for _, part := range []string{"fanout: warning: ca", "re\n\nser", "ving x\n"} {
		io.WriteString(w, part)
	}
	l.Close()
	var got []Event
	for line := range bytes.Lines(b.Bytes()) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		e.Time = ""
		got = append(got, e)
	}
	if d := cmp.Diff([]Event{{Event: "warning", Role: "serve", Text: "care"}, {Event: "word", Role: "serve", Text: "serving x"}}, got); d != "" {
		t.Error(d)
	}
}
