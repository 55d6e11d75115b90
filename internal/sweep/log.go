package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
	"github.com/fanout-dev/fanout/internal/sweep/internal/scraps"
)

// A record is one line of the log.
type record struct {
	Began     *Began       `json:"began,omitempty"`
	Abandoned *abandoned   `json:"abandoned,omitempty"`
	Ended     *ended       `json:"ended,omitempty"`
	Forgotten *forgotten   `json:"forgotten,omitempty"`
	Accepted  []Accepted   `json:"accepted,omitempty"`
	Closed    *closedShard `json:"closed,omitempty"`
}

// closedShard says that nothing of a shard can be at work any more.
type closedShard struct {
	Shard string `json:"shard"`
}

// abandoned takes a began back.
type abandoned struct {
	Run     string `json:"run"`
	Attempt int    `json:"n"`
}

// forgotten says that what was known of a run is to be removed. Numbers of
// attempts are not used again.
type forgotten struct {
	Run      string `json:"run"`
	Attempts int    `json:"n"`
}

// ended indexes an attempt's notebook.
type ended struct {
	Run     string          `json:"run"`
	Attempt int             `json:"n"`
	Outcome outcome.Outcome `json:"outcome"`
	Scraps  Scraps          `json:"scraps,omitempty"`
	More    bool            `json:"more,omitempty"`
	Size    int64           `json:"size"`
	ModTime int64           `json:"mtime_ns"`

	kept []string // names of its files, nil where that is not known
}

// readAttempts replays the log, then looks at the attempts the log leaves
// open: their notebooks say whether they ended.
func (s *Sweep) readAttempts(ctx context.Context) error {
	logged := false
	for log, err := range s.store.Logs(ctx, prefixLog) {
		if err != nil {
			return err
		}
		logged = true
		s.replay(log.Data)
	}
	if !logged {
		return s.rebuild(ctx)
	}
	return s.settle(ctx)
}

// replay applies the records of one log. A last line that a crash cut short
// is dropped: what it said is found in the attempts.
func (s *Sweep) replay(b []byte) {
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	records, errs := jsonl.Decode[record](b)
	for i, r := range records {
		if errs[i] == nil {
			s.apply(r)
		}
	}
}

func (s *Sweep) apply(r record) {
	switch {
	case r.Began != nil:
		s.state(r.Began.Run).began(*r.Began)
	case r.Abandoned != nil:
		s.state(r.Abandoned.Run).abandoned(*r.Abandoned)
	case r.Ended != nil:
		s.state(r.Ended.Run).ended(*r.Ended)
	case r.Forgotten != nil:
		s.state(r.Forgotten.Run).forgotten(*r.Forgotten)
	case r.Accepted != nil:
		for _, a := range r.Accepted {
			s.state(a.Run).Accepted = &a
		}
	case r.Closed != nil:
		s.close(*r.Closed)
	}
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

func (st *RunState) began(b Began) {
	if b.Attempt <= st.Attempts && (st.Began == nil || st.Began.Attempt != b.Attempt) {
		return // its end is known already
	}
	st.Attempts = max(st.Attempts, b.Attempt)
	st.Began = &b
	st.Status = outcome.Running
}

func (st *RunState) abandoned(a abandoned) {
	if st.Began != nil && st.Began.Attempt == a.Attempt {
		st.Began, st.Attempts = nil, a.Attempt-1
		st.Status = st.settled()
	}
}

// ended records an end. What stands in runs/ is the newest success, or the
// newest attempt while there is none.
func (st *RunState) ended(e ended) {
	st.Attempts = max(st.Attempts, e.Attempt)
	if st.Began != nil && st.Began.Attempt <= e.Attempt {
		st.Began = nil
	}
	out := e.Outcome
	if e.Attempt >= st.last { // by number: clocks of machines differ
		st.last, st.Last = e.Attempt, &out
	}
	if st.better(e.Attempt, out) {
		st.Best, st.BestOut = e.Attempt, &out
		st.Scraps, st.More, st.Size, st.ModTime = e.Scraps, e.More, e.Size, e.ModTime
		st.Key = RunKey(e.Run)
	}
	if st.Began == nil {
		st.Status = st.settled()
	}
}

// better reports whether attempt n, which ended with o, replaces the best.
// Records of several writers are not read in the order they were written in.
func (st *RunState) better(n int, o outcome.Outcome) bool {
	if st.BestOut == nil {
		return true
	}
	if was := st.BestOut.Status == outcome.Succeeded; was != (o.Status == outcome.Succeeded) {
		return !was
	}
	return n >= st.Best
}

func (st *RunState) forgotten(f forgotten) {
	*st = RunState{Run: st.Run, Status: outcome.Planned, Attempts: f.Attempts}
}

// settled is the status of a run of which no attempt is open. A success is
// not undone by a later attempt that was only interrupted or lost.
func (st *RunState) settled() outcome.Status {
	switch {
	case st.Last == nil:
		return outcome.Planned
	case st.BestOut.Status == outcome.Succeeded && (st.Last.Status == outcome.Canceled || st.Last.Status == outcome.Lost):
		return outcome.Succeeded
	}
	return st.Last.Status
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
	key := keyAttempt(run, n)
	o, err := s.store.Stat(ctx, key)
	if err != nil {
		return ended{}, err
	}
	doc, tag, err := s.attemptIn(ctx, key)
	if err != nil {
		return ended{}, err
	}
	e := ended{Run: run, Attempt: n, Outcome: tag.Outcome, Size: o.Size, ModTime: o.ModTime.UnixNano(), kept: tag.Kept}
	e.Scraps, e.More = scraps.Small(doc)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state(run).ended(e)
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
