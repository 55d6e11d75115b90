package local

import (
	"context"
	"sync"
	"time"
)

// A gate lets no further run start while memory is short, except the first: with
// none running, waiting would not help.
type gate struct {
	mu        sync.Mutex
	inside    int
	available func() (free, total int64, known bool) // bytes
}

const (
	// reserve is the share of memory, in percent, that is kept free.
	reserve   = 5
	gatePause = 500 * time.Millisecond
)

func newGate() *gate { return &gate{available: memoryAvailable} }

// enter waits until there is memory for a run that needs this many bytes; 0 is
// unknown.
func (g *gate) enter(ctx context.Context, need int64) error {
	for !g.admit(need) {
		t := time.NewTimer(gatePause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
	return nil
}

func (g *gate) admit(need int64) bool {
	free, total, known := g.available()
	g.mu.Lock()
	defer g.mu.Unlock()
	if known && g.inside > 0 && free < max(need, total/100*reserve) {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
}
