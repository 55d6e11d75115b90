package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// ErrClaimed reports a shard that another worker has taken already.
var ErrClaimed = errors.New("another worker has taken the shard")

// storedShard is a shard as it lies in the store.
type storedShard struct {
	Shard
	Epoch  int    `json:"epoch"`  // of the lease it was composed under
	Making string `json:"making"` // how its runs are made: see Sweep.making
}

// claim says who makes a shard.
type claim struct {
	Worker string    `json:"worker"`
	Host   string    `json:"host"`
	At     time.Time `json:"at"`
}

// PutShard stores a shard before it is handed to somebody who outlives this
// process, and reports whether it was not there yet. It needs the lease. A
// shard that is there already stays as it is.
func (s *Sweep) PutShard(ctx context.Context, sh Shard) (fresh bool, err error) {
	if err := s.mustHold(ctx); err != nil {
		return false, err
	}
	if _, known := s.epochOf(sh.ID); known {
		return false, nil
	}
	text, err := json.Marshal(storedShard{sh, s.Epoch(), s.making()})
	if err != nil {
		return false, err
	}
	err = s.store.Create(ctx, keyShard(sh.ID), append(text, '\n'), store.Synced)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("store shard %s: %w", sh.ID, err)
	}
	s.knowShard(sh.ID, s.Epoch())
	return err == nil, nil
}

// knowShard remembers under which lease an open shard was composed.
func (s *Sweep) knowShard(id string, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards == nil {
		s.shards = map[string]int{}
	}
	s.shards[id] = epoch
}

func (s *Sweep) epochOf(shard string) (epoch int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	epoch, known = s.shards[shard]
	return epoch, known
}

// ShardOpen reports whether a shard was stored, by whomever, and not closed.
func (s *Sweep) ShardOpen(id string) bool {
	_, known := s.epochOf(id)
	return known
}

// making digests how the plan in force makes its runs: a shard composed under
// another one makes something else.
func (s *Sweep) making() string {
	h, _ := s.Head()
	text, err := json.Marshal(struct {
		Templates []Template
		Files     string
		Recipe    Recipe
	}{h.Templates, h.FilesDigest, h.Recipe})
	if err != nil {
		return "" // a recipe is data
	}
	return Digest(text)
}

// An OpenShard is one that was stored and never closed: somebody may be making
// its runs.
type OpenShard struct {
	Shard
	Current bool // its runs are made as the plan in force says
}

// OpenShards lists the shards that earlier holders of the lease left open.
func (s *Sweep) OpenShards(ctx context.Context) ([]OpenShard, error) {
	var open []OpenShard
	for o, err := range s.store.List(ctx, prefixShards) {
		if err != nil {
			return nil, fmt.Errorf("list shards: %w", err)
		}
		id, isShard := strings.CutSuffix(strings.TrimPrefix(o.Key, prefixShards), ".json")
		if !isShard || s.shardClosed(id) {
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

func (s *Sweep) shardClosed(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed[id]
}

// CloseShard records that nothing of a shard can be at work any more.
func (s *Sweep) CloseShard(ctx context.Context, id string) error {
	c := closedShard{id}
	if err := s.write(ctx, record{Closed: &c}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close(c)
	delete(s.absorbed, id)
	return nil
}

func (s *Sweep) readShard(ctx context.Context, id string) (storedShard, error) {
	var sh storedShard
	text, err := s.store.Get(ctx, keyShard(id))
	if err == nil {
		err = json.Unmarshal(text, &sh)
	}
	if err != nil {
		return sh, fmt.Errorf("read shard %s: %w", id, err)
	}
	return sh, nil
}

// Join makes this process the worker of a stored shard: it may begin attempts
// at the shard's runs until Release. worker says who it is to whoever reads
// the sweep. ErrClaimed says that somebody else is.
func (s *Sweep) Join(ctx context.Context, shard, worker string) (Shard, error) {
	sh, err := s.readShard(ctx, shard)
	if err != nil {
		return Shard{}, err
	}
	if err := s.claim(ctx, shard, worker); err != nil {
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

// claim takes a shard for one worker, for good. ErrClaimed says that it is
// taken.
func (s *Sweep) claim(ctx context.Context, shard, worker string) error {
	me, err := json.Marshal(claim{worker, thisHolder().Host, now()})
	if err != nil {
		return err
	}
	err = s.store.Create(ctx, keyClaim(shard), append(me, '\n'), store.Synced)
	if errors.Is(err, fs.ErrExist) {
		return ErrClaimed
	}
	return err
}

// Withdraw claims a shard for nobody, so that no worker makes it any more.
// ErrClaimed says that a worker was first.
func (s *Sweep) Withdraw(ctx context.Context, shard string) error {
	if err := s.claim(ctx, shard, "nobody"); err != nil {
		return fmt.Errorf("withdraw shard %s: %w", shard, err)
	}
	return nil
}

// recall is what the worker of a shard is told while it works.
type recall struct {
	Stop bool `json:"stop"` // what it makes too: it was given up as lost
}

// Recall tells the worker of a shard to begin nothing more of it; with stop,
// to stop what it makes as well.
func (s *Sweep) Recall(ctx context.Context, shard string, stop bool) error {
	text, err := json.Marshal(recall{stop})
	if err == nil {
		err = s.store.Put(ctx, keyRecall(shard), append(text, '\n'), store.Synced)
	}
	if err != nil {
		return fmt.Errorf("recall shard %s: %w", shard, err)
	}
	return nil
}

// Recalled reports whether the worker of a shard is to begin nothing more, and
// whether it is to stop what it makes.
func (s *Sweep) Recalled(ctx context.Context, shard string) (recalled, stop bool, err error) {
	text, err := s.store.Get(ctx, keyRecall(shard))
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	var r recall
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return false, false, fmt.Errorf("read whether shard %s is recalled: %w", shard, err)
	}
	return true, r.Stop, nil
}

// Complain leaves word of why the worker of a shard could not begin.
func (s *Sweep) Complain(ctx context.Context, shard, why string) error {
	return s.store.Put(ctx, keyComplaint(shard), []byte(why+"\n"), store.Cached)
}

// Complaint is what the worker of a shard left word of; empty when it did not.
func (s *Sweep) Complaint(ctx context.Context, shard string) string {
	text, err := s.store.Get(ctx, keyComplaint(shard))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// A beat is what a worker says of itself now and then.
type beat struct {
	At   time.Time `json:"at"` // by the worker's clock
	Runs []runBeat `json:"runs,omitempty"`
}

// runBeat is where a run is that a worker is making.
type runBeat struct {
	Run     string `json:"run"`
	Attempt int    `json:"n"`
	Cell    int    `json:"cell"`
	Cells   int    `json:"cells"`
}

// Beat tells whoever watches a shard that its worker lives and how far its
// runs are: cells are notes of kind NoteCell.
func (s *Sweep) Beat(ctx context.Context, shard string, cells []Note) error {
	b := beat{At: now()}
	for _, n := range cells {
		b.Runs = append(b.Runs, runBeat{n.Run, n.Attempt, n.Cell, n.Cells})
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return s.store.Put(ctx, keyBeat(shard), append(text, '\n'), store.Cached)
}

// Beats are the cells that the runs of a shard are at, as its worker last
// said, and when it said so by its own clock; zero when it never did.
func (s *Sweep) Beats(ctx context.Context, shard string) (cells []Note, at time.Time) {
	text, err := s.store.Get(ctx, keyBeat(shard))
	if err != nil {
		return nil, at
	}
	var b beat
	if json.Unmarshal(text, &b) != nil {
		return nil, at
	}
	for _, r := range b.Runs {
		if st, ok := s.Run(r.Run); ok && st.Began != nil && st.Began.Attempt == r.Attempt {
			cells = append(cells, Note{Kind: NoteCell, Run: r.Run, Attempt: r.Attempt, Cell: r.Cell, Cells: r.Cells})
		}
	}
	return cells, b.At
}

// Absorb takes over what the worker of a shard has recorded since the last
// call, and returns it as notes. A worker that has recorded nothing yet is no
// error.
func (s *Sweep) Absorb(ctx context.Context, shard string) ([]Note, error) {
	s.mu.Lock()
	from, epoch := s.absorbed[shard], s.shards[shard]
	s.mu.Unlock()
	b, next, err := s.store.Tail(ctx, keyLog(epoch, shardWriter(shard)), from)
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
		news := s.news(r) // an opening may have read it before
		s.apply(r)
		if n, ok := r.note(); ok && news {
			notes = append(notes, n)
		}
	}
	return notes, nil
}

// news reports whether a record says something that is not known yet. It is
// called with the lock.
func (s *Sweep) news(r record) bool {
	switch {
	case r.Began != nil:
		return s.state(r.Began.Run).Attempts < r.Began.Attempt
	case r.Ended != nil:
		st := s.state(r.Ended.Run)
		return st.Attempts < r.Ended.Attempt || st.Began != nil && st.Began.Attempt <= r.Ended.Attempt
	}
	return false
}

// note tells people what a record says.
func (r record) note() (Note, bool) {
	switch {
	case r.Began != nil && r.Began.Kernel == "":
		return Note{Kind: NoteBegan, Run: r.Began.Run, Attempt: r.Began.Attempt, Where: r.Began.where()}, true
	case r.Ended != nil:
		return Note{Kind: NoteEnded, Run: r.Ended.Run, Attempt: r.Ended.Attempt, Outcome: &r.Ended.Outcome}, true
	}
	return Note{}, false
}

// where says for people where an attempt is made, when that is not here.
func (b Began) where() string {
	if b.Worker == "" {
		return ""
	}
	return b.Worker + " on " + b.Host
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
