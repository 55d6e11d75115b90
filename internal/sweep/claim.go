package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fanout-dev/fanout/internal/diary"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
)

// ErrClaimed reports a shard that another worker has taken already.
var ErrClaimed = errors.New("another worker has taken the shard")

// The clocks that the worker of a shard and whoever watches over it share.
const (
	BeatEvery   = time.Second     // between beats while the worker has news
	QuietEvery  = 5 * time.Second // between beats while it has none
	RecallEvery = 5 * time.Second // the worker looks for a recall at least this often
	LostAfter   = 2 * time.Minute // silence after which a worker on a node that is away is lost, unless the user says otherwise
)

// A Claim is a stored shard in the hands of its worker, the only one it ever
// has. The worker's Lease allows it to begin attempts at the shard's runs.
type Claim struct {
	Shard
	lease *Lease
}

// Join makes this process the worker of a stored shard until Release. worker
// says who it is to whoever reads the sweep. ErrClaimed says that somebody else
// is.
func (s *Sweep) Join(ctx context.Context, shard, worker string) (*Claim, error) {
	sh, err := s.readShard(ctx, shard)
	if err != nil {
		return nil, err
	}
	if err := s.Stored(shard).claim(ctx, worker); err != nil {
		return nil, fmt.Errorf("join shard %s: %w", shard, err)
	}
	l := &Lease{sweep: s, epoch: sh.Epoch, worker: worker, shard: shard}
	if err := l.start(ctx, shardWriter(shard)); err != nil {
		return nil, fmt.Errorf("join shard %s: %w", shard, err)
	}
	return &Claim{sh.Shard, l}, nil
}

// claimant says who executes a shard.
type claimant struct {
	Worker string    `json:"worker"`
	Host   string    `json:"host"`
	At     time.Time `json:"at"`
}

// claim takes the shard for one worker, for good. ErrClaimed says that it is
// taken.
func (h Stored) claim(ctx context.Context, worker string) error {
	err := h.sweep.store.Create(ctx, keyClaim(h.id), jsonl.Line(claimant{worker, lease.Me().Host, now()}), store.Synced)
	if errors.Is(err, fs.ErrExist) {
		return ErrClaimed
	}
	return err
}

// Release ends the claim; what was recorded is Synced first.
func (c *Claim) Release() error { return c.lease.Release() }

// Recalled reports whether the worker is to begin nothing more, and whether it
// is to stop what it is executing.
func (c *Claim) Recalled(ctx context.Context) (recalled, stop bool, err error) {
	return c.lease.sweep.Stored(c.ID).Recalled(ctx)
}

// Complain records why the worker cannot begin.
func (c *Claim) Complain(ctx context.Context, why string) error {
	return c.lease.sweep.store.Put(ctx, keyComplaint(c.ID), []byte(why+"\n"), store.Cached)
}

// Diary opens the log of the worker, which it may have once.
func (c *Claim) Diary(ctx context.Context) (*diary.Diary, error) {
	return diary.Open(ctx, c.lease.sweep.store, keyDiary(c.ID))
}

// Beat says to whoever watches the shard that its worker lives and how far its
// runs are: cells are notes of kind NoteCell.
func (c *Claim) Beat(ctx context.Context, cells []Note) error {
	b := journal.Beat{At: now()}
	for _, n := range cells {
		b.Runs = append(b.Runs, journal.RunBeat{Run: n.Run, Attempt: n.Attempt, Cell: n.Cell, Cells: n.Cells})
	}
	return c.lease.sweep.store.Put(ctx, keyBeat(c.ID), jsonl.Line(b), store.Cached)
}

func shardWriter(shard string) string { return "shard-" + shard }
