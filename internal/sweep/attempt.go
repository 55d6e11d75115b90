package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/chain"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/sweep/internal/scraps"
)

// attemptTag is what an attempt's notebook says of itself, in its metadata.
type attemptTag struct {
	RunID   string          `json:"run_id"`
	Attempt int             `json:"attempt"`
	Outcome outcome.Outcome `json:"outcome"`
	Kept    []string        `json:"kept"` // names of its files; null in notebooks of early versions
}

// An Attempt is one try at a run, open until End.
type Attempt struct {
	Began
	lease *Lease
	kept  []string
	files map[string]string // kept file → digest of its content; nil where no run may need it
}

// ErrEnded reports an attempt that somebody else ended first. What they
// wrote stands.
var ErrEnded = errors.New("the attempt has ended already")

// ErrRecalled reports that the shard of a run was recalled before the run
// began: it stays planned.
var ErrRecalled = errors.New("the shard was recalled")

// Begin opens the next attempt at a run. b says where it executes; Run,
// Attempt, At and Worker are filled in. To a worker ErrRecalled says that it is
// to begin nothing more.
func (l *Lease) Begin(ctx context.Context, run string, b Began) (*Attempt, error) {
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	s := l.sweep
	s.mu.Lock()
	st, ok := s.byID[run]
	if !ok {
		s.mu.Unlock()
		return nil, fmt.Errorf("begin run %s: it was never planned", run)
	}
	if st.Attempts >= journal.MaxAttempts {
		s.mu.Unlock()
		return nil, fmt.Errorf("begin run %s: the sweep says that it was tried %d times, which nobody did", run, st.Attempts)
	}
	b.Run, b.Attempt, b.At, b.Worker = run, st.Attempts+1, now(), l.worker
	s.apply(record{Began: &b})
	s.mu.Unlock()
	a := &Attempt{Began: b, lease: l, kept: []string{}}
	if head, _ := s.Head(); len(head.Steps) > 0 {
		a.files = map[string]string{}
	}
	if err := l.write(ctx, record{Began: &b}); err != nil {
		return nil, err
	}
	return a, a.checkRecall(ctx)
}

// checkRecall takes the attempt back if the worker's shard was recalled. Its
// record comes first: whoever recalls a shard reads its log afterwards, so that
// one of the two sees the other, and no two attempts have one number.
func (a *Attempt) checkRecall(ctx context.Context) error {
	if a.lease.shard == "" {
		return nil
	}
	recalled, _, err := a.lease.sweep.Stored(a.lease.shard).Recalled(context.WithoutCancel(ctx))
	if recalled {
		err = ErrRecalled
	}
	if err != nil {
		return errors.Join(err, a.Abandon())
	}
	return nil
}

// Started adds to an open attempt by which mark its kernel's processes are
// found, so that a later opening can end what is left of them.
func (a *Attempt) Started(kernel string) error {
	a.Kernel = kernel
	b := a.Began
	return a.lease.record(context.Background(), record{Began: &b})
}

// Part saves the notebook as it stands, replacing what Part saved before.
func (a *Attempt) Part(ctx context.Context, doc []byte) error {
	return a.lease.sweep.store.Put(ctx, keyPart(a.Run, a.Attempt), doc, store.Cached)
}

// Keep stores a file of the attempt, which becomes one of the run's artifacts if
// the attempt comes to stand for the run. name is relative and slash-separated.
func (a *Attempt) Keep(ctx context.Context, name string, write func(io.Writer) error) error {
	key, h := keyKept(a.Run, a.Attempt, len(a.kept)), sha256.New()
	if a.files != nil {
		write = chain.Digesting(write, h)
	}
	if err := a.lease.sweep.store.Write(ctx, key, write, store.Cached); err != nil {
		return fmt.Errorf("keep %s of run %s: %w", name, a.Run, err)
	}
	a.kept = append(a.kept, name)
	if a.files != nil {
		a.files[name] = hex.EncodeToString(h.Sum(nil))
	}
	return nil
}

// End ends the attempt: doc, with o in its metadata, becomes its notebook,
// and the run's notebook if it is better than what stood there. log is what
// the kernel printed outside its cells. ErrEnded says that somebody else was
// first: what they wrote stands, and nothing was changed.
func (a *Attempt) End(ctx context.Context, doc *notebook.Notebook, o outcome.Outcome, log []byte) error {
	if !o.Status.Ended() {
		return fmt.Errorf("end run %s: %q is not how an attempt ends", a.Run, o.Status)
	}
	s := a.lease.sweep
	if a.files != nil {
		o.Left, o.Files = chain.LeftBy(doc, a.files), a.kept
	}
	if err := doc.SetRecord(attemptTag{a.Run, a.Attempt, o, a.kept}); err != nil {
		return fmt.Errorf("end run %s: %w", a.Run, err)
	}
	err := s.store.Create(ctx, AttemptKey(a.Run, a.Attempt), doc.Encode(), store.Synced)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("end run %s: %w", a.Run, errors.Join(ErrEnded, a.discard(ctx)))
	}
	if err == nil && len(log) > 0 {
		err = s.store.Put(ctx, LogKey(a.Run, a.Attempt), log, store.Cached)
	}
	if err != nil {
		return fmt.Errorf("end run %s: %w", a.Run, err)
	}
	return a.ended(ctx, doc, o)
}

// discard removes what a late writer stored for itself alone.
func (a *Attempt) discard(ctx context.Context) error {
	keys := []string{keyPart(a.Run, a.Attempt)}
	for i := range a.kept {
		keys = append(keys, keyKept(a.Run, a.Attempt, i))
	}
	return a.lease.sweep.deleteAll(ctx, keys)
}

func (a *Attempt) ended(ctx context.Context, doc *notebook.Notebook, o outcome.Outcome) error {
	e := ended{Run: a.Run, Attempt: a.Attempt, Outcome: o, Kept: a.kept}
	e.Scraps, e.More = scraps.Small(doc)
	a.lease.sweep.learn(record{Ended: &e})
	return a.lease.index(ctx, e)
}

// Abandon takes back an attempt of which nothing was executed: it leaves no
// trace but its record, and its number is used again.
func (a *Attempt) Abandon() error {
	return a.lease.record(context.Background(), record{Abandoned: &abandoned{Run: a.Run, Attempt: a.Attempt}})
}

// Parts lists the notebooks of attempts that are under way, by run id.
func (s *Sweep) Parts(ctx context.Context) (map[string]string, error) {
	parts := map[string]string{}
	for st := range s.All() {
		if st.Began == nil {
			continue
		}
		key := keyPart(st.Run.ID, st.Began.Attempt)
		if _, err := s.store.Stat(ctx, key); err == nil {
			parts[st.Run.ID] = key
		}
	}
	return parts, nil
}

// UnderWay replaces the scraps of the runs that are being made by what their
// notebooks, as last saved, hold of plain scraps.
func (s *Sweep) UnderWay(ctx context.Context) error {
	parts, err := s.Parts(ctx)
	if err != nil {
		return err
	}
	for run, key := range parts {
		b, err := s.store.Get(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return err
		}
		if doc, err := notebook.Decode(b); err == nil {
			s.mu.Lock()
			s.byID[run].Scraps, _ = scraps.Small(doc)
			s.mu.Unlock()
		}
	}
	return nil
}
