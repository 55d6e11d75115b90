package nomad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A monitor follows one shard from its dispatch until none of it can be running.
type monitor struct {
	*Executor
	shard sweep.Shard
	class *class
	watch *watcher
	note  func(sweep.Note)

	child string // job of the shard; empty if there is none
	ended *alloc // the allocation that executed it
	why   string // it ended, for runs that it left open

	asked time.Time     // when Nomad was last asked about a child without allocations
	wait  time.Duration // before it is asked again

	beat   time.Time // of the worker, by its clock
	active time.Time // when we last saw a beat or a record of the worker
}

func (m *monitor) stored() sweep.Stored { return m.sweep.Stored(m.shard.ID) }

// execute dispatches the shard, or joins one that is running, and settles it.
func (m *monitor) execute(ctx context.Context, fresh bool) (err error) {
	work := context.WithoutCancel(ctx)
	if fresh {
		m.child, err = m.dispatch(ctx, m.class, m.shard.ID, nil)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err != nil { // canceled: the shard may have been dispatched all the same
			if err := m.findChildren(work, m.class.place); err != nil {
				return err
			}
		}
	}
	if m.child == "" {
		m.mu.Lock()
		m.child = m.left[m.shard.ID]
		m.mu.Unlock()
	}
	if err := m.await(ctx); err != nil {
		return err
	}
	return m.settle(work)
}

// attempts counts the attempts at the runs of the shard.
func (m *monitor) attempts() (n int) {
	for _, id := range m.shard.Runs {
		st, _ := m.sweep.Run(id)
		n += st.Attempts
	}
	return n
}

// stopMargin is how long Nomad takes beyond the worker's own time to stop.
const stopMargin = 60 * time.Second

// await waits until none of the shard can be running, and reports on its runs
// meanwhile. It stops the allocation when ctx ends.
func (m *monitor) await(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	wake, forget := m.watch.follow(m.child)
	defer forget()
	cancel := ctx.Done()
	var limit <-chan time.Time
	for {
		if over, err := m.over(work, ctx.Err() != nil); over || err != nil {
			return err
		}
		select {
		case <-wake:
		case <-time.After(m.pollEvery()):
		case <-limit:
			return unit.WithHint(fmt.Errorf("stop job %s: its allocation has not ended", m.child),
				"nomad job status %s shows where it is; once its node is back, or given up, run the same command again to resume", m.child)
		case <-cancel:
			cancel = nil
			if m.superseded(work) {
				return context.Cause(ctx) // the other controller follows it now
			}
			if err := m.stop(work); err != nil {
				return err
			}
			limit = time.After(m.o.Grace + stopMargin)
		}
	}
}

// stop has Nomad end the shard's allocation.
func (m *monitor) stop(ctx context.Context) error {
	if m.child == "" {
		return nil
	}
	return m.deregister(ctx, m.class.place, m.child)
}

// lookRate is how many shards are polled per second, at most: events report their
// ends, so polling only serves the progress that people see.
const lookRate = 40

func (m *monitor) pollEvery() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.o.poll, time.Duration(m.inFlight)*time.Second/lookRate)
}

// over reports whether none of the shard can be running, from all that is known
// of it.
func (m *monitor) over(ctx context.Context, stopping bool) (bool, error) {
	allocs := m.watch.look(m.child)
	if m.ended = terminal(allocs); m.ended != nil {
		return true, nil
	}
	if err := m.report(ctx); err != nil {
		return false, err
	}
	switch {
	case m.child == "":
		return m.giveUpIfSilent(ctx, "its Nomad job is gone, and how it ended is unknown", m.o.LostAfter)
	case len(allocs) == 0:
		return m.unplaced(ctx, stopping)
	case m.allEnded():
		// The worker is about to end, or it has ended and we missed the event.
		return false, m.refresh(ctx)
	case disconnected(allocs):
		return m.giveUpIfSilent(ctx, "its node is disconnected", m.o.LostAfter)
	}
	return m.giveUpIfSilent(ctx, "its worker does not report", presentNodeFactor*m.o.LostAfter)
}

// presentNodeFactor is how much longer a worker may be silent while its node is
// connected.
const presentNodeFactor = 10

// report passes on what the worker has recorded.
func (m *monitor) report(ctx context.Context) error {
	notes, err := m.stored().Absorb(ctx)
	cells, beat := m.stored().Beats(ctx)
	if len(notes) > 0 || !beat.Equal(m.beat) {
		m.beat, m.active = beat, time.Now()
	}
	for _, n := range append(notes, cells...) {
		m.note(n)
	}
	return err
}

func (m *monitor) allEnded() bool {
	for _, id := range m.shard.Runs {
		if st, _ := m.sweep.Run(id); st.Began != nil || st.Last == nil {
			return false
		}
	}
	return true
}

// refresh asks only for the allocations of the shard.
func (m *monitor) refresh(ctx context.Context) error {
	var stubs []*api.AllocationListStub
	err := m.retry(ctx, "look at job "+m.child, func() (err error) {
		stubs, _, err = m.client.Jobs().Allocations(m.child, true, m.class.place.query(ctx))
		if missing(err) {
			err = nil
		}
		return err
	})
	for _, s := range stubs {
		m.watch.learn(s.JobID, allocOf(s))
	}
	return err
}

// maxUnasked is the longest time between two questions about a waiting child.
const maxUnasked = 15 * time.Second

// unplaced looks at a child without allocations: it waits for a node, or will
// never get one because it was garbage-collected or stopped.
func (m *monitor) unplaced(ctx context.Context, stopping bool) (bool, error) {
	if !stopping && time.Since(m.asked) < m.wait {
		return false, nil
	}
	m.asked, m.wait = time.Now(), min(2*max(m.wait, m.o.poll), maxUnasked)
	job, _, err := m.client.Jobs().Info(m.child, m.class.place.query(ctx))
	switch {
	case missing(err):
		m.child = ""
		return m.over(ctx, stopping)
	case err != nil && m.passing(err):
		return false, nil // the next look may succeed
	case err != nil:
		return false, explain("look at job "+m.child, err)
	}
	if err := m.refresh(ctx); err != nil || len(m.watch.look(m.child)) > 0 {
		return false, err
	}
	if job.Stop != nil && *job.Stop {
		return true, nil
	}
	m.reportWaiting(ctx)
	return false, nil
}

// giveUpIfSilent gives the shard up if nobody has claimed it, or if its worker has
// been silent for the given time.
func (m *monitor) giveUpIfSilent(ctx context.Context, why string, limit time.Duration) (bool, error) {
	if m.child == "" {
		err := m.stored().Withdraw(ctx)
		if err == nil || !errors.Is(err, sweep.ErrClaimed) {
			return err == nil, err
		}
		if open, err := m.sweep.Lease().Settle(ctx, m.shard.Runs); len(open) == 0 || err != nil {
			if err == nil {
				err = m.stored().Recall(ctx, true) // a worker that is alive begins nothing more
			}
			return err == nil, err
		}
	}
	if time.Since(m.active) < limit {
		return false, nil
	}
	m.why = fmt.Sprintf("%s, and its worker has been silent for %s", why, unit.Duration(time.Since(m.active)))
	return true, errors.Join(m.stored().Recall(ctx, true), m.stop(ctx))
}

// settle closes a shard of which nothing is running: runs that began and did not
// end are lost.
func (m *monitor) settle(ctx context.Context) error {
	if err := m.report(ctx); err != nil {
		return err
	}
	open, err := m.sweep.Lease().Settle(ctx, m.shard.Runs)
	if err != nil {
		return err
	}
	if m.ended != nil && (len(open) > 0 || m.ended.Status == api.AllocClientStatusFailed) {
		m.why = m.reason(ctx)
	}
	for _, b := range open {
		if err := m.sweep.Lease().Lose(ctx, b, m.why); err != nil {
			return err
		}
	}
	return m.stored().Close(ctx)
}
