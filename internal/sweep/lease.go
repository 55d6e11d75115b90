package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"strconv"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
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
	Lost bool // it was ours, and the other has taken it over
}

func (e *HeldError) Error() string {
	if e.Lost {
		return fmt.Sprintf("sweep %s was taken over by process %d of %s on %s, because nothing was heard of this one", e.Where, e.PID, e.User, e.Host)
	}
	return fmt.Sprintf("sweep %s is held by a live fanout: process %d of %s on %s, since %s",
		e.Where, e.PID, e.User, e.Host, e.Since.Local().Format("2006-01-02 15:04:05"))
}

// Hint says what to do about it.
func (e *HeldError) Hint() string {
	if e.Lost {
		return "leave it to the other, which has all that was finished; `fanout status` shows how far it is"
	}
	return fmt.Sprintf("wait for it, or end process %d; `fanout status` shows how far it is", e.PID)
}

// A lease is the right to begin and end attempts: the holder's, or that of the
// worker of one shard.
type lease struct {
	epoch  int
	worker string     // empty for the holder
	lock   store.Lock // nil for a worker
	log    store.Appender
	stop   chan struct{}
	done   chan struct{}
}

// Acquire takes the lease, so that this process alone plans and makes runs
// until Release. A *HeldError says who has it. It reads the sweep again: what
// the last holder did is known afterwards.
func (s *Sweep) Acquire(ctx context.Context) error {
	lock, err := s.lock(ctx)
	if errors.Is(err, store.ErrLocked) {
		return &HeldError{Where: s.store.String(), Holder: s.holder(ctx)}
	}
	if err != nil {
		return fmt.Errorf("take the lease of %s: %w", s.store, err)
	}
	// Before there is a new log: the lack of any says that all have to be rebuilt.
	fresh, err := Open(ctx, s.store)
	if err != nil {
		lock.Unlock()
		return err
	}
	l, err := s.newEpoch(ctx, lock)
	if err != nil {
		lock.Unlock()
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
	withSpec := s.spec != nil
	s.mu.Unlock()
	if withSpec {
		if err := s.readSpec(ctx); err != nil {
			return err
		}
	}
	return s.relog(ctx)
}

// lock tries for a moment: Held shares the lock for an instant to look.
func (s *Sweep) lock(ctx context.Context) (lock store.Lock, err error) {
	for range 5 {
		if lock, err = s.store.Lock(ctx, keyLock); !errors.Is(err, store.ErrLocked) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return lock, err
}

func (s *Sweep) newEpoch(ctx context.Context, lock store.Lock) (*lease, error) {
	last, err := s.lastEpoch(ctx)
	if err != nil {
		return nil, err
	}
	l := &lease{epoch: last + 1, lock: lock, stop: make(chan struct{}), done: make(chan struct{})}
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
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return Holder{Host: host, PID: os.Getpid(), User: name, Since: now()}
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

// Held reports who holds the sweep at this moment, if anybody does. It writes
// nothing.
func (s *Sweep) Held(ctx context.Context) (Holder, bool) {
	if locked, err := s.store.Locked(ctx, keyLock); err != nil || !locked {
		return Holder{}, false
	}
	return s.holder(ctx), true
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
	err := l.log.Close()
	if l.lock != nil {
		err = errors.Join(err, l.lock.Unlock())
	}
	return err
}

// Holding says why this process may not write the sweep any more, or nothing: a
// *HeldError is who has it now.
func (s *Sweep) Holding(ctx context.Context) error { return s.mustHold(ctx) }

// mustHold refuses to go on without the lease. A holder that another has
// taken the sweep from is told so by a *HeldError.
func (s *Sweep) mustHold(ctx context.Context) error {
	_, err := s.leased(ctx)
	return err
}

func (s *Sweep) leased(ctx context.Context) (*lease, error) {
	s.mu.Lock()
	l := s.lease
	s.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("sweep %s: the lease is not held", s.store)
	}
	if l.lock == nil {
		return l, nil
	}
	err := l.lock.Check(ctx)
	if errors.Is(err, store.ErrLost) {
		return nil, &HeldError{Where: s.store.String(), Holder: s.holder(ctx), Lost: true}
	}
	return l, err
}

// Guard returns a context that ends, with a *HeldError as its cause, when this
// process learns that it has lost the lease: what it makes must stop, because
// somebody else makes it now.
func (s *Sweep) Guard(ctx context.Context) (guarded context.Context, stop func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(guardEvery)
		defer tick.Stop()
		for {
			select {
			case <-guarded.Done():
				return
			case <-tick.C:
			}
			var lost *HeldError
			if errors.As(s.mustHold(guarded), &lost) {
				cancel(lost)
			}
		}
	}()
	return guarded, func() { cancel(context.Canceled) }
}

// guardEvery is how often Guard looks: the lock knows without asking anybody.
const guardEvery = time.Second

// write adds a record to the log: the reader of the log may rely on it.
func (s *Sweep) write(ctx context.Context, r record) error {
	return s.log(ctx, r, func(l store.Appender, line []byte) error { _, err := l.Write(line); return err })
}

// writeLater adds a record of which the store has the truth elsewhere.
func (s *Sweep) writeLater(ctx context.Context, r record) error {
	return s.log(ctx, r, store.Appender.Later)
}

func (s *Sweep) log(ctx context.Context, r record, add func(store.Appender, []byte) error) error {
	l, err := s.leased(ctx)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	if err := add(l.log, b.Bytes()); err != nil {
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
	o := outcome.Outcome{Status: outcome.Lost, Kind: outcome.WorkerGone, Reason: reason, Start: b.At, End: now()}
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
