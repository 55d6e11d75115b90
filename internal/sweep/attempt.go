package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/value"
)

// attemptTag is what an attempt's notebook says of itself, in its metadata.
type attemptTag struct {
	RunID   string          `json:"run_id"`
	Attempt int             `json:"attempt"`
	Outcome outcome.Outcome `json:"outcome"`
}

// An Attempt is one try at a run, open until End.
type Attempt struct {
	Began
	lease *Lease
}

// ErrEnded reports an attempt that somebody else ended first. What they
// wrote stands.
var ErrEnded = errors.New("the attempt has ended already")

// Begin opens the next attempt at a run. b says where it executes; Run,
// Attempt, At and Worker are filled in.
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
	b.Run, b.Attempt, b.At, b.Worker = run, st.Attempts+1, now(), l.worker
	st.began(b)
	s.mu.Unlock()
	return &Attempt{Began: b, lease: l}, l.write(ctx, record{Began: &b})
}

// Started adds to an open attempt by which mark its kernel's processes are
// found, so that a later opening can end what is left of them.
func (a *Attempt) Started(kernel string) error {
	a.Kernel = kernel
	b := a.Began
	a.lease.sweep.mu.Lock()
	a.lease.sweep.byID[b.Run].began(b)
	a.lease.sweep.mu.Unlock()
	return a.lease.write(context.Background(), record{Began: &b})
}

// Part saves the notebook as it stands, replacing what Part saved before.
func (a *Attempt) Part(ctx context.Context, doc []byte) error {
	return a.lease.sweep.store.Put(ctx, keyPart(a.Run, a.Attempt), doc, store.Cached)
}

// End ends the attempt: doc, with o in its metadata, becomes its notebook,
// and the run's notebook if it is better than what stood there. log is what
// the kernel printed outside its cells. ErrEnded says that somebody else was
// first; the store then holds what they wrote.
func (a *Attempt) End(ctx context.Context, doc *notebook.Notebook, o outcome.Outcome, log []byte) error {
	if !o.Status.Ended() {
		return fmt.Errorf("end run %s: %q is not how an attempt ends", a.Run, o.Status)
	}
	s := a.lease.sweep
	if err := doc.SetRecord(attemptTag{a.Run, a.Attempt, o}); err != nil {
		return fmt.Errorf("end run %s: %w", a.Run, err)
	}
	if len(log) > 0 {
		if err := s.store.Put(ctx, LogKey(a.Run, a.Attempt), log, store.Cached); err != nil {
			return fmt.Errorf("end run %s: %w", a.Run, err)
		}
	}
	key := keyAttempt(a.Run, a.Attempt)
	err := s.store.Create(ctx, key, doc.Encode(), store.Synced)
	if errors.Is(err, fs.ErrExist) {
		err = a.lease.catchUp(ctx, a.Run, a.Attempt)
		return errors.Join(fmt.Errorf("end run %s: %w", a.Run, ErrEnded), err)
	}
	if err != nil {
		return fmt.Errorf("end run %s: %w", a.Run, err)
	}
	return a.ended(ctx, doc, o)
}

func (a *Attempt) ended(ctx context.Context, doc *notebook.Notebook, o outcome.Outcome) error {
	e := ended{Run: a.Run, Attempt: a.Attempt, Outcome: o}
	e.Scraps, e.More = smallScraps(doc)
	a.lease.sweep.mu.Lock()
	a.lease.sweep.byID[a.Run].ended(e)
	a.lease.sweep.mu.Unlock()
	return a.lease.index(ctx, e)
}

// Abandon takes back an attempt of which nothing was executed: it leaves no
// trace but its record, and its number is used again.
func (a *Attempt) Abandon() error {
	gone := abandoned{a.Run, a.Attempt}
	a.lease.sweep.mu.Lock()
	a.lease.sweep.byID[a.Run].abandoned(gone)
	a.lease.sweep.mu.Unlock()
	return a.lease.write(context.Background(), record{Abandoned: &gone})
}

// Limits of what the log carries of an attempt's scraps.
const (
	maxScrap  = 4 << 10  // bytes of one
	maxScraps = 64 << 10 // bytes of all
)

// smallScraps returns the scraps that are plain values and small, and whether
// the notebook holds anything else that collecting wants.
func smallScraps(doc *notebook.Notebook) (Scraps, bool) {
	all, problems := doc.Scraps()
	more, total := len(problems) > 0, 0
	small := Scraps{}
	for _, s := range all {
		plain := s.HasData && s.Display == nil && s.Legacy == "" && (s.Encoder == "json" || s.Encoder == "text" && !looksSpecial(s.Data))
		if !plain || len(s.Data) > maxScrap || total+len(s.Data) > maxScraps {
			more = true
			continue
		}
		total += len(s.Data)
		small[s.Name] = s.Data
	}
	return small, more
}

// looksSpecial reports a text that, without its encoder, would be taken for a
// number that JSON cannot hold.
func looksSpecial(data json.RawMessage) bool {
	_, special := value.NonFinite(strings.Trim(string(data), `"`))
	return special
}

// Notebook returns the notebook that stands for a run: the one people see,
// or, when they removed it, the attempt it was made of.
func (s *Sweep) Notebook(ctx context.Context, st RunState) ([]byte, error) {
	b, err := s.store.Get(ctx, RunKey(st.Run.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return s.store.Get(ctx, keyAttempt(st.Run.ID, st.Best))
	}
	return b, err
}

// Parts lists the notebooks of attempts that are under way, by run id.
func (s *Sweep) Parts(ctx context.Context) (map[string]string, error) {
	parts := map[string]string{}
	for _, st := range s.Runs() {
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
			s.byID[run].Scraps, _ = smallScraps(doc)
			s.mu.Unlock()
		}
	}
	return nil
}
