package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
)

// A Lease is the right to change a sweep: its holder's or, as far as one shard
// goes, that of the shard's worker. Its methods may be called concurrently;
// after Release, and when another has taken the sweep over, they fail.
type Lease struct {
	sweep  *Sweep
	term   *lease.Term // nil for a worker
	epoch  int
	shards atomic.Int64 // composed so far
	worker string       // empty for the holder
	shard  string       // of the worker
	log    store.Appender
	stop   chan struct{}
	done   chan struct{}
}

// Acquire takes the lease, so that this process alone plans and executes runs
// until Release. A *lease.HeldError says who has it. It reads the sweep again:
// what the last holder did is known afterwards. After an error of the store the sweep
// knows no runs any more.
func (s *Sweep) Acquire(ctx context.Context) (*Lease, error) {
	term, err := lease.Take(ctx, s.store)
	if err != nil {
		return nil, err
	}
	l := &Lease{sweep: s, term: term, epoch: term.Epoch()}
	s.mu.Lock()
	s.runs, s.byID, s.chain = nil, map[string]*RunState{}, nil // what is read again is as large
	s.mu.Unlock()
	// Before there is a new log: the lack of any says that all have to be rebuilt.
	fresh, err := Open(ctx, s.store)
	if err == nil {
		err = l.start(ctx, "fanout")
	}
	if err != nil {
		return nil, errors.Join(err, term.End())
	}
	if err := l.takeOver(ctx, fresh); err != nil {
		return nil, errors.Join(err, l.Release())
	}
	return l, nil
}

// start opens the log of the lease's writer and makes the lease the one that
// this process has.
func (l *Lease) start(ctx context.Context, writer string) (err error) {
	if l.log, err = l.sweep.store.Append(ctx, keyLog(l.epoch, writer)); err != nil {
		return fmt.Errorf("open a log of %s: %w", l.sweep.store, err)
	}
	l.stop, l.done = make(chan struct{}), make(chan struct{})
	l.sweep.mu.Lock()
	l.sweep.lease = l
	l.sweep.mu.Unlock()
	go l.syncLog()
	return nil
}

// Lease is what this process has of the sweep. While it only reads, that is a
// lease whose methods fail.
func (s *Sweep) Lease() *Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil {
		return &Lease{sweep: s}
	}
	return s.lease
}

// takeOver makes what fresh knows what the sweep knows.
func (l *Lease) takeOver(ctx context.Context, fresh *Sweep) error {
	s := l.sweep
	s.mu.Lock()
	s.head, s.planned, s.runs, s.byID = fresh.head, fresh.planned, fresh.runs, fresh.byID
	s.chain, s.unlogged, s.closed = fresh.chain, fresh.unlogged, fresh.closed
	withSpec := s.spec != nil
	s.mu.Unlock()
	if withSpec {
		if err := s.readSpec(ctx); err != nil {
			return err
		}
	}
	return l.relog(ctx)
}

// Epoch numbers the term of the lease, from 1; it is 0 for whoever only reads.
func (l *Lease) Epoch() int { return l.epoch }

// NextShard is the id of one more shard of this holder: no two have the same, however
// often runs are fanned out.
func (l *Lease) NextShard() string { return fmt.Sprintf("%d-%d", l.epoch, l.shards.Add(1)) }

// Check says why this process may not change the sweep any more, or nothing: a
// *lease.HeldError is who has it now.
func (l *Lease) Check(ctx context.Context) error {
	l.sweep.mu.Lock()
	held := l.sweep.lease == l
	l.sweep.mu.Unlock()
	if !held {
		return fmt.Errorf("sweep %s: the lease is not held", l.sweep.store)
	}
	if l.term == nil {
		return nil
	}
	return l.term.Check(ctx)
}

// Guard returns a context that ends, with a *lease.HeldError as its cause, when
// this process learns that another has taken the sweep over: it must stop what
// it executes, because the other executes it now.
func (l *Lease) Guard(ctx context.Context) (guarded context.Context, stop func()) {
	return lease.Guard(ctx, l.Check)
}

// CancelAsked says who asked this process, the holder, to stop, if anybody did.
func (l *Lease) CancelAsked(ctx context.Context) (by lease.Holder, asked bool, err error) {
	if l.term == nil {
		return by, false, nil
	}
	return l.term.CancelAsked(ctx)
}

// Release gives the lease back, once; what was recorded is Synced first.
func (l *Lease) Release() error {
	l.sweep.mu.Lock()
	held := l.sweep.lease == l
	if held {
		l.sweep.lease = nil
	}
	l.sweep.mu.Unlock()
	if !held {
		return nil
	}
	close(l.stop)
	<-l.done
	err := l.log.Close()
	if l.term != nil {
		err = errors.Join(err, l.term.End())
	}
	return err
}

// Held reports who holds the sweep at this moment, if anybody does. It writes
// nothing.
func (s *Sweep) Held(ctx context.Context) (lease.Holder, bool) { return lease.HeldBy(ctx, s.store) }

// Maker is who planned the sweep first, as the sweep says; zero when it does not.
func (s *Sweep) Maker(ctx context.Context) lease.Holder { return lease.First(ctx, s.store) }

// AskCancel asks the process that holds the sweep to stop what it executes and
// to leave.
func (s *Sweep) AskCancel(ctx context.Context) error { return lease.AskCancel(ctx, s.store) }

// record takes over a record and adds it to the log.
func (l *Lease) record(ctx context.Context, r record) error {
	l.sweep.learn(r)
	return l.write(ctx, r)
}

// write adds a record to the log: readers of the log may rely on it.
func (l *Lease) write(ctx context.Context, r record) error {
	return l.add(ctx, r, func(log store.Appender, line []byte) error { _, err := log.Write(line); return err })
}

// writeLater adds a record of which the store has the truth elsewhere.
func (l *Lease) writeLater(ctx context.Context, r record) error {
	return l.add(ctx, r, store.Appender.Later)
}

func (l *Lease) add(ctx context.Context, r record, add func(store.Appender, []byte) error) error {
	if err := l.Check(ctx); err != nil {
		return err
	}
	line, err := jsonl.Encode([]record{r})
	if err != nil {
		return err
	}
	if err := add(l.log, line); err != nil {
		return fmt.Errorf("write the sweep's log: %w", err)
	}
	return nil
}

// syncLog makes the log Synced once a second: after a power cut at most that
// much of the index has to be found again in the attempts.
func (l *Lease) syncLog() {
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
func (l *Lease) Lose(ctx context.Context, b Began, reason string) error {
	doc, err := l.sweep.lastSeen(ctx, b)
	if err != nil {
		return fmt.Errorf("end the lost run %s: %w", b.Run, err)
	}
	o := outcome.Outcome{Status: outcome.Lost, Kind: outcome.WorkerGone, Reason: reason, Start: b.At, End: now()}
	if o.End.Before(o.Start) {
		o.End = o.Start // the clock was set back
	}
	err = (&Attempt{Began: b, lease: l}).End(ctx, doc, o, nil)
	if errors.Is(err, ErrEnded) {
		return l.catchUp(ctx, b.Run, b.Attempt)
	}
	return err
}

func (s *Sweep) lastSeen(ctx context.Context, b Began) (*notebook.Notebook, error) {
	text, err := s.store.Get(ctx, keyPart(b.Run, b.Attempt))
	if errors.Is(err, fs.ErrNotExist) {
		st, _ := s.Run(b.Run)
		_, doc, err := s.TemplateOf(ctx, st.Run)
		return doc, err
	}
	if err != nil {
		return nil, err
	}
	return notebook.Decode(text)
}
