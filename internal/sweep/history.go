package sweep

import (
	"context"
	"sort"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// Past is one attempt that ended, as its own notebook tells it.
type Past struct {
	Attempt int
	Outcome outcome.Outcome
	Key     string // of its notebook
	Log     string // key of what its kernel printed outside its cells; "" when that was nothing
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
		_, tag, err := s.attemptIn(ctx, o.Key)
		if err != nil {
			return nil, err
		}
		p := Past{Attempt: n, Outcome: tag.Outcome, Key: o.Key}
		if _, err := s.store.Stat(ctx, LogKey(run, n)); err == nil {
			p.Log = LogKey(run, n)
		}
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Attempt < all[j].Attempt })
	return all, nil
}
