package sweep

import (
	"context"
	"time"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// Accepted says that a success counts as current, although it was computed
// otherwise than the plan in force would compute it.
type Accepted struct {
	Run     string              `json:"run"`
	Attempt int                 `json:"n"`     // the success
	As      outcome.Fingerprint `json:"as"`    // what it counts as
	Parts   []string            `json:"parts"` // in which it differs from that
	At      time.Time           `json:"at"`
	By      string              `json:"by"` // a user's name on a host
}

// Accept makes the successes of the runs count as current, as far as they are
// stale in one of parts, and returns what it recorded. A later plan that
// differs again makes them stale again, and a later success stands for itself.
func (l *Lease) Accept(ctx context.Context, runs, parts []string) ([]Accepted, error) {
	var all []Accepted
	me := lease.Me()
	for _, id := range runs {
		st, _ := l.sweep.Run(id)
		if differs := l.sweep.Stale(st, parts); len(differs) > 0 {
			all = append(all, Accepted{id, st.Best, l.sweep.Current(st.Run), differs, me.Since, me.User + " on " + me.Host})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	r := record{Accepted: all}
	if err := l.write(ctx, r); err != nil {
		return nil, err
	}
	l.sweep.mu.Lock()
	defer l.sweep.mu.Unlock()
	l.sweep.apply(r)
	return all, nil
}

// Stale names the parts, of those asked for, in which the run's success differs
// from an attempt with the fingerprint now, and from what it was accepted as.
func (st RunState) Stale(now outcome.Fingerprint, parts []string) []string {
	if st.BestOut == nil || st.BestOut.Status != outcome.Succeeded {
		return nil
	}
	differs := st.BestOut.Fingerprint.Differs(now, parts)
	if a := st.Accepted; a != nil && a.Attempt == st.Best {
		return a.As.Differs(now, differs)
	}
	return differs
}
