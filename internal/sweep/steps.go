package sweep

import (
	"context"
	"fmt"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/chain"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// What steps are, and what their runs need.
type (
	Step = plan.Step
	With = plan.With
	Need = chain.Need
	Wait = chain.Wait
)

// Needed are the runs that a run needs, as they are now: a Need for each step
// that its own needs.
func (s *Sweep) Needed(run string) []Need {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Needed(run)
}

// Downstream are the runs with all that they feed, directly or not, in the order
// of the plan. Without steps they are the runs themselves.
func (s *Sweep) Downstream(runs []string) []string { return s.beyond(runs, false) }

// Upstream are the runs with all that they need, directly or not, in the order of
// the plan.
func (s *Sweep) Upstream(runs []string) []string { return s.beyond(runs, true) }

func (s *Sweep) beyond(runs []string, up bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Beyond(runs, up)
}

// Feeds are the runs that need a run themselves, in the order of the plan.
func (s *Sweep) Feeds(run string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Feeds(run)
}

// Waits says for whom a run waits, in a phrase: "needs extract region=eu:
// failed, KeyError". It is empty for a run that may begin, and for one that has.
func (s *Sweep) Waits(run string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Waits(run)
}

// Wait begins with these runs open. It is nil in a sweep without steps.
func (s *Sweep) Wait(open []string) *Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.WaitFor(open)
}

// fed completes a fingerprint with what a run would be fed now. A run that is
// planned no more is not fed any more: nothing about that can change.
func (s *Sweep) fed(r Run) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byID[r.ID]; st != nil && st.Run.Unplanned && st.BestOut != nil {
		return st.BestOut.Fingerprint.Upstream
	}
	return s.chain.Upstream(r.ID)
}

// markSteps makes the sweep one that a fanout which knows no steps refuses, before
// a plan with steps is written.
func (s *Sweep) markSteps(ctx context.Context, head Head) error {
	if len(head.Steps) == 0 || s.version >= formatSteps {
		return nil
	}
	line := jsonl.Line(format{formatName, formatSteps, s.name, s.id})
	if err := s.store.Put(ctx, KeyFormat, line, store.Synced); err != nil {
		return fmt.Errorf("mark the sweep as one with steps: %w", err)
	}
	s.version = formatSteps
	return nil
}
