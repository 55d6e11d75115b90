package sweep

import (
	"context"

	"github.com/fanout-dev/fanout/internal/lease"
)

// Accept makes the successes of the runs count as current, as far as they are
// stale in one of parts, and returns what it recorded. A later plan that
// differs again makes them stale again, and a later success stands for itself.
func (l *Lease) Accept(ctx context.Context, runs, parts []string) ([]Accepted, error) {
	var all []Accepted
	me := lease.Me()
	for _, id := range runs {
		st, _ := l.sweep.Run(id)
		if differs := l.sweep.Stale(st, parts); len(differs) > 0 {
			all = append(all, Accepted{Run: id, Attempt: st.Best, As: l.sweep.Current(st.Run), Parts: differs, At: me.Since, By: me.User + " on " + me.Host})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	r := record{Accepted: all}
	if err := l.write(ctx, r); err != nil {
		return nil, err
	}
	l.sweep.learn(r)
	return all, nil
}
