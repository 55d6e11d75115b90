package kernel

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	logTail = 8 << 10  // bytes of the log kept for errors
	logMax  = 64 << 20 // bytes of one kernel's log that are written
)

// A logPipe reads what a kernel's process writes to its standard output and
// error, keeps the tail and copies all of it, up to logMax, to a file. The
// pipe is read as fast as it fills: a kernel never waits for its log.
type logPipe struct {
	r, w *os.File
	to   *os.File
	done chan struct{}

	mu   sync.Mutex
	tail []byte
	n    int64
}

func newLogPipe(to *os.File) (*logPipe, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &logPipe{r: r, w: w, to: to, done: make(chan struct{})}, nil
}

// start begins reading, when the process has its end of the pipe.
func (l *logPipe) start() {
	l.w.Close()
	go func() {
		defer close(l.done)
		io.Copy(l, l.r)
	}()
}

// Write implements io.Writer for the copying goroutine.
func (l *logPipe) Write(p []byte) (int, error) {
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

// text returns the last lines so far.
func (l *logPipe) text() string {
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

// finish reads what is left once the process has ended, and stops. A
// grandchild that escaped may hold the pipe open; it is not waited for long.
func (l *logPipe) finish() string {
	if !waitFor(l.done, 100*time.Millisecond) {
		l.r.SetReadDeadline(time.Now())
		<-l.done
	}
	l.r.Close()
	return l.text()
}

// discard frees a pipe that was never started.
func (l *logPipe) discard() {
	l.r.Close()
	l.w.Close()
}
