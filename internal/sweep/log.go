package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/sweep/internal/scraps"
)

// readAttempts replays the log, then looks at the attempts the log leaves
// open: their notebooks say whether they ended.
func (s *Sweep) readAttempts(ctx context.Context) error {
	logged := false
	var reader journal.Reader
	key := ""
	for log, err := range s.store.Logs(ctx, prefixLog) {
		if err != nil {
			return err
		}
		if log.Key != key {
			reader.End()
		}
		logged, key = true, log.Key
		reader.Next(log.Data, s.apply)
	}
	if !logged {
		return s.rebuild(ctx)
	}
	return s.settle(ctx)
}

// apply takes over what a record says. It is called with the lock, or before
// anybody else has the sweep.
func (s *Sweep) apply(r record) {
	if r.Closed != nil {
		s.close(*r.Closed)
		return
	}
	r.Apply(s.state)
}

// learn is apply with the lock.
func (s *Sweep) learn(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(r)
}

func (s *Sweep) close(c closedShard) {
	s.closed[c.Shard] = true
	delete(s.shards, c.Shard)
}

// state finds a run, also one that no readable plan knows.
func (s *Sweep) state(id string) *RunState {
	st, ok := s.byID[id]
	if !ok {
		st = &RunState{Run: Run{ID: id, Unplanned: true}, Status: outcome.Planned}
		s.byID[id] = st
	}
	return st
}

// settle looks for the notebooks of attempts that the log leaves open.
func (s *Sweep) settle(ctx context.Context) error {
	for _, id := range s.open() {
		err := s.find(ctx, id, s.byID[id].Began.Attempt)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// open lists the runs with an open attempt, in a fixed order.
func (s *Sweep) open() []string {
	var ids []string
	for id, st := range s.byID {
		if st.Began != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// rebuild indexes every attempt anew.
func (s *Sweep) rebuild(ctx context.Context) error {
	for o, err := range s.store.List(ctx, prefixAttempt) {
		if err != nil {
			return err
		}
		if run, n, ok := parseAttempt(o.Key); ok {
			if err := s.find(ctx, run, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// find takes in an attempt that the log lacks the end of.
func (s *Sweep) find(ctx context.Context, run string, n int) error {
	e, err := s.readAttempt(ctx, run, n)
	if err == nil {
		s.unlogged = append(s.unlogged, e)
	}
	return err
}

// readAttempt applies what an attempt's notebook says of itself, and returns
// the record that the log lacks.
func (s *Sweep) readAttempt(ctx context.Context, run string, n int) (ended, error) {
	key := AttemptKey(run, n)
	o, err := s.store.Stat(ctx, key)
	if err != nil {
		return ended{}, err
	}
	doc, tag, err := s.attemptIn(ctx, key)
	if err != nil {
		return ended{}, err
	}
	e := ended{Run: run, Attempt: n, Outcome: tag.Outcome, Size: o.Size, ModTime: o.ModTime.UnixNano(), Kept: tag.Kept}
	e.Scraps, e.More = scraps.Small(doc)
	s.learn(record{Ended: &e})
	return e, nil
}

// catchUp takes over an attempt whose notebook stands and whose end nobody has
// recorded.
func (l *Lease) catchUp(ctx context.Context, run string, n int) error {
	e, err := l.sweep.readAttempt(ctx, run, n)
	if err != nil {
		return err
	}
	return l.index(ctx, e)
}

// attemptIn reads the notebook of an attempt that ended, and what it says of
// itself.
func (s *Sweep) attemptIn(ctx context.Context, key string) (*notebook.Notebook, attemptTag, error) {
	var tag attemptTag
	b, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, tag, err
	}
	doc, err := notebook.Decode(b)
	if err != nil {
		return nil, tag, fmt.Errorf("read %s: %w", key, err)
	}
	if ok, err := doc.Record(&tag); !ok || err != nil {
		return nil, tag, fmt.Errorf("read %s: it has no record of how the attempt ended", key)
	}
	return doc, tag, nil
}

// relog finishes what a crash, or the loss of the log, left undone for
// attempts whose notebooks stand: their records and the runs' notebooks.
func (l *Lease) relog(ctx context.Context) error {
	for _, e := range l.sweep.unlogged {
		if err := l.index(ctx, e); err != nil {
			return err
		}
	}
	l.sweep.unlogged = nil
	return nil
}

// Settle looks for the ends of attempts that nobody has recorded: their
// notebooks say that they ended. What is still open is returned.
func (l *Lease) Settle(ctx context.Context, runs []string) ([]Began, error) {
	var open []Began
	for _, id := range runs {
		st, _ := l.sweep.Run(id)
		if st.Began == nil {
			continue
		}
		err := l.catchUp(ctx, id, st.Began.Attempt)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			open = append(open, *st.Began)
		case err != nil:
			return open, err
		}
	}
	return open, nil
}
