package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
)

// A Holder says who has, or had, the lease of a sweep.
type Holder struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	User  string    `json:"user"`
	Since time.Time `json:"since"`
}

// HeldError reports that a live fanout holds the sweep.
type HeldError struct {
	Where string
	Holder
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("sweep %s is held by a live fanout: process %d of %s on %s, since %s",
		e.Where, e.PID, e.User, e.Host, e.Since.Local().Format("2006-01-02 15:04:05"))
}

// Hint says what to do about it.
func (e *HeldError) Hint() string {
	return fmt.Sprintf("wait for it, or end process %d; `fanout status` shows how far it is", e.PID)
}

// A lease is the right to begin and end attempts: the holder's, or that of the
// worker of one shard.
type lease struct {
	epoch  int
	worker string // empty for the holder
	unlock func() error
	log    store.Appender
	stop   chan struct{}
	done   chan struct{}
}

// Acquire takes the lease, so that this process alone plans and makes runs
// until Release. A *HeldError says who has it. It reads the sweep again: what
// the last holder did is known afterwards.
func (s *Sweep) Acquire(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if errors.Is(err, store.ErrLocked) {
		return &HeldError{s.store.String(), s.holder(ctx)}
	}
	if err != nil {
		return fmt.Errorf("take the lease of %s: %w", s.store, err)
	}
	// Before there is a new log: the lack of any says that all have to be rebuilt.
	fresh, err := Open(ctx, s.store)
	if err != nil {
		unlock()
		return err
	}
	l, err := s.newEpoch(ctx, unlock)
	if err != nil {
		unlock()
		return fmt.Errorf("take the lease of %s: %w", s.store, err)
	}
	s.mu.Lock()
	s.lease = l
	s.mu.Unlock()
	go l.syncLog()
	if err := s.takeOver(ctx, fresh); err != nil {
		return errors.Join(err, s.Release())
	}
	return nil
}

// Reload reads the sweep again: others may have ended attempts meanwhile. It
// needs the lease.
func (s *Sweep) Reload(ctx context.Context) error {
	fresh, err := Open(ctx, s.store)
	if err != nil {
		return err
	}
	return s.takeOver(ctx, fresh)
}

// takeOver makes what fresh knows what s knows.
func (s *Sweep) takeOver(ctx context.Context, fresh *Sweep) error {
	s.mu.Lock()
	s.head, s.planned, s.runs, s.byID = fresh.head, fresh.planned, fresh.runs, fresh.byID
	s.unlogged, s.closed = fresh.unlogged, fresh.closed
	s.mu.Unlock()
	return s.relog(ctx)
}

// lock tries for a moment: Held takes the lock for an instant to look.
func (s *Sweep) lock(ctx context.Context) (unlock func() error, err error) {
	for range 5 {
		if unlock, err = s.store.Lock(ctx, keyLock); !errors.Is(err, store.ErrLocked) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return unlock, err
}

func (s *Sweep) newEpoch(ctx context.Context, unlock func() error) (*lease, error) {
	last, err := s.lastEpoch(ctx)
	if err != nil {
		return nil, err
	}
	l := &lease{epoch: last + 1, unlock: unlock, stop: make(chan struct{}), done: make(chan struct{})}
	text, err := json.Marshal(thisHolder())
	if err != nil {
		return nil, err
	}
	if err := s.store.Create(ctx, keyLease(l.epoch), append(text, '\n'), store.Cached); err != nil {
		return nil, err
	}
	l.log, err = s.store.Append(ctx, keyLog(l.epoch, "fanout"))
	return l, err
}

func thisHolder() Holder {
	host, _ := os.Hostname()
	return Holder{Host: host, PID: os.Getpid(), User: strconv.Itoa(os.Getuid()), Since: now()}
}

func (s *Sweep) lastEpoch(ctx context.Context) (int, error) {
	last := 0
	for o, err := range s.store.List(ctx, prefixLease) {
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(path.Base(o.Key)); err == nil {
			last = max(last, n)
		}
	}
	return last, nil
}

func (s *Sweep) holder(ctx context.Context) Holder {
	var h Holder
	if last, err := s.lastEpoch(ctx); err == nil {
		if b, err := s.store.Get(ctx, keyLease(last)); err == nil {
			json.Unmarshal(b, &h)
		}
	}
	return h
}

// Held reports who holds the sweep at this moment, if anybody does.
func (s *Sweep) Held(ctx context.Context) (Holder, bool) {
	unlock, err := s.store.Lock(ctx, keyLock)
	if errors.Is(err, store.ErrLocked) {
		return s.holder(ctx), true
	}
	if err == nil {
		unlock()
	}
	return Holder{}, false
}

// Epoch numbers the lease this process holds, from 1.
func (s *Sweep) Epoch() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil {
		return 0
	}
	return s.lease.epoch
}

// Release gives the lease back. What was recorded is Synced first.
func (s *Sweep) Release() error {
	s.mu.Lock()
	l := s.lease
	s.lease = nil
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	close(l.stop)
	<-l.done
	return errors.Join(l.log.Close(), l.unlock())
}

func (s *Sweep) mustHold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil {
		return fmt.Errorf("sweep %s: the lease is not held", s.store)
	}
	return nil
}

// write adds a record to the log.
func (s *Sweep) write(r record) error {
	s.mu.Lock()
	l := s.lease
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("sweep %s: the lease is not held", s.store)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	if _, err := l.log.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the sweep's log: %w", err)
	}
	return nil
}

// syncLog makes the log Synced once a second: after a power cut at most that
// much of the index has to be found again in the attempts.
func (l *lease) syncLog() {
	defer close(l.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.log.Sync()
		case <-l.stop:
			return
		}
	}
}

// Orphans returns the attempts that an earlier holder left open. Their
// processes must be gone before Lose is called.
func (s *Sweep) Orphans() []Began {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Began
	for _, id := range s.open() {
		out = append(out, *s.byID[id].Began)
	}
	return out
}

// Lose ends an orphaned attempt as lost, with the notebook as far as it was
// saved, or the template when nothing was.
func (s *Sweep) Lose(ctx context.Context, b Began, reason string) error {
	doc, err := s.lastSeen(ctx, b)
	if err != nil {
		return fmt.Errorf("end the lost run %s: %w", b.Run, err)
	}
	o := Outcome{Status: Lost, Kind: WorkerGone, Reason: reason, Start: b.At, End: now()}
	if o.End.Before(o.Start) {
		o.End = o.Start // the clock was set back
	}
	err = (&Attempt{Began: b, sweep: s}).End(ctx, doc, o, nil)
	if errors.Is(err, ErrEnded) {
		return nil
	}
	return err
}

func (s *Sweep) lastSeen(ctx context.Context, b Began) (*notebook.Notebook, error) {
	text, err := s.store.Get(ctx, keyPart(b.Run, b.Attempt))
	if errors.Is(err, fs.ErrNotExist) {
		st, _ := s.Run(b.Run)
		text, err = s.Object(ctx, s.templateKey(st.Run))
	}
	if err != nil {
		return nil, err
	}
	return notebook.Decode(text)
}

func (s *Sweep) templateKey(r Run) string {
	h, _ := s.Head()
	for _, t := range h.Templates {
		if t.Slot == r.Template {
			return t.Key
		}
	}
	return ""
}
