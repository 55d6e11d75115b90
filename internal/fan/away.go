package fan

import (
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
	gone    map[string]error // for good
	busy    map[string]int   // shards in progress
}

func newAway(ex Executor) *away {
	a := &away{class: func(sweep.Run) string { return "" }, gone: map[string]error{}, busy: map[string]int{}}
	if c, ok := ex.(Classer); ok {
		a.classer, a.class = c, c.Class
	}
	return a
}

// look asks the executor and returns the classes that are newly gone for good.
func (a *away) look() (gone []string) {
	if a.classer == nil {
		return nil
	}
	a.now = a.classer.Away()
	for _, class := range slices.Sorted(maps.Keys(a.now)) {
		if err := a.now[class]; err != nil && a.gone[class] == nil {
			a.gone[class] = err
			gone = append(gone, class)
		}
	}
	return gone
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

// lookAway gives up the queued runs of classes that are gone for good.
func (f *fanner) lookAway() {
	for _, class := range f.away.look() {
		if err := f.away.gone[class]; !errors.Is(f.err, err) {
			f.err = errors.Join(f.err, err)
		}
		before := len(f.queue)
		f.queue = slices.DeleteFunc(f.queue, func(r sweep.Run) bool { return f.class(r) == class })
		f.sum.Unstarted += before - len(f.queue)
	}
}

// enqueue queues a run at i, unless its class is gone.
func (f *fanner) enqueue(i int, run sweep.Run) {
	if len(f.away.gone) > 0 && f.away.gone[f.class(run)] != nil {
		f.sum.Unstarted++
		return
	}
	f.queue = slices.Insert(f.queue, i, run)
}

// fail records the error of a shard, after which nothing more starts. Where its
// class is gone, that is all that has come to an end.
func (f *fanner) fail(r result) {
	f.lookAway()
	gone := f.away.gone[r.class]
	if gone == nil {
		f.stopped = true
	}
	if gone == nil || !errors.Is(r.err, gone) {
		f.err = errors.Join(f.err, f.inShard(r))
	}
}
