package fan

import (
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Budget is what runs may take, over several calls of Fan. A nil Budget is
// without limits.
type Budget struct {
	cpu, wall time.Duration
	began     time.Time
	spent     time.Duration // CPU time of attempts that ended
}

// NewBudget begins a budget of CPU time, of all attempts together, and of time from
// now on; 0 is no limit.
func NewBudget(cpu, wall time.Duration) *Budget {
	return &Budget{cpu: cpu, wall: wall, began: time.Now()}
}

// spend counts the CPU time of an attempt.
func (b *Budget) spend(cpu time.Duration) {
	if b != nil {
		b.spent += cpu
	}
}

// over returns why nothing more may begin, or nothing.
func (b *Budget) over() string {
	switch {
	case b == nil:
		return ""
	case b.cpu > 0 && b.spent >= b.cpu:
		return fmt.Sprintf("its runs took %s CPU hours, and their budget is %s; the same command goes on, with the budget anew", unit.Number(b.spent.Hours()), unit.Number(b.cpu.Hours()))
	case b.wall > 0 && time.Since(b.began) >= b.wall:
		return fmt.Sprintf("it began %s ago, and its budget is %s; the same command goes on, with the budget anew", unit.AsWritten(time.Since(b.began).Round(time.Second)), unit.AsWritten(b.wall))
	}
	return ""
}
