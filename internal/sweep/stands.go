package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
)

// What stands for a run, runs/<run>.ipynb and artifacts/<run>/, is a copy of
// what its best attempt left: for people, and for as long as nobody writes to
// it. Attempts are what counts, so a reader believes no notebook in runs/ that
// is of another attempt.

// index makes the end of an attempt, whose notebook stands already, known to
// people and quick to find.
func (l *Lease) index(ctx context.Context, e ended) error {
	s := l.sweep
	if st, _ := s.Run(e.Run); st.Best == e.Attempt {
		if err := s.show(ctx, &e); err != nil {
			return fmt.Errorf("end run %s: %w", e.Run, err)
		}
	}
	if err := l.writeLater(ctx, record{Ended: &e}); err != nil {
		return err
	}
	return s.store.Delete(ctx, keyPart(e.Run, e.Attempt))
}

// show makes what an attempt left what stands for its run. Whoever is late does
// nothing: where a later attempt has ended, its controller has shown this one.
func (s *Sweep) show(ctx context.Context, e *ended) error {
	_, err := s.store.Stat(ctx, AttemptKey(e.Run, e.Attempt+1))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.store.Copy(ctx, RunKey(e.Run), AttemptKey(e.Run, e.Attempt)); err != nil {
		return err
	}
	if err := s.showFiles(ctx, *e); err != nil {
		return err
	}
	return s.noteShown(ctx, e)
}

// noteShown notes which state of the run's notebook is the attempt's.
func (s *Sweep) noteShown(ctx context.Context, e *ended) error {
	o, err := s.store.Stat(ctx, RunKey(e.Run))
	if err != nil {
		return err
	}
	e.Size, e.ModTime = o.Size, o.ModTime.UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.state(e.Run); st.Best == e.Attempt {
		st.Size, st.ModTime = e.Size, e.ModTime
	}
	return nil
}

// showFiles makes the files of an attempt the artifacts of its run. It may be
// called again after a crash: a file that is gone was moved already.
func (s *Sweep) showFiles(ctx context.Context, e ended) error {
	prefix, moved := PrefixArtifacts+e.Run+"/", []string{}
	if err := s.forgetFiles(ctx, e); err != nil {
		return err
	}
	for i, name := range e.Kept {
		key := keyKept(e.Run, e.Attempt, i)
		if err := s.store.Copy(ctx, prefix+name, key); err != nil {
			if _, gone := s.store.Stat(ctx, key); !errors.Is(gone, fs.ErrNotExist) {
				return err
			}
		}
		moved = append(moved, key)
	}
	return s.deleteAll(ctx, moved)
}

// forgetFiles removes artifacts of earlier attempts that this one did not keep.
func (s *Sweep) forgetFiles(ctx context.Context, e ended) error {
	if e.Attempt == 1 || e.Kept == nil {
		return nil
	}
	prefix, keep, others := PrefixArtifacts+e.Run+"/", map[string]bool{}, []string{}
	for _, name := range e.Kept {
		keep[prefix+name] = true
	}
	for o, err := range s.store.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if !keep[o.Key] {
			others = append(others, o.Key)
		}
	}
	return s.deleteAll(ctx, others)
}

func (s *Sweep) deleteAll(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Notebook returns the notebook that stands for a run: the one in runs/, as
// people may have edited it, or that of the best attempt where there is none, or
// one of another attempt.
func (s *Sweep) Notebook(ctx context.Context, st RunState) ([]byte, error) {
	best, key := AttemptKey(st.Run.ID, st.Best), RunKey(st.Run.ID)
	o, err := s.store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return s.store.Get(ctx, best)
	}
	if err != nil {
		return nil, err
	}
	b, err := s.store.Get(ctx, key)
	if err != nil || isShown(st, o) {
		return b, err
	}
	if n := attemptOf(b, st.Run.ID); n != 0 && n != st.Best {
		return s.store.Get(ctx, best)
	}
	return b, nil
}

// isShown reports whether a notebook in runs/ is as the best attempt left it.
func isShown(st RunState, o store.Object) bool {
	return o.Size == st.Size && o.ModTime.UnixNano() == st.ModTime
}

// attemptOf is the number of the attempt at the run that a notebook says it is
// of; 0 where it says nothing.
func attemptOf(doc []byte, run string) int {
	var tag attemptTag
	n, err := notebook.Decode(doc)
	if err != nil {
		return 0
	}
	if ok, err := n.Record(&tag); !ok || err != nil || tag.RunID != run {
		return 0
	}
	return tag.Attempt
}

// Repair shows the best attempts at runs of which runs/ has an earlier one, as
// late workers of earlier versions left it. While another process has the sweep
// it does nothing.
func (s *Sweep) Repair(ctx context.Context) error {
	var errs []error
	for o, err := range s.store.List(ctx, prefixRuns) {
		if err != nil {
			return err
		}
		id, _ := strings.CutSuffix(strings.TrimPrefix(o.Key, prefixRuns), ".ipynb")
		st, ok := s.Run(id)
		if !ok || st.Best < 2 || isShown(st, o) {
			continue
		}
		doc, err := s.store.Get(ctx, o.Key)
		if n := attemptOf(doc, id); err == nil && n != 0 && n < st.Best && s.quiet(ctx) {
			err = s.store.Copy(ctx, o.Key, AttemptKey(id, st.Best))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// quiet reports whether no other process has the sweep.
func (s *Sweep) quiet(ctx context.Context) bool {
	if s.Lease().Check(ctx) == nil {
		return true
	}
	_, held := s.Held(ctx)
	return !held
}
