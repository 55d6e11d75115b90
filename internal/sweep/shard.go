package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/diary"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
)

// storedShard is a shard as it lies in the store.
type storedShard struct {
	Shard
	Epoch  int    `json:"epoch"`  // of the lease it was composed under
	Making string `json:"making"` // how its runs are executed: see Head.Making
}

// PutShard stores a shard before it is handed to somebody who outlives this
// process, and reports whether it was not there yet. A shard that is there
// already stays as it is.
func (l *Lease) PutShard(ctx context.Context, sh Shard) (fresh bool, err error) {
	if err := l.Check(ctx); err != nil {
		return false, err
	}
	s := l.sweep
	if s.Stored(sh.ID).Open() {
		return false, nil
	}
	err = s.store.Create(ctx, keyShard(sh.ID), jsonl.Line(storedShard{sh, l.epoch, s.making()}), store.Synced)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("store shard %s: %w", sh.ID, err)
	}
	s.knowShard(sh.ID, l.epoch)
	return err == nil, nil
}

// knowShard remembers under which lease an open shard was composed.
func (s *Sweep) knowShard(id string, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards[id] = epoch
}

func (s *Sweep) making() string {
	h, _ := s.Head()
	return h.Making()
}

// An OpenShard is one that was stored and never closed: somebody may be
// executing its runs.
type OpenShard struct {
	Shard
	Current bool // its runs are executed as the plan in force says
}

// OpenShards lists the shards that earlier holders of the lease left open.
func (s *Sweep) OpenShards(ctx context.Context) ([]OpenShard, error) {
	var open []OpenShard
	for id, err := range s.shardIDs(ctx) {
		if err != nil {
			return nil, err
		}
		if s.isClosed(id) {
			continue
		}
		sh, err := s.readShard(ctx, id)
		if err != nil {
			return nil, err
		}
		s.knowShard(id, sh.Epoch)
		open = append(open, OpenShard{sh.Shard, sh.Making == s.making()})
	}
	return open, nil
}

// Sharded reports whether workers were given runs, as far as OpenShards has seen.
func (s *Sweep) Sharded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.closed)+len(s.shards) > 0
}

func (s *Sweep) isClosed(shard string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed[shard]
}

// ShardsOf names the stored shards that some of these runs, or any, have travelled in.
func (s *Sweep) ShardsOf(ctx context.Context, runs []string) ([]string, error) {
	var ids []string
	for id, err := range s.shardIDs(ctx) {
		if err != nil {
			return nil, err
		}
		sh, err := s.readShard(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(runs) == 0 || slices.ContainsFunc(sh.Runs, func(run string) bool { return slices.Contains(runs, run) }) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// shardIDs lists the shards in the store, closed ones among them.
func (s *Sweep) shardIDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range s.store.List(ctx, prefixShards) {
			if err != nil {
				yield("", fmt.Errorf("list shards: %w", err))
				return
			}
			id, isShard := strings.CutSuffix(strings.TrimPrefix(o.Key, prefixShards), ".json")
			if isShard && !yield(id, nil) {
				return
			}
		}
	}
}

func (s *Sweep) readShard(ctx context.Context, id string) (storedShard, error) {
	var sh storedShard
	if err := s.get(ctx, keyShard(id), &sh); err != nil {
		return sh, fmt.Errorf("read shard %s: %w", id, err)
	}
	return sh, nil
}

// A Stored is a shard in the store as its controller handles it. Its worker
// has a Claim.
type Stored struct {
	sweep *Sweep
	id    string
}

// Stored is the handle of the stored shard with this id.
func (s *Sweep) Stored(id string) Stored { return Stored{s, id} }

// Open reports whether the shard was stored, by whomever, and not closed.
func (h Stored) Open() bool {
	h.sweep.mu.Lock()
	defer h.sweep.mu.Unlock()
	_, known := h.sweep.shards[h.id]
	return known
}

// Close records that nobody can be executing runs of the shard any more. It
// needs the lease.
func (h Stored) Close(ctx context.Context) error {
	c := closedShard{Shard: h.id}
	if err := h.sweep.Lease().write(ctx, record{Closed: &c}); err != nil {
		return err
	}
	h.sweep.mu.Lock()
	defer h.sweep.mu.Unlock()
	h.sweep.close(c)
	delete(h.sweep.absorbed, h.id)
	delete(h.sweep.begun, h.id)
	return nil
}

// Withdraw claims the shard for nobody, so that no worker executes it any
// more. ErrClaimed says that a worker was first.
func (h Stored) Withdraw(ctx context.Context) error {
	if err := h.claim(ctx, "nobody"); err != nil {
		return fmt.Errorf("withdraw shard %s: %w", h.id, err)
	}
	return nil
}

// recall is what the worker of a shard reads while it works.
type recall struct {
	Stop bool `json:"stop"` // also what it is executing: it was given up as lost
}

// Recall asks the worker of the shard to begin nothing more of it; with stop,
// to stop what it is executing as well.
func (h Stored) Recall(ctx context.Context, stop bool) error {
	if err := h.sweep.store.Put(ctx, keyRecall(h.id), jsonl.Line(recall{stop}), store.Synced); err != nil {
		return fmt.Errorf("recall shard %s: %w", h.id, err)
	}
	return nil
}

// Recalled reports whether the worker of the shard is to begin nothing more,
// and whether it is to stop what it is executing.
func (h Stored) Recalled(ctx context.Context) (recalled, stop bool, err error) {
	var r recall
	err = h.sweep.get(ctx, keyRecall(h.id), &r)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("read whether shard %s is recalled: %w", h.id, err)
	}
	return true, r.Stop, nil
}

// Complaint says why the worker of the shard could not begin, in its own
// words; empty when it did not say.
func (h Stored) Complaint(ctx context.Context) string {
	text, err := h.sweep.store.Get(ctx, keyComplaint(h.id))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// Diary is what the worker of the shard has printed, line by line, with times.
func (h Stored) Diary(ctx context.Context) ([]byte, error) {
	return diary.Read(ctx, h.sweep.store, keyDiary(h.id))
}

// Beats are the cells that the runs of the shard are at, as its worker last
// said, and when it said so by its own clock; zero when it never did.
func (h Stored) Beats(ctx context.Context) (cells []Note, at time.Time) {
	var b journal.Beat
	if h.sweep.get(ctx, keyBeat(h.id), &b) != nil {
		return nil, at
	}
	for _, r := range b.Runs {
		if st, ok := h.sweep.Run(r.Run); ok && st.Began != nil && st.Began.Attempt == r.Attempt {
			cells = append(cells, Note{Kind: NoteCell, Run: r.Run, Attempt: r.Attempt, Cell: r.Cell, Cells: r.Cells})
		}
	}
	return cells, b.At
}

// Absorb takes over what the worker of the shard has recorded since the last
// call, and returns it as notes. A worker that has recorded nothing yet is no
// error.
func (h Stored) Absorb(ctx context.Context) ([]Note, error) {
	s := h.sweep
	s.mu.Lock()
	from, epoch := s.absorbed[h.id], s.shards[h.id]
	s.mu.Unlock()
	b, next, err := s.store.Tail(ctx, keyLog(epoch, shardWriter(h.id)), from)
	if err != nil {
		return nil, fmt.Errorf("read the log of shard %s: %w", h.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.absorbed[h.id] != from {
		return nil, nil // another call was quicker
	}
	var notes []Note
	reader := journal.Reader{Every: true}
	whole := reader.Read(b, func(r record) {
		s.begins(h.id, r)
		news := r.News(s.state) // an opening may have read it before
		s.apply(r)
		if n, ok := noteOf(r); ok && news {
			notes = append(notes, n)
		}
	})
	s.absorbed[h.id] = next - int64(len(b)-whole)
	return notes, nil
}

// begins remembers which attempts the worker of a shard has begun. It is called
// with the lock.
func (s *Sweep) begins(shard string, r record) {
	if s.begun[shard] == nil {
		s.begun[shard] = map[string]int{}
	}
	switch {
	case r.Began != nil:
		s.begun[shard][r.Began.Run] = r.Began.Attempt
	case r.Abandoned != nil:
		delete(s.begun[shard], r.Abandoned.Run)
	}
}

// Done reports whether the worker of the shard has begun all of these runs and
// none of those attempts is open, as far as its log was absorbed.
func (h Stored) Done(runs []string) bool {
	h.sweep.mu.Lock()
	defer h.sweep.mu.Unlock()
	for _, id := range runs {
		n, begun := h.sweep.begun[h.id][id]
		if b := h.sweep.state(id).Began; !begun || b != nil && b.Attempt == n {
			return false
		}
	}
	return true
}

// noteOf is what a record says to people.
func noteOf(r record) (Note, bool) {
	switch {
	case r.Began != nil && r.Began.Kernel == "":
		return Note{Kind: NoteBegan, Run: r.Began.Run, Attempt: r.Began.Attempt, Where: where(*r.Began)}, true
	case r.Ended != nil:
		return Note{Kind: NoteEnded, Run: r.Ended.Run, Attempt: r.Ended.Attempt, Outcome: &r.Ended.Outcome}, true
	}
	return Note{}, false
}

// where says for people where an attempt executes, when that is not here.
func where(b Began) string {
	if b.Worker == "" {
		return ""
	}
	return b.Worker + " on " + b.Host
}
