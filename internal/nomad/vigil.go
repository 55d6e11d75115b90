package nomad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// A vigil watches over one shard from its dispatch until nothing of it can be
// at work any more.
type vigil struct {
	*Executor
	shard sweep.Shard
	class *class
	watch *watcher
	note  func(sweep.Note)

	child string // job of the shard; empty when there is none
	ended *alloc // the allocation that made it
	why   string // why it ended, for runs that it left open

	asked time.Time     // when Nomad was asked about a child without allocations
	wait  time.Duration // before it is asked again

	beat  time.Time // of the worker, by its clock
	heard time.Time // when we saw that beat change
}

// make has the shard made, or takes part in what is under way, and settles it.
func (v *vigil) make(ctx context.Context, fresh bool) (err error) {
	work := context.WithoutCancel(ctx)
	if fresh {
		v.child, err = v.dispatch(ctx, v.class, v.shard.ID, nil)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err != nil { // cut short: it may have happened all the same
			if err := v.findChildren(work, v.class.place); err != nil {
				return err
			}
		}
	}
	if v.child == "" {
		v.mu.Lock()
		v.child = v.left[v.shard.ID]
		v.mu.Unlock()
	}
	if err := v.await(ctx); err != nil {
		return err
	}
	return v.settle(work)
}

// attempts counts those at the runs of the shard.
func (v *vigil) attempts() (n int) {
	for _, id := range v.shard.Runs {
		st, _ := v.sweep.Run(id)
		n += st.Attempts
	}
	return n
}

// stopMargin is what Nomad takes beyond the worker's own time to stop.
const stopMargin = 60 * time.Second

// await waits until nothing of the shard can be at work any more, and tells of
// its runs meanwhile. It stops the allocation when ctx ends.
func (v *vigil) await(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	wake, forget := v.watch.follow(v.child)
	defer forget()
	cancel := ctx.Done()
	var limit <-chan time.Time
	for {
		if over, err := v.over(work, ctx.Err() != nil); over || err != nil {
			return err
		}
		select {
		case <-wake:
		case <-time.After(v.pollEvery()):
		case <-limit:
			return &stuckError{v.child}
		case <-cancel:
			cancel = nil
			if v.superseded(work) {
				return context.Cause(ctx) // the other watches over it now
			}
			if err := v.stop(work); err != nil {
				return err
			}
			limit = time.After(v.o.Grace + stopMargin)
		}
	}
}

// stuckError is a job that was stopped and goes on.
type stuckError struct{ job string }

func (e *stuckError) Error() string { return "stop job " + e.job + ": its allocation does not end" }

// Hint says what to do about it.
func (e *stuckError) Hint() string {
	return fmt.Sprintf("nomad job status %s says where it is; when its node is back, or given up, the same command goes on", e.job)
}

// stop tells Nomad to end the shard's allocation.
func (v *vigil) stop(ctx context.Context) error {
	if v.child == "" {
		return nil
	}
	return v.deregister(ctx, v.class.place, v.child)
}

// lookRate is how many shards are looked at in a second, at most: events tell
// of their ends, so looking is for people.
const lookRate = 40

func (v *vigil) pollEvery() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return max(v.o.poll, time.Duration(v.underWay)*time.Second/lookRate)
}

// over looks at everything that is known of the shard and reports whether
// nothing of it can be at work any more.
func (v *vigil) over(ctx context.Context, stopping bool) (bool, error) {
	allocs := v.watch.look(v.child)
	if v.ended = terminal(allocs); v.ended != nil {
		return true, nil
	}
	if err := v.tell(ctx); err != nil {
		return false, err
	}
	switch {
	case v.child == "":
		return v.forsaken(ctx, "its Nomad job is gone, and nobody knows how it ended", v.o.LostAfter)
	case len(allocs) == 0:
		return v.unplaced(ctx, stopping)
	case v.allEnded():
		// The worker is about to leave, or it has and we missed it.
		return false, v.refresh(ctx)
	case away(allocs):
		return v.forsaken(ctx, "its node is away", v.o.LostAfter)
	}
	return v.forsaken(ctx, "its worker says nothing", patientWith*v.o.LostAfter)
}

// patientWith is how much longer a worker may be silent whose node is there.
const patientWith = 10

// tell passes on what the worker has recorded.
func (v *vigil) tell(ctx context.Context) error {
	notes, err := v.sweep.Absorb(ctx, v.shard.ID)
	cells, beat := v.sweep.Beats(ctx, v.shard.ID)
	if len(notes) > 0 || !beat.Equal(v.beat) {
		v.beat, v.heard = beat, time.Now()
	}
	for _, n := range append(notes, cells...) {
		v.note(n)
	}
	return err
}

func (v *vigil) allEnded() bool {
	for _, id := range v.shard.Runs {
		if st, _ := v.sweep.Run(id); st.Began != nil || st.Last == nil {
			return false
		}
	}
	return true
}

// refresh asks for the allocations of the shard alone.
func (v *vigil) refresh(ctx context.Context) error {
	var stubs []*api.AllocationListStub
	err := v.retry(ctx, "look at job "+v.child, func() (err error) {
		stubs, _, err = v.client.Jobs().Allocations(v.child, true, v.class.place.query(ctx))
		if missing(err) {
			err = nil
		}
		return err
	})
	for _, s := range stubs {
		v.watch.learn(s.JobID, allocOf(s))
	}
	return err
}

// maxUnasked is how long at most Nomad is not asked about a child that waits.
const maxUnasked = 15 * time.Second

// unplaced looks at a child without allocations: it waits for a node, or it
// will never get one because it was collected, or stopped.
func (v *vigil) unplaced(ctx context.Context, stopping bool) (bool, error) {
	if !stopping && time.Since(v.asked) < v.wait {
		return false, nil
	}
	v.asked, v.wait = time.Now(), min(2*max(v.wait, v.o.poll), maxUnasked)
	job, _, err := v.client.Jobs().Info(v.child, v.class.place.query(ctx))
	switch {
	case missing(err):
		v.child = ""
		return v.over(ctx, stopping)
	case err != nil && v.passing(err):
		return false, nil // the next look may tell
	case err != nil:
		return false, explain("look at job "+v.child, err)
	}
	if err := v.refresh(ctx); err != nil || len(v.watch.look(v.child)) > 0 {
		return false, err
	}
	if job.Stop != nil && *job.Stop {
		return true, nil
	}
	v.tellWaiting(ctx)
	return false, nil
}

// forsaken gives the shard up when nobody has it, or its worker has been silent
// for so long.
func (v *vigil) forsaken(ctx context.Context, why string, patience time.Duration) (bool, error) {
	if v.child == "" {
		err := v.sweep.Withdraw(ctx, v.shard.ID)
		if err == nil || !errors.Is(err, sweep.ErrClaimed) {
			return err == nil, err
		}
		if open, err := v.sweep.Settle(ctx, v.shard.Runs); len(open) == 0 || err != nil {
			if err == nil {
				err = v.sweep.Recall(ctx, v.shard.ID, true) // a worker that lives begins nothing more
			}
			return err == nil, err
		}
	}
	if time.Since(v.heard) < patience {
		return false, nil
	}
	v.why = fmt.Sprintf("%s, and its worker has been silent for %s", why, time.Since(v.heard).Round(time.Second))
	return true, errors.Join(v.sweep.Recall(ctx, v.shard.ID, true), v.stop(ctx))
}

// settle books a shard of which nothing is at work any more: runs that began
// and did not end are lost.
func (v *vigil) settle(ctx context.Context) error {
	if err := v.tell(ctx); err != nil {
		return err
	}
	open, err := v.sweep.Settle(ctx, v.shard.Runs)
	if err != nil {
		return err
	}
	if v.ended != nil && (len(open) > 0 || v.ended.Status == api.AllocClientStatusFailed) {
		v.why = v.reason(ctx)
	}
	for _, b := range open {
		if err := v.sweep.Lose(ctx, b, v.why); err != nil {
			return err
		}
	}
	return v.sweep.CloseShard(ctx, v.shard.ID)
}
