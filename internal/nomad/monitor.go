package nomad

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/inside"
	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A monitor follows one shard from its dispatch until none of it can be running.
type monitor struct {
	*Executor
	shard sweep.Shard
	class *class
	site  *site // nil for a place of no planned run
	watch *watcher
	note  func(sweep.Note)

	child string       // job of the shard; empty if there is none
	ended *alloc.Alloc // the allocation that executed it
	why   string       // it ended, for runs that it left open

	asked time.Time     // when Nomad was last asked about the child
	wait  time.Duration // before it is asked again
	done  time.Time     // when all runs were first seen to have ended

	worker string    // who began runs of it, as far as notes said
	beat   time.Time // of the worker, by its clock
	active time.Time // when we last saw a beat or a record of the worker
}

func (m *monitor) stored() sweep.Stored { return m.sweep.Stored(m.shard.ID) }

// execute dispatches the shard, or joins one that is running, and settles it.
func (m *monitor) execute(ctx context.Context, fresh bool) (err error) {
	work := context.WithoutCancel(ctx)
	if err := m.reach(ctx); err != nil {
		return err
	}
	if fresh && m.site.isOpen() {
		m.child, err = m.begin(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err != nil { // canceled: the shard may have been dispatched all the same
			if err := m.findAgain(work); err != nil {
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

// begin dispatches the shard, once its workload class has room. Without that, there is no
// job when ctx ends.
func (m *monitor) begin(ctx context.Context) (child string, err error) {
	if m.site == nil || m.site.gate == nil {
		return m.dispatch(ctx, m.class, m.shard, nil)
	}
	err = m.site.gate.Pass(ctx, func() (err error) {
		child, err = m.dispatch(ctx, m.class, m.shard, nil)
		return err
	})
	return child, err
}

// remember keeps the job of a shard whose place is given up, in case it comes back.
func (m *monitor) remember() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.child != "" {
		m.left[m.shard.ID] = m.child
	}
}

// reach waits until the shard's place has answered, while its workers, if it was
// dispatched before, may do all there is to do.
func (m *monitor) reach(ctx context.Context) error {
	for !m.site.isOpen() && ctx.Err() == nil {
		if err := m.report(context.WithoutCancel(ctx)); err != nil || m.stored().Done(m.shard.Runs) {
			return err
		}
		if err := m.gone(m.class.place); err != nil {
			return err
		}
		select {
		case <-m.site.decided:
		case <-ctx.Done():
		case <-time.After(m.pollEvery()):
		}
	}
	return nil
}

// findAgain looks for the job of a shard, for no longer than it could be stopped.
func (m *monitor) findAgain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.stopLimit())
	defer cancel()
	return m.findChildren(ctx, m.class.place)
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

// stopLimit is how long the end of an allocation is waited for that should end.
func (m *monitor) stopLimit() time.Duration { return m.o.Grace + m.o.margin }

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
			return m.unstopped("its allocation has not ended")
		case <-cancel:
			cancel = nil
			if m.superseded(work) {
				return context.Cause(ctx) // the other controller follows it now
			}
			if err := m.stop(work); err != nil {
				return err
			}
			if m.ended != nil { // who else has it reads this
				if err := m.stored().Recall(work, true); err != nil {
					return err
				}
			}
			limit = time.After(m.stopLimit())
		}
	}
}

// unstopped reports an allocation that was stopped and may be running still.
func (m *monitor) unstopped(why string) error {
	if m.child == "" {
		return unit.WithHint(fmt.Errorf("stop shard %s: %s does not answer, and a worker may still be executing it", m.shard.ID, m.class.place),
			"once it answers again, run the same command again to resume")
	}
	return unit.WithHint(fmt.Errorf("stop job %s: %s", m.child, why),
		"nomad job status %s shows where it is; once its node is back, or given up, run the same command again to resume", m.child)
}

// stop has Nomad end the shard's allocation. A cluster that is away is not waited
// for longer than the allocation would be.
func (m *monitor) stop(ctx context.Context) error {
	if m.child == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.stopLimit())
	defer cancel()
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
	m.ended = alloc.Terminal(allocs)
	if m.ended != nil && m.stored().Done(m.shard.Runs) {
		return true, nil
	}
	if err := m.report(ctx); err != nil {
		return false, err
	}
	if m.ended != nil {
		return m.others(ctx)
	}
	if m.stored().Done(m.shard.Runs) {
		return m.finished(ctx, allocs)
	}
	m.lookForChild(ctx)
	switch {
	case m.child == "":
		return m.giveUpIfSilent(ctx, "its Nomad job is gone, and how it ended is unknown", m.o.LostAfter)
	case len(allocs) == 0:
		return m.unplaced(ctx, stopping)
	case alloc.Disconnected(allocs):
		over, err := m.giveUpIfSilent(ctx, "its node is disconnected", m.o.LostAfter)
		if stopping && !over && err == nil {
			err = m.unstopped("its node is away")
		}
		return over, err
	}
	return m.giveUpIfSilent(ctx, "its worker does not report", presentNodeFactor*m.o.LostAfter)
}

// others reports whether a shard is over whose allocation has ended. It is not while
// another works at it: a cluster that does not heed the token of a dispatch starts two,
// and the second finds the shard taken.
func (m *monitor) others(ctx context.Context) (bool, error) {
	if m.worker == "" || strings.HasPrefix(m.worker, inside.NameOf(m.ended.ID)+" ") || m.stored().Done(m.shard.Runs) {
		return true, nil
	}
	return m.giveUpIfSilent(ctx, "Nomad does not say where it is", m.o.LostAfter)
}

// finished reports whether a shard is over whose runs have all ended. Its worker
// has nothing left to do but to end, which is waited for only while Nomad can
// tell, and not for ever.
func (m *monitor) finished(ctx context.Context, allocs []alloc.Alloc) (bool, error) {
	if m.done.IsZero() {
		m.done = time.Now()
	}
	known, err := m.refresh(ctx)
	away := m.child == "" || err == nil && !known || alloc.Disconnected(allocs)
	if !away && time.Since(m.done) < m.stopLimit() {
		return false, nil
	}
	return true, m.stored().Recall(ctx, true)
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
		if n.Kind == sweep.NoteBegan {
			m.worker = n.Where
		}
		m.note(n)
	}
	return err
}

// refresh asks once for the allocations of the shard, and whether there are any.
func (m *monitor) refresh(ctx context.Context) (known bool, err error) {
	var stubs []*api.AllocationListStub
	err = m.call(ctx, m.class.place, func(ctx context.Context) (err error) {
		stubs, _, err = m.client.Jobs().Allocations(m.child, true, m.class.place.query(ctx))
		return err
	})
	for _, s := range stubs {
		m.watch.learn(s.JobID, alloc.Of(s))
	}
	if answer.Missing(err) {
		err = nil
	}
	return len(stubs) > 0, err
}

// lookForChild asks for the job of a worker that has become silent: once a job is
// purged or collected, nothing else says so.
func (m *monitor) lookForChild(ctx context.Context) {
	often := min(m.o.LostAfter, maxUnasked)
	if m.child == "" || time.Since(m.active) < often || time.Since(m.asked) < often/3 {
		return
	}
	m.asked = time.Now()
	if _, err := m.info(ctx); answer.Missing(err) {
		m.child = ""
	}
}

// info asks once for the shard's job.
func (m *monitor) info(ctx context.Context) (job *api.Job, err error) {
	err = m.call(ctx, m.class.place, func(ctx context.Context) (err error) {
		job, _, err = m.client.Jobs().Info(m.child, m.class.place.query(ctx))
		return err
	})
	return job, err
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
	job, err := m.info(ctx)
	switch {
	case answer.Missing(err):
		m.child = ""
		return m.over(ctx, stopping)
	case err != nil && m.passing(m.class.place, err):
		return false, m.gone(m.class.place) // the next look may succeed
	case err != nil:
		return false, answer.Explain("look at job "+m.child, err)
	}
	if known, err := m.refresh(ctx); err != nil || known {
		return false, nil // or the next look
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
	if err := m.stored().Recall(ctx, true); err != nil {
		return false, err
	}
	if err := m.stop(ctx); err != nil && !m.passing(m.class.place, err) { // the worker reads the recall in any case
		return false, err
	}
	return true, nil
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
	m.sayDrained()
	return m.stored().Close(ctx)
}
