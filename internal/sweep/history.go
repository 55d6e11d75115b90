package sweep

import (
	"context"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// Past is one attempt that ended, as its own notebook tells it.
type Past struct {
	Attempt int
	Outcome outcome.Outcome
	Key     string // of its notebook
	Log     string // key of what its kernel printed outside its cells; "" when that was nothing
	Unread  error  // why the notebook cannot be read, and the outcome is not known
}

// History reads the attempts at a run that ended and are still there, oldest
// first.
func (s *Sweep) History(ctx context.Context, run string) ([]Past, error) {
	var all []Past
	for o, err := range s.store.List(ctx, prefixAttempt+run+".") {
		if err != nil {
			return nil, err
		}
		id, n, ok := parseAttempt(o.Key)
		if !ok || id != run {
			continue
		}
		_, tag, unread := s.attemptIn(ctx, o.Key)
		p := Past{Attempt: n, Outcome: tag.Outcome, Key: o.Key, Unread: unread}
		if _, err := s.store.Stat(ctx, LogKey(run, n)); err == nil {
			p.Log = LogKey(run, n)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Past) int { return a.Attempt - b.Attempt })
	return all, nil
}

// A Version tells one state of a stored notebook from another.
type Version struct {
	Size    int64 // bytes
	ModTime int64 // nanoseconds
}

// Versions are the notebooks that stand for runs, by run id.
func (s *Sweep) Versions(ctx context.Context) (map[string]Version, error) {
	versions := map[string]Version{}
	for o, err := range s.store.List(ctx, prefixRuns) {
		if err != nil {
			return nil, err
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, prefixRuns), ".ipynb"); ok {
			versions[id] = Version{o.Size, o.ModTime.UnixNano()}
		}
	}
	return versions, nil
}
