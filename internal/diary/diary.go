// Package diary keeps what a process prints in a store, beside what it makes: each
// line with the time at which it began, in UTC.
//
// In go pieces of text, out comes an object of at most MaxSize bytes. What is printed
// is kept every ten seconds and at the end, so that of a process that was killed only
// the last lines are missing.
//
// It masks and cleans nothing: it is given what people are shown.
package diary

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// MaxSize is how many bytes of what is printed are kept; the rest is left out.
const MaxSize = 256 << 10

// keepEvery is how often what was printed is kept.
const keepEvery = 10 * time.Second

const cut = "… the rest of the log was not kept\n"

// A Diary is written by one process. It may be used by several goroutines.
type Diary struct {
	quit chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	log    store.Appender
	size   int
	inside bool // a line
	closed bool
}

// Open begins the diary with this key, or goes on with it.
func Open(ctx context.Context, st store.Store, key string) (*Diary, error) {
	log, err := st.Append(ctx, key)
	if err != nil {
		return nil, err
	}
	d := &Diary{log: log, quit: make(chan struct{})}
	d.done.Go(d.keep)
	return d, nil
}

func (d *Diary) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.quit:
			return
		case <-tick.C:
			d.mu.Lock()
			d.log.Sync()
			d.mu.Unlock()
		}
	}
}

// Write takes what is printed. It never fails: a process is not to end for its diary.
func (d *Diary) Write(text []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.size > MaxSize {
		return len(text), nil
	}
	kept := d.stamp(text)
	if d.size += len(kept); d.size > MaxSize {
		kept = []byte(cut)
		if d.inside {
			kept = []byte("\n" + cut)
		}
	}
	d.log.Later(kept)
	if n := len(text); n > 0 {
		d.inside = text[n-1] != '\n'
	}
	return len(text), nil
}

// stamp puts the time before every line that begins in a text.
func (d *Diary) stamp(text []byte) []byte {
	now := time.Now().UTC().AppendFormat(nil, "2006-01-02T15:04:05Z ")
	var out []byte
	inside := d.inside
	for line := range bytes.Lines(text) {
		if !inside {
			out = append(out, now...)
		}
		out, inside = append(out, line...), false
	}
	return out
}

// Close keeps what is left. Nothing is written after it.
func (d *Diary) Close() error {
	close(d.quit)
	d.done.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.log.Close()
}

// Read returns the diary with this key, nothing if there is none.
func Read(ctx context.Context, st store.Store, key string) ([]byte, error) {
	if o, err := st.Stat(ctx, key); err == nil && o.Size > 4*MaxSize {
		return nil, fmt.Errorf("it has %d bytes, and fanout writes no more than %d: somebody else put it there", o.Size, MaxSize)
	}
	text, _, err := st.Tail(ctx, key, 0)
	return text, err
}
