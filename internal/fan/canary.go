package fan

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// canaryCells is how many cells a run must have executed to show that the
// template's imports and set-up work.
const canaryCells = 4

// maxCanaries is how many runs may fail in their first cells, one after the other,
// before the sweep is halted.
const maxCanaries = 3

// hopeless are exceptions that do not depend on parameters: one is enough.
var hopeless = []string{"ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError"}

// canary keeps the window at one run until a run has passed its first cells.
type canary struct {
	alive  chan struct{} // closed when a run got past its first cells; nil once that is known
	passed func()        // closes it, once
	shut   bool
	tried  int
}

func newCanary(on bool) *canary {
	alive := make(chan struct{})
	return &canary{alive: alive, passed: sync.OnceFunc(func() { close(alive) }), shut: on}
}

func (c *canary) window(n int) int {
	if c.shut {
		return 1
	}
	return n
}

// open opens the window. The channel is set to nil because a closed one would keep
// the loop spinning.
func (c *canary) open() { c.shut, c.alive = false, nil }

// see may be called from any goroutine.
func (c *canary) see(n sweep.Note) {
	if n.Kind == sweep.NoteCell && n.Cell > canaryCells {
		c.passed()
	}
}

// judge examines a run that ended while the window was shut and returns why the
// sweep must halt, or nothing.
func (c *canary) judge(st sweep.RunState) string {
	if !c.shut {
		return ""
	}
	o := st.Last
	if o.Status == outcome.Succeeded || o.Cell > canaryCells {
		c.open()
		return ""
	}
	if o.Status == outcome.Canceled {
		return ""
	}
	c.tried++
	if o.Kind == outcome.StartFailed || slices.Contains(hopeless, o.Ename) {
		return fmt.Sprintf("the first run did not get past its first cells (%s), and no other would", o.Reason)
	}
	if c.tried >= maxCanaries {
		return fmt.Sprintf("the first %d runs did not get past their first cells (the last: %s)", c.tried, o.Reason)
	}
	return ""
}
