package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// keeper remembers what earlier collects read in the notebooks of a sweep, so
// that only new and changed ones are opened. What it knows lies in packs: a
// line that names the form, then for each notebook a line that says which one
// and a line of what it recorded.
type keeper struct {
	buffer *buffer
	packs  map[string]*pack
	mu     sync.Mutex
	known  map[string]*keptRun // by run id
}

// pack is one stored object.
type pack struct{ size, used int64 } // bytes

// keptRun is what is known of one notebook.
type keptRun struct {
	version sweep.Version
	piece   stored // recorded, as JSON
	pack    string // where it is kept; "": nowhere yet
	used    bool
}

// keptHead is the first of the two lines of a notebook in a pack.
type keptHead struct {
	Run     string        `json:"run"`
	Version sweep.Version `json:"version"`
	Bytes   int64         `json:"bytes"`
}

const (
	packForm  = `{"format":"fanout-collected","version":2}` + "\n"
	packBytes = 8 << 20 // a pack ends where it is larger
	manyPacks = 16      // more small ones than this are merged
	headBytes = 64      // about what the first line of a notebook takes
)

// readPacks reads what is kept. A pack that is gone or broken is not there.
func readPacks(ctx context.Context, s *sweep.Sweep, to *buffer) (*keeper, error) {
	k := &keeper{buffer: to, packs: map[string]*pack{}, known: map[string]*keptRun{}}
	for o, err := range s.Store().List(ctx, sweep.PrefixCollected) {
		if err != nil {
			return nil, err
		}
		text, err := s.Object(ctx, o.Key)
		if errors.Is(err, fs.ErrNotExist) || blocked(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		k.packs[o.Key] = &pack{size: int64(len(text))}
		if err := k.readPack(o.Key, text); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *keeper) readPack(key string, text []byte) error {
	rest, ok := bytes.CutPrefix(text, []byte(packForm))
	for ok && len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		var head keptHead
		if json.Unmarshal(line, &head) != nil || head.Bytes < 0 || head.Bytes >= int64(len(after)) {
			return nil
		}
		piece, err := k.buffer.add(after[:head.Bytes])
		if err != nil {
			return err
		}
		k.known[head.Run] = &keptRun{version: head.Version, piece: piece, pack: key}
		rest = after[head.Bytes+1:]
	}
	return nil
}

// find returns what this version of a run's notebook recorded, nil when that
// is not known.
func (k *keeper) find(run string, v sweep.Version) *recorded {
	k.mu.Lock()
	kept := k.known[run]
	k.mu.Unlock()
	if kept == nil || kept.version != v || v == (sweep.Version{}) {
		return nil
	}
	text, err := io.ReadAll(k.buffer.open(kept.piece))
	var found recorded
	if err != nil || json.Unmarshal(text, &found) != nil {
		return nil
	}
	k.mu.Lock()
	kept.used = true
	k.mu.Unlock()
	return &found
}

// add remembers what a notebook recorded. What is no JSON is read again the
// next time. The error is of the buffer.
func (k *keeper) add(run string, v sweep.Version, r *recorded) error {
	text, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	piece, err := k.buffer.add(text)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known[run] = &keptRun{version: v, piece: piece, used: true}
	return nil
}

// keep stores what is new, and rewrites packs that are mostly waste or small.
func (k *keeper) keep(ctx context.Context, s *sweep.Sweep) error {
	leave := k.leave()
	if err := k.write(ctx, s, leave); err != nil {
		return err
	}
	for key := range k.packs {
		if leave[key] {
			continue
		}
		if err := s.Store().Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// leave says which packs stay as they are.
func (k *keeper) leave() map[string]bool {
	for _, r := range k.known {
		if r.used && r.pack != "" {
			k.packs[r.pack].used += r.piece.size + headBytes
		}
	}
	leave, small := map[string]bool{}, 0
	for key, p := range k.packs {
		leave[key] = p.used > p.size/2
		if leave[key] && p.size < packBytes {
			small++
		}
	}
	for key, p := range k.packs {
		if small > manyPacks && p.size < packBytes {
			leave[key] = false
		}
	}
	return leave
}

// write stores what is in no pack that stays, and adds the new packs to leave.
func (k *keeper) write(ctx context.Context, s *sweep.Sweep, leave map[string]bool) error {
	var b bytes.Buffer
	flush := func() error {
		if b.Len() == 0 {
			return nil
		}
		// Named by its digest, so that two collects at once do not disturb each other.
		key := sweep.PrefixCollected + sweep.Digest(b.Bytes())[:24] + ".jsonl"
		err := s.Store().Put(ctx, key, b.Bytes(), store.Cached)
		leave[key] = true
		b.Reset()
		return err
	}
	for _, run := range slices.Sorted(maps.Keys(k.known)) {
		r := k.known[run]
		if !r.used || leave[r.pack] {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(packForm)
		}
		if err := k.put(&b, run, r); err != nil {
			return err
		}
		if b.Len() < packBytes {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return flush()
}

func (k *keeper) put(b *bytes.Buffer, run string, r *keptRun) error {
	head, err := json.Marshal(keptHead{run, r.version, r.piece.size})
	if err != nil {
		return err
	}
	b.Write(append(head, '\n'))
	if _, err := io.Copy(b, k.buffer.open(r.piece)); err != nil {
		return fmt.Errorf("read a scrap: %w", err)
	}
	b.WriteByte('\n')
	return nil
}
