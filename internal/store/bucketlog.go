package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A log in a bucket is a chain of objects, because none can grow: "KEY.<n>"
// holds its bytes from the n-th on. The last one is written again, longer, until it
// is large enough. Close puts all of it into "KEY". Objects may hold the same
// bytes of the log, never different ones.

// enough is how long an object of a chain grows.
const enough = 64 << 10

// readers is how many objects are read at once.
const readers = 16

// piece is an object that holds a log from a byte on.
type piece struct {
	Object
	log  string // key
	from int64
}

func (p piece) end() int64 { return p.from + p.Size }

func pieceKey(log string, from int64) string { return fmt.Sprintf("%s.%016d", log, from) }

func pieceOf(o Object) piece {
	if i := strings.LastIndexByte(o.Key, '.'); i >= 0 && len(o.Key)-i-1 == 16 {
		if from, err := strconv.ParseInt(o.Key[i+1:], 10, 64); err == nil {
			return piece{o, o.Key[:i], from}
		}
	}
	return piece{o, o.Key, 0}
}

// pieces lists the objects of the logs whose keys begin with prefix: logs in
// key order, each from its beginning.
func (b *bucket) pieces(ctx context.Context, prefix string) ([]piece, error) {
	var all []piece
	for o, err := range b.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		all = append(all, pieceOf(o))
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].log != all[j].log {
			return all[i].log < all[j].log
		}
		return all[i].from < all[j].from
	})
	return all, nil
}

// needed leaves out what is held by others of one log's pieces, or lies before from.
func needed(pieces []piece, from int64) []piece {
	sort.SliceStable(pieces, func(i, j int) bool {
		return pieces[i].from < pieces[j].from || pieces[i].from == pieces[j].from && pieces[i].end() > pieces[j].end()
	})
	var out []piece
	for _, p := range pieces {
		if p.end() > from {
			out, from = append(out, p), p.end()
		}
	}
	return out
}

// span is what was read of a piece.
type span struct {
	from int64
	data []byte
	err  error
}

// readPieces reads several pieces at once, each from its byte at "from" of the log on.
func (b *bucket) readPieces(ctx context.Context, pieces []piece, from int64) []span {
	spans := make([]span, len(pieces))
	slots := make(chan struct{}, readers)
	var work sync.WaitGroup
	for i, p := range pieces {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			start := max(from, p.from)
			data, err := b.read(ctx, p.Key, start-p.from)
			spans[i] = span{start, data, err}
		})
	}
	work.Wait()
	return spans
}

// join concatenates what was read of one log, from a byte on.
func join(spans []span, from int64) (data []byte, next int64, err error) {
	next = from
	for _, s := range spans {
		if s.err != nil {
			return data, next, s.err
		}
		if end := s.from + int64(len(s.data)); end > next {
			data = append(data, s.data[max(0, next-s.from):]...)
			next = end
		}
	}
	return data, next, nil
}

// relists is how often a log is looked up again that is being put together
// while it is read.
const relists = 5

func (b *bucket) Tail(ctx context.Context, key string, from int64) (data []byte, next int64, err error) {
	if err := checkKey(key); err != nil {
		return nil, from, err
	}
	for range relists {
		var pieces []piece
		if pieces, err = b.pieces(ctx, key); err != nil {
			return nil, from, err
		}
		pieces = needed(ofLog(pieces, key), from)
		data, next, err = join(b.readPieces(ctx, pieces, from), from)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return data, next, err
}

// ofLog leaves out logs whose keys only begin alike.
func ofLog(pieces []piece, key string) []piece {
	var out []piece
	for _, p := range pieces {
		if p.log == key {
			out = append(out, p)
		}
	}
	return out
}

func (b *bucket) Logs(ctx context.Context, prefix string) iter.Seq2[Log, error] {
	return func(yield func(Log, error) bool) {
		logs, err := b.logs(ctx, prefix)
		for _, l := range logs {
			if !yield(l, nil) {
				return
			}
		}
		if err != nil {
			yield(Log{}, err)
		}
	}
}

func (b *bucket) logs(ctx context.Context, prefix string) ([]Log, error) {
	pieces, err := b.pieces(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var wanted []piece
	var sizes []int // how many of wanted each log has
	var keys []string
	for len(pieces) > 0 {
		key := pieces[0].log
		n := sort.Search(len(pieces), func(i int) bool { return pieces[i].log > key })
		of := needed(pieces[:n], 0)
		pieces = pieces[n:]
		wanted, sizes, keys = append(wanted, of...), append(sizes, len(of)), append(keys, key)
	}
	spans := b.readPieces(ctx, wanted, 0)
	var logs []Log
	for i, key := range keys {
		data, _, err := join(spans[:sizes[i]], 0)
		if errors.Is(err, fs.ErrNotExist) {
			data, _, err = b.Tail(ctx, key, 0)
		}
		if err != nil {
			return logs, err
		}
		logs, spans = append(logs, Log{key, data}), spans[sizes[i]:]
	}
	return logs, nil
}

func (b *bucket) Append(ctx context.Context, key string) (Appender, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	pieces, err := b.pieces(ctx, key)
	if err != nil {
		return nil, err
	}
	l := &bucketLog{b: b, ctx: context.WithoutCancel(ctx), key: key}
	l.cond.L = &l.mu
	for _, p := range ofLog(pieces, key) {
		l.from = max(l.from, p.end())
		l.objects++
	}
	return l, nil
}

// bucketLog writes records of several writers with one request: those that
// come while one is in progress go with the next.
type bucketLog struct {
	b   *bucket
	ctx context.Context
	key string

	mu      sync.Mutex
	cond    sync.Cond
	from    int64  // where the last object begins
	last    []byte // what it holds
	at      time.Time
	pending []byte
	busy    bool
	batch   uint64 // number of the batch that pending will be
	tried   uint64 // the last batch that was tried
	err     error  // how that went
	objects int
}

func (l *bucketLog) Later(record []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, record...)
	return nil
}

func (l *bucketLog) Write(record []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, record...)
	if err := l.flush(); err != nil {
		return 0, err
	}
	return len(record), nil
}

func (l *bucketLog) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

// flush returns when the pending records have been stored.
func (l *bucketLog) flush() error {
	if len(l.pending) == 0 && !l.busy {
		return nil
	}
	mine := l.batch + 1
	if len(l.pending) == 0 {
		mine = l.batch // in progress
	}
	for l.tried < mine {
		if l.busy {
			l.cond.Wait()
			continue
		}
		l.store()
	}
	return l.err // a later batch holds everything that an earlier one did not store
}

// store writes what is pending, with the log unlocked meanwhile.
func (l *bucketLog) store() {
	l.busy = true
	l.batch++
	if len(l.last) >= enough || len(l.last) > 0 && time.Since(l.at) < l.b.rewrites {
		l.from, l.last = l.from+int64(len(l.last)), nil
	}
	records := l.pending
	l.pending = nil
	text := append(l.last[:len(l.last):len(l.last)], records...)
	first := len(l.last) == 0
	key := pieceKey(l.key, l.from)
	l.mu.Unlock()
	err := l.b.Put(l.ctx, key, text, Cached)
	l.mu.Lock()
	l.busy, l.tried, l.err, l.at = false, l.batch, err, time.Now()
	if err != nil {
		l.pending = append(records, l.pending...)
	} else {
		l.last = text
		if first {
			l.objects++
		}
	}
	l.cond.Broadcast()
}

// Close puts the log into one object.
func (l *bucketLog) Close() error {
	if err := l.Sync(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.objects < 2 {
		return nil
	}
	return l.b.merge(l.ctx, l.key)
}

func (b *bucket) merge(ctx context.Context, key string) error {
	pieces, err := b.pieces(ctx, key)
	if err != nil {
		return err
	}
	pieces = ofLog(pieces, key)
	data, _, err := join(b.readPieces(ctx, needed(append([]piece(nil), pieces...), 0), 0), 0)
	if err != nil {
		return err
	}
	if err := b.Write(ctx, key, content(data), Synced); err != nil {
		return err
	}
	for _, p := range pieces {
		if p.Key == key {
			continue
		}
		if err := b.Delete(ctx, p.Key); err != nil {
			return err
		}
	}
	return nil
}
