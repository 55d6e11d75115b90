package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shipped is a line of a log, as others read it.
type shipped struct {
	Time, Event, Role, Sweep, Run, Stream, Status, Reason, Text string
	Attempt, Cell                                               int
	Code                                                        *int
	Parameters                                                  map[string]any
}

func readShipped(t *testing.T, text string) (all []shipped) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e shipped
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", e.Time); err != nil {
			t.Error(err)
		}
		all = append(all, e)
	}
	return all
}

// find is the first event for which is holds.
func find(all []shipped, is func(shipped) bool) shipped {
	for _, e := range all {
		if is(e) {
			return e
		}
	}
	return shipped{}
}

// checkShipped looks for what a sweep with a run that fails tells.
func checkShipped(t *testing.T, all []shipped) {
	t.Helper()
	if len(all) == 0 || !strings.HasPrefix(all[0].Text, "fanout run ") || all[0].Event != "start" {
		t.Fatalf("%+v", all)
	}
	printed := find(all, func(e shipped) bool { return e.Event == "log" && e.Text == "hello" })
	if printed.Run == "" || printed.Cell != 3 || printed.Stream != "stdout" || printed.Attempt != 1 || printed.Sweep != "watched" || printed.Role != "run" {
		t.Errorf("%+v", printed)
	}
	failed := find(all, func(e shipped) bool { return e.Status == "failed" })
	if failed.Event != "ended" || failed.Reason != "exception" || failed.Parameters["x"] != 2.0 || failed.Text == "" {
		t.Errorf("%+v", failed)
	}
	if e := find(all, func(e shipped) bool { return e.Event == "began" && e.Run == failed.Run }); e.Parameters["x"] != 2.0 {
		t.Errorf("%+v", e)
	}
	if last := all[len(all)-1]; last.Event != "exit" || last.Code == nil || *last.Code != exitIncomplete {
		t.Errorf("%+v", last)
	}
}

// A sweep tells the log of others what goes on: in a file, on stderr, which has nothing
// else then, or in the journal.
func TestLogOutput(t *testing.T) {
	file := fakeSweep(t, "{x: [1, 2]}", "x = 0", "print hello", "when $x 2 error ValueError bad")
	dir := filepath.Dir(file)
	name := filepath.Join(dir, "log.jsonl")
	code, _, stderr := fanout(t, "run", file, "--log-output=json:"+name, "-o", filepath.Join(dir, "a.sweep"))
	if code != exitIncomplete || !strings.Contains(stderr, "failed") || strings.Contains(stderr, "hello") {
		t.Errorf("%d: %s", code, stderr)
	}
	checkShipped(t, readShipped(t, read(t, name)))

	code, _, stderr = fanout(t, "run", file, "--log-output=json", "-o", filepath.Join(dir, "b.sweep"))
	all := readShipped(t, stderr)
	checkShipped(t, all)
	if e := find(all, func(e shipped) bool { return e.Event == "word" && strings.Contains(e.Text, "1 failed") }); code != exitIncomplete || e.Text == "" {
		t.Errorf("%d, and the summary is not among %s", code, stderr)
	}

	socket := filepath.Join(dir, "journal")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("FANOUT_LOG_OUTPUT", "journald:"+socket)
	if code, _, stderr := fanout(t, "rerun", "--failed", filepath.Join(dir, "a.sweep")); code != exitIncomplete || strings.Contains(stderr, "warning") {
		t.Errorf("%d: %s", code, stderr)
	}
	messages, b := "", make([]byte, 1<<16)
	for !strings.Contains(messages, "FANOUT_CODE") {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		messages += string(b[:n])
	}
	for _, want := range []string{"FANOUT_SWEEP\n\x07\x00\x00\x00\x00\x00\x00\x00watched\n", "FANOUT_RUN\n", "FANOUT_PARAMETERS\n", "FANOUT_REASON\n\x09\x00\x00\x00\x00\x00\x00\x00exception\n"} {
		if !strings.Contains(messages, want) {
			t.Errorf("the journal lacks %q", want)
		}
	}

	for _, wrong := range []string{"yes", "file.jsonl"} {
		if code, _, stderr := fanout(t, "run", file, "--log-output="+wrong); code != exitUsage || !strings.Contains(stderr, "want text, json, syslog or journald") {
			t.Errorf("%s: %d: %s", wrong, code, stderr)
		}
	}
}

// A log that nobody reads stops no run.
func TestLogOutputStuck(t *testing.T) {
	file := fakeSweep(t, "{x: [1, 2]}", "x = 0", "print hello")
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := fanout(t, "run", file, "--log-output=json:"+pipe)
	if code != exitOK || !strings.Contains(stderr, "left out: what reads it is away or too slow") {
		t.Errorf("%d: %s", code, stderr)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0) // who waits for it goes on
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
}
