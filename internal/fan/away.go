package fan

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// away knows the classes whose runs cannot begin now, and how many shards of
// each class are in progress: those of a class that is away take no room from
// the others.
type away struct {
	classer Classer // nil if all runs are alike
	class   func(sweep.Run) string
	now     map[string]error
	gone    map[string]error // given up, as long as they do not come back
	busy    map[string]int   // shards in progress
	runs    map[string][]sweep.Run
	shards  map[string][]result // that were in progress
}

func newAway(ex Executor) *away {
	a := &away{class: func(sweep.Run) string { return "" }, gone: map[string]error{}, busy: map[string]int{},
		runs: map[string][]sweep.Run{}, shards: map[string][]result{}}
	if c, ok := ex.(Classer); ok {
		a.classer, a.class = c, c.Class
	}
	return a
}

// look asks the executor and returns the classes that are newly given up, and those
// that have come back.
func (a *away) look() (gone, back []string) {
	if a.classer == nil {
		return nil, nil
	}
	a.now = a.classer.Away()
	for _, class := range slices.Sorted(maps.Keys(a.gone)) {
		if a.now[class] == nil {
			delete(a.gone, class)
			back = append(back, class)
		}
	}
	for _, class := range slices.Sorted(maps.Keys(a.now)) {
		if err := a.now[class]; err != nil && a.gone[class] == nil {
			a.gone[class] = err
			gone = append(gone, class)
		}
	}
	return gone, back
}

// err is why classes are given up, with what else went wrong.
func (a *away) err(other error) error {
	for _, class := range slices.Sorted(maps.Keys(a.gone)) {
		if err := a.gone[class]; !errors.Is(other, err) {
			other = errors.Join(other, err)
		}
	}
	return other
}

// unstarted counts the runs that were given up before they began.
func (a *away) unstarted() (n int) {
	for _, runs := range a.runs {
		n += len(runs)
	}
	return n
}

// holds reports whether a run cannot begin now because its class is away.
func (a *away) holds(r sweep.Run) bool {
	if len(a.now) == 0 {
		return false
	}
	_, is := a.now[a.class(r)]
	return is
}

// stuck counts the shards in progress whose class is away.
func (a *away) stuck() (n int) {
	for class := range a.now {
		n += a.busy[class]
	}
	return n
}

// lookAway gives up the queued runs of classes that do not come back in time, and
// takes up those of classes that do all the same.
func (f *fanner) lookAway(ctx context.Context) {
	gone, back := f.away.look()
	for _, class := range gone {
		f.queue = slices.DeleteFunc(f.queue, func(r sweep.Run) bool {
			is := f.class(r) == class
			if is {
				f.away.runs[class] = append(f.away.runs[class], r)
			}
			return is
		})
	}
	for _, class := range back {
		if !f.stopped && ctx.Err() == nil {
			f.takeUp(ctx, class)
		}
	}
}

// takeUp queues the runs of a class that has come back, and executes its shards
// again: their workers may have gone on.
func (f *fanner) takeUp(ctx context.Context, class string) {
	f.queue = append(f.queue, f.away.runs[class]...)
	for _, r := range f.away.shards[class] {
		for _, run := range r.runs {
			f.tries[run.ID]--
			f.hand(run)
		}
		f.send(ctx, r.shard, r.runs)
	}
	delete(f.away.runs, class)
	delete(f.away.shards, class)
}

// enqueue queues a run at i, unless its class is gone.
func (f *fanner) enqueue(i int, run sweep.Run) {
	if class := f.class(run); f.away.gone[class] != nil {
		f.away.runs[class] = append(f.away.runs[class], run)
		return
	}
	f.insert(i, run)
}

// fail records the error of a shard, after which nothing more starts. Where its
// class is gone, that is all that has come to an end, for as long as it is.
func (f *fanner) fail(ctx context.Context, r result) {
	f.lookAway(ctx)
	gone := f.away.gone[r.class]
	switch {
	case gone == nil:
		f.stopped = true
		f.err = errors.Join(f.err, f.inShard(r))
	case errors.Is(r.err, gone):
		f.away.shards[r.class] = append(f.away.shards[r.class], r)
	default:
		f.err = errors.Join(f.err, f.inShard(r))
	}
}
