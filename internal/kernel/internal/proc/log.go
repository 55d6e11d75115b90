package proc

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	logTail = 8 << 10  // bytes of the log kept for errors
	logMax  = 64 << 20 // bytes of one kernel's log that are written
)

// A Log reads what a process writes to its standard output and
// error, keeps the tail and copies all of it, up to logMax, to a file. The
// pipe is read as fast as it fills: a kernel never waits for its log.
type Log struct {
	r, w *os.File
	to   *os.File
	done chan struct{}

	mu   sync.Mutex
	tail []byte
	n    int64
}

// NewLog returns a log that is copied to a file, which may be nil.
func NewLog(to *os.File) (*Log, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create a pipe for the log: %w", err)
	}
	return &Log{r: r, w: w, to: to, done: make(chan struct{})}, nil
}

// Read begins reading, once the process has its end of the pipe.
func (l *Log) Read() {
	l.w.Close()
	go func() {
		defer close(l.done)
		io.Copy(l, l.r)
	}()
}

// Write implements io.Writer for the copying goroutine.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if len(l.tail) > 2*logTail {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-logTail:]...)
	}
	if l.to != nil && l.n < logMax {
		q := p[:min(int64(len(p)), logMax-l.n)]
		if l.n += int64(len(q)); l.n == logMax {
			q = append(bytes.Clone(q), "\n[log cut here]\n"...)
		}
		if _, err := l.to.Write(q); err != nil {
			l.to = nil // a full disk must not stop the kernel
		}
	}
	return len(p), nil
}

// Text returns the last lines so far.
func (l *Log) Text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tail
	if len(t) > logTail {
		t = t[len(t)-logTail:]
		if i := bytes.IndexByte(t, '\n'); i >= 0 {
			t = t[i+1:]
		}
	}
	if !utf8.Valid(t) {
		t = bytes.ToValidUTF8(t, []byte("\uFFFD"))
	}
	return string(t)
}

// File is the end of the pipe that the process writes to, until Read.
func (l *Log) File() *os.File { return l.w }

// Finish reads what is left once the process has ended, and stops. A
// grandchild that escaped may hold the pipe open; it is not waited for long.
func (l *Log) Finish() string {
	if !WaitFor(l.done, 100*time.Millisecond) {
		l.r.SetReadDeadline(time.Now())
		<-l.done
	}
	l.r.Close()
	return l.Text()
}

// Discard frees a log that was never read.
func (l *Log) Discard() {
	l.r.Close()
	l.w.Close()
}

// LastLine returns the last line of a log's text.
func LastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
