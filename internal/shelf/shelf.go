// Package shelf is the catalogue of many sweeps: what each is about and how it
// stands, and a search over all of them.
//
// In go places of sweeps; out come records. It promises that whoever asks waits
// only a moment, that few sweeps are read at once, that a record is not older
// than a minute, or a few seconds while its sweep is running, and that a sweep is
// read again only when something was planned or recorded in it. What is known is
// kept in a file which may be deleted at any time: there is no index to maintain.
//
// It writes nothing into a sweep.
package shelf

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const (
	readAtOnce = 2
	waitFor    = 700 * time.Millisecond // for records that are read while somebody waits
	moves      = 3 * time.Second        // how long the record of a running sweep is believed
	rests      = time.Minute            // and that of another one
	maxCache   = 256 << 20
	saveEvery  = 30 * time.Second // while many are read
)

// A Shelf is the records of sweeps.
type Shelf struct {
	open func(ctx context.Context, where string) (store.Store, error)
	file string // "" keeps nothing

	mu    sync.Mutex
	known map[string]*known // by place
	busy  chan struct{}     // closed when the reading that is under way ends; nil is none
	news  bool              // something is known that the file has not
	saved time.Time         // when the file was written last

	saving sync.Mutex
}

// known is a record as it is kept.
type known struct {
	Record Record
	Mark   string // the state of the sweep that it is of

	at    time.Time // when that was last looked at; zero when it was in the file
	words words     // to search
}

// New makes a shelf. file is where it keeps what it knows; "" is nowhere.
func New(file string, open func(ctx context.Context, where string) (store.Store, error)) *Shelf {
	s := &Shelf{open: open, file: file, known: map[string]*known{}, saved: time.Now()}
	s.load()
	return s
}

// Read is the records of some places, in their order. It waits a moment for those
// that are read; the reading goes on. A record that is not known yet is Unread.
func (s *Shelf) Read(ctx context.Context, places []roots.Sweep) []Record {
	return s.read(ctx, places, time.After(waitFor))
}

// ReadAll is Read that waits until all are read.
func (s *Shelf) ReadAll(ctx context.Context, places []roots.Sweep) []Record {
	if done, others := s.reading(ctx, places); others {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	return s.read(ctx, places, nil)
}

// Recall is Read that waits only where a place was never read: for searches.
func (s *Shelf) Recall(ctx context.Context, places []roots.Sweep) []Record {
	if s.knows(places) {
		now := make(chan time.Time)
		close(now)
		return s.read(ctx, places, now)
	}
	return s.Read(ctx, places)
}

func (s *Shelf) knows(places []roots.Sweep) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(places, func(p roots.Sweep) bool { return s.known[p.Where] == nil })
}

// reading begins to look at places, unless that is under way for others; done is closed
// when it ends.
func (s *Shelf) reading(ctx context.Context, places []roots.Sweep) (done chan struct{}, others bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy != nil {
		return s.busy, true
	}
	s.busy = make(chan struct{})
	go s.refresh(context.WithoutCancel(ctx), places)
	return s.busy, false
}

func (s *Shelf) read(ctx context.Context, places []roots.Sweep, late <-chan time.Time) []Record {
	done, _ := s.reading(ctx, places)
	select {
	case <-done:
	case <-late:
	case <-ctx.Done():
	}
	all := make([]Record, len(places))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range places {
		all[i] = Record{Sweep: p, State: Unread}
		if k := s.known[p.Where]; k != nil {
			all[i] = k.Record
		}
	}
	return all
}

// refresh looks at the places whose records are not believed any more.
func (s *Shelf) refresh(ctx context.Context, places []roots.Sweep) {
	var all sync.WaitGroup
	slots := make(chan struct{}, readAtOnce)
	for _, p := range places {
		if !s.due(p.Where) {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			s.look(ctx, p)
		})
		s.save(nil, saveEvery)
	}
	all.Wait()
	s.save(places, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.busy)
	s.busy = nil
}

// due reports whether a place is to be looked at.
func (s *Shelf) due(where string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	believed := rests
	k := s.known[where]
	if k != nil && k.Record.State == Running {
		believed = moves
	}
	return k == nil || time.Since(k.at) >= believed
}

// look renews the record of a sweep.
func (s *Shelf) look(ctx context.Context, p roots.Sweep) {
	s.mu.Lock()
	old := s.known[p.Where]
	s.mu.Unlock()
	k := s.renewed(ctx, p, old)
	k.at = time.Now()
	k.words = wordsOf(k.Record)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[p.Where] = k
	s.news = s.news || old == nil || old.Mark != k.Mark || old.Record.State != k.Record.State
}

// renewed is what is known of a sweep now. It is opened only if it changed.
func (s *Shelf) renewed(ctx context.Context, p roots.Sweep, old *known) *known {
	k := &known{}
	st, err := s.open(ctx, p.Where)
	if err == nil {
		k.Mark, err = sweep.Mark(ctx, st)
	}
	if err != nil {
		k.Record = Record{Sweep: p, State: Unreadable, Error: err.Error()}
		return k
	}
	if old != nil && old.Mark == k.Mark && old.Record.State != Unreadable {
		k.Record = old.Record
		k.Record.Seen = p.Seen
	} else {
		k.Record = read(ctx, st, p)
	}
	if k.Record.State != Unreadable {
		_, held := lease.HeldBy(ctx, st)
		k.Record.State = StateOf(k.Record.Tally, held)
		k.Record.Schedule = scheduleOf(ctx, st)
		k.Record.Unusual = k.Record.unusualOf(ctx, st)
	}
	return k
}

// load takes over what an earlier process knew. What cannot be read is made anew.
func (s *Shelf) load() {
	if s.file == "" {
		return
	}
	f, err := os.Open(s.file)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxCache {
		return
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return
	}
	var kept cacheFile
	if json.NewDecoder(z).Decode(&kept) != nil || kept.Version != cacheVersion {
		return
	}
	for _, k := range kept.Sweeps {
		k.words = wordsOf(k.Record)
		s.known[k.Record.Where] = k
	}
}

// cacheVersion changes when records mean something else.
const cacheVersion = 2

type cacheFile struct {
	Version int
	Sweeps  []*known
}

// Keep writes down what is known, before the process ends.
func (s *Shelf) Keep() { s.save(nil, 0) }

// save keeps what is known of some places, if that is news and was not kept for a
// while; nil is of all. A failure costs the next process some reading, and nobody
// anything else.
func (s *Shelf) save(places []roots.Sweep, every time.Duration) {
	s.saving.Lock()
	defer s.saving.Unlock()
	kept := cacheFile{Version: cacheVersion}
	s.mu.Lock()
	if s.file == "" || !s.news || time.Since(s.saved) < every {
		s.mu.Unlock()
		return
	}
	s.news, s.saved = false, time.Now()
	if places == nil {
		for _, k := range s.known {
			kept.Sweeps = append(kept.Sweeps, k)
		}
	}
	for _, p := range places {
		if k := s.known[p.Where]; k != nil {
			kept.Sweeps = append(kept.Sweeps, k)
		}
	}
	s.mu.Unlock()
	write(s.file, kept)
}

func write(file string, v any) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".shelf-*") // which only its owner reads
	if err != nil {
		return err
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	err = errors.Join(json.NewEncoder(z).Encode(v), z.Close(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		err = errors.Join(err, ignore(os.Remove(f.Name())))
	}
	return err
}

func ignore(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// File is where the records of some roots are kept beneath a folder for caches.
func File(folder string, places []string) string {
	return filepath.Join(folder, "shelf", Key(places)+".json.gz")
}

// Key names some roots in a file's name.
func Key(places []string) string {
	sum := sha256.Sum256([]byte(strings.Join(places, "\x00")))
	return hex.EncodeToString(sum[:8])
}
