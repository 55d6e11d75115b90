// Package frugal makes this process get by with less memory where it has much to hold:
// a sweep of hundreds of thousands of runs is read once and then stays, and what
// collects garbage more often costs next to nothing beside the reading.
package frugal

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// few is how much garbage is kept where much is held, as a percentage of that.
	few = 30
	// much is how many bytes that is.
	much = 48 << 20
)

// Control makes this process the controller of runs elsewhere: it mostly waits, so
// that memory matters more than time.
func Control() { debug.SetGCPercent(few) }

// Watch looks after each collection of garbage whether this process holds much, until
// it does. Whoever sets GOGC decides himself.
func Watch() {
	if os.Getenv("GOGC") == "" {
		again(&sentinel{})
	}
}

// A sentinel is garbage: whenever it is collected, it looks.
type sentinel struct{ _ [16]byte }

func again(s *sentinel) { runtime.SetFinalizer(s, look) }

func look(s *sentinel) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(live); live[0].Value.Kind() == metrics.KindUint64 && live[0].Value.Uint64() >= much {
		debug.SetGCPercent(few)
		return
	}
	again(s)
}
