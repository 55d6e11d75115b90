package frugal

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// A process that holds little keeps as much garbage as ever, and one that holds much
// keeps little, unless the user has said how much.
func TestWatch(t *testing.T) {
	defer debug.SetGCPercent(percent())
	for _, c := range []struct {
		gogc string
		hold int
		want int
	}{{"", 1 << 20, 100}, {"", 2 * much, few}, {"100", 2 * much, 100}} {
		debug.SetGCPercent(100)
		t.Setenv("GOGC", c.gogc)
		Watch()
		held := make([]byte, c.hold)
		for range 5 { // the finalizer runs after a collection
			runtime.GC()
			time.Sleep(20 * time.Millisecond)
		}
		if got := percent(); got != c.want {
			t.Errorf("GOGC=%q, %d bytes held: %d%%, want %d%%", c.gogc, len(held), got, c.want)
		}
		runtime.KeepAlive(held)
	}
}

func percent() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}
