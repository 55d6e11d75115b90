package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// ErrClaimed reports a shard that another worker has taken already.
var ErrClaimed = errors.New("another worker has taken the shard")

// storedShard is a shard as it lies in the store.
type storedShard struct {
	Shard
	Epoch int `json:"epoch"` // of the lease it was composed under
}

// claim says who makes a shard.
type claim struct {
	Worker string    `json:"worker"`
	Host   string    `json:"host"`
	At     time.Time `json:"at"`
}

// PutShard stores a shard before it is handed to somebody who outlives this
// process. It needs the lease. A shard that is there already stays as it is.
func (s *Sweep) PutShard(ctx context.Context, sh Shard) error {
	if err := s.mustHold(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(storedShard{sh, s.Epoch()})
	if err != nil {
		return err
	}
	err = s.store.Create(ctx, keyShard(sh.ID), append(text, '\n'), store.Synced)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("store shard %s: %w", sh.ID, err)
	}
	return nil
}

// Join makes this process the worker of a stored shard: it may begin attempts
// at the shard's runs until Release. worker says who it is to whoever reads
// the sweep. ErrClaimed says that somebody else is.
func (s *Sweep) Join(ctx context.Context, shard, worker string) (Shard, error) {
	text, err := s.store.Get(ctx, keyShard(shard))
	if err != nil {
		return Shard{}, fmt.Errorf("read shard %s: %w", shard, err)
	}
	var sh storedShard
	if err := json.Unmarshal(text, &sh); err != nil {
		return Shard{}, fmt.Errorf("read shard %s: %w", shard, err)
	}
	me, err := json.Marshal(claim{worker, thisHolder().Host, now()})
	if err != nil {
		return Shard{}, err
	}
	err = s.store.Create(ctx, keyClaim(shard), append(me, '\n'), store.Synced)
	if errors.Is(err, fs.ErrExist) {
		return Shard{}, fmt.Errorf("join shard %s: %w", shard, ErrClaimed)
	}
	if err != nil {
		return Shard{}, fmt.Errorf("join shard %s: %w", shard, err)
	}
	l := &lease{epoch: sh.Epoch, worker: worker, stop: make(chan struct{}), done: make(chan struct{})}
	if l.log, err = s.store.Append(ctx, keyLog(sh.Epoch, shardWriter(shard))); err != nil {
		return Shard{}, fmt.Errorf("join shard %s: %w", shard, err)
	}
	s.mu.Lock()
	s.lease = l
	s.mu.Unlock()
	go l.syncLog()
	return sh.Shard, nil
}

func shardWriter(shard string) string { return "shard-" + shard }

// A beat is where a run is that a worker is making.
type beat struct {
	Run     string `json:"run"`
	Attempt int    `json:"n"`
	Cell    int    `json:"cell"`
	Cells   int    `json:"cells"`
}

// Beat tells whoever watches a shard how far its runs are: cells are notes of
// kind NoteCell.
func (s *Sweep) Beat(ctx context.Context, shard string, cells []Note) error {
	var beats []beat
	for _, n := range cells {
		beats = append(beats, beat{n.Run, n.Attempt, n.Cell, n.Cells})
	}
	text, err := json.Marshal(beats)
	if err != nil {
		return err
	}
	return s.store.Put(ctx, keyBeat(shard), append(text, '\n'), store.Cached)
}

// Beats are the cells that the runs of a shard are at, as its worker last said.
func (s *Sweep) Beats(ctx context.Context, shard string) []Note {
	text, err := s.store.Get(ctx, keyBeat(shard))
	if err != nil {
		return nil
	}
	var beats []beat
	if json.Unmarshal(text, &beats) != nil {
		return nil
	}
	var notes []Note
	for _, b := range beats {
		if st, ok := s.Run(b.Run); ok && st.Began != nil && st.Began.Attempt == b.Attempt {
			notes = append(notes, Note{Kind: NoteCell, Run: b.Run, Attempt: b.Attempt, Cell: b.Cell, Cells: b.Cells})
		}
	}
	return notes
}

// Absorb takes over what the worker of a shard has recorded since the last
// call, and returns it as notes. A worker that has recorded nothing yet is no
// error.
func (s *Sweep) Absorb(ctx context.Context, shard string) ([]Note, error) {
	s.mu.Lock()
	from := s.absorbed[shard]
	s.mu.Unlock()
	b, next, err := s.store.Tail(ctx, keyLog(s.Epoch(), shardWriter(shard)), from)
	if err != nil {
		return nil, fmt.Errorf("read the log of shard %s: %w", shard, err)
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	records, errs := decodeLines[record](b[:whole])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.absorbed == nil {
		s.absorbed = map[string]int64{}
	}
	if s.absorbed[shard] != from {
		return nil, nil // another call was quicker
	}
	s.absorbed[shard] = next - int64(len(b)-whole)
	var notes []Note
	for i, r := range records {
		if errs[i] != nil {
			continue
		}
		s.apply(r)
		if n, ok := r.note(); ok {
			notes = append(notes, n)
		}
	}
	return notes, nil
}

// note tells people what a record says.
func (r record) note() (Note, bool) {
	switch {
	case r.Began != nil && r.Began.Kernel == "":
		return Note{Kind: NoteBegan, Run: r.Began.Run, Attempt: r.Began.Attempt}, true
	case r.Ended != nil:
		return Note{Kind: NoteEnded, Run: r.Ended.Run, Attempt: r.Ended.Attempt, Outcome: &r.Ended.Outcome}, true
	}
	return Note{}, false
}

// Settle looks for the ends of attempts that nobody has recorded: their
// notebooks say that they ended. What is still open is returned.
func (s *Sweep) Settle(ctx context.Context, runs []string) ([]Began, error) {
	var open []Began
	for _, id := range runs {
		st, _ := s.Run(id)
		if st.Began == nil {
			continue
		}
		err := s.catchUp(ctx, id, st.Began.Attempt)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			open = append(open, *st.Began)
		case err != nil:
			return open, err
		}
	}
	return open, nil
}
