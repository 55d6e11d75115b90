package tasklog

import (
	"encoding/base64"
	"io"
	"runtime"
	"strings"
	"testing"
)

// frame is one as a client sends it.
func frame(text string) string {
	return `{"File":"w.stderr.0","Offset":7,"Data":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"}`
}

// The end of a log is read, however it is divided.
func TestLast(t *testing.T) {
	for _, tt := range []struct {
		frames, want string
		most         int
	}{
		{"", "", 5},
		{"{}{}", "", 5},
		{frame("abc") + "\n" + frame("def"), "abcdef", 6},
		{frame("abc") + "{}" + frame("def"), "def", 3},
		{strings.Repeat(frame(strings.Repeat("x", 1<<16)), 50) + frame("end"), strings.Repeat("x", 5) + "end", 8},
	} {
		if got, err := last(strings.NewReader(tt.frames), tt.most); got != tt.want || err != nil {
			t.Errorf("%.100s: %q, %v", tt.frames, got, err)
		}
	}
}

// What breaks off, is no log or does not end is an error, with what came before it.
func TestBadFrames(t *testing.T) {
	for name, tt := range map[string]struct{ then, want string }{
		"half a frame":  {`{"Data":"YW`, "unexpected EOF"},
		"a page":        {"<html>", "invalid character"},
		"no base64":     {`{"Data":"%%"}`, "illegal base64"},
		"endless frame": {`{"Data":"` + strings.Repeat("A", 2*maxFrame), "a frame that does not end"},
	} {
		got, err := last(strings.NewReader(frame("before")+tt.then), 10)
		if got != "before" || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A log of many megabytes takes the memory of its end.
func TestLongLog(t *testing.T) {
	line := frame(strings.Repeat("x", 1<<16))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, w := io.Pipe()
	go func() {
		for range 100 {
			io.WriteString(w, line)
		}
		w.Close()
	}()
	got, err := last(r, 1<<10)
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != 1<<10 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if live := int64(after.HeapInuse) - int64(before.HeapInuse); live > 5<<20 {
		t.Errorf("it holds %d MB", live>>20)
	}
}
